"""Wrong statements made from right ones: by words and by characters, the same for the same seed."""

from __future__ import annotations

import random
import re
from pathlib import Path

TOKEN = re.compile(r"N?'(?:[^']|'')*'|\"[^\"]*\"|@{0,2}#?\w+|<>|<=|>=|!=|\|\||::|\s+|.", re.DOTALL)
#: values and words that break what was only written for ordinary ones
EXTREMES = (
    *("0", "-1", "1", "2147483647", "2147483648", "-9223372036854775808", "9223372036854775808"),
    *("99999999999999999999999999999999999999999", "1e308", "1e-400", "1.5", "0x", "0xFF", "''"),
    *("'a'", "'%'", "'2024-02-30'", "N'\u00e4\U0001f642'", "NULL", "*", "@x", "@@x", "?", ":p"),
    *("[0.1, 0.2]", "[]", "(", ")", "()", ",", ";", ".", "::", "--", "/*", "*/", "'", '"', "["),
    *(
        "SELECT",
        "FROM",
        "WHERE",
        "GROUP BY",
        "ORDER BY",
        "HAVING",
        "OVER ()",
        "DISTINCT",
        "TOP (2)",
    ),
    *("LIMIT 1", "UNION ALL", "EXCEPT", "WITH", "AS", "AND", "OR", "NOT", "IN", "EXISTS", "LIKE"),
    *(
        "BETWEEN",
        "CASE",
        "WHEN",
        "END",
        "CAST(1 AS INT)",
        "COUNT(*)",
        "SUM(1)",
        "JOIN",
        "ON",
        "SET",
    ),
    *("INSERT", "UPDATE", "DELETE", "VALUES", "CREATE", "DROP", "TABLE", "COMMIT", "ROLLBACK"),
)
#: words that stand in for words of their own kind, so that most such statements still parse
KINDS = (
    (re.compile(r"\d"), EXTREMES[:13] + ("NULL", "'5'", "(1 / 0)", "@x")),
    (
        re.compile(r"N?'"),
        ("''", "'%'", "'2024-02-30'", "N'\u00e4\U0001f642'", "NULL", "0x00", "12"),
    ),
    (
        re.compile(r"[<>=!]=?$|<>"),
        ("=", "<>", "<", ">=", "+", "/", "%", "LIKE", "IS DISTINCT FROM"),
    ),
    (re.compile(r"[-+*/%&|^]"), ("+", "-", "*", "/", "%", "||", "&", "=", "AND")),
    (re.compile(r"(?i)(INNER|LEFT|RIGHT|FULL|CROSS)$"), ("INNER", "LEFT", "RIGHT", "FULL")),
    (
        re.compile(r"(?i)(SUM|MIN|MAX|COUNT|AVG|ABS|LEN|UPPER)$"),
        ("SUM", "MIN", "COUNT", "LEN", "f"),
    ),
    (re.compile(r"(?i)(INT|BIGINT|FLOAT|TEXT|DATE|BIT)$"), ("TINYINT", "BIT", "DATE", "VECTOR(2)")),
)
CHARACTERS = "()'\"[];,.*+-/%<>=@#:?_ \t\n0aZ\x00\x7f\u00a0\u2028\u00e9\u4e2d\U0001f642\ufeff"


def golden_scripts(folder: Path) -> list[list[str]]:
    """The statements of each golden script below `folder`, in order."""
    scripts: list[list[str]] = []
    for path in sorted(folder.rglob("*.golden")):
        scripts.append([])
        for block in path.read_text(encoding="utf-8").split("\n\n"):
            joined = re.sub(r"\n  ", "\n\x01", block.partition("\n----")[0])
            for line in re.split(r"\n(?!\x01)", joined):
                match = re.match(r"(?:\[[\w ,]+\]\s*)?\w*!?> ?(.*)", line, re.DOTALL)
                if match:
                    scripts[-1].append(match[1].replace("\x01", ""))
    return scripts


def mutate(statement: str, others: list[str], dice: random.Random) -> str:
    """A statement one to four changes away; `others` lend it words."""
    for _ in range(dice.choice((1, 1, 2, 4))):
        change = dice.choice((exchange, exchange, exchange, change_words, change_characters))
        statement = change(statement, others, dice)
    return statement


def exchange(statement: str, others: list[str], dice: random.Random) -> str:
    """One word by another of its kind; names by names that other statements use."""
    words = TOKEN.findall(statement) or [""]
    places = [i for i, word in enumerate(words) if not word.isspace()]
    for at in dice.sample(places, min(len(places), 8)):
        kind = next((choices for pattern, choices in KINDS if pattern.match(words[at])), ())
        if kind:
            words[at] = dice.choice(kind)
            break
        if re.fullmatch(r"[a-z_]\w*", words[at]):
            names = re.findall(r"\b[a-z_]\w*\b", dice.choice(others)) or ["t"]
            words[at] = dice.choice(names)
            break
    return "".join(words)


def change_words(statement: str, others: list[str], dice: random.Random) -> str:
    words = TOKEN.findall(statement) or [""]
    at = dice.randrange(len(words))
    match dice.randrange(6):
        case 0:
            del words[at : at + dice.choice((1, 1, 2, 5))]
        case 1:
            words.insert(at, words[dice.randrange(len(words))])
        case 2:
            other = dice.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        case 3:
            words[at] = " " + dice.choice(EXTREMES) + " "
        case 4:
            words.insert(at, " " + dice.choice(EXTREMES) + " ")
        case 5:
            lent = TOKEN.findall(dice.choice(others)) or [""]
            start = dice.randrange(len(lent))
            words[at:at] = lent[start : start + dice.choice((1, 3, 9))]
    return "".join(words)


def change_characters(statement: str, others: list[str], dice: random.Random) -> str:
    at = dice.randrange(len(statement) + 1)
    match dice.randrange(4):
        case 0:
            return statement[:at] + statement[at + dice.choice((1, 2, 8)) :]
        case 1:
            return statement[:at] + dice.choice(CHARACTERS) + statement[at:]
        case 2:
            return statement[:at] + dice.choice(CHARACTERS) + statement[at + 1 :]
    return statement[:at] + statement[max(0, at - dice.choice((1, 4, 16))) :]

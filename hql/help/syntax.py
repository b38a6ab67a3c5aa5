"""Synopses made from the grammar: what may be typed. Words in capitals are typed as they are, […]
may be left out, {a | b} is a choice, [, …] more of the same, <part> has a synopsis of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from hartonomous.grammar.tables import FOLDER
from hartonomous.hql.help.grammar_text import Term, rules

#: a synopsis is broken where its line would be longer
LINE_CHARACTERS_MAX = 88
#: a rule that only one statement uses stands in its synopsis if it is no longer than this
INLINE_CHARACTERS_MAX = 60

#: rules that are shown as a name and not taken apart: what a reader of SQL calls them
SHOWN = {
    "any": "<statement>",
    "block": "BEGIN <statement> … END",
    "body": "<statement> …",
    "branch": "<statement>",
    "condition": "<condition>",
    "_dotted": "name",
    "_explained": "{<query> | <change>}",
    "default": "DEFAULT",
    "if_exists": "IF EXISTS",
    "if_not_exists": "IF NOT EXISTS",
    "inner": "<statement>",
    "insert_statement": "<insert>",
    "integer": "integer",
    "item": "<item>",
    "literal": "constant",
    "matched": "<statement>",
    "name": "name",
    "names": "(name [, …])",
    "number": "number",
    "open_query": "<query>",
    "paren_query": "(<query>)",
    "placeholder": ":parameter",
    "query": "<query>",
    "rest": "<statement> …",
    "delete_statement": "<delete>",
    "merge_change": "<merge>",
    "update_statement": "<update>",
    "select_query": "<query>",
    "unmatched": "<statement>",
    "value": "<expression>",
    "word_query": "<query>",
}
#: terminals that are no words
TERMINALS = {
    "ASSIGN": "+=",
    "BINARY": "0x…",
    "COMPARISON": "{< | > | <= | >= | <>}",
    "DECIMAL": "1.5",
    "FLOAT": "1e0",
    "INTEGER": "integer",
    "NAME": "name",
    "PARAMETER": ":parameter",
    "QUESTION": "?",
    "SCALING": "{/ | %}",
    "STRING": "'text'",
    "SUMMING": "{& | ^ | ||}",
    "VARIABLE": "@name",
    "VECTOR": "[1.5, 2]",
}
#: rules that are parts of a query and of nothing else
_QUERY_PARTS = {
    "for_json",
    "group_by",
    "grouping",
    "grouping_set",
    "hint",
    "json_mode",
    "json_option",
    "limit",
    "option",
    "top",
}
#: a form that is there for a table of that name
_HIDDEN = "UPDATE STATISTICS SET"
#: endings of the rules in a fragment that are the statement itself
_ENDINGS = ("statement", "strict", "open", "final", "matched", "unmatched")


@cache
def local_rules(statement: str) -> tuple[str, ...]:
    """The rules of a statement's own fragment, in order."""
    text = (FOLDER / "statements" / f"{statement}.lark").read_text(encoding="utf-8")
    return tuple(re.findall(r"^\??(\w+)(?:\.\d+)?\s*:", text, re.MULTILINE))


@cache
def synopsis(statement: str) -> str:
    """How a statement is written, with the parts that only it has."""
    local = local_rules(statement)
    roots = [r for r in local if r.rsplit("_", 1)[-1] in _ENDINGS and r.startswith(statement)]
    terms = [rules()[root] for root in roots or local[:1]]
    terms = [rules()[t.text] if t.text in local else t for t in terms]
    writer = _Writer(set(local))
    forms = list(dict.fromkeys(form for term in terms for form in writer.forms(term)))
    forms = [form for form in forms if not form.startswith(_HIDDEN)]
    lines = [_fold(form) for form in forms]
    for name in writer.parts():
        lines.append("")
        lines.extend(_part(writer, name))
    return "\n".join(lines)


def part_synopsis(rule: str) -> str:
    """How a part that several statements share is written."""
    return "\n".join(_part(_Writer(set()), rule))


def query_synopsis() -> str:
    """How a query is written: the parts in their order, which the grammar splits in families."""
    writer = _Writer(_QUERY_PARTS)
    select = writer.forms(rules()["select"])[0]
    tail = writer.forms(rules()["query_tail"])[0]
    with_ = writer.forms(rules()["with_clause"])[0]
    lines = [
        f"[{with_}]",
        select,
        f"    [{tail}]",
        "<query> {UNION [ALL] | EXCEPT | INTERSECT} <query>",
        writer.forms(rules()["values"])[0],
    ]
    for name in writer.parts():
        lines.extend(["", *_part(writer, name)])
    return "\n".join(_fold(line) for line in lines)


def shared_parts(statements: Iterator[str] | list[str]) -> list[str]:
    """Rules that synopses of these statements name and do not explain, and what those name."""
    found: dict[str, None] = {}
    waiting: list[str] = []
    for statement in statements:
        waiting.extend(_named(synopsis(statement)))
    while waiting:
        name = waiting.pop(0)
        if name in found or name not in rules():
            continue
        found[name] = None
        waiting.extend(_named(part_synopsis(name)))
    local = {rule for statement in statements for rule in local_rules(statement)}
    return sorted(name for name in found if name not in local)


def _named(text: str) -> list[str]:
    return [n.replace(" ", "_") for n in re.findall(r"<([a-z ]+)>", text)]


def _part(writer: _Writer, rule: str) -> list[str]:
    forms = list(dict.fromkeys(writer.forms(rules()[rule])))
    head = f"<{rule.strip('_').replace('_', ' ')}> is"
    if len(forms) == 1:
        return [_fold(f"{head} {forms[0]}")]
    return [f"{head} one of", *(_fold(f"    {form}") for form in forms)]


def _fold(text: str) -> str:
    """Breaks a line between words, further lines indented."""
    indent = len(text) - len(text.lstrip()) + 4
    lines, line = [], ""
    for word in re.findall(r"\s*\S+", text):
        if line and len(line) + len(word) > LINE_CHARACTERS_MAX:
            lines.append(line)
            line = " " * indent + word.strip()
        else:
            line += word
    return "\n".join([*lines, line])


class _Writer:
    """Writes terms. `local` are rules that may be shown in place, or else become parts."""

    def __init__(self, local: set[str]) -> None:
        self._local = local
        self._parts: dict[str, None] = {}
        self._inside: list[str] = []

    def parts(self) -> Iterator[str]:
        """The rules named so far, and those that these name in turn."""
        done: set[str] = set()
        while waiting := [p for p in self._parts if p not in done]:
            done.add(waiting[0])
            yield waiting[0]

    def forms(self, term: Term) -> list[str]:
        """The alternatives of a term, a text each."""
        if term.kind == "choice":
            return [form for part in term.parts for form in self.forms(part)]
        return [self._text(term)]

    def _text(self, term: Term) -> str:
        if term.kind == "word":
            return term.text
        if term.kind == "terminal":
            return self._terminal(term.text)
        if term.kind == "rule":
            return self._rule(term.text)
        if term.kind == "optional":
            inner = self._joined(term.parts[0])
            is_choice = inner.startswith("{") and inner.find("}") == len(inner) - 1
            return f"[{inner[1:-1] if is_choice else inner}]"
        if term.kind == "choice":
            return "{" + self._joined(term) + "}"
        if term.kind in ("any", "many"):
            inner = self._text(term.parts[0])
            return f"[{inner} …]" if term.kind == "any" else f"{inner} [{inner} …]"
        return self._sequence(term.parts)

    def _joined(self, term: Term) -> str:
        """Alternatives beside each other, without the marks around them."""
        return " | ".join(dict.fromkeys(self.forms(term)))

    def _sequence(self, parts: tuple[Term, ...]) -> str:
        out: list[str] = []
        for part in parts:
            if part.kind == "any" and part.parts[0].kind == "sequence":
                first, *rest = part.parts[0].parts
                if first.text == "," and out and self._sequence(tuple(rest)) == out[-1]:
                    out.append("[, …]")
                    continue
            out.append(self._text(part))
        text = " ".join(filter(None, out))
        return re.sub(r"(?<=[(.]) | (?=[),.])", "", text).replace(" :: ", "::")

    def _terminal(self, name: str) -> str:
        if name in TERMINALS:
            return TERMINALS[name]
        if name in rules():
            return self._text(rules()[name])
        words = name.strip("_").split("__")
        return " ".join("(" if word == "LPAR" else word for word in words)

    def _rule(self, name: str) -> str:
        if name in SHOWN:
            return SHOWN[name]
        term = rules()[name]
        shown = f"<{name.strip('_').replace('_', ' ')}>"
        if name in self._inside:
            return shown
        is_inline = name.startswith("_") or name in self._local
        if not is_inline and term.kind == "choice":
            return shown
        self._inside.append(name)
        try:
            text = self._text(term)
        finally:
            self._inside.pop()
        if name.startswith("_") or (len(text) <= INLINE_CHARACTERS_MAX and "<" + name not in text):
            return text
        if name in self._local:
            self._parts[name] = None
        return shown

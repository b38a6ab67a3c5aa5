"""Text to tokens: one compiled pattern, and a second look where a bracket or a comment opens.

A word stays a word here: whether it is a keyword or a name is decided by the driver, which knows
what can stand at its place. `[` followed by optional space and a digit, sign, point or `]` opens
a vector of numbers, else it quotes a name. `GO` alone on its line ends a batch.
"""

from __future__ import annotations

import math
import re
from typing import Any

WORD, QUOTED, GO, END = "WORD", "QUOTED", "GO", "$END"


class Token:
    """kind: WORD (text as written, `upper` for comparing), QUOTED (a quoted name), GO, $END,
    STRING, INTEGER, DECIMAL, FLOAT, BINARY, VECTOR, VARIABLE, PARAMETER, QUESTION, COMPARISON,
    SUMMING, SCALING, ASSIGN, or a mark itself. `value` is the
    string, the bytes' hex digits, the
    name without quotes or marks, the vector's numbers, else the text. `text[start:end]` is it."""

    __slots__ = ("end", "kind", "start", "upper", "value")

    def __init__(self, kind: str, value: Any, start: int, end: int, upper: str = "") -> None:
        self.kind, self.value, self.start, self.end, self.upper = kind, value, start, end, upper

    def __repr__(self) -> str:
        return f"{self.kind}:{self.value!r}"


class LexicalFault(Exception):
    """Characters that are no token; `start` is where the trouble begins. `is_unclosed`: more text
    could close what opens there."""

    def __init__(
        self, message: str, start: int, hint: str | None = None, *, is_unclosed: bool = False
    ) -> None:
        super().__init__(message)
        self.message, self.start, self.hint = message, start, hint
        self.is_unclosed = is_unclosed


#: words behind FETCH that are no cursor's name, in the statement and at the end of a query
_AFTER_FETCH = frozenset(["FROM", "NEXT", "PRIOR", "FIRST", "LAST", "ABSOLUTE", "RELATIVE"])

#: the quantifiers are possessive where a failure would make them try every split again
_TOKEN = re.compile(
    r"""(?:\s++|--[^\n]*+)*+(?:
    (?P<STRING>[Nn]?'[^']*+(?:''[^']*+)*+')
  | (?P<WORD>(?:(?![Nn]')\#{0,2}[^\W\d]|\$(?=[Aa][Cc][Tt][Ii][Oo][Nn]\b)[Aa])[\w$#@]*)
  | (?P<BINARY>0[xX][0-9a-fA-F]*(?!\w))
  | (?P<FLOAT>(?:\d+\.?\d*|\.\d+)[eE][+-]?\d+(?![\w.]))
  | (?P<DECIMAL>(?:\d+\.\d*|\.\d+)(?![\w.]))
  | (?P<INTEGER>\d+(?![\w.]))
  | (?P<VARIABLE>@@?[\w$#@]+)
  | (?P<MARK>[(),;~?]|\*(?!=)|::|\.(?!\d))
  | (?P<ASSIGN>[-+*/%&|^]=)
  | (?P<COMPARISON><=|>=|<>|!=|<|>)
  | (?P<COMMENT>/\*)
  | (?P<SIGN>[-+=])
  | (?P<SUMMING>\|\||[&|^])
  | (?P<SCALING>[/%])
  | (?P<QUOTED>"[^"]*+(?:""[^"]*+)*+")
  | (?P<BRACKET>\[)
  | (?P<PARAMETER>:[^\W\d]\w*)
  | (?P<FINISH>\Z)
    )""",
    re.VERBOSE,
)
_VECTOR_OPENS = re.compile(r"\[\s*[\d+\-.\]]")
_VECTOR = re.compile(r"\[([^\[\]]*)\]")
_NUMBER = re.compile(r"[+-]?\s*(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_BRACKET_NAME = re.compile(r"\[([^\]]*+(?:\]\][^\]]*+)*+)\]")
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def tokenize(text: str, tokens: list[Token] | None = None) -> list[Token]:
    """All tokens of the text, the last one being $END. Raises LexicalFault; a list that was handed
    in holds what came before it."""
    tokens = [] if tokens is None else tokens
    questions = 0
    match_at = _TOKEN.match
    position = 0
    while True:
        match = match_at(text, position)
        if match is None:
            raise _fault(text, position)
        kind = match.lastgroup
        assert kind is not None
        start, position = match.span(kind)
        if kind == "WORD":
            word = match[kind]
            upper = word.upper() if word.isascii() else word  # "ı" is an "I" to upper()
            if upper == "GO" and _is_alone(text, start, position):
                kind = GO
            elif upper == "ELSE" and tokens and tokens[-1].kind == ";":
                tokens.pop()  # T-SQL lets IF a SELECT 1; ELSE SELECT 2 have one
            elif upper not in _AFTER_FETCH:
                _complete_fetch(tokens, start)
            tokens.append(Token(kind, word, start, position, upper))
        elif kind == "MARK" or kind == "SIGN":
            mark = text[start:position]
            if mark == "?":
                tokens.append(Token("QUESTION", questions, start, position))
                questions += 1
            else:
                tokens.append(Token(mark, mark, start, position))
        elif kind == "FINISH":
            end = tokens[-1].end if tokens else 0
            tokens.append(Token(END, "", end, end))
            return tokens
        elif kind == "COMMENT":
            position = _skip_comment(text, start)
        elif kind == "BRACKET":
            token = _bracket(text, start)
            if token.kind == QUOTED:
                _complete_fetch(tokens, start)
            tokens.append(token)
            position = token.end
        else:
            if kind == QUOTED:
                _complete_fetch(tokens, start)
            tokens.append(Token(kind, _value(kind, match[kind], start), start, position))


def _complete_fetch(tokens: list[Token], start: int) -> None:
    """FETCH c is FETCH FROM c: so what follows FETCH tells it from the end of a query."""
    if tokens and tokens[-1].upper == "FETCH":
        tokens.append(Token(WORD, "FROM", start, start, "FROM"))


def _value(kind: str, text: str, start: int) -> Any:
    match kind:
        case "STRING":
            return text[text.index("'") + 1 : -1].replace("''", "'")
        case "QUOTED":
            if text == '""':
                raise LexicalFault("a name cannot be empty", start)
            return text[1:-1].replace('""', '"')
        case "VARIABLE" | "PARAMETER":
            return text[1:]
        case "BINARY":
            digits = text[2:]
            return digits if len(digits) % 2 == 0 else "0" + digits
        case "COMPARISON":
            return "<>" if text == "!=" else text
        case "FLOAT":
            if math.isinf(float(text)):
                raise LexicalFault(f"{text} is out of range: FLOAT goes to 1.8e308", start)
    return text


def _is_alone(text: str, start: int, end: int) -> bool:
    before = text.rfind("\n", 0, start) + 1
    after = text.find("\n", end)
    rest = text[end : after if after >= 0 else len(text)].strip()
    return not text[before:start].strip() and (not rest or rest.startswith("--"))


def _skip_comment(text: str, start: int) -> int:
    depth, position = 0, start
    while True:
        edge = _COMMENT_EDGE.search(text, position)
        if edge is None:
            raise _unclosed("this comment is not closed: */ is missing", start)
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
        if depth == 0:
            return position


def _bracket(text: str, start: int) -> Token:
    if _VECTOR_OPENS.match(text, start):
        return _vector(text, start)
    match = _BRACKET_NAME.match(text, start)
    if match is None:
        raise _unclosed("this quoted name is not closed: ] is missing", start)
    return Token(QUOTED, match[1].replace("]]", "]"), start, match.end())


def _vector(text: str, start: int) -> Token:
    match = _VECTOR.match(text, start)
    if match is None:
        raise _unclosed("this vector is not closed: ] is missing", start)
    parts = match[1].split(",") if match[1].strip() else []
    for part in parts:
        if not _NUMBER.fullmatch(part.strip()):
            said = f'"{part.strip()}" is not one' if part.strip() else "one is missing"
            hint = 'VECTOR(a, b) makes a vector of expressions; a name like this is quoted as "1a"'
            raise LexicalFault(f"a vector in brackets holds numeric constants, {said}", start, hint)
    values = tuple(float(part.replace(" ", "")) for part in map(str.strip, parts))
    if any(map(math.isinf, values)):
        raise LexicalFault("a number of this vector is out of range", start)
    return Token("VECTOR", values, start, match.end())


def _unclosed(message: str, start: int) -> LexicalFault:
    return LexicalFault(message, start, is_unclosed=True)


_SKIPPED = re.compile(r"(?:\s++|--[^\n]*+)*+")
_ODD_NUMBER = re.compile(r"[\d.][\w.]*")


def _fault(text: str, position: int) -> LexicalFault:
    """What is wrong at the first character that begins no token."""
    skipped = _SKIPPED.match(text, position)
    assert skipped is not None
    start = skipped.end()
    character = text[start]
    if character == "'" or text[start : start + 2] in ("N'", "n'"):
        return _unclosed("this string is not closed: ' is missing", start)
    if character == '"':
        return _unclosed('this quoted name is not closed: " is missing', start)
    number = _ODD_NUMBER.match(text, start)
    if number is not None and number[0] != ".":
        hint = f'a name that begins with a digit is quoted: "{number[0]}"'
        return LexicalFault(f'"{number[0]}" is not a number', start, hint)
    if character == "@":
        return LexicalFault("a variable's name must follow @", start)
    if character == ":":
        return LexicalFault("a parameter's name must follow :", start)
    return LexicalFault(f'the character "{character}" has no meaning here', start)

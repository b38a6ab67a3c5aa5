"""The grammar's fragments as trees: rule name -> what it stands for. A reader of the small part of
Lark's notation that the fragments use; help shows syntax from it, so it needs no Lark."""

from __future__ import annotations

import re
from functools import cache

from hartonomous.grammar.tables import join_fragments
from hartonomous.hql.frozen import frozen


@frozen
class Term:
    """A part of a rule. `kind`: word (text as typed), rule or terminal (text is its name),
    sequence, choice, optional, any (repeated, perhaps never), many (at least once)."""

    kind: str
    text: str = ""
    parts: tuple[Term, ...] = ()


_TOKEN = re.compile(
    r'(?P<word>"(?:[^"\\]|\\.)*")|(?P<name>\??_?[A-Za-z]\w*)|(?P<alias>->\s*\w+)'
    r"|(?P<mark>[()\[\]|*+?])|(?P<space>\s+)"
)
_RULE = re.compile(r"^(?P<name>\??\w+)(?:\.\d+)?\s*:(?P<body>.*(?:\n[ \t]+.*)*)", re.MULTILINE)


@cache
def rules() -> dict[str, Term]:
    """Every rule and every terminal that is one word, by name without the leading `?`."""
    text = re.sub(r"//.*", "", join_fragments())
    return {m["name"].lstrip("?"): _Reader(m["body"]).read() for m in _RULE.finditer(text)}


class _Reader:
    """Reads one rule's right side."""

    def __init__(self, body: str) -> None:
        found = list(_TOKEN.finditer(body))
        left = _TOKEN.sub("", body).strip()
        assert not left, f"notation that help does not read: {left!r}"
        self._tokens = [(m.lastgroup, m[0]) for m in found if m.lastgroup not in ("space", "alias")]
        self._at = 0

    def read(self) -> Term:
        term = self._choice()
        assert self._at == len(self._tokens), self._tokens[self._at :]
        return term

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _choice(self) -> Term:
        parts = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else Term("choice", parts=tuple(parts))

    def _sequence(self) -> Term:
        parts: list[Term] = []
        while self._peek() not in ("", "|", ")", "]"):
            parts.append(self._repeated(self._single()))
        return parts[0] if len(parts) == 1 else Term("sequence", parts=tuple(parts))

    def _repeated(self, term: Term) -> Term:
        kinds = {"*": "any", "+": "many", "?": "optional"}
        while self._peek() in kinds:
            term = Term(kinds[self._peek()], parts=(term,))
            self._at += 1
        return term

    def _single(self) -> Term:
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "word":
            return Term("word", text[1:-1].replace('\\"', '"'))
        if kind == "name":
            return Term("terminal" if text.strip("_?").isupper() else "rule", text.lstrip("?"))
        inner = self._choice()
        self._at += 1  # the closing mark
        return inner if text == "(" else Term("optional", parts=(inner,))

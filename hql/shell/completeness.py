"""Whether a text that is being typed is to be sent, told from its tokens.

A statement is sent at `;`, at GO on a line of its own, or at an empty line; not inside a string, a
quoted name, a comment or BEGIN … END. A procedure or function whose body has no BEGIN takes the
rest of its batch (grammar/scripts.lark), so that is sent at GO or an empty line: sent at the first
`;`, the rest of its body would run at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from hartonomous.grammar.lexer import GO, LexicalFault, Token, tokenize
from hartonomous.grammar.words import STATEMENT_WORDS
from hartonomous.hql.frozen import frozen

#: characters of a text of which an editor is told with every key how it stands; a longer one would
#: be felt
TOLD_MAX = 20_000

#: words after BEGIN that make it no block
_TRANSACTION = {"TRAN", "TRANSACTION"}
_ROUTINE = {"PROCEDURE", "PROC", "FUNCTION"}


@frozen
class Ending:
    """How a text ends. `waits_for`: what must come before it can be sent (END, ', ", ], */), or ""
    if nothing must. `is_sent`: it ends with `;` or GO. `is_definition`: GO or an empty line ends
    it. `is_empty`: nothing but space and comments."""

    waits_for: str = ""
    is_sent: bool = False
    is_definition: bool = False
    is_empty: bool = False
    #: parentheses that are open
    depth: int = 0

    @property
    def mark(self) -> str:
        """What a prompt shows for a text that goes on."""
        return self.waits_for[:1].lower() if self.waits_for else "(" if self.depth > 0 else "-"


@lru_cache(maxsize=4)
def read_ending(text: str) -> Ending:
    """How `text` ends."""
    tokens: list[Token] = []
    try:
        tokenize(text, tokens)
    except LexicalFault as fault:
        if fault.is_unclosed:
            return Ending(closing(text, fault.start))
        tokens += _after_fault(text, fault)
    else:
        tokens.pop()
    if not tokens:
        return Ending(is_empty=True)
    if tokens[-1].kind == GO:
        return Ending(is_sent=True)
    blocks = Blocks()
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        blocks.take(token, following)
    if blocks.is_block:
        return Ending("END", depth=blocks.depth)
    begin = max((i + 1 for i, t in enumerate(tokens) if t.kind == GO), default=0)
    is_definition = _is_definition(tokens[begin:])
    return Ending(
        is_sent=tokens[-1].kind == ";" and not is_definition,
        is_definition=is_definition,
        depth=blocks.depth,
    )


def is_to_send(text: str) -> bool:
    """Whether Enter at the end of `text` sends it: one that is empty is, and does nothing."""
    ending = read_ending(text)
    if ending.is_sent or ending.is_empty:
        return not ending.waits_for
    is_line_empty = not text.rpartition("\n")[2].strip()
    return is_line_empty and not ending.waits_for


def closing(text: str, start: int) -> str:
    """What closes the thing that opens at `start`."""
    if text.startswith("/*", start):
        return "*/"
    return {'"': '"', "[": "]"}.get(text[start], "'")


def _after_fault(text: str, fault: LexicalFault) -> list[Token]:
    """The end of a text with characters that are no token: as much as decides whether it is sent,
    so that the parser can say what is wrong."""
    rest = text[fault.start :].rstrip()
    if rest.endswith(";"):
        return [Token(";", ";", len(text), len(text))]
    last = rest.rpartition("\n")[2].strip()
    kind = GO if last.upper() == "GO" else "?"
    return [Token(kind, last, len(text), len(text))]


class Blocks:
    """What of BEGIN, CASE and parentheses is open behind the tokens that were taken."""

    def __init__(self) -> None:
        self.depth = 0
        self._words: list[str] = []

    def take(self, token: Token, following: Token | None) -> None:
        """One more token; the one behind it tells whether BEGIN begins a block."""
        self.depth += (token.kind == "(") - (token.kind == ")")
        if token.upper == "BEGIN" and not (following and following.upper in _TRANSACTION):
            self._words.append("BEGIN")
        elif token.upper == "CASE":
            self._words.append("CASE")
        elif token.upper == "END" and self._words:
            self._words.pop()
        elif token.kind == GO:
            self.depth = 0
            self._words.clear()

    @property
    def is_block(self) -> bool:
        """Whether a BEGIN has no END yet. (CASE has one too.)"""
        return "BEGIN" in self._words


def _is_definition(tokens: Sequence[Token]) -> bool:
    """Whether the batch defines a routine whose body is neither a block nor, of a function, a
    RETURN alone."""
    words = [token.upper for token in tokens]
    for place, word in enumerate(words):
        if word in ("CREATE", "ALTER"):
            what = place + (3 if words[place + 1 : place + 3] == ["OR", "ALTER"] else 1)
            if what < len(words) and words[what] in _ROUTINE:
                rest = words[what:]
                body = next((i for i, w in enumerate(rest) if w in STATEMENT_WORDS), len(rest))
                first, second = [*rest[body : body + 2], "", ""][:2]
                is_block = first == "BEGIN" and second not in {*_TRANSACTION, "TRY"}
                return not (is_block or (first == "RETURN" and rest[0] == "FUNCTION"))
    return False

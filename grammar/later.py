"""Statements and clauses that HQL.md names and the grammar does not have yet, as words.

A text that fails to parse where one of these stands is answered `not supported yet`. A line moves
out of here when its fragment comes. `…` stands for one token of any kind.
"""

from __future__ import annotations

from collections.abc import Sequence

from hartonomous.grammar.lexer import Token
from hartonomous.grammar.words import RESERVED

_OBJECTS = ["QUEUE", "SCHEDULE", "ADAPTER"]

#: beginnings of statements
STATEMENTS: tuple[str, ...] = (
    *(f"{verb} {kind}" for verb in ("CREATE", "ALTER", "DROP") for kind in _OBJECTS),
    "ALTER INDEX",
    "ALTER MODEL",
    "ALTER SCHEMA",
    "ALTER SPACE",
    "ANALYZE MODEL",
    "APPROVE ACTION",
    "CANCEL JOB",
    "COMPARE MODELS",
    "DISTILL MODEL",
    "MERGE ADAPTER",
    "MERGE MODELS",
    "PAUSE JOB",
    "PROVE ATOM",
    "PRUNE MODEL",
    "RECEIVE",
    "REJECT ACTION",
    "RESUME JOB",
    "RESUME TRAINING",
    "REVERT MODEL",
    "SEND ON QUEUE",
    "SUBMIT JOB",
    "TRACE ATOM",
    "TRAIN MODEL",
    "VERIFY RECEIPT",
    "WAITFOR TIME",
)

#: clauses
CLAUSES: tuple[str, ...] = ("AS ENSEMBLE", "WITH RECEIPT", "ENSEMBLE ( … WEIGHT")

#: what does the same, where something does
WAYS_AROUND: dict[str, str] = {
    "WAITFOR TIME": "WAITFOR DELAY 'hh:mm:ss' waits for a while",
}

#: tokens looked back over, from the place of the error, for the beginning of a statement
LOOK_BACK_MAX = 200


def find_later(tokens: Sequence[Token], index: int) -> tuple[str, int] | None:
    """What of this list stands at the error at token `index`, and the token it begins with."""
    for i in range(index, max(-1, index - 4), -1):
        for clause in CLAUSES:
            if _stands(tokens, i, clause) and i + len(clause.split()) > index:
                return clause.split(" (")[0], i
    for i in range(index, max(-1, index - LOOK_BACK_MAX), -1):
        if i < index and tokens[i].kind == ";":
            return None
        for statement in STATEMENTS:
            if _stands(tokens, i, statement) and (i == index or _may_begin(tokens, i)):
                return statement, i
    return None


def _stands(tokens: Sequence[Token], index: int, words: str) -> bool:
    wanted = words.split()
    if len(tokens) - index < len(wanted):
        return False
    pairs = zip(tokens[index : index + len(wanted)], wanted, strict=True)
    return all(word == "…" or (token.upper or token.kind) == word for token, word in pairs)


def _may_begin(tokens: Sequence[Token], index: int) -> bool:
    """Whether the word at `index` was read as the beginning of a statement."""
    if index == 0 or tokens[index].upper in RESERVED:
        return True
    before = tokens[index - 1]
    return before.kind == ";" or before.upper in ("BEGIN", "ELSE", "TRY", "CATCH", "AS")

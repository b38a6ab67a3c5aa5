"""docs/KEYWORDS.md from the grammar: `python -m hartonomous.grammar.keywords > docs/KEYWORDS.md`.

A test compares the file with what this makes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from hartonomous.grammar.tables import Tables, load
from hartonomous.grammar.words import (
    CALL_WORDS,
    CLAUSE_WORDS,
    EXPRESSION_WORDS,
    FUNCTION_WORDS,
    LATER_WORDS,
    RESERVED,
    STATEMENT_WORDS,
)


def keywords(tables: Tables) -> frozenset[str]:
    """Every word that the grammar names, alone or in a compound terminal."""
    words = {text for text in tables.literals if text[0].isalpha()}
    for symbol in tables.symbols[: tables.terminal_count]:
        parts = symbol.strip("_").split("__")
        if len(parts) > 1:
            words |= {part for part in parts if part != "LPAR"}
    return frozenset(words)


def free_keywords(tables: Tables) -> frozenset[str]:
    """The keywords that may be names."""
    return keywords(tables) - RESERVED


def describe() -> str:
    """The whole file."""
    tables = load()
    sections = [
        "# Keywords",
        "Written by `python -m hartonomous.grammar.keywords`; a test compares it with the grammar."
        " Case does not matter.",
        "## Reserved",
        'These cannot be names unless they are quoted, `"order"` or `[order]`.',
        "They begin statements:",
        _block(STATEMENT_WORDS),
        "They begin clauses, or stand inside one where a name could:",
        _block(CLAUSE_WORDS),
        "They belong to expressions:",
        _block(EXPRESSION_WORDS),
        f"{_listed(FUNCTION_WORDS)} before a parenthesis are functions.",
        "## Free",
        "Every other keyword may name a column, table or function, and may be an alias after AS:",
        _block(free_keywords(tables)),
        f"A function of one's own called {_listed(CALL_WORDS)} is quoted.",
        "## Later",
        "These begin statements that this version does not have. They may be names too, but an"
        " alias of that name needs AS:",
        _block(LATER_WORDS),
    ]
    return "\n\n".join(sections) + "\n"


def _listed(words: Iterable[str]) -> str:
    *most, last = sorted(words)
    return f"{', '.join(most)} and {last}"


def _block(words: Iterable[str]) -> str:
    return "```\n" + textwrap.fill(" ".join(sorted(words)), 98) + "\n```"


if __name__ == "__main__":
    print(describe(), end="")

"""docs/FUNCTIONS.md, from the registry: `python -m hartonomous.hql.functions.document`."""

from __future__ import annotations

from hartonomous.hql.functions import FAMILIES, SYNONYMS
from hartonomous.hql.functions.base import Function

_HEAD = """# Functions

Made from the registry (`hql/functions/`) by `python -m hartonomous.hql.functions.document`; a test
compares, and runs every example. Where nothing else is said, NULL makes NULL.
"""


def functions_markdown() -> str:
    """The whole page."""
    parts = [_HEAD]
    for family, functions in FAMILIES:
        shown = [f for f in functions if not f.name.startswith("__")]
        parts.append(f"## {family}\n\n| name | what it gives | example |\n| --- | --- | --- |")
        parts.extend(_row(f) for f in shown)
        parts.append("")
    return "\n".join(parts)


def _row(function: Function) -> str:
    names = ", ".join(f"`{n}`" for n in (signature(function), *synonyms(function)))
    return f"| {_cell(names)} | {_cell(function.doc)} | {_cell(f'`{function.example}`')} |"


def signature(function: Function) -> str:
    """The name with its parameters; an operator is its name alone."""
    if not function.name[0].isalpha() or function.name in _OPERATORS:
        return function.name
    return f"{function.name}({', '.join(function.parameters)})"


def synonyms(function: Function) -> list[str]:
    """Other names of the same function."""
    return [s for s, name in SYNONYMS.items() if name == function.name]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_OPERATORS = frozenset(f.name for f in FAMILIES[0][1])

if __name__ == "__main__":
    print(functions_markdown(), end="")

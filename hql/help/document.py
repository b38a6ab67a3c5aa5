"""docs/STATEMENTS.md, from the same source as HELP: `python -m hartonomous.hql.help.document`."""

from __future__ import annotations

from hartonomous.hql.help.parts import shown_parts
from hartonomous.hql.help.statements import syntax_of, text_of, title_of
from hartonomous.hql.help.syntax import part_synopsis
from hartonomous.hql.help.types import TYPES
from hartonomous.hql.statements import STATEMENTS

_HEAD = """# Statements

Made from the grammar and `hql/statements/*.md` by `python -m hartonomous.hql.help.document`, as
HELP and the shell's `\\h` are; a test compares, and runs every example in a database of its own.

Words in capitals are typed as they are, `[…]` may be left out, `{a | b}` is a choice, `[, …]` more
of the same, and each `<part>` has a synopsis of its own under [Parts](#parts).
"""


def statements_markdown() -> str:
    """The whole page."""
    out = [_HEAD]
    for name in sorted(STATEMENTS, key=title_of):
        out.append(f"## {title_of(name)}\n\n```\n{syntax_of(name)}\n```\n\n{text_of(name)}\n")
    out.append("## Parts\n\n```")
    out.extend(f"{part_synopsis(part)}\n" for part in shown_parts())
    out[-1] = out[-1].rstrip("\n")
    out.append("```\n\n## Types\n\n| type | what it holds | example |\n| --- | --- | --- |")
    out.extend(
        f"| `{written}` | {about} | `{example}` |".replace("(n | MAX)", "(n \\| MAX)")
        for written, about, example in TYPES.values()
    )
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    print(statements_markdown(), end="")

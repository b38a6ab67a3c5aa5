r"""\explain: the plan of a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> bool:
    from hartonomous.hql.syntax.parse import parse_batch

    first, _, rest = given.text.partition(" ")
    analyzes = first.lower() == "analyze"
    text = (rest if analyzes else given.text).strip() or shell.take_text()
    if not text:
        raise Refusal("there is nothing to explain yet")
    statements = parse_batch(text)
    if not statements:
        raise Refusal("there is no statement to explain")
    span = statements[-1].span
    words = "EXPLAIN ANALYZE" if analyzes else "EXPLAIN"
    return shell.run(f"{words} {text[span.start : span.end].strip()}", remember=False)


EXPLAIN = Command(
    ("explain",),
    "[analyze] [statement]",
    "how a statement, or the last one, is run",
    "Running",
    _run,
    takes_line=True,
    completes="hql",
)

r"""\explain: the plan of a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> bool:
    first, _, rest = given.text.partition(" ")
    analyzes = first.lower() == "analyze"
    text = (rest if analyzes else given.text).strip() or shell.take_text()
    if not text:
        raise Refusal("there is nothing to explain yet")
    statements = shell.connection.session.prepare(text)
    if not statements:
        raise Refusal("there is no statement to explain")
    words = "EXPLAIN ANALYZE" if analyzes else "EXPLAIN"
    return shell.run(f"{words} {statements[-1].text}", remember=False)


EXPLAIN = Command(
    ("explain",),
    "[analyze] [statement]",
    "how a statement, or the last one, is run",
    "Running",
    _run,
    takes_line=True,
    completes="hql",
)

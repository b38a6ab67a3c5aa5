"""Parts that synopses share, as topics."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hartonomous.hql.help.syntax import part_synopsis, shared_parts
from hartonomous.hql.help.topics import Topic
from hartonomous.hql.statements import STATEMENTS


def shown_parts() -> list[str]:
    """The names of the grammar's rules."""
    return [part for part in shared_parts(list(STATEMENTS)) if part != "query"]


def topics() -> Iterator[Topic]:
    for rule in shown_parts():
        name = f"<{rule.replace('_', ' ')}>"
        others = (rule.replace("_", " "),)
        about = f"{name} in the syntax of statements"
        yield Topic(name, "part", about, partial(part_synopsis, rule), others)

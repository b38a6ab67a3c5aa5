"""The tracer of HQL's grammar: what the parser makes of a text that is half written."""

from __future__ import annotations

from functools import cache

from hartonomous.grammar import tables
from hartonomous.grammar.trace import Tracer


@cache
def tracer() -> Tracer:
    """Made once in a process."""
    return Tracer(tables.load())

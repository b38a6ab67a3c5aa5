"""Procedures of the system, called by EXEC like users' own. One is a function and a line in
SYSTEM_PROCEDURES."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script
    from hartonomous.hql.statements.execute import Execute

#: by folded name
SYSTEM_PROCEDURES: Final[Mapping[str, Callable[[Execute, Script], Iterator[Result]]]] = {}

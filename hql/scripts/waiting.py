"""WAITFOR DELAY."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import ExecutionFault

if TYPE_CHECKING:
    from hartonomous.hql.scripts.script import Script
    from hartonomous.hql.statements.wait_for import WaitFor

_DELAY = re.compile(r"\s*(\d{1,2}):(\d{1,2})(?::(\d{1,2}(?:\.\d{1,9})?))?\s*")
_DAY_SECONDS = 24 * 60 * 60


def wait(statement: WaitFor, script: Script) -> None:
    """Waits hours:minutes[:seconds[.fraction]]; NULL is no time. BAD_VALUE for anything else."""
    ((_, value),) = script.values((statement.delay,))
    if value is None:
        return
    seconds = _seconds(value)
    if seconds is None:
        span = statement.delay.span
        raise ExecutionFault(
            f"{value!s:.100} is no delay",
            code="BAD_VALUE",
            line=span.line,
            column=span.column,
            hint="hours, minutes and seconds, less than 24 hours: WAITFOR DELAY '00:00:01.5'",
        )
    script.wait(seconds)


def _seconds(value: Any) -> float | None:
    """A TIME, a DATETIME2's time of day, or text of one."""
    if hasattr(value, "hour"):
        value = f"{value.hour}:{value.minute}:{value.second}.{value.microsecond:06d}"
    match = _DELAY.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[2]) > 59 or float(match[3] or 0) >= 60:
        return None
    seconds = int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3] or 0)
    return seconds if seconds < _DAY_SECONDS else None

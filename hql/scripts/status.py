"""What a session says of itself: @@ROWCOUNT, @@ERROR, ERROR_MESSAGE() and their kin.

To add one = a line in VALUES. A query names it as a parameter (`@@NAME` by the name "@name", a
function by "name()") whose value is looked up when the statement starts, so plans are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hartonomous.hql.types import BIGINT, INT, Type

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.frame import Frame
    from hartonomous.hql.session import Session

Getter = Callable[["Session", "Frame"], Any]


class Status:
    """A session's state beside its transaction. `fetched` is what the last FETCH said; `error` is
    the number of the last statement's error, or 0."""

    __slots__ = ("_last", "_rows", "error", "fetched")

    def __init__(self) -> None:
        self.error = 0
        self.fetched = 0
        self._rows = 0
        self._last: Result | None = None

    def note(self, result: Result) -> None:
        """A statement ended well. Its rows may still be counted."""
        self.error = 0
        self._last = result

    def note_rows(self, rows: int) -> None:
        """What @@ROWCOUNT is now."""
        self._rows, self._last = rows, None

    @property
    def rows(self) -> int:
        """The number of rows that the last statement changed, gave or read."""
        if self._last is not None:
            result, self._last = self._last, None
            self._rows = result.row_count if result.row_count >= 0 else result.rows_read
        return self._rows


#: folded name -> type and getter; `@x` is what a text writes as `@@x`
VALUES: Mapping[str, tuple[Type, Getter]] = {
    "@rowcount": (BIGINT, lambda session, frame: session.status.rows),
    "@error": (INT, lambda session, frame: session.status.error),
    "@fetch_status": (INT, lambda session, frame: session.status.fetched),
    "@identity": (BIGINT, lambda session, frame: session.last_identity),
    "@nestlevel": (INT, lambda session, frame: frame.depth),
    "@trancount": (INT, lambda session, frame: session.transaction_depth),
}


def values_of(names: Iterable[str], session: Session, frame: Frame) -> dict[str, Any]:
    """The values of those of `names` that are the session's."""
    return {name: VALUES[name][1](session, frame) for name in names if name in VALUES}

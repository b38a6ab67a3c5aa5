"""What a session says of itself: @@ROWCOUNT, @@ERROR, ERROR_MESSAGE() and their kin.

To add one = a line in VALUES. A query names it as a parameter (`@@NAME` by the name "@name", a
function by "name()") whose value is looked up when the statement starts, so plans are kept.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hartonomous.hql.scripts.errors import number_of, procedure_of, severity_of, state_of
from hartonomous.hql.types import BIGINT, INT, NVARCHAR, Type

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.frame import Frame
    from hartonomous.hql.session import Session
    from hartonomous.storage.errors import Error

Getter = Callable[["Session", "Frame"], Any]


class Status:
    """A session's state beside its transaction. `fetched` is what the last FETCH said,
    `cursor_rows` how many rows the cursor opened last has, -1 if that is not known yet; `error` is
    the number of the last statement's error, or 0; `identity` the last IDENTITY value given out;
    `caught` the errors that CATCH deals with now, the innermost last."""

    __slots__ = ("_last", "_rows", "caught", "cursor_rows", "error", "fetched", "identity")

    def __init__(self) -> None:
        self.error = 0
        self.fetched = 0
        self.cursor_rows = 0
        self.identity: int | None = None
        self.caught: list[Error] = []
        self._rows = 0
        self._last: Result | None = None

    def copy(self) -> Status:
        """The same, apart from now on."""
        made = Status()
        made.error, made.fetched, made.cursor_rows = self.error, self.fetched, self.cursor_rows
        made.identity, made.caught = self.identity, list(self.caught)
        made.note_rows(self.rows)
        return made

    def note(self, result: Result) -> None:
        """A statement ended well. Its rows may still be counted."""
        self.error = 0
        self._last = result

    def note_error(self, error: Error) -> None:
        """A statement failed."""
        self.error = number_of(error)

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


def _version() -> str:
    """What @@VERSION says."""
    from importlib.metadata import version

    return f"Hartonomous {version('hartonomous')} (HQL) on {platform.system()} {platform.machine()}"


def _caught(read: Callable[[Error], Any]) -> Getter:
    """A getter of what the error that is dealt with says; NULL outside CATCH."""

    def get(session: Session, frame: Frame) -> Any:
        caught = session.status.caught
        return read(caught[-1]) if caught else None

    return get


def _user(session: Session, frame: Frame) -> str:
    """Whose rights the session has."""
    account = session.account
    return "dbo" if account is None or account.is_open else account.name


def _login(session: Session, frame: Frame) -> str:
    """Who came in."""
    account = session.callers[0] if session.callers else session.account
    if account is not None and not account.is_open:
        return account.name
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user whom the system has no name for
        return "dbo"


#: folded name -> type and getter; `@x` is what a text writes as `@@x`
VALUES: Mapping[str, tuple[Type, Getter]] = {
    "@rowcount": (BIGINT, lambda session, frame: session.status.rows),
    "@error": (INT, lambda session, frame: session.status.error),
    "@fetch_status": (INT, lambda session, frame: session.status.fetched),
    "@identity": (BIGINT, lambda session, frame: session.status.identity),
    "@nestlevel": (INT, lambda session, frame: frame.depth),
    "@cursor_rows": (INT, lambda session, frame: session.status.cursor_rows),
    "@version": (NVARCHAR, lambda session, frame: _version()),
    "@servername": (NVARCHAR, lambda session, frame: platform.node()),
    "@servicename": (NVARCHAR, lambda session, frame: "hql"),
    "@spid": (INT, lambda session, frame: session.number),
    "@trancount": (INT, lambda session, frame: session.transaction_depth),
    "scope_identity()": (BIGINT, lambda session, frame: frame.identity),
    "xact_state()": (INT, lambda session, frame: int(session.in_transaction)),
    "error_message()": (NVARCHAR, _caught(lambda error: error.message)),
    "error_number()": (INT, _caught(number_of)),
    "error_severity()": (INT, _caught(severity_of)),
    "error_state()": (INT, _caught(state_of)),
    "error_line()": (INT, _caught(lambda error: error.line)),
    "error_procedure()": (NVARCHAR, _caught(procedure_of)),
    "current_user()": (NVARCHAR, _user),
    "system_user()": (NVARCHAR, _login),
    "error_code()": (NVARCHAR, _caught(lambda error: error.code)),
}


def values_of(names: Iterable[str], session: Session, frame: Frame) -> dict[str, Any]:
    """The values of those of `names` that are the session's."""
    return {name: VALUES[name][1](session, frame) for name in names if name in VALUES}

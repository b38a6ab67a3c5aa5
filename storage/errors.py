"""Root of the error tree, PEP 249's kinds below it, and storage's leaves.

Error
├── InterfaceError                      Python's side of the connection was misused
└── DatabaseError
    ├── DataError                       a value is wrong
    │   └── SettingFault    SETTING     what a setting of the database cannot be
    ├── OperationalError                the machine, the folder, another client, a limit
    │   ├── ReadOnly        READ_ONLY
    │   ├── Locked          LOCKED      another process holds the writer's lock
    │   ├── Conflict        CONFLICT    retry = True
    │   ├── HistoryGone     HISTORY_GONE  a moment that is not kept any more
    │   ├── Corruption      CORRUPTION  object or file, offset, expected and found digest
    │   ├── DiskFault       DISK        from OSError, raised by disk.py only
    │   ├── FormatFault     FORMAT      a folder that is not ours, or of a later format
    │   └── Cancelled       CANCELLED, TIMEOUT
    ├── IntegrityError                  a row breaks a promise of the schema
    │   └── ConstraintFault UNIQUE_VIOLATION, NOT_NULL_VIOLATION, CHECK_VIOLATION,
    │                       FOREIGN_KEY_VIOLATION
    ├── InternalError                   our bug
    ├── ProgrammingError                the statement is wrong
    │   ├── NotFound        NOT_FOUND
    │   └── AlreadyExists   ALREADY_EXISTS
    └── NotSupportedError               HQL that this version does not have
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.storage.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.storage.catalog import TableEntry

#: places of a chain of calls that a message shows; of a longer one the innermost and the last
CALLS_SHOWN_MAX = 6


class Error(Exception):
    """Anything a client may see.

    `code` is stable and travels on the wire; `line` and `column` are 1-based places in the
    statement's text where known; `hint` says what to do. `routine` is kind and name of what the
    text belongs to ("procedure dbo.p"), None for what the client sent; `calls` are the places that
    called it, innermost first. `is_placed` says that all this is known.
    """

    code = "ERROR"
    retry = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.line, self.column, self.hint = line, column, hint
        self.routine: str | None = None
        self.calls: tuple[str, ...] = ()
        self.is_placed = False

    @property
    def place(self) -> str:
        """Where it happened and what called that, in words; empty if that is not known."""
        if self.line is None:
            return ""
        routine = f"{self.routine}, " if self.routine is not None else ""
        shown = self.calls
        if len(shown) > CALLS_SHOWN_MAX:
            left_out = len(shown) - CALLS_SHOWN_MAX
            shown = (*shown[: CALLS_SHOWN_MAX - 1], f"{left_out} more places", shown[-1])
        calls = "".join(f", called from {call}" for call in shown)
        return f"{routine}line {self.line}, column {self.column}{calls}"

    def __str__(self) -> str:
        place = f" ({self.place})" if self.line is not None else ""
        hint = f"\nhint: {self.hint}" if self.hint else ""
        return f"{self.message}{place}{hint}"


class InterfaceError(Error):
    """PEP 249: the fault lies with how Python's side was used, not with the database."""


class DatabaseError(Error):
    """PEP 249: the fault lies with the database or with what was asked of it."""


class DataError(DatabaseError):
    """PEP 249: a value made a statement fail: division by zero, a number out of range."""


class SettingFault(DataError):
    """A value that a setting of the database cannot have."""

    code = "SETTING"


class OperationalError(DatabaseError):
    """PEP 249: what a program cannot help: the disk, another client, memory, time."""


class IntegrityError(DatabaseError):
    """PEP 249: a row breaks a constraint."""


class InternalError(DatabaseError):
    """PEP 249: the database fails itself."""


class ProgrammingError(DatabaseError):
    """PEP 249: the statement, or when it comes, is wrong: syntax, names, types, parameters."""


class NotSupportedError(DatabaseError):
    """PEP 249: something that this database does not do."""


class NotFound(ProgrammingError):
    """A named thing does not exist."""

    code = "NOT_FOUND"


class AlreadyExists(ProgrammingError):
    """A name is taken."""

    code = "ALREADY_EXISTS"


class ReadOnly(OperationalError):
    """A change was asked of a reader."""

    code = "READ_ONLY"


class Locked(OperationalError):
    """Another process is the writer of this folder."""

    code = "LOCKED"


class Conflict(OperationalError):
    """Another transaction changed the same rows first; run the transaction again."""

    code = "CONFLICT"
    retry = True


@frozen
class Offence:
    """What breaks a constraint: columns of a table, and the number of the row among those that a
    change gave; None if it did not give it, or that is not known."""

    table: TableEntry
    columns: tuple[str, ...]
    row: int | None = None


class ConstraintFault(IntegrityError):
    """A row breaks a constraint; `code` says which kind. `tables`: numbers of those that the
    message names."""

    code = "CONSTRAINT_VIOLATION"
    tables: tuple[int, ...] = ()

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
        offence: Offence | None = None,
    ) -> None:
        super().__init__(message, code=code, line=line, column=column, hint=hint)
        self.offence = offence


class HistoryGone(OperationalError):
    """A moment of the past was asked for that is not kept any more."""

    code = "HISTORY_GONE"


class Corruption(OperationalError):
    """Bytes on disk contradict their checksum; never shown as an empty result."""

    code = "CORRUPTION"


class DiskFault(OperationalError):
    """The operating system refused: no space, no permission, input/output error."""

    code = "DISK"


class FormatFault(OperationalError):
    """The folder is not a database, or one of a later format."""

    code = "FORMAT"


class Cancelled(OperationalError):
    """The statement was cancelled, or ran out of time (code TIMEOUT)."""

    code = "CANCELLED"

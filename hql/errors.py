"""Leaves raised above storage; the root, PEP 249's kinds and storage's leaves are in
storage/errors.py.

Error
├── InterfaceError
│   └── InterfaceFault      INTERFACE       a cursor that is closed, a result that is not there
└── DatabaseError
    ├── RaisedFault         RAISED          what THROW and RAISERROR raise
    ├── DataError
    │   └── ExecutionFault  DIVISION_BY_ZERO, OVERFLOW, BAD_CAST, CARDINALITY, BAD_VALUE,
    │                       SRID_MISMATCH, RECURSION, MODEL_INPUT, EXECUTION
    ├── OperationalError
    │   ├── HistoryFault    MERGE_CONFLICT, REVERT_CONFLICT
    │   │                                   changed differently on another branch, or since
    │   ├── Busy            BUSY            more is asked of the server than it takes; retry = True
    │   ├── ConfigurationFault
    │   │                   CONFIGURATION   a setting of the server that cannot be
    │   ├── ConnectionFault CONNECTION      a server that is not there, or went away
    │   ├── WorkerFault     WORKER          a worker process that died; retry = True
    │   ├── WireFault       WIRE            bytes that are not the protocol
    │   ├── AuthFault       AUTH, LOGIN_LIMIT
    │   │                                   who somebody is was not proven; it failed too often
    │   ├── ResourceFault   MEMORY, NOT_INSTALLED
    │   │                                   what the machine has not
    │   └── FileFault       FILE, MODEL_FORMAT
    │                                       a file that cannot be read or written as asked; a
    │                                       model's file that is not what it says
    ├── InternalError
    │   └── InternalFault   INTERNAL        our bug; the session closes
    ├── ProgrammingError
    │   ├── SyntaxFault     SYNTAX          the text is not HQL
    │   ├── BindFault       UNKNOWN_COLUMN, UNKNOWN_TABLE, UNKNOWN_FUNCTION, UNKNOWN_VARIABLE,
    │   │                   UNKNOWN_TYPE, UNKNOWN_MODEL, UNKNOWN_SPACE, AMBIGUOUS, TYPE_MISMATCH,
    │   │                   ARGUMENTS, GROUPING, CURSOR, BIND
    │   ├── TransactionFault
    │   │                   TRANSACTION     COMMIT without BEGIN and its kin
    │   ├── ParameterFault  PARAMETER       a value that cannot be bound
    │   └── PermissionFault PERMISSION      a right that the session's account has not
    └── NotSupportedError
        └── NotSupported    NOT_SUPPORTED   HQL that is not built yet
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.storage.errors import (
    DatabaseError,
    DataError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

if TYPE_CHECKING:
    import pyarrow as pa


class InterfaceFault(InterfaceError):
    """Python's side was misused: a closed cursor, rows that no statement gave."""

    code = "INTERFACE"


class RaisedFault(DatabaseError):
    """An error of a script's own. `number` is 50000 or what THROW says; `severity` and `state` are
    the script's to mean something by."""

    code = "RAISED"

    def __init__(self, message: str, *, number: int, severity: int = 16, state: int = 1) -> None:
        super().__init__(message)
        self.number, self.severity, self.state = number, severity, state


class SyntaxFault(ProgrammingError):
    """The text is not HQL."""

    code = "SYNTAX"


class NotSupported(NotSupportedError):
    """A statement or feature of HQL that this version does not have."""

    code = "NOT_SUPPORTED"


class BindFault(ProgrammingError):
    """A name or a type does not fit the catalog."""

    code = "BIND"


class ExecutionFault(DataError):
    """A value made the statement fail while it ran."""

    code = "EXECUTION"


class HistoryFault(OperationalError):
    """What two branches, or a commit and those after it, changed differently. `rows` is an Arrow
    table of the conflicts of a merge."""

    code = "MERGE_CONFLICT"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        rows: pa.Table | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.rows = rows


class AuthFault(OperationalError):
    """Whoever asks to come in has not proven who they are, or is not let in any more; LOGIN_LIMIT
    after many failures."""

    code = "AUTH"


class ResourceFault(OperationalError):
    """The statement needs what the machine has not: memory, or a package."""

    code = "RESOURCE"


class Busy(OperationalError):
    """The server runs and queues as much as it takes; the statement did not begin."""

    code = "BUSY"
    retry = True


class ConfigurationFault(OperationalError):
    """A setting of the server that is unknown, of another type, or refused for safety."""

    code = "CONFIGURATION"


class ConnectionFault(OperationalError):
    """The server cannot be reached, or the connection to it ended."""

    code = "CONNECTION"


class WorkerFault(OperationalError):
    """The worker process that computed a query's rows ended before they were all there."""

    code = "WORKER"
    retry = True


class WireFault(OperationalError):
    """The other side of a connection sent what the protocol does not have; the connection ends."""

    code = "WIRE"


class TransactionFault(ProgrammingError):
    """A transaction statement at the wrong moment."""

    code = "TRANSACTION"


class ParameterFault(ProgrammingError):
    """A parameter that is missing, unused or of a type that HQL has not."""

    code = "PARAMETER"


class PermissionFault(ProgrammingError):
    """The session's account lacks a right. `is_noted`: the audit has it."""

    code = "PERMISSION"
    is_noted = False


class FileFault(OperationalError):
    """A file named in a statement cannot be read or written as asked."""

    code = "FILE"


class InternalFault(InternalError):
    """A broken invariant: our bug, with what is needed to report it."""

    code = "INTERNAL"

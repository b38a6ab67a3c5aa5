"""Our error codes as SQLSTATE: five characters that SQL's clients of all kinds know.

The classes are those of ISO 9075, and where it has none PostgreSQL's, as its drivers choose their
exceptions by them.
"""

from __future__ import annotations

from hartonomous.storage.errors import (
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

SQLSTATES = {
    # 08: the connection
    "CONNECTION": "08006",
    "WIRE": "08P01",
    # 0A: what is not there
    "NOT_SUPPORTED": "0A000",
    # 21, 22: values
    "CARDINALITY": "21000",
    "DIVISION_BY_ZERO": "22012",
    "OVERFLOW": "22003",
    "BAD_CAST": "22P02",
    "BAD_VALUE": "22023",
    "SRID_MISMATCH": "22023",
    "MODEL_INPUT": "22023",
    "SETTING": "22023",
    "PARAMETER": "22023",
    # 23: constraints
    "UNIQUE_VIOLATION": "23505",
    "NOT_NULL_VIOLATION": "23502",
    "CHECK_VIOLATION": "23514",
    "FOREIGN_KEY_VIOLATION": "23503",
    "CONSTRAINT_VIOLATION": "23000",
    # 25: transactions
    "TRANSACTION": "25000",
    "READ_ONLY": "25006",
    # 28: who somebody is
    "AUTH": "28P01",
    "LOGIN_LIMIT": "28000",
    # 34: cursors
    "CURSOR": "34000",
    # 40: run it again
    "CONFLICT": "40001",
    "MERGE_CONFLICT": "40000",
    "REVERT_CONFLICT": "40000",
    # 42: the statement
    "SYNTAX": "42601",
    "UNKNOWN_COLUMN": "42703",
    "UNKNOWN_TABLE": "42P01",
    "UNKNOWN_FUNCTION": "42883",
    "UNKNOWN_VARIABLE": "42P02",
    "UNKNOWN_TYPE": "42704",
    "UNKNOWN_MODEL": "42704",
    "UNKNOWN_SPACE": "42704",
    "NOT_FOUND": "42704",
    "ALREADY_EXISTS": "42710",
    "AMBIGUOUS": "42702",
    "TYPE_MISMATCH": "42804",
    "ARGUMENTS": "42883",
    "GROUPING": "42803",
    "BIND": "42000",
    "PERMISSION": "42501",
    # 53, 54: what the machine has
    "MEMORY": "53200",
    "BUSY": "53300",
    "NOT_INSTALLED": "58000",
    "RECURSION": "54001",
    # 55, 57: others
    "LOCKED": "55006",
    "CANCELLED": "57014",
    "TIMEOUT": "57014",
    # 58: files and disks
    "WORKER": "58000",
    "DISK": "58030",
    "FILE": "58P01",
    "MODEL_FORMAT": "58030",
    "FORMAT": "58030",
    "HISTORY_GONE": "72000",
    # F0, XX, P0
    "CONFIGURATION": "F0000",
    "INTERNAL": "XX000",
    "CORRUPTION": "XX001",
    "RAISED": "P0001",
}

#: of a code that is not listed, by kind
KINDS: tuple[tuple[type[Error], str], ...] = (
    (IntegrityError, "23000"),
    (DataError, "22000"),
    (ProgrammingError, "42000"),
    (NotSupportedError, "0A000"),
    (OperationalError, "58000"),
    (InterfaceError, "08000"),
)


def sqlstate_of(error: Error) -> str:
    """The SQLSTATE of an error."""
    known = SQLSTATES.get(error.code)
    if known is not None:
        return known
    return next((state for kind, state in KINDS if isinstance(error, kind)), "XX000")

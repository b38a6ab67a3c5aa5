"""Errors as scripts see them: ERROR_NUMBER() and its kin, @@ERROR.

Our errors have codes; T-SQL's have numbers, so that a script that knows those finds them here.
"""

from __future__ import annotations

from typing import Final

from hartonomous.hql.errors import InternalFault, RaisedFault
from hartonomous.storage.errors import Cancelled, Error

#: stable code -> the number that SQL Server has for it
NUMBERS: Final = {
    "ALREADY_EXISTS": 2714,
    "AMBIGUOUS": 209,
    "ARGUMENTS": 174,
    "BAD_CAST": 245,
    "CARDINALITY": 512,
    "CHECK_VIOLATION": 547,
    "CONFLICT": 3960,
    "DIVISION_BY_ZERO": 8134,
    "GROUPING": 8120,
    "MEMORY": 701,
    "NOT_FOUND": 3701,
    "NOT_NULL_VIOLATION": 515,
    "OVERFLOW": 8115,
    "READ_ONLY": 3906,
    "RECURSION": 217,
    "SYNTAX": 102,
    "TRANSACTION": 3902,
    "TYPE_MISMATCH": 206,
    "UNIQUE_VIOLATION": 2627,
    "UNKNOWN_COLUMN": 207,
    "UNKNOWN_FUNCTION": 195,
    "UNKNOWN_PROCEDURE": 2812,
    "UNKNOWN_TABLE": 208,
    "UNKNOWN_TYPE": 243,
    "UNKNOWN_VARIABLE": 137,
}
#: the number of all others; ERROR_CODE() tells them apart
OTHER: Final = 40000
#: what RAISERROR gives a text of the script's own
RAISED: Final = 50000


def may_be_caught(error: Error) -> bool:
    """Whether CATCH may have it: not what stops a script from outside, nor a bug of ours."""
    return not isinstance(error, (Cancelled, InternalFault))


def number_of(error: Error) -> int:
    if isinstance(error, RaisedFault):
        return error.number
    return NUMBERS.get(error.code, OTHER)


def severity_of(error: Error) -> int:
    return error.severity if isinstance(error, RaisedFault) else 16


def state_of(error: Error) -> int:
    return error.state if isinstance(error, RaisedFault) else 1


def procedure_of(error: Error) -> str | None:
    """The routine's name without its kind; None where the text is no routine's."""
    kind, _, name = (error.routine or "").partition(" ")
    return name if kind in ("procedure", "function") else None

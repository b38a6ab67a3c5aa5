"""Leaves raised above storage; the root and storage's leaves are in storage/errors.py.

Error
├── SyntaxFault         SYNTAX              the text is not HQL
├── NotSupported        NOT_SUPPORTED       HQL that is not built yet
├── BindFault           UNKNOWN_COLUMN, UNKNOWN_TABLE, UNKNOWN_FUNCTION, UNKNOWN_VARIABLE,
│                       UNKNOWN_TYPE, UNKNOWN_MODEL, UNKNOWN_SPACE, AMBIGUOUS, TYPE_MISMATCH,
│                       ARGUMENTS, GROUPING, BIND
├── ExecutionFault      DIVISION_BY_ZERO, OVERFLOW, BAD_CAST, CARDINALITY, BAD_VALUE,
│                       SRID_MISMATCH, MEMORY, RECURSION, NOT_INSTALLED, MODEL_INPUT,
│                       EXECUTION
├── TransactionFault    TRANSACTION         COMMIT without BEGIN and its kin
├── ParameterFault      PARAMETER           a value that cannot be bound
├── FileFault           FILE, MODEL_FORMAT
│                                           a file that cannot be read or written as asked; a
│                                           model's file that is not what it says
└── InternalFault       INTERNAL            our bug; the session closes
"""

from hartonomous.storage.errors import Error


class SyntaxFault(Error):
    """The text is not HQL."""

    code = "SYNTAX"


class NotSupported(Error):
    """A statement or feature of HQL that this version does not have."""

    code = "NOT_SUPPORTED"


class BindFault(Error):
    """A name or a type does not fit the catalog."""

    code = "BIND"


class ExecutionFault(Error):
    """A value made the statement fail while it ran."""

    code = "EXECUTION"


class TransactionFault(Error):
    """A transaction statement at the wrong moment."""

    code = "TRANSACTION"


class ParameterFault(Error):
    """A parameter that is missing, unused or of a type that HQL has not."""

    code = "PARAMETER"


class FileFault(Error):
    """A file named in a statement cannot be read or written as asked."""

    code = "FILE"


class InternalFault(Error):
    """A broken invariant: our bug, with what is needed to report it."""

    code = "INTERNAL"

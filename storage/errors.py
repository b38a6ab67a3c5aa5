"""Root of the error tree, and storage's leaves.

Error
├── NotFound            NOT_FOUND
├── AlreadyExists       ALREADY_EXISTS
├── ReadOnly            READ_ONLY
├── Locked              LOCKED              another process holds the writer's lock
├── Conflict            CONFLICT            retry = True
├── ConstraintFault     UNIQUE_VIOLATION, NOT_NULL_VIOLATION, CHECK_VIOLATION
├── Corruption          CORRUPTION          object or file, offset, expected and found digest
├── DiskFault           DISK                from OSError, raised by disk.py only
├── FormatFault         FORMAT              a folder that is not ours, or of a later format
└── Cancelled           CANCELLED, TIMEOUT
"""


class Error(Exception):
    """Anything a client may see.

    `code` is stable and travels on the wire; `line` and `column` are 1-based places in the
    statement's text where known; `hint` says what to do.
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

    def __str__(self) -> str:
        place = f" (line {self.line}, column {self.column})" if self.line is not None else ""
        hint = f"\nhint: {self.hint}" if self.hint else ""
        return f"{self.message}{place}{hint}"


class NotFound(Error):
    """A named thing does not exist."""

    code = "NOT_FOUND"


class AlreadyExists(Error):
    """A name is taken."""

    code = "ALREADY_EXISTS"


class ReadOnly(Error):
    """A change was asked of a reader."""

    code = "READ_ONLY"


class Locked(Error):
    """Another process is the writer of this folder."""

    code = "LOCKED"


class Conflict(Error):
    """Another transaction changed the same rows first; run the transaction again."""

    code = "CONFLICT"
    retry = True


class ConstraintFault(Error):
    """A row breaks a constraint; `code` says which kind."""

    code = "CONSTRAINT_VIOLATION"


class Corruption(Error):
    """Bytes on disk contradict their checksum; never shown as an empty result."""

    code = "CORRUPTION"


class DiskFault(Error):
    """The operating system refused: no space, no permission, input/output error."""

    code = "DISK"


class FormatFault(Error):
    """The folder is not a database, or one of a later format."""

    code = "FORMAT"


class Cancelled(Error):
    """The statement was cancelled, or ran out of time (code TIMEOUT)."""

    code = "CANCELLED"

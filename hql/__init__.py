"""HQL: a query language over rows, vectors and models; `connect` is the way in (PEP 249).

Importing this package is cheap; pyarrow and the engine are imported by the first connection.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hartonomous.hql.dbapi import Connection
    from hartonomous.hql.geometry_value import Geometry

__all__ = ["Geometry", "apilevel", "connect", "paramstyle", "threadsafety"]

#: PEP 249
apilevel = "2.0"
threadsafety = 2  # threads may share the module and connections (a connection runs one at a time)
paramstyle = "named"  # `:name`; `@name` and `?` are understood too

#: PEP 249's exception names -> where our own class of that meaning is
_EXCEPTIONS = {
    "Warning": "builtins.Warning",
    "Error": "storage.errors.Error",
    "InterfaceError": "hql.errors.ParameterFault",
    "DatabaseError": "storage.errors.Error",
    "DataError": "hql.errors.ExecutionFault",
    "OperationalError": "storage.errors.DiskFault",
    "IntegrityError": "storage.errors.ConstraintFault",
    "InternalError": "hql.errors.InternalFault",
    "ProgrammingError": "hql.errors.BindFault",
    "NotSupportedError": "hql.errors.NotSupported",
}


def connect(
    database: str | Path | None = None,
    *,
    read_only: bool = False,
    autocommit: bool = True,
    timeout: float | None = None,
    memory: int | None = None,
    author: str | None = None,
) -> Connection:
    """A connection to the folder `database`; None or ":memory:" keeps nothing on disk.

    The folder is created if it is missing. Without `read_only` the folder's writer lock is taken
    (Locked if another process has it). `timeout` is each statement's time limit in seconds,
    `memory` its memory limit in bytes. `author` is written to commits; by default it is the
    operating system's user.

    >>> with connect() as db:
    ...     db.execute("SELECT 6 * 7").fetchall()
    [(42,)]
    """
    from hartonomous.hql.dbapi import Connection

    return Connection(
        database,
        read_only=read_only,
        autocommit=autocommit,
        timeout=timeout,
        memory=memory,
        author=author,
    )


def __getattr__(name: str) -> Any:
    if name == "Geometry":
        from hartonomous.hql.geometry_value import Geometry

        return Geometry
    if name not in _EXCEPTIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module, _, attribute = _EXCEPTIONS[name].rpartition(".")
    full = module if module == "builtins" else f"hartonomous.{module}"
    return getattr(importlib.import_module(full), attribute)

"""VACUUM, BACKUP DATABASE, ALTER DATABASE SET: what keeps a database small, safe and as wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from hartonomous.hql.bind.context import nearest
from hartonomous.hql.changes.targets import get_table, place
from hartonomous.hql.errors import BindFault, FileFault, TransactionFault
from hartonomous.hql.plan import Field, schema_of
from hartonomous.hql.result import Result
from hartonomous.hql.types import BIGINT, NVARCHAR
from hartonomous.storage.errors import Error, ReadOnly
from hartonomous.storage.settings import COMPACTION, QUERY_LOG, RETENTION, retention_us

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.alter_database import AlterDatabase
    from hartonomous.hql.statements.backup_database import BackupDatabase
    from hartonomous.hql.statements.vacuum import Vacuum

VACUUM_FIELDS = (
    *(
        Field(name, BIGINT)
        for name in (
            "RowsRemoved",
            "SegmentsBefore",
            "SegmentsAfter",
            "BytesBefore",
            "BytesAfter",
            "Horizon",
        )
    ),
    Field("HeldBy", NVARCHAR),
)
BACKUP_FIELDS = tuple(Field(name, BIGINT) for name in ("Sequence", "Objects", "Linked", "Bytes"))


def run_vacuum(statement: Vacuum, context: Context) -> Result:
    """VACUUM [t]: not inside a transaction, and not by a reader."""
    _stand_alone(context, "VACUUM")
    table_id = None
    if statement.table is not None:
        table_id = get_table(context, statement.table).id
    figures = context.session.database.vacuum(table_id)
    row = (
        figures.rows_removed,
        figures.segments_before,
        figures.segments_after,
        figures.bytes_before,
        figures.bytes_after,
        figures.horizon,
        ", ".join(figures.held_by) or None,
    )
    return _one_row(VACUUM_FIELDS, row)


def run_backup(statement: BackupDatabase, context: Context) -> Result:
    """BACKUP DATABASE TO path: not inside a transaction, whose changes would not be in it."""
    from hartonomous.hql.copying.copying import path_of
    from hartonomous.hql.copying.progress import Progress

    session = context.session
    if session.in_transaction:
        raise TransactionFault("BACKUP DATABASE: a transaction is open", hint="COMMIT it first")
    path = path_of(statement.path, context, to_write=True)
    if not path.strip() or "\0" in path:
        raise place(FileFault(f"{path!r} is no folder"), statement.path)
    progress = Progress("backup")
    try:
        made = session.database.backup(Path(path), progress.update)
    except Error as error:
        raise place(error, statement.path) from None
    finally:
        progress.close()
    return _one_row(BACKUP_FIELDS, (made.sequence, made.objects, made.linked, made.bytes))


def run_alter_database(statement: AlterDatabase, context: Context) -> Result:
    """ALTER DATABASE SET name = value: at once and durable, so not inside a transaction."""
    from hartonomous.hql.models.options import plain_value

    _stand_alone(context, "ALTER DATABASE")
    name = statement.name.lower()
    read = SETTINGS.get(name)
    if read is None:
        hint = nearest(name, SETTINGS) or f"settings are {', '.join(SETTINGS)}"
        raise place(
            BindFault(f'a database has no setting "{statement.name}"', hint=hint), statement
        )
    try:
        value = read(plain_value(statement.option, context))
    except Error as error:
        raise place(error, statement) from None
    context.session.database.set_setting(name, value)
    return Result()


def _retention(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    retention_us(text)
    return text


def _switch(name: str, value: Any) -> str:
    if value is True or str(value).upper() == "ON":
        return "ON"
    if value in (False, 0) or str(value).upper() == "OFF":
        return "OFF"
    raise BindFault(f"{name} is ON or OFF", hint=f"ALTER DATABASE SET {name} = OFF")


#: what a database has of settings: name -> what its value is kept as; raises Error
SETTINGS: Final[Mapping[str, Callable[[Any], str]]] = {
    COMPACTION: partial(_switch, COMPACTION),
    QUERY_LOG: partial(_switch, QUERY_LOG),
    RETENTION: _retention,
}


def _stand_alone(context: Context, what: str) -> None:
    if context.session.in_transaction:
        raise TransactionFault(f"{what}: a transaction is open", hint="COMMIT it first")
    if context.session.read_only:
        raise ReadOnly(f"{what}: this connection only reads")


def _one_row(fields: tuple[Field, ...], row: tuple[Any, ...]) -> Result:
    schema = schema_of(fields)
    arrays = [pa.array([value], f.type) for value, f in zip(row, schema, strict=True)]
    return Result.of_table(fields, pa.Table.from_arrays(arrays, schema=schema))

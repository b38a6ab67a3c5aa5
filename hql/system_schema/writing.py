"""How our own code writes to stored system tables: they are made when the first row comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.hql.system_schema import TABLES, template
from hartonomous.storage.catalog import TableEntry, fold

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def find(context: Context, name: str) -> TableEntry | None:
    """The table's entry, or None if nothing was ever written to it. `name` is the plural."""
    assert fold(name) in TABLES, name
    entry = context.transaction.catalog.find("dbo", name)  # also for who may not see it
    assert entry is None or isinstance(entry, TableEntry), name
    return entry


def ensure(context: Context, name: str) -> TableEntry:
    """The table's entry, made now if it is not there. Raises ReadOnly."""
    entry = find(context, name)
    if entry is None:
        created = context.transaction.create(template(fold(name)))
        assert isinstance(created, TableEntry)
        entry = created
    return entry


def append(context: Context, name: str, rows: pa.Table) -> int:
    """Adds rows: columns by name, of types that Arrow casts without loss; columns that are not
    given are NULL, an IDENTITY column is numbered. How many there were. For our own rows: lengths
    are not checked and no behaviour is asked."""
    table = ensure(context, name)
    return context.transaction.insert(table.id, whole_rows(context, table, rows))


def whole_rows(context: Context, table: TableEntry, rows: pa.Table) -> pa.Table:
    """All stored columns in order, exactly typed."""
    known = {c.name for c in table.stored}
    unknown = [n for n in rows.column_names if n not in known]
    assert not unknown, f"{table.name} has no columns {unknown}"
    columns = []
    for column in table.stored:
        if column.name in rows.column_names:
            values = rows.column(column.name)
            columns.append(values if values.type == column.arrow else values.cast(column.arrow))
        elif column.identity is not None:
            columns.append(number(context, table, rows.num_rows))
        else:
            columns.append(pa.nulls(rows.num_rows, column.arrow))
    return pa.Table.from_arrays(columns, schema=table.arrow_schema)


def number(context: Context, table: TableEntry, count: int) -> pa.Array:
    """The next `count` values of the table's IDENTITY column."""
    import numpy as np

    column = next(c for c in table.columns if c.identity is not None)
    assert column.identity is not None
    seed, step = column.identity
    if not count:
        return pa.array([], column.arrow)
    first = context.session.database.next_identity(table.id, count, seed, step)
    values = np.arange(count, dtype=np.int64) * step + first
    context.session.note_identity(int(values[-1]), context.frame)
    return pa.array(values).cast(column.arrow)

"""sys.index_columns: the columns of keys and indexes one by one, in their order.

sys.indexes names the columns of an index in one text, for reading; programs join this table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.system_tables.base import Row, of_tuples
from hartonomous.hql.system_tables.catalog import sorted_tables
from hartonomous.hql.types import BIGINT, INT, NVARCHAR

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def _index_columns(context: Context) -> list[Row]:
    rows: list[Row] = []
    for table in sorted_tables(context):
        names = {column.id: column.name for column in table.columns}
        indexes = [(key.name, key.columns) for key in table.keys]
        indexes += [(index.name, index.columns) for index in table.indexes]
        for name, columns in indexes:
            place = (table.id or None, table.schema, table.name, name)
            rows += [(*place, number, names[c]) for number, c in enumerate(columns, 1)]
    return rows


INDEX_COLUMNS = of_tuples(
    _index_columns,
    object_id=BIGINT,
    schema_name=NVARCHAR,
    table_name=NVARCHAR,
    index_name=NVARCHAR,
    key_ordinal=INT,
    column_name=NVARCHAR,
)

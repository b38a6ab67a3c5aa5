"""sys.statistics and sys.column_statistics: what the planner knows of tables and their columns.

Only what was looked at since the database was opened: by a plan that needed it, or by UPDATE
STATISTICS.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql.models.relations.tables import is_atoms
from hartonomous.hql.system_tables.base import Row, of_tuples
from hartonomous.hql.system_tables.catalog import sorted_tables
from hartonomous.hql.types import BIGINT, BIT, DATETIME2, FLOAT, INT, NVARCHAR
from hartonomous.storage.physical import is_moment

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statistics.column import ColumnStatistics
    from hartonomous.hql.statistics.table import TableStatistics
    from hartonomous.storage.catalog import TableEntry
    from hartonomous.storage.table import TableView

#: of a text that is shown
SHOWN_CHARACTERS = 40


def _known(context: Context) -> Iterator[tuple[TableEntry, TableView, TableStatistics]]:
    from hartonomous.hql.security.rows import reads_all
    from hartonomous.hql.statistics.kept import known_statistics

    for table in sorted_tables(context):
        if table.id and not is_atoms(table) and reads_all(context, table):
            view = context.transaction.view(table.id)
            found = known_statistics(view, context.session.database)
            if found is not None:
                yield table, view, found


def _tables(context: Context) -> list[Row]:
    rows: list[Row] = []
    for table, view, known in _known(context):
        columns = [s for c in table.stored if (s := known.find(c)) is not None]
        sampled = max((s.sampled for s in columns), default=0)
        place = (table.id, table.schema, table.name)
        changed, holds = known.changed_since(view), known.holds_for(view)
        rows.append((*place, known.rows, sampled, len(columns), known.made_us, changed, holds))
    return rows


def _columns(context: Context) -> list[Row]:
    rows: list[Row] = []
    for table, _, known in _known(context):
        for number, column in enumerate(table.columns, 1):
            found = known.find(column)
            if found is not None:
                place = (table.id, table.schema, table.name, number, column.name)
                rows.append((*place, *_figures(found, column.arrow)))
    return rows


def _figures(found: ColumnStatistics, kind: pa.DataType) -> Row:
    common = [{"value": _shown(v, kind), "share": round(s, 6)} for v, s in found.common]
    bounds = [_shown(v, kind) for v in found.bounds]
    least, greatest = (_text(_shown(v, kind)) for v in (found.low, found.high))
    distinct = None if found.low is None else found.distinct
    texts = (json.dumps(part, ensure_ascii=False) for part in (common, bounds))
    return (found.sampled, found.nulls, distinct, found.width, least, greatest, *texts)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _shown(value: Any, kind: pa.DataType) -> Any:
    """A value in stored form as JSON shows it."""
    if value is None or pa.types.is_boolean(kind):
        return None if value is None else int(value)
    if is_moment(kind):
        whole = pa.scalar(value, pa.int64() if kind.bit_width == 64 else pa.int32())
        return str(whole.cast(kind).as_py())
    if isinstance(value, bytes):
        is_text = pa.types.is_string(kind)
        text = value.decode("utf-8", "replace") if is_text else "0x" + value.hex().upper()
        return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    return value if isinstance(value, (int, float)) else str(value)


STATISTICS = of_tuples(
    _tables,
    object_id=BIGINT,
    schema_name=NVARCHAR,
    table_name=NVARCHAR,
    row_count=BIGINT,
    sampled_rows=BIGINT,
    column_count=INT,
    made_at=DATETIME2,
    changed_rows=BIGINT,
    is_current=BIT,
)

COLUMN_STATISTICS = of_tuples(
    _columns,
    object_id=BIGINT,
    schema_name=NVARCHAR,
    table_name=NVARCHAR,
    column_id=INT,
    column_name=NVARCHAR,
    sampled_rows=BIGINT,
    null_share=FLOAT,
    distinct_values=FLOAT,
    average_bytes=FLOAT,
    least=NVARCHAR,
    greatest=NVARCHAR,
    common_values=NVARCHAR,
    histogram=NVARCHAR,
)

"""What storage derives from a table entry and needs at every change: schemas, NOT NULL, keys.

New rows have the table's stored columns. Rows from before a DROP COLUMN may hold more, which leaves
of their commits cover: what merges them or hashes them again goes by `shape_holding`.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from hartonomous.storage.catalog import ColumnEntry, TableEntry, physical_name
from hartonomous.storage.frozen import frozen
from hartonomous.storage.keys import KeyColumns
from hartonomous.storage.small_leaf import SmallLeaf


@frozen
class TableShape:
    table: TableEntry
    stored: tuple[ColumnEntry, ...]
    logical: pa.Schema
    physical: pa.Schema
    types: list[pa.DataType]
    required: tuple[int, ...]  # positions among the stored columns that take no NULL
    unique: tuple[tuple[KeyColumns, tuple[int, ...]], ...]  # with positions of its columns
    small_leaf: SmallLeaf


_shapes: dict[int, TableShape] = {}
_SHAPES_MAX = 1024


def shape_of(table: TableEntry) -> TableShape:
    """Kept by the entry's identity: hashing an entry costs more than what is kept."""
    found = _shapes.get(id(table))
    if found is None or found.table is not table:
        if len(_shapes) >= _SHAPES_MAX:
            _shapes.clear()
        found = _shapes[id(table)] = _shape(table, table.stored)
    return found


def shape_holding(shape: TableShape, has: Callable[[str], bool]) -> TableShape:
    """The shape with those dropped columns that the rows in question have, by physical name; all
    in the order of their ids."""
    if not shape.table.dropped:
        return shape
    held = [c for c in shape.table.dropped if has(physical_name(c))]
    if not held:
        return shape
    return _shape(shape.table, tuple(sorted((*shape.stored, *held), key=lambda c: c.id)))


def _shape(table: TableEntry, stored: tuple[ColumnEntry, ...]) -> TableShape:
    ids = [column.id for column in stored]
    assert ids == sorted(ids), "columns are hashed in the order of their ids"
    places = {column.id: place for place, column in enumerate(stored)}
    required = {place for place, column in enumerate(stored) if not column.nullable}
    unique = []
    for key in table.keys:
        positions = tuple(places[i] for i in key.columns)
        if key.kind == "PRIMARY KEY":
            required.update(positions)
        if key.is_unique:
            unique.append((KeyColumns.of(table, key), positions))
    physical = pa.schema([pa.field(physical_name(c), c.arrow) for c in stored])
    return TableShape(
        table,
        stored,
        pa.schema([pa.field(c.name, c.arrow, c.nullable) for c in stored]),
        physical,
        physical.types,
        tuple(sorted(required)),
        tuple(unique),
        SmallLeaf(physical),
    )

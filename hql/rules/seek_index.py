"""Rule seek_index: rows within ranges of an index's first columns are found through it.

    t[ranges: a = 5, @low <= b, c < 9]   →   t[ranges: …; index ix (a, b)]

Serves are BTREE indexes, and PRIMARY KEY and UNIQUE keys, with equalities (IN, IS NULL) on their
first columns and one range on the next, first those that use the most ranges. When the statement
runs each is asked how many rows lie there, and the one with the fewest is taken; if reading these
one by one costs more than reading all, the scan reads all. What is found is a superset of what the
WHERE above, which stays, lets through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hartonomous.hql import plan as p
from hartonomous.hql.rules.tree import transform
from hartonomous.hql.rules.use_index import wanted_index
from hartonomous.storage.access import METHODS
from hartonomous.storage.access.base import ORDER
from hartonomous.storage.catalog import NOCASE, IndexEntry, KeyEntry, TableEntry, fold

#: indexes among which a scan chooses when it runs
SEEKS_MAX = 4


def seek_index(plan: p.Plan) -> p.Plan:
    wanted = wanted_index(plan)

    def change(node: Any) -> Any:
        if isinstance(node, p.Scan) and node.ranges and node.region is None:
            return _mark(node, wanted)
        return node

    return transform(plan, change)


def _mark(scan: p.Scan, wanted: str | None) -> p.Scan:
    least = _columns_of_hash(scan, wanted)
    usable = [
        (len(columns), isinstance(entry, KeyEntry), entry)
        for entry in ordered_indexes(scan.table)
        if (columns := sought_columns(scan, entry))
    ]
    if least:
        usable = [u for u in usable if fold(u[2].name) == wanted or _covers(scan, u[2], least)]
    named = next((e for _, _, e in usable if fold(e.name) == wanted), None)
    if named is not None:
        return replace(scan, lookup=None, seek=p.Index(named.id, named.name))
    if (scan.lookup is not None and not least) or not usable:
        return scan
    usable.sort(key=lambda u: u[:2], reverse=True)
    best, *others = [p.Index(e.id, e.name) for _, _, e in usable[:SEEKS_MAX]]
    return replace(scan, lookup=None, seek=best, seeks=tuple(others))


def _columns_of_hash(scan: p.Scan, wanted: str | None) -> set[str]:
    """The columns of a lookup that may find many rows and is not wanted by its name."""
    if scan.lookup is None:
        return set()
    key = next(k for k in scan.table.keys if k.id == scan.lookup.key)
    is_kept = key.is_unique or fold(key.name) == wanted
    return set() if is_kept else set(scan.lookup.columns)


def _covers(scan: p.Scan, entry: IndexEntry | KeyEntry, columns: set[str]) -> bool:
    """Whether an index uses ranges of all these columns, and of more."""
    return set(sought_columns(scan, entry)) > columns


def ordered_indexes(table: TableEntry) -> Iterator[IndexEntry | KeyEntry]:
    """The indexes and unique keys of a table that have an order."""
    yield from (k for k in table.keys if k.is_unique)
    yield from (i for i in table.indexes if ORDER in METHODS[i.method].capabilities)


def sought_columns(scan: p.Scan, entry: IndexEntry | KeyEntry) -> tuple[str, ...]:
    """The first columns of an index whose ranges it can use: those that equal something, and one
    more."""
    columns = {c.id: c for c in scan.table.columns}
    found: list[str] = []
    for column_id in entry.columns:
        column = columns[column_id]
        folds = column.collation == NOCASE
        own = [
            r for r in scan.ranges if r.column == column.name and (r.folds == folds or r.is_null)
        ]
        if not own:
            break
        found.append(column.name)
        if not any(is_equality(r) for r in own):
            break
    return tuple(found)


def is_equality(given: p.Range) -> bool:
    """Whether a range names single values."""
    same = given.low is not None and given.low == given.high
    closed = not (given.low_open or given.high_open)
    return given.is_null or given.values is not None or (same and closed)

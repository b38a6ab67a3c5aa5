"""Foreign keys: which rows refer to which, and what a change leaves without its row.

A *reference* is one foreign key with both of its tables: rows of the *child* hold the key of a row
of the *parent*, or a NULL. Parents are found through their unique key; children through an index
like those of keys (keys.py), which each chunk of the child makes when it is first asked for.

A change that may leave a child without its parent makes a `Broken`, kept with the transaction until
its statement ends; what is to become of the children (CASCADE …) is for a layer above, which takes
them with `take_broken`. What nobody took is an error when the transaction commits. Two transactions
that see nothing of each other: reference_conflicts.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.storage.catalog import (
    CASCADE,
    NO_ACTION,
    NOCASE,
    Catalog,
    ForeignKeyEntry,
    KeyEntry,
    TableEntry,
)
from hartonomous.storage.chunk import NO_ROWS, Chunk, Int64, Selection, concat
from hartonomous.storage.constraints import chunk_columns
from hartonomous.storage.errors import ConstraintFault, Offence
from hartonomous.storage.frozen import frozen
from hartonomous.storage.keyhash import equal_rows
from hartonomous.storage.keys import KeyColumns, Probe, find_visible, shown_values
from hartonomous.storage.shape import shape_of
from hartonomous.storage.table import ADDRESS_BITS, TableView

if TYPE_CHECKING:
    from hartonomous.storage.transaction import Transaction

#: from so many rows on their distinct values are looked up
MANY_ROWS = 4_096
#: maps of catalogs that are kept
MAPS_MAX = 64


@frozen
class Reference:
    """A foreign key. `own` are the child's columns in the order of the parent's `key`."""

    child: TableEntry
    entry: ForeignKeyEntry
    parent: TableEntry
    own: KeyColumns
    key: KeyColumns


@frozen
class References:
    """The foreign keys of a catalog, by the ids of their tables."""

    of_child: Mapping[int, tuple[Reference, ...]]
    of_parent: Mapping[int, tuple[Reference, ...]]


@frozen
class Broken:
    """Keys that children may be left with. `keys`: values, in the order of the parent's key.
    `kind`: MISSING (children came that have them), DELETED (parents went that had them), UPDATED
    (parents had them and now have `now`). `rows`: of children that came, their numbers among all
    that came with them."""

    reference: Reference
    kind: str
    keys: Sequence[pa.Array]
    now: Sequence[pa.Array] = ()
    rows: Int64 | None = None

    @property
    def action(self) -> str:
        """What is to become of the children."""
        if self.kind == "MISSING":
            return NO_ACTION
        entry = self.reference.entry
        return entry.on_delete if self.kind == "DELETED" else entry.on_update


_maps: dict[int, References] = {}
_NONE = References({}, {})


def references_of(catalog: Catalog) -> References:
    """Kept by the catalog's version, which no other catalog has."""
    found = _maps.get(catalog.version)
    if found is None:
        if len(_maps) >= MAPS_MAX:
            _maps.clear()
        found = _maps[catalog.version] = _map(catalog)
    return found


def _map(catalog: Catalog) -> References:
    of_child: dict[int, list[Reference]] = {}
    of_parent: dict[int, list[Reference]] = {}
    for child in catalog.tables():
        for entry in child.foreign_keys:
            parent = catalog.tables_by_id[entry.table or child.id]
            found = resolve(child, entry, parent)
            of_child.setdefault(child.id, []).append(found)
            of_parent.setdefault(parent.id, []).append(found)
    if not of_child:
        return _NONE
    return References(
        {i: tuple(r) for i, r in of_child.items()}, {i: tuple(r) for i, r in of_parent.items()}
    )


def resolve(child: TableEntry, entry: ForeignKeyEntry, parent: TableEntry) -> Reference:
    """A foreign key with its columns found."""
    key = find_key(parent, entry.referenced)
    assert key is not None, (entry, parent)
    pairs = dict(zip(entry.referenced, entry.columns, strict=True))
    by_id = {c.id: c for c in child.columns}
    ids = tuple(pairs[i] for i in key.key.columns)
    columns = tuple(by_id[i] for i in ids)
    folds = tuple(i for i, c in enumerate(columns) if c.collation == NOCASE)
    own = KeyColumns(KeyEntry(entry.id, entry.name, ids, "INDEX"), columns, folds)
    return Reference(child, entry, parent, own, key)


def find_key(parent: TableEntry, columns: Sequence[int]) -> KeyColumns | None:
    """The parent's unique key over exactly these columns, in any order."""
    for key, _ in shape_of(parent).unique:
        if sorted(key.key.columns) == sorted(columns):
            return key
    return None


# --- finding -------------------------------------------------------------------------------------


Parts = Sequence[tuple[int, Selection]]


def find_missing(parts: Parts, key: KeyColumns, columns: Sequence[pa.Array]) -> Int64:
    """The numbers of those rows of `columns` without a NULL whose key no visible row has."""
    if len(columns) == 1 and len(columns[0]) >= MANY_ROWS:
        # many rows refer to few: usually all are there, and then each is looked up once
        distinct = columns[0].unique().drop_null()
        if len(distinct) <= len(columns[0]) // 2 and not len(_missing(parts, key, [distinct])):
            return NO_ROWS
    return _missing(parts, key, columns)


def _missing(parts: Parts, key: KeyColumns, columns: Sequence[pa.Array]) -> Int64:
    probe = Probe(key.compared(columns))
    is_missing = np.zeros(len(columns[0]), np.bool_)
    is_missing[slice(None) if probe.rows is None else probe.rows] = True
    for _, rows, _ in find_visible(parts, key, probe):
        is_missing[rows] = False
    return np.flatnonzero(is_missing)


def find_children(
    view: TableView, reference: Reference, keys: Sequence[pa.Array]
) -> tuple[Int64, Int64]:
    """(numbers of keys, addresses) of the child's rows that have one of the keys."""
    probe = Probe(reference.own.compared(keys))
    numbers, addresses = [], []
    for ordinal, rows, offsets in find_visible(view.parts, reference.own, probe):
        numbers.append(rows)
        addresses.append(offsets + (ordinal << ADDRESS_BITS))
    return (concat(numbers), concat(addresses)) if numbers else (NO_ROWS, NO_ROWS)


def picked(columns: Sequence[pa.Array], rows: Int64) -> list[pa.Array]:
    picked = pa.array(rows)
    return [c.take(picked) for c in columns]


# --- what changes leave --------------------------------------------------------------------------


def note_added(transaction: Transaction, table: TableEntry, chunks: Sequence[Chunk]) -> None:
    """Rows came, and are in place: those whose parent is not there."""
    for reference in references_of(transaction.catalog).of_child.get(table.id, ()):
        shape = shape_of(table)
        places = {c.id: i for i, c in enumerate(shape.stored)}
        columns = [chunk_columns(chunks, shape, places[c.id]) for c in reference.own.columns]
        _note_missing(transaction, reference, columns, have_come=True)


def note_removed(transaction: Transaction, view: TableView, addresses: Int64 | None) -> None:
    """Rows of `view` go, all of them if `addresses` is None: the keys that they had."""
    for reference in references_of(transaction.catalog).of_parent.get(view.table.id, ()):
        if not transaction.view(reference.child.id).row_count:
            continue
        names = [c.name for c in reference.key.columns]
        if addresses is None:
            table = view.scan(names).table
            keys = [table.column(n).combine_chunks() for n in names]
        else:
            keys = [view.gather(n, addresses) for n in names]
        transaction.broken.append(Broken(reference, "DELETED", keys))


def note_updated(
    transaction: Transaction, view: TableView, addresses: Int64, rows: pa.Table
) -> None:
    """Rows of `view` became `rows`, which are in place: foreign keys that are new, keys that
    changed."""
    references = references_of(transaction.catalog)
    for reference in references.of_child.get(view.table.id, ()):
        changed, _, new = _changed(view, addresses, rows, reference.own)
        if len(changed):
            _note_missing(transaction, reference, new)
    for reference in references.of_parent.get(view.table.id, ()):
        # who follows takes the new writing, too, of a key that ignores case
        follows = reference.entry.on_update == CASCADE
        changed, old, new = _changed(view, addresses, rows, reference.key, as_written=follows)
        if len(changed):
            transaction.broken.append(Broken(reference, "UPDATED", old, new))


def _changed(
    view: TableView,
    addresses: Int64,
    rows: pa.Table,
    key: KeyColumns,
    *,
    as_written: bool = False,
) -> tuple[Int64, list[pa.Array], list[pa.Array]]:
    """The rows whose key columns changed, with old and new values of these. `as_written`: a change
    of case is one, whatever the key's collation."""
    old = [view.gather(c.name, addresses) for c in key.columns]
    new = [rows.column(c.name).combine_chunks() for c in key.columns]
    if any(c.null_count for c in (*old, *new)):
        changed = np.arange(len(addresses))
    else:
        compared = (old, new) if as_written else (key.compared(old), key.compared(new))
        changed = np.flatnonzero(~equal_rows(*compared))
    return changed, picked(old, changed), picked(new, changed)


def _note_missing(
    transaction: Transaction,
    reference: Reference,
    columns: Sequence[pa.Array],
    *,
    have_come: bool = False,
) -> None:
    view = transaction.view(reference.parent.id)
    missing = find_missing(view.parts, reference.key, columns)
    if len(missing):
        rows = missing if have_come else None
        broken = Broken(reference, "MISSING", picked(columns, missing), rows=rows)
        transaction.broken.append(broken)


def check(transaction: Transaction, broken: Broken) -> None:
    """Raises FOREIGN_KEY_VIOLATION if a child has one of the keys, and no parent has it now."""
    reference = broken.reference
    missing = find_missing(transaction.view(reference.parent.id).parts, reference.key, broken.keys)
    if not len(missing):
        return
    keys = picked(broken.keys, missing)
    numbers, _ = find_children(transaction.view(reference.child.id), reference, keys)
    if len(numbers):
        number = int(numbers[0])
        row = None if broken.rows is None else int(broken.rows[missing[number]])
        raise violation(reference, broken.kind, keys, number, row)


def check_all(transaction: Transaction) -> None:
    """Raises FOREIGN_KEY_VIOLATION for what changes left broken and nobody took."""
    for broken in transaction.take_broken():
        check(transaction, broken)


def check_new(transaction: Transaction, before: TableEntry, view: TableView) -> None:
    """Raises FOREIGN_KEY_VIOLATION if rows of the view break a foreign key of its table that the
    table did not have before."""
    known = {f.id for f in before.foreign_keys}
    for entry in view.table.foreign_keys:
        if entry.id in known:
            continue
        parent_id = entry.table or view.table.id
        parent = view if parent_id == view.table.id else transaction.view(parent_id)
        reference = resolve(view.table, entry, parent.table)
        names = [c.name for c in reference.own.columns]
        table = view.scan(names).table
        columns = [table.column(n).combine_chunks() for n in names]
        missing = find_missing(parent.parts, reference.key, columns)
        if len(missing):
            raise violation(reference, "MISSING", columns, int(missing[0]))


def violation(
    reference: Reference,
    kind: str,
    keys: Sequence[pa.Array],
    number: int,
    row: int | None = None,
) -> ConstraintFault:
    """The error for key number `number`, of a child's row of that number among those that came."""
    child, parent, entry = reference.child, reference.parent, reference.entry
    names = tuple(c.name for c in reference.own.columns)
    columns = ", ".join(names)
    values = shown_values(reference.own, keys, number)
    if kind == "MISSING":
        message = (
            f'FOREIGN KEY "{entry.name}" ({columns}) of table "{child.name}": '
            f'table "{parent.name}" has no row ({values})'
        )
        hint = f'insert it into "{parent.name}" first'
    else:
        message = (
            f'FOREIGN KEY "{entry.name}" ({columns}) of table "{child.name}" '
            f'refers to the row ({values}) of table "{parent.name}"'
        )
        hint = f'delete or change the rows of "{child.name}" first'
        names = tuple(c.name for c in reference.key.columns)
    offence = Offence(child if kind == "MISSING" else parent, names, row)
    fault = ConstraintFault(message, code="FOREIGN_KEY_VIOLATION", hint=hint, offence=offence)
    fault.tables = child.id, parent.id
    return fault


def refuse_lost_key(transaction: Transaction, table: TableEntry) -> None:
    """Raises FOREIGN_KEY_VIOLATION if a table is to be without a key that is referred to."""
    for reference in references_of(transaction.catalog).of_parent.get(table.id, ()):
        if find_key(table, reference.entry.referenced) is None:
            key, child = reference.key.key, reference.child
            raise ConstraintFault(
                f'{key.kind} "{key.name}" of table "{table.name}" cannot be dropped: FOREIGN KEY '
                f'"{reference.entry.name}" of table "{child.name}" refers to it',
                code="FOREIGN_KEY_VIOLATION",
                hint=f"ALTER TABLE {child.name} DROP CONSTRAINT {reference.entry.name}",
            )


def refuse_referenced(transaction: Transaction, table: TableEntry, what: str) -> None:
    """Raises FOREIGN_KEY_VIOLATION if another table refers to one that is to be dropped or
    truncated."""
    for reference in references_of(transaction.catalog).of_parent.get(table.id, ()):
        if reference.child.id != table.id:
            raise ConstraintFault(
                f'table "{table.name}" cannot be {what}: FOREIGN KEY "{reference.entry.name}" of '
                f'table "{reference.child.name}" refers to it',
                code="FOREIGN_KEY_VIOLATION",
                hint=f"ALTER TABLE {reference.child.name} DROP CONSTRAINT {reference.entry.name}",
            )

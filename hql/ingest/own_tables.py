"""Rows of modalities that have a table of their own (Modality.table), such as CodeAtoms.

When a source is read again, a row is recognised by its name in the source (StoredTable.named_by; of
several with one name the first is the first): it is left alone if it says the same, changed if it
does not, and keeps its id. New ones are added, vanished ones removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.atoms.adding import as_array
from hartonomous.hql.atoms.rows import rows_of
from hartonomous.hql.ingest.earlier import source_addresses
from hartonomous.hql.ingest.reading import Piece
from hartonomous.hql.system_schema import TABLES
from hartonomous.hql.system_schema.writing import append, ensure, find, whole_rows
from hartonomous.storage.catalog import TableEntry, fold

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

#: columns that are the atom's
OF_ATOMS = ("Embedding", "SpatialKey")


def store_own(context: Context, pieces: list[Piece], ids: dict[str, np.ndarray]) -> None:
    """Stores what modalities with a table say of the sources that were read. `ids`: AtomIds, by
    URI."""
    read: dict[str, list[Piece]] = {}
    for piece in pieces:
        if piece.modality is not None and piece.modality.table is not None:
            read.setdefault(piece.modality.table, []).append(piece)
    for name, theirs in read.items():
        parts = [_rows_of(p, ids[p.uri]) for p in theirs if p.count]
        if parts or find(context, name) is not None:
            _replace(context, name, [p.uri for p in theirs], parts)


def _rows_of(piece: Piece, ids: np.ndarray) -> pa.Table:
    assert piece.drafts is not None and piece.drafts.rows is not None, piece.uri
    rows = piece.drafts.rows
    assert rows.num_rows == piece.count == len(ids), (piece.uri, rows.num_rows, piece.count)
    rows = rows.append_column("AtomId", pa.array(ids))
    return rows.append_column("SourceUri", pa.array([piece.uri] * piece.count, pa.string()))


def _replace(context: Context, name: str, uris: list[str], parts: list[pa.Table]) -> None:
    """Puts rows in the place of those that the sources had."""
    table = ensure(context, name)
    view = context.transaction.view(table.id)
    addresses = source_addresses(view, uris)
    if not len(addresses):
        if parts:
            _append(context, table, pa.concat_tables(parts))
        return
    compared = [c.name for c in table.stored if c.identity is None and not _is_nested(c.arrow)]
    old = pa.table({n: view.gather(n, addresses) for n in compared})
    new = pa.concat_tables(parts) if parts else None
    if new is None:
        context.transaction.delete(table.id, addresses)
        return
    pairs = _paired(old, new, ("SourceUri", *TABLES[fold(name)].named_by))
    kept, added = np.flatnonzero(pairs >= 0), np.flatnonzero(pairs < 0)
    differs = _differ(old.take(pa.array(pairs[kept])), new.take(pa.array(kept)), compared)
    changed = kept[differs]
    gone = np.setdiff1d(np.arange(len(addresses)), pairs[kept])
    if len(changed):
        _update(context, table, addresses[pairs[changed]], new.take(pa.array(changed)))
    context.transaction.delete(table.id, addresses[gone])
    if len(added):
        _append(context, table, new.take(pa.array(added)))


def _is_nested(type_: pa.DataType) -> bool:
    """Vectors and geometries, which follow from the other columns."""
    return bool(pa.types.is_nested(type_))


def _paired(old: pa.Table, new: pa.Table, columns: tuple[str, ...]) -> np.ndarray:
    """int64[N]: for each new row the old one of its name, -1 where there is none. The last of the
    columns orders rows of one name."""
    *named, order = columns
    both = [as_array(pc.binary_join_element_wise(*(t[n] for n in named), "\0")) for t in (old, new)]
    codes = pa.concat_arrays(both).dictionary_encode().indices.to_numpy().astype(np.int64)
    halves = codes[: len(old)], codes[len(old) :]
    before, after = (
        half * (1 << 32) + _occurrences(half, t[order].to_numpy())
        for half, t in zip(halves, (old, new), strict=True)
    )
    found = pc.index_in(pa.array(after), value_set=pa.array(before)).fill_null(-1)
    return np.asarray(found.to_numpy(), np.int64)


def _occurrences(codes: np.ndarray, order: np.ndarray) -> np.ndarray:
    """int64[N]: how many rows of the same code come before each row, in that order."""
    rows = np.lexsort((order, codes))
    ordered = codes[rows]
    counts = np.empty(len(codes), np.int64)
    counts[rows] = np.arange(len(codes)) - np.searchsorted(ordered, ordered)
    return counts


def _differ(old: pa.Table, new: pa.Table, columns: list[str]) -> np.ndarray:
    """bool[N]: rows that do not say the same."""
    differs = np.zeros(old.num_rows, np.bool_)
    for name in columns:
        before, after = as_array(old[name]), as_array(new[name])
        after = after.cast(before.type)
        same = pc.or_kleene(
            pc.equal(before, after), pc.and_(before.is_null(), after.is_null())
        ).fill_null(False)
        differs |= ~np.asarray(same.to_numpy(zero_copy_only=False), np.bool_)
    return differs


def _update(context: Context, table: TableEntry, addresses: np.ndarray, rows: pa.Table) -> None:
    view = context.transaction.view(table.id)
    rows = _with_atoms(context, table, rows)
    for column in table.stored:
        if column.identity is not None:
            rows = rows.append_column(column.name, view.gather(column.name, addresses))
    context.transaction.update(table.id, addresses, whole_rows(context, table, rows))


def _append(context: Context, table: TableEntry, rows: pa.Table) -> None:
    append(context, table.name, _with_atoms(context, table, rows))


def _with_atoms(context: Context, table: TableEntry, rows: pa.Table) -> pa.Table:
    """The rows with what their atoms say, where the table has such columns."""
    wanted = [n for n in OF_ATOMS if table.find_column(n) is not None]
    atoms = rows_of(context, ensure(context, "Atoms"), rows.column("AtomId").to_numpy(), wanted)
    for name in wanted:
        rows = rows.append_column(name, atoms.column(name))
    return rows

"""Stores what was read: a batch of pieces in one transaction.

Atoms first, then the rows of AtomSources of every source that ended in the batch. A source of
several batches gets its rows with the last one, so that one whose reading was interrupted has none,
and is read again. What a source does not say any more loses its row; the atom stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.atoms.adding import add_atoms, as_array, content_hashes, moment
from hartonomous.hql.ingest.reading import Piece
from hartonomous.hql.system_schema.writing import append, ensure, find
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.table import TableView

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.spaces.space import Space

SOURCES, ERRORS = "AtomSources", "IngestErrors"


@dataclass(slots=True)
class Figures:
    """What an INGEST did."""

    files: int = 0
    chunks: int = 0
    new_atoms: int = 0
    skipped: int = 0
    errors: int = 0
    bytes: int = 0

    def add(self, other: Figures) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Stored:
    """What storing a batch came to: its figures, and the rows of AtomSources of sources that go on
    in the next batch, by URI."""

    figures: Figures
    carried: dict[str, list[pa.Table]] = field(default_factory=dict)


def store(
    context: Context,
    pieces: list[Piece],
    carried: dict[str, list[pa.Table]],
    space: Space | None,
) -> Stored:
    """Stores the pieces in the context's transaction, in `space`. `carried` is what the batch
    before it left; it is not changed, so that the batch can be stored again after a Conflict."""
    out = Stored(_count(pieces), {uri: list(tables) for uri, tables in carried.items()})
    read = [p for p in pieces if p.count]
    if read:
        out.figures.new_atoms = _store_atoms(context, read, out.carried, space)
    ended = [p for p in pieces if p.is_last and p.fault is None and not p.is_unchanged]
    failed = [p for p in pieces if p.fault is not None]
    _replace(context, SOURCES, [p.uri for p in ended], keep_times=out.carried)
    sources = [t for p in ended for t in out.carried.pop(p.uri, ())]
    if sources:
        append(context, SOURCES, pa.concat_tables(sources))
    for piece in failed:
        out.carried.pop(piece.uri, None)
    _replace(context, ERRORS, [p.uri for p in (*ended, *failed)])
    if failed:
        append(context, ERRORS, _errors(context, failed))
    return out


def _count(pieces: list[Piece]) -> Figures:
    return Figures(
        files=sum(p.is_last for p in pieces),
        chunks=sum(p.count for p in pieces),
        skipped=sum(p.is_unchanged for p in pieces),
        errors=sum(p.fault is not None for p in pieces),
        bytes=sum(p.size for p in pieces),
    )


def _store_atoms(
    context: Context,
    read: list[Piece],
    carried: dict[str, list[pa.Table]],
    space: Space | None,
) -> int:
    """Adds the atoms; `carried` gets the rows of AtomSources. How many atoms were new."""
    counts = [p.count for p in read]
    which = pa.array(np.repeat(np.arange(len(read)), counts))
    rows = _atom_rows(read, which)
    added = add_atoms(context, rows, space)
    sources = pa.table(
        {
            "AtomId": pa.array(added.ids),
            "SourceUri": rows.column("SourceUri"),
            "StartByte": pa.array(_places(read, "starts"), pa.int64()),
            "EndByte": pa.array(_places(read, "ends"), pa.int64()),
            "SourceHash": pa.array([p.hash for p in read], pa.binary()).take(which),
            "IngestedAt": moment(context, len(which)),
        }
    )
    start = 0
    for piece, count in zip(read, counts, strict=True):
        mine = sources.slice(start, count)
        if piece.drafts is not None and not piece.drafts.exact:
            mine = _distinct(mine)
        carried.setdefault(piece.uri, []).append(mine)
        start += count
    _store_rows(context, read, added.ids)
    return len(added.firsts)


def _distinct(sources: pa.Table) -> pa.Table:
    """Without rows that say the same: an element may say the same thing twice, and its chunks have
    the element's place."""
    places = np.stack([sources.column(n).to_numpy() for n in ("AtomId", "StartByte")], axis=1)
    _, firsts = np.unique(places, axis=0, return_index=True)
    return sources.take(pa.array(np.sort(firsts)))


def _atom_rows(read: list[Piece], which: pa.Array) -> pa.Table:
    def each(values: list[str]) -> pa.Array:
        return pa.array(values, pa.string()).take(which)

    texts = [t for p in read if p.drafts is not None for t in p.drafts.texts]
    modalities = [p.modality for p in read if p.modality is not None]
    assert len(modalities) == len(read), read
    rows = pa.table(
        {
            "Modality": each([m.modality for m in modalities]),
            "Subtype": each([m.subtype for m in modalities]),
            "CanonicalText": pa.array(texts, pa.string()),
            "Content": pa.nulls(len(texts), pa.binary()),
            "Metadata": pa.array(_places(read, "metadata"), pa.string()),
            "SourceUri": each([p.uri for p in read]),
            "ParentAtomId": pa.nulls(len(texts), pa.int64()),
            "ConceptId": pa.nulls(len(texts), pa.int64()),
        }
    )
    return rows.append_column("ContentHash", content_hashes(rows))


def _places(read: list[Piece], name: str) -> list[Any]:
    """A column of the drafts; NULLs where they have none."""
    values: list[Any] = []
    for piece in read:
        given = getattr(piece.drafts, name)
        values += [None] * piece.count if given is None else given
    return values


# --- tables of modalities ------------------------------------------------------------------------


def _store_rows(context: Context, read: list[Piece], ids: np.ndarray) -> None:
    """The rows of modalities with a table of their own, in place of those of an earlier reading."""
    tables: dict[str, list[pa.Table]] = {}
    start = 0
    for piece in read:
        stop = start + piece.count
        rows = piece.drafts.rows if piece.drafts is not None else None
        if rows is not None and piece.modality is not None and piece.modality.table is not None:
            assert rows.num_rows == piece.count, (piece.uri, rows.num_rows, piece.count)
            rows = rows.append_column("AtomId", pa.array(ids[start:stop]))
            uris = pa.array([piece.uri] * piece.count, pa.string())
            tables.setdefault(piece.modality.table, []).append(
                rows.append_column("SourceUri", uris)
            )
        start = stop
    for name, parts in tables.items():
        table = ensure(context, name)
        _replace(context, name, [p.uri for p in read])
        rows = _with_atoms_columns(context, table, pa.concat_tables(parts))
        append(context, name, rows)


def _with_atoms_columns(context: Context, table: TableEntry, rows: pa.Table) -> pa.Table:
    """The rows with Embedding and SpatialKey of their atoms, where the table has such columns."""
    from hartonomous.hql.atoms.rows import rows_of

    wanted = [n for n in ("Embedding", "SpatialKey") if table.find_column(n) is not None]
    if wanted:
        atoms = rows_of(context, ensure(context, "Atoms"), rows.column("AtomId").to_numpy(), wanted)
        for name in wanted:
            rows = rows.append_column(name, atoms.column(name))
    return rows


# --- rows of sources -----------------------------------------------------------------------------


def source_addresses(view: TableView, uris: Sequence[str]) -> np.ndarray:
    """Addresses of the rows of those sources, by the table's index of SourceUri."""
    if not uris or not view.row_count:
        return np.empty(0, np.int64)
    column = view.table.find_column("SourceUri")
    assert column is not None, view.table.name
    key = next(k for k in view.table.keys if k.columns == (column.id,))
    return view.lookup(key.id, pa.table({"SourceUri": pa.array(uris, pa.string())}))


def _replace(
    context: Context,
    name: str,
    uris: list[str],
    keep_times: dict[str, list[pa.Table]] | None = None,
) -> None:
    """Removes the rows of sources that were read again. In `keep_times`, by URI, the new rows of an
    atom that the source had already get the time of the old one."""
    table = find(context, name)
    if table is None:
        return
    addresses = source_addresses(context.transaction.view(table.id), uris)
    if not len(addresses):
        return
    if keep_times is not None:
        _keep_times(context, table, addresses, uris, keep_times)
    context.transaction.delete(table.id, addresses)


def _keep_times(
    context: Context,
    table: TableEntry,
    addresses: np.ndarray,
    uris: list[str],
    new: dict[str, list[pa.Table]],
) -> None:
    view = context.transaction.view(table.id)
    old = pa.table({n: view.gather(n, addresses) for n in ("SourceUri", "AtomId", "IngestedAt")})
    for uri in uris:
        for i, rows in enumerate(new.get(uri, ())):
            found = pc.index_in(_pairs(rows), value_set=_pairs(old))
            times = pc.coalesce(
                as_array(old.column("IngestedAt")).take(found), as_array(rows.column("IngestedAt"))
            )
            place = rows.schema.get_field_index("IngestedAt")
            new[uri][i] = rows.set_column(place, "IngestedAt", times)


def _pairs(rows: pa.Table) -> pa.Array:
    """Source and atom as one text."""
    ids = as_array(rows.column("AtomId")).cast(pa.string())
    return pc.binary_join_element_wise(ids, as_array(rows.column("SourceUri")), " ")


def _errors(context: Context, failed: list[Piece]) -> pa.Table:
    faults = [p.fault for p in failed if p.fault is not None]
    return pa.table(
        {
            "SourceUri": pa.array([p.uri for p in failed]),
            "Code": pa.array([f.code for f in faults]),
            "Message": pa.array([f.message for f in faults]),
            "At": moment(context, len(failed)),
        }
    )

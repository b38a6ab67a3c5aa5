"""Stores what was read: a batch of pieces in one transaction.

Atoms first, then the rows of AtomSources of every source that ended in the batch. A source of
several batches gets its rows with the last one, so that one whose reading was interrupted has none,
and is read again. What a source does not say any more loses its row; the atom stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.hql.atoms.adding import add_atoms, moment
from hartonomous.hql.ingest.earlier import SOURCES, take_away, take_away_from
from hartonomous.hql.ingest.embedding import Batch, drafted
from hartonomous.hql.ingest.own_tables import store_own
from hartonomous.hql.ingest.reading import Piece
from hartonomous.hql.system_schema.writing import append

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.spaces.space import Space

ERRORS = "IngestErrors"
#: the columns of AtomSources that INGEST fills
SOURCE_ROWS = pa.schema(
    [
        ("AtomId", pa.int64()),
        ("SourceUri", pa.string()),
        ("StartByte", pa.int64()),
        ("EndByte", pa.int64()),
        ("SourceHash", pa.binary()),
        ("IngestedAt", pa.timestamp("us", tz="UTC")),
    ]
)


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
    batch: Batch,
    carried: dict[str, list[pa.Table]],
    space: Space | None,
) -> Stored:
    """Stores the batch in the context's transaction, in `space`. `carried` is what the batch
    before it left; it is not changed, so that the batch can be stored again after a Conflict."""
    pieces = batch.pieces
    out = Stored(_count(pieces), {uri: list(tables) for uri, tables in carried.items()})
    ids: dict[str, np.ndarray] = {}
    if batch.rows is not None:
        out.figures.new_atoms = _store_atoms(context, batch, batch.rows, out.carried, ids, space)
    store_own(context, pieces, ids)
    ended = [p for p in pieces if p.is_last and p.fault is None and not p.is_unchanged]
    failed = [p for p in pieces if p.fault is not None]
    sources = [t for p in ended for t in out.carried.pop(p.uri, ())]
    new = pa.concat_tables([SOURCE_ROWS.empty_table(), *sources])
    new = take_away(context, [(p.uri, p.modality.modality) for p in ended if p.modality], new)
    if new.num_rows:
        append(context, SOURCES, new)
    for piece in failed:
        out.carried.pop(piece.uri, None)
    take_away_from(context, ERRORS, [p.uri for p in (*ended, *failed)])
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
    batch: Batch,
    rows: pa.Table,
    carried: dict[str, list[pa.Table]],
    ids: dict[str, np.ndarray],
    space: Space | None,
) -> int:
    """Adds the atoms; `carried` gets the rows of AtomSources, `ids` the AtomIds, both by URI. How
    many atoms were new."""
    added = add_atoms(context, rows, space, batch.placed)
    read, counts = batch.read, batch.counts
    which = pa.array(np.repeat(np.arange(len(read)), counts))
    sources = pa.table(
        {
            "AtomId": pa.array(added.ids),
            "SourceUri": rows.column("SourceUri"),
            "StartByte": pa.array(drafted(read, "starts"), pa.int64()),
            "EndByte": pa.array(drafted(read, "ends"), pa.int64()),
            "SourceHash": pa.array([p.hash for p in read], pa.binary()).take(which),
            "IngestedAt": moment(context, rows.num_rows),
        },
        schema=SOURCE_ROWS,
    )
    start = 0
    for piece, count in zip(read, counts, strict=True):
        mine = sources.slice(start, count)
        if piece.drafts is not None and not piece.drafts.exact:
            mine = _distinct(mine)
        carried.setdefault(piece.uri, []).append(mine)
        ids[piece.uri] = added.ids[start : start + count]
        start += count
    return len(added.firsts)


def _distinct(sources: pa.Table) -> pa.Table:
    """Without rows that say the same: an element may say the same thing twice, and its chunks have
    the element's place."""
    places = np.stack([sources.column(n).to_numpy() for n in ("AtomId", "StartByte")], axis=1)
    _, firsts = np.unique(places, axis=0, return_index=True)
    return sources.take(pa.array(np.sort(firsts)))


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

"""Embeds what was read, in a thread of its own, ahead of the one that stores: Batch after Batch.

Only texts that are no atoms yet are embedded: not those of the database as it was a moment ago, and
not those of the batches just before, which are being stored. Which texts are new is decided when
they are stored; one that was left out here wrongly (others deleted it, a batch was undone) is
embedded there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.atoms.adding import chosen, content_hashes, find_ids, first_rows, identities
from hartonomous.hql.atoms.derived import Placed, place_rows
from hartonomous.hql.ingest.reading import Piece
from hartonomous.storage.catalog import TableEntry

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.spaces.space import Space

#: batches that may be on their way into the database while one is embedded
UNSTORED_MAX: Final = 3


@dataclass(slots=True)
class Batch:
    """Pieces that are stored together; the atoms of those that have any, in order, and what was
    embedded of them. `read` and `counts`: these pieces, and how many atoms each has."""

    pieces: list[Piece]
    read: list[Piece]
    counts: list[int]
    rows: pa.Table | None = None
    placed: Placed | None = None


def batch_of(pieces: list[Piece]) -> Batch:
    """The pieces with their atoms' rows, not embedded yet."""
    read = [p for p in pieces if p.count]
    batch = Batch(pieces, read, [p.count for p in read])
    if read:
        batch.rows = _atom_rows(batch)
    return batch


def embedded(batches: Iterator[Batch], context: Context, space: Space | None) -> Iterator[Batch]:
    """The batches, embedded."""
    before: deque[pa.Array] = deque(maxlen=UNSTORED_MAX)
    for batch in batches:
        if batch.rows is not None:
            batch.placed = place_rows(context, _unknown(context, batch.rows, before), space)
            before.append(identities(batch.rows))
        yield batch


def _unknown(context: Context, rows: pa.Table, before: deque[pa.Array]) -> pa.Table:
    """The rows that are the first of their identity, and seem to be no atoms yet."""
    _, firsts = first_rows(rows)
    rows = chosen(rows, firsts)
    is_new = np.ones(rows.num_rows, np.bool_)
    snapshot = context.session.database.snapshot()
    table = snapshot.catalog.find("dbo", "Atoms")
    if isinstance(table, TableEntry):
        is_new &= find_ids(snapshot.view(table.id), rows) < 0
    marks = identities(rows)
    for earlier in before:
        is_new &= ~pc.is_in(marks, value_set=earlier).to_numpy(zero_copy_only=False)
    return chosen(rows, np.flatnonzero(is_new))


def _atom_rows(batch: Batch) -> pa.Table:
    """The columns of Atoms that INGEST fills."""
    which = pa.array(np.repeat(np.arange(len(batch.read)), batch.counts))
    texts = [t for p in batch.read if p.drafts is not None for t in p.drafts.texts]
    modalities = [p.modality for p in batch.read if p.modality is not None]
    assert len(modalities) == len(batch.read), batch.read

    def each(values: list[str]) -> pa.Array:
        return pa.array(values, pa.string()).take(which)

    rows = pa.table(
        {
            "Modality": each([m.modality for m in modalities]),
            "Subtype": each([m.subtype for m in modalities]),
            "CanonicalText": pa.array(texts, pa.string()),
            "Content": pa.nulls(len(texts), pa.binary()),
            "Metadata": pa.array(drafted(batch.read, "metadata"), pa.string()),
            "SourceUri": each([p.uri for p in batch.read]),
            "ParentAtomId": pa.nulls(len(texts), pa.int64()),
            "ConceptId": pa.nulls(len(texts), pa.int64()),
        }
    )
    return rows.append_column("ContentHash", content_hashes(rows))


def drafted(read: list[Piece], name: str) -> list[Any]:
    """A column of the drafts; NULLs where they have none."""
    values: list[Any] = []
    for piece in read:
        given = getattr(piece.drafts, name)
        values += [None] * piece.count if given is None else given
    return values

"""Adds atoms: finds those that are there by (Modality, ContentHash), derives what the others lack,
stores them and where each was met. INSERT INTO Atoms and INGEST both come through here.

A batch is columns, and stays so: hashing is the only loop, and its body is C.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.frozen import frozen
from hartonomous.hql.system_schema.writing import append, ensure, number
from hartonomous.storage.table import TableView

if TYPE_CHECKING:
    from hartonomous.hql.atoms.derived import Placed
    from hartonomous.hql.context import Context
    from hartonomous.hql.spaces.space import Space

Int64 = npt.NDArray[np.int64]

#: what the identity is made of, in the order of its key
IDENTITY = ("Modality", "ContentHash")


@frozen
class Added:
    """AtomId of each row given, in its order; the rows that were new, as they are stored; and for
    each of those the row given that it came from."""

    ids: Int64
    new: pa.Table
    firsts: Int64


def content_hashes(rows: pa.Table) -> pa.Array:
    """SHA-256 of each row's content: of Content if there is one, else of CanonicalText in UTF-8.
    NULL where there is neither."""
    content = as_array(rows.column("Content"))
    text = as_array(rows.column("CanonicalText")).cast(pa.binary())
    whole = pc.coalesce(content, text) if content.null_count < len(content) else text
    data, ends = memoryview(whole.buffers()[2] or b""), offsets_of(whole)
    pieces = zip(ends[:-1], ends[1:], strict=True)
    digests = b"".join([sha256(data[a:b]).digest() for a, b in pieces])
    hashes = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(32), len(whole), [None, pa.py_buffer(digests)]
    ).cast(pa.binary())
    if whole.null_count:
        return pc.if_else(whole.is_valid(), hashes, pa.scalar(None, pa.binary()))
    return hashes


def add_atoms(
    context: Context,
    rows: pa.Table,
    space: Space | None = None,
    placed: Placed | None = None,
) -> Added:
    """Stores the atoms that are not there, placed in `space`. `rows`: all columns of Atoms that are
    not derived, and ContentHash; Modality and ContentHash are not NULL. `placed`: those of them
    that were embedded already."""
    from hartonomous.hql.atoms.derived import derive

    table = ensure(context, "Atoms")
    codes, firsts = first_rows(rows)
    distinct = chosen(rows, firsts)
    ids = find_ids(context.transaction.view(table.id), distinct)
    missing = np.flatnonzero(ids < 0)
    new = derive(context, chosen(distinct, missing), space, placed)
    new = new.append_column("AtomId", number(context, table, len(missing)))
    new = new.append_column("CreatedAt", moment(context, len(missing)))
    new = new.select(table.arrow_schema.names).cast(table.arrow_schema)
    if len(missing):
        context.transaction.insert(table.id, new)
        ids[missing] = new.column("AtomId").to_numpy()
    return Added(ids[codes], new, firsts[missing])


def add_sources(context: Context, rows: pa.Table) -> None:
    """One row of AtomSources for each row given; IngestedAt is now."""
    if rows.num_rows:
        append(context, "AtomSources", rows.append_column("IngestedAt", moment(context, len(rows))))


def first_rows(rows: pa.Table) -> tuple[Int64, Int64]:
    """For each row the number of its identity among the distinct ones, in order of appearance, and
    for each of these the first row that has it."""
    hashes = as_array(rows.column("ContentHash"))
    modality = as_array(rows.column("Modality")).cast(pa.binary())
    key = hashes
    if pc.count_distinct(modality).as_py() > 1:
        key = pc.binary_join_element_wise(hashes, modality, b"")
    coded = key.dictionary_encode().indices.to_numpy()
    firsts = np.full(int(coded.max(initial=-1)) + 1, len(coded), np.int64)
    np.minimum.at(firsts, coded, np.arange(len(coded)))
    return coded.astype(np.int64), firsts


def chosen(rows: Any, places: Int64) -> Any:
    """The rows (or values) at ascending distinct places; not copied if these are all of them."""
    return rows if len(places) == len(rows) else rows.take(pa.array(places))


def find_ids(view: TableView, rows: pa.Table) -> Int64:
    """AtomId of each row's atom in a view of Atoms, -1 where there is none. The rows are
    distinct."""
    ids = np.full(rows.num_rows, -1, np.int64)
    if not view.row_count or not rows.num_rows:
        return ids
    key = next(k for k in view.table.keys if k.kind == "UNIQUE" and len(k.columns) == len(IDENTITY))
    addresses = view.lookup(key.id, rows.select(IDENTITY).combine_chunks())
    if not len(addresses):
        return ids
    found = pa.table({n: view.gather(n, addresses) for n in (*IDENTITY, "AtomId")})
    index = pc.index_in(identities(rows), value_set=identities(found))
    known = index.is_valid().to_numpy(zero_copy_only=False)
    places = index.drop_null().to_numpy()
    ids[known] = found.column("AtomId").to_numpy()[places]
    return ids


def identities(rows: pa.Table) -> pa.Array:
    """The identity as one value: 32 bytes of hash, then the modality."""
    return pc.binary_join_element_wise(
        as_array(rows.column("ContentHash")),
        as_array(rows.column("Modality")).cast(pa.binary()),
        b"",
    )


def as_array(column: Any) -> pa.Array:
    """One array of a column's chunks."""
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column


def offsets_of(array: pa.Array) -> list[int]:
    """Where the values of a string or binary array begin in its data, and where the last ends."""
    buffer = array.buffers()[1]
    if not len(array) or buffer is None:
        return [0] * (len(array) + 1)
    offsets = np.frombuffer(buffer, np.int32)[array.offset : array.offset + len(array) + 1]
    values: list[int] = offsets.tolist()
    return values


def moment(context: Context, count: int) -> pa.Array:
    """Now, by the database's clock, `count` times."""
    now = context.session.database.clock.now_us()
    return pa.array(np.full(count, now, np.int64)).cast(pa.timestamp("us", tz="UTC"))

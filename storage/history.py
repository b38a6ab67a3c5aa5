"""The commits of a database as a table, from the packs and from what is not packed yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.storage.commit import HASH_BYTES
from hartonomous.storage.commit_pack import SCHEMA, CommitPack, to_batch

if TYPE_CHECKING:
    from hartonomous.storage.database import Database

COLUMNS = ["sequence", "hash", "parents", "at", "author", "statement", "root"]
NAMES = ["Sequence", "Hash", "Parent", "At", "Author", "Statement", "Root"]


def commits_table(database: Database) -> pa.Table:
    """Newest first; Parent is NULL for the first commit."""
    import pyarrow.compute as pc  # 60 ms that opening a database need not pay

    published = database.published.sequence
    manifest, recent = database.history()
    parts = []
    if manifest is not None and database.objects is not None:
        parts = [CommitPack(database.objects, m).table(COLUMNS) for m in manifest.commit_packs]
    recent = [c for c in recent if c.sequence <= published]
    parts.append(pa.Table.from_batches([to_batch(recent)]).select(COLUMNS))
    whole = pa.concat_tables([p.replace_schema_metadata(None) for p in parts])
    first = pc.binary_slice(whole["parents"], 0, HASH_BYTES)
    parent = pc.if_else(pc.equal(pc.binary_length(first), 0), None, first)
    hashed = pa.binary(HASH_BYTES)
    whole = whole.set_column(2, "parents", parent.cast(hashed)).rename_columns(NAMES)
    assert SCHEMA.field("hash").type == hashed
    return whole.take(pa.array(range(len(whole) - 1, -1, -1), pa.int64()))

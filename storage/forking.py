"""Making a branch: the state of a commit, over forked chunks, with its logs.

From the newest commit of a branch it costs a look at every chunk. From an older one the logs of
tables that changed since are made again from their leaves.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.branches import DroppedTable, Line, Origin, roots_of
from hartonomous.storage.catalog_maps import catalog_hash
from hartonomous.storage.chunk import Chunk
from hartonomous.storage.errors import Corruption
from hartonomous.storage.leaf_log import LEAF, LEAF_BYTES, hashes_of
from hartonomous.storage.leaves import read_leaves
from hartonomous.storage.merkle import Log
from hartonomous.storage.repository import Repository, rows_gone
from hartonomous.storage.state import DatabaseState
from hartonomous.storage.table import TableState


def fork_line(repository: Repository, origin: Origin, source: Line) -> Line:
    """A branch after commit `origin.fork`, which is of the lineage of `source`. Raises HistoryGone,
    Corruption."""
    fork = origin.fork
    base = next((s for s in (source.state, source.published) if s.sequence == fork), None)
    kept = {} if base is None else base.tables
    if base is None:
        base = _older(repository, source, fork)
    leaves: dict[int, bytearray] = {}
    packs: dict[int, tuple[ObjectRef, ...]] = {}
    tables = {}
    for table_id, table in base.tables.items():
        packs[table_id], leaves[table_id] = _leaves(repository, source, table_id, fork)
        if table_id in kept:
            tables[table_id] = TableState(
                table_id, table.sequence, _forked(table.chunks, fork), table.log
            )
        else:
            tables[table_id] = _with_log(
                repository, source, table, packs[table_id], leaves[table_id], fork
            )
    dropped = {}
    for table_id, gone in source.dropped.items():
        if gone.sequence <= fork:
            packs[table_id], leaves[table_id] = _leaves(repository, source, table_id, fork)
            was = gone.state
            still = TableState(table_id, was.sequence, _forked(was.chunks, fork), was.log)
            dropped[table_id] = DroppedTable(gone.sequence, gone.entry, still)
    state = DatabaseState(
        fork, base.catalog, tables, base.commit_hash, base.at_us, base.catalog_hash
    )
    leaves = {i: log for i, log in leaves.items() if log}
    return Line(
        origin, state, state, roots_of(state), leaves, packs, dropped, collected=source.collected
    )


def _forked(chunks: Iterable[Chunk], sequence: int) -> tuple[Chunk, ...]:
    forks = (chunk.fork(sequence) for chunk in chunks)
    return tuple(fork for fork in forks if fork is not None)


def _older(repository: Repository, source: Line, fork: int) -> DatabaseState:
    place = repository.place_on(source.id, fork)
    catalog = repository.catalog_at(place)
    tables = repository.tables_at([source], place, catalog)
    for table_id, table in catalog.tables_by_id.items():
        if table_id not in tables:
            raise rows_gone(table)
    hash_ = catalog_hash(catalog)
    return DatabaseState(fork, catalog, tables, place.hash, place.at_us, hash_)


def _leaves(
    repository: Repository, source: Line, table_id: int, fork: int
) -> tuple[tuple[ObjectRef, ...], bytearray]:
    """The leaves of a table up to a commit: packs, and those beside them, packed."""
    packs = source.packs.get(table_id, ())
    recent = np.frombuffer(bytes(source.leaves.get(table_id, b"")), LEAF)
    if packs and fork < repository.packed_until:
        assert repository.objects is not None
        older = bytearray()
        for ref in packs:
            found = read_leaves(repository.objects, ref)
            count = int(np.searchsorted(found.sequences, fork, "right"))
            rows = np.zeros(count, LEAF)
            rows["sequence"], rows["rows"] = found.sequences[:count], found.counts[:count]
            rows["kind"], rows["hash"] = found.kinds[:count], found.hashes[:count]
            older += rows.tobytes()
        return (), older
    count = int(np.searchsorted(recent["sequence"], fork, "right"))
    return packs, bytearray(recent[:count].tobytes())


def _with_log(
    repository: Repository,
    source: Line,
    table: TableState,
    packs: tuple[ObjectRef, ...],
    leaves: bytearray,
    fork: int,
) -> TableState:
    """A table of an older commit, forked, with the log that its leaves give."""
    hashes: list[bytes] = []
    last = 0
    for ref in packs:
        assert repository.objects is not None
        found = read_leaves(repository.objects, ref)
        hashes += found.hash_list()
        last = int(found.sequences[-1])
    if leaves:
        hashes += hashes_of(bytes(leaves))
        last = int(np.frombuffer(bytes(leaves[-LEAF_BYTES:]), LEAF)["sequence"][0])
    gone = source.dropped.get(table.id)
    known = source.state.table(table.id) if gone is None else gone.state
    log = known.log if known.log.size == len(hashes) else Log().extend(hashes)
    if last > fork:
        raise Corruption(f"leaves of table {table.id} are not in the order of their commits")
    return TableState(table.id, last, _forked(table.chunks, fork), log)

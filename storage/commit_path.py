"""The commit path: one transaction after another gets its sequence; many are synced at once.

    outside the lock   own rows as chunks, leaves hashed, bytes laid into the record (prepare.py)
    commit lock        conflicts, sequence, Merkle roots, the commit, the log's record, new head of
                       the transaction's branch
    outside again      wait for the group's sync, publish

A line's `state` is its branch's newest, maybe not durable yet: the next commit builds on it.
`published` is the newest durable one: snapshots start there. A failed write poisons the log, so a
state that is not durable is never published.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hartonomous.storage.branches import DroppedTable, Line
from hartonomous.storage.catalog import Catalog, Entry, ModelEntry, TableEntry
from hartonomous.storage.catalog_history import delta_of
from hartonomous.storage.catalog_maps import catalog_hash
from hartonomous.storage.chunk import Chunk, Int64
from hartonomous.storage.commit import Commit, parents_of
from hartonomous.storage.conflicts import (
    check_committed_keys,
    check_entry,
    check_untouched,
    conflict,
    locate_deaths,
    merge_catalog,
)
from hartonomous.storage.errors import Conflict, DiskFault
from hartonomous.storage.interrupts import Interrupts
from hartonomous.storage.leaf_log import pack_leaves
from hartonomous.storage.merkle import Log
from hartonomous.storage.prepare import Born, Prepared, prepare
from hartonomous.storage.record import RecordWriter, pack_entries
from hartonomous.storage.reference_conflicts import check_references
from hartonomous.storage.repository import Repository
from hartonomous.storage.shape import shape_of
from hartonomous.storage.state import CommitInfo, DatabaseState
from hartonomous.storage.table import TableState
from hartonomous.storage.tail import settle
from hartonomous.storage.wal import Wal

if TYPE_CHECKING:
    from hartonomous.storage.database import Database
    from hartonomous.storage.database_changes import Change
    from hartonomous.storage.transaction import CatalogChange, Transaction


class CommitPath:
    """Serialises the commits of one database. What `lock` guards says so."""

    def __init__(self, database: Database, repository: Repository, wal: Wal | None) -> None:
        self._database, self._wal = database, wal
        self.lock = threading.Lock()
        self.repository = repository  # guarded
        self.rows_died = 0  # guarded; since the database was opened
        self.has_failed = False  # the log cannot be trusted; until the database is opened again
        self._no_return = NoReturn(self)

    def change(self, change_of: Callable[[Repository], Change]) -> None:
        """Make what `change_of` finds due in the repository durable. Raises what it raises, and
        DiskFault."""
        from hartonomous.storage.database_changes import change_to_map

        with Interrupts() as interrupts:
            with self.lock:
                self._check()
                change = change_of(self.repository)
                pieces = RecordWriter().finish({"database": change_to_map(change)})
                if self._wal is not None:
                    self._wal.reserve(sum(map(len, pieces)) + HEAD_BYTES)
                interrupts.hold()
                change.apply(self.repository)
                self.repository.has_news = True
                position = 0
                if self._wal is not None:
                    with self.no_return():
                        position = self._wal.append(*pieces)
            if self._wal is not None:
                with self.no_return():
                    self._wal.sync(position)

    def _check(self) -> None:
        if self.has_failed:
            raise DiskFault("an earlier commit failed", hint="open the database again")

    def commit(
        self, transaction: Transaction, statement: str, author: str, interrupts: Interrupts
    ) -> CommitInfo | None:
        """See Transaction.commit. `interrupts` are held from where there is no return."""
        own = [t for t in transaction.tables.values() if t.has_changes and not t.table.temporary]
        changes = [c for c in transaction.changes.values() if not is_temporary(c)]
        merged = transaction.parents
        if self._database.read_only or (not own and not changes and not merged):
            return None
        record = RecordWriter() if self._wal is not None else None
        prepared = [prepare(self._database, transaction.objects, t, record) for t in own]
        prepared = [p for p in prepared if p.leaves]
        if not prepared and not changes and not merged:
            return None
        statement, author = encodable(statement), encodable(author)
        with self.lock:
            self._check()
            line = self.repository.lines.get(transaction.line_id)
            if line is None:
                raise Conflict(f'branch "{transaction.branch}" was dropped', hint="use another")
            info, position = self._append(
                line, transaction, prepared, changes, record, statement, author, interrupts
            )
            state = line.state
        if self._wal is not None:
            with self.no_return():
                self._wal.sync(position)
        self._database.publish(line, state)
        return info

    def no_return(self) -> NoReturn:
        """Around what must not be left half done. If it is, by a fault of the disk or anything
        else, memory and disk may differ: nothing more is committed until the database is opened
        again. Ctrl-C waits meanwhile (interrupts.py)."""
        return self._no_return

    def _append(
        self,
        line: Line,
        transaction: Transaction,
        prepared: Sequence[Prepared],
        changes: Sequence[CatalogChange],
        record: RecordWriter | None,
        statement: str,
        author: str,
        interrupts: Interrupts,
    ) -> tuple[CommitInfo, int]:
        """Under the lock: all that can fail first, then the record, then what cannot fail."""
        head = line.state
        sequence = self.repository.sequence + 1
        changes = [stamped(c, sequence) for c in changes]
        catalog = merge_catalog(changes, head.catalog)
        placed: list[list[tuple[Chunk, Int64]]] = []
        packed: list[bytes] = []
        logs: dict[int, Log] = {}
        for p in prepared:
            working = p.working
            check_entry(working, head.catalog, transaction)
            check_untouched(working, head, transaction)
            state = head.table(working.table.id)
            placed.append(list(locate_deaths(working, p.deleted, state, transaction.sequence)))
            check_committed_keys(working, state, transaction.sequence)
            packed.append(pack_leaves(p.leaves, sequence))
            logs[working.table.id] = state.log.extend([leaf.hash for leaf in p.leaves])
        for change in changes:
            _check_rows_known(change, head, transaction)
        check_references(transaction, catalog, head)
        if record is not None and self._wal is not None:
            texts = len(statement) + len(author)
            self._wal.reserve(_record_bytes(record, packed, changes, texts))
        interrupts.hold()
        with self.no_return():
            commit = self._commit(
                line, catalog, logs, changes, sequence, transaction.parents, statement, author
            )
            encoded = commit.encode()
            commit_hash = hashlib.sha256(encoded).digest()
            position = 0
            if record is not None and self._wal is not None:
                tables = [
                    {
                        "id": p.working.table.id,
                        "inserts": p.inserts,
                        "deleted": p.deleted_place,
                        "leaves": record.place(leaves),
                    }
                    for p, leaves in zip(prepared, packed, strict=True)
                ]
                pieces = record.finish(self._record_head(line, encoded, changes, tables))
                position = self._wal.append(*pieces)
            self._apply(line, prepared, placed, packed, catalog, changes, commit, commit_hash, logs)
        return CommitInfo(sequence, commit_hash, commit.at_us), position

    def _commit(
        self,
        line: Line,
        catalog: Catalog,
        logs: dict[int, Log],
        changes: Sequence[CatalogChange],
        sequence: int,
        merged: tuple[bytes, ...],
        statement: str,
        author: str,
    ) -> Commit:
        roots: dict[int, tuple[int, bytes] | None] = {
            table_id: (log.size, log.root) for table_id, log in logs.items()
        }
        for change in changes:
            if change.after is None and isinstance(change.before, TableEntry):
                roots[change.before.id] = None
        head = line.state
        return Commit(
            parents=parents_of(head.commit_hash, merged),
            sequence=sequence,
            at_us=max(self._database.clock.now_us(), self.repository.at_us),
            author=author,
            statement=statement,
            catalog_hash=catalog_hash(catalog) if changes else head.catalog_hash,
            tables=roots,
            root=line.roots.apply(roots),
            branch=line.id,
        )

    def _record_head(
        self,
        line: Line,
        encoded: bytes,
        changes: Sequence[CatalogChange],
        tables: list[dict[str, Any]],
    ) -> dict[str, Any]:
        counters = self._database.counters
        branch = {"branch": line.id} if line.id else {}
        return {
            **branch,
            "commit": encoded,
            "entries": pack_entries([(c.before, c.after) for c in changes]),
            "tables": tables,
            "next_row_id": counters.next_row_id,
            "next_entry_id": counters.next_entry_id,
            "identities": counters.identities_of([t["id"] for t in tables]),
        }

    def _apply(
        self,
        line: Line,
        prepared: Sequence[Prepared],
        placed: Sequence[Sequence[tuple[Chunk, Any]]],
        packed: Sequence[bytes],
        catalog: Catalog,
        changes: Sequence[CatalogChange],
        commit: Commit,
        commit_hash: bytes,
        logs: dict[int, Log],
    ) -> None:
        repository, head, sequence = self.repository, line.state, commit.sequence
        states = dict(head.tables)
        if changes:
            repository.catalogs.add(
                delta_of(sequence, line.id, [(c.before, c.after) for c in changes])
            )
        for change in changes:
            if change.after is None and isinstance(change.before, TableEntry):
                gone = states.pop(change.before.id, None) or head.table(change.before.id)
                self._drop(line, DroppedTable(sequence, change.before, gone))
        for p, deaths, leaves in zip(prepared, placed, packed, strict=True):
            table_id = p.working.table.id
            for chunk, offsets in deaths:
                chunk.deaths.append(sequence, offsets)
                self.rows_died += len(offsets)
            added = [publish_chunk(b, sequence) for b in p.born]
            before = head.table(table_id)
            chunks = settle((*before.chunks, *added), shape_of(p.working.table))
            ranges = before.grown_ranges(added)
            states[table_id] = TableState(
                table_id, sequence, chunks, logs[table_id], key_ranges=ranges
            )
            known = line.leaves.get(table_id)
            if known is None:
                known = line.leaves[table_id] = bytearray()
            known += leaves
        repository.add(commit, commit_hash)
        line.state = DatabaseState(
            sequence, catalog, states, commit_hash, commit.at_us, commit.catalog_hash
        )

    def _drop(self, line: Line, gone: DroppedTable) -> None:
        """On disk older commits keep the table; in memory nothing does but snapshots."""
        if self._wal is not None:
            line.dropped[gone.entry.id] = gone
            return
        for chunk in gone.state.chunks:
            chunk.detach()
        line.leaves.pop(gone.entry.id, None)


#: of a record's head: what it has for itself, and for each table
HEAD_BYTES, TABLE_BYTES = 4_096, 1_024


def _record_bytes(
    record: RecordWriter, packed: Sequence[bytes], changes: Sequence[CatalogChange], texts: int
) -> int:
    """About as many bytes as a record will have, rather more. `texts`: characters in its head."""
    size = record.size + HEAD_BYTES + 4 * texts
    size += sum(len(leaves) + TABLE_BYTES for leaves in packed)
    if changes:
        import msgpack

        size += len(msgpack.packb(pack_entries([(c.before, c.after) for c in changes])))
    return size


def _check_rows_known(change: CatalogChange, head: DatabaseState, transaction: Transaction) -> None:
    """A table that is dropped or redefined must have the rows the transaction knew."""
    before = change.before
    if isinstance(before, TableEntry) and head.table_sequence(before.id) > transaction.sequence:
        raise conflict(f'rows of table "{before.name}" were changed')


class NoReturn:
    """See CommitPath.no_return. Without state of its own: many threads may be inside."""

    __slots__ = ("_path",)

    def __init__(self, path: CommitPath) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None:
            self._path.has_failed = True


def encodable(text: str) -> str:
    """The text without halves of surrogate pairs, which no file can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def is_temporary(change: CatalogChange) -> bool:
    entry: Entry | None = change.after or change.before
    return isinstance(entry, TableEntry) and entry.temporary


def stamped(change: CatalogChange, sequence: int) -> CatalogChange:
    """The change as commit `sequence` makes it: models say which commit made which version."""
    if isinstance(change.after, ModelEntry):
        return replace(change, after=change.after.committed_at(sequence))
    return change


def publish_chunk(born: Born, sequence: int) -> Chunk:
    """An own chunk as others see it: born at `sequence`."""
    chunk = Chunk(born.chunk.rows, born.chunk.row_ids, sequence)
    for key_id, part in born.chunk.keys.items():
        chunk.keys[key_id] = part.moved_to(chunk)
    chunk.indexes = born.chunk.indexes
    if len(born.hidden):
        chunk.deaths.append(sequence, born.hidden)
    return chunk

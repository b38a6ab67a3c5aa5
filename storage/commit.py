"""Commits: what is true after each transaction, as a chain of hashes.

A commit is canonical msgpack (a map with its keys sorted; docs/FORMAT.md) and its name is the
SHA-256 of those bytes. It holds for each table that it changed the size and root of the table's
log afterwards, and the root of the tree over all tables' logs, so one hash fixes every row.
The state of the tables it left alone is in its ancestors; `TableRoots` folds them together.
"""

from __future__ import annotations

import bisect
import hashlib
import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgpack

from hartonomous.storage import merkle
from hartonomous.storage.errors import Corruption
from hartonomous.storage.frozen import frozen

HASH_BYTES: Final = 32
#: the parent of a merge into a branch that has no commit yet
NO_COMMIT: Final = bytes(HASH_BYTES)
#: an entry of the tree over tables: table id, size of the log, root
_ENTRY: Final = struct.Struct("<QQ32s")


@frozen
class Commit:
    """`tables`: id -> (size, root) of the changed tables' logs; None for a dropped table. `branch`,
    where it was made, is no part of what is hashed: a branch is a name, commits know parents."""

    parents: tuple[bytes, ...]
    sequence: int
    at_us: int
    author: str
    statement: str
    catalog_hash: bytes
    tables: Mapping[int, tuple[int, bytes] | None]
    root: bytes
    branch: int = 0

    def encode(self) -> bytes:
        """Canonical bytes; their SHA-256 is the commit's hash."""
        packed: bytes = msgpack.packb(
            {
                "at_us": self.at_us,
                "author": self.author,
                "catalog": self.catalog_hash,
                "parents": self.parents,
                "root": self.root,
                "sequence": self.sequence,
                "statement": self.statement,
                "tables": tables_to_list(self.tables),
                "version": 1,
            }
        )
        return packed

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.encode()).digest()


def parents_of(previous: bytes, merged: tuple[bytes, ...] = ()) -> tuple[bytes, ...]:
    """The parents of the commit after `previous` (empty: there is none) that merges others."""
    if merged:
        return (previous or NO_COMMIT, *merged)
    return (previous,) if previous else ()


def tables_to_list(tables: Mapping[int, tuple[int, bytes] | None]) -> list[Any]:
    """Plain values for msgpack: (id, size, root) by ascending id, (id,) for a dropped table."""
    return [(i, *(tables[i] or ())) for i in sorted(tables)]


def tables_from_list(data: list[Any]) -> dict[int, tuple[int, bytes] | None]:
    return {e[0]: (e[1], e[2]) if len(e) == 3 else None for e in data}


def decode(data: bytes | memoryview, branch: int = 0) -> Commit:
    """The commit that bytes encode; Corruption if they are not a commit's canonical form."""
    data = bytes(data)
    try:
        m: dict[str, Any] = msgpack.unpackb(data, raw=False)
        tables = tables_from_list(m["tables"])
        commit = Commit(
            tuple(m["parents"]),
            m["sequence"],
            m["at_us"],
            m["author"],
            m["statement"],
            m["catalog"],
            tables,
            m["root"],
            branch,
        )
        is_canonical = commit.encode() == data
    except (ValueError, KeyError, TypeError, IndexError, msgpack.UnpackException) as fault:
        raise Corruption(f"not a commit: {fault}") from fault
    if not is_canonical:
        raise Corruption("not a commit: its bytes are not canonical")
    return commit


class TableRoots:
    """The tree over all tables' logs: a leaf for each table, in order of ids.

    Changing a table costs O(log tables); adding or dropping one costs O(tables).
    """

    def __init__(self, tables: Mapping[int, tuple[int, bytes]] | None = None) -> None:
        self._tables = dict(tables or {})
        self._rebuild()

    def copy(self) -> TableRoots:
        return TableRoots(self._tables)

    @property
    def tables(self) -> Mapping[int, tuple[int, bytes]]:
        return self._tables

    def apply(self, changes: Mapping[int, tuple[int, bytes] | None]) -> bytes:
        """The root after some tables' logs changed (None: dropped)."""
        must_rebuild = False
        for table_id, state in changes.items():
            if state is None:
                must_rebuild |= self._tables.pop(table_id, None) is not None
            elif table_id in self._tables:
                self._tables[table_id] = state
                if not must_rebuild:
                    index = bisect.bisect_left(self._ids, table_id)
                    self._tree.replace(index, _entry_hash(table_id, state))
            else:
                self._tables[table_id] = state
                must_rebuild = True
        if must_rebuild:
            self._rebuild()
        return self.root

    @property
    def root(self) -> bytes:
        return self._tree.root

    def _rebuild(self) -> None:
        self._ids = sorted(self._tables)
        self._tree = merkle.Tree(_entry_hash(i, self._tables[i]) for i in self._ids)


def _entry_hash(table_id: int, state: tuple[int, bytes]) -> bytes:
    return merkle.leaf_hash(_ENTRY.pack(table_id, *state))


def check_chain(commits: Iterable[Commit], previous: bytes | None) -> bytes | None:
    """Check that each commit names its predecessor (oldest first); the last one's hash.

    Corruption names the sequence at which the chain breaks.
    """
    for commit in commits:
        expected = () if previous is None else (previous,)
        if commit.parents != expected:
            raise Corruption(f"commit {commit.sequence} does not name its predecessor")
        previous = commit.hash
    return previous

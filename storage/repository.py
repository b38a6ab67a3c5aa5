"""What a database is beyond one branch's state: branches, tags, settings, accounts, the past.

A writer's is guarded by its commit lock, a reader's by the reader's own. Recovery and readers make
it of a manifest (manifest_state.py) and the log (replay.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hartonomous.storage.branches import (
    MAIN,
    MAIN_ORIGIN,
    Line,
    Origin,
    Tag,
    limits_of,
    owner_of,
    roots_of,
)
from hartonomous.storage.catalog import Catalog, Entry, TableEntry, first_catalog
from hartonomous.storage.catalog_history import CatalogHistory
from hartonomous.storage.catalog_maps import catalog_hash
from hartonomous.storage.chunk import Chunk
from hartonomous.storage.commit import Commit
from hartonomous.storage.commit_log import (
    BEFORE_ALL,
    CommitLog,
    CommitPlace,
    PackColumns,
    pack_columns,
)
from hartonomous.storage.errors import HistoryGone
from hartonomous.storage.state import DatabaseState
from hartonomous.storage.table import TableState

if TYPE_CHECKING:
    from hartonomous.storage.manifest import Manifest
    from hartonomous.storage.objects import Objects


@dataclass(slots=True)
class Repository:
    """`lines`: the living branches; `origins`: these and dropped ones; `recent`: commits since the
    manifest, and their hashes, which take a while to compute; `has_news`: the log holds something
    that the manifest does not; `leaving`: branches that it drops, which the manifest may name."""

    objects: Objects | None
    lines: dict[int, Line]
    catalogs: CatalogHistory
    sequence: int
    at_us: int
    manifest: Manifest | None = None
    origins: dict[int, Origin] = field(default_factory=lambda: {MAIN: MAIN_ORIGIN})
    tags: dict[str, Tag] = field(default_factory=dict)  # by folded name
    settings: Mapping[str, str] = field(default_factory=dict)
    security: Mapping[str, str] = field(default_factory=dict)  # whoever is above knows what it says
    recent: list[Commit] = field(default_factory=list)
    recent_hashes: list[bytes] = field(default_factory=list)
    horizon: int = 0
    leaving: list[Line] = field(default_factory=list)
    has_news: bool = False
    _packs: dict[str, PackColumns] = field(default_factory=dict)

    @staticmethod
    def of(state: DatabaseState) -> Repository:
        """Of a database with nothing but main, and no past."""
        main = Line(MAIN_ORIGIN, state, state, roots_of(state))
        return Repository(None, {MAIN: main}, CatalogHistory(), state.sequence, state.at_us)

    @property
    def main(self) -> Line:
        return self.lines[MAIN]

    def add(self, commit: Commit, hash_: bytes) -> None:
        """The newest commit of any branch."""
        self.recent.append(commit)
        self.recent_hashes.append(hash_)
        self.sequence, self.at_us = commit.sequence, commit.at_us
        self.has_news = True

    def settle(self, manifest: Manifest) -> None:
        """A manifest has all that was new."""
        self.manifest, self.has_news = manifest, False
        self.recent.clear()
        self.recent_hashes.clear()
        self.leaving.clear()

    def chunks(self) -> list[Chunk]:
        """Those of all branches, of leaving ones too, and of dropped tables."""
        lines = [*self.lines.values(), *self.leaving]
        tables = [table for line in lines for table in line.all_tables()]
        return [chunk for table in tables for chunk in table.chunks]

    def states(self) -> Iterator[DatabaseState]:
        """The newest state of every branch."""
        return (line.state for line in self.lines.values())

    @property
    def packed_until(self) -> int:
        """The last commit whose leaves are in packs."""
        return 0 if self.manifest is None else self.manifest.newest

    def commits(self) -> CommitLog:
        """All commits, those that are not durable yet too."""
        packs: list[PackColumns] = []
        if self.manifest is not None and self.objects is not None:
            packs = pack_columns(self.objects, self.manifest.commit_packs, self._packs)
        return CommitLog(packs, list(self.recent), list(self.recent_hashes))

    def is_durable(self, place: CommitPlace) -> bool:
        line = self.lines.get(place.branch_id)
        return line is None or place.sequence <= line.published.sequence

    def limits(self, branch: int, sequence: int) -> dict[int, int]:
        """See branches.limits_of."""
        return limits_of(self.origins, branch, sequence)

    def place_on(self, branch: int, sequence: int) -> CommitPlace:
        """A commit of a branch's lineage, as the head or a fork of it names it."""
        if sequence == 0:
            return BEFORE_ALL
        found = self.commits().find(sequence)
        assert found is not None, sequence
        assert found.branch_id == owner_of(self.origins, branch, sequence), (found, branch)
        return found

    def lines_holding(self, place: CommitPlace) -> Iterator[Line]:
        """The living branches whose rows are those of the commit and more, its own one first."""
        own = self.lines.get(place.branch_id)
        if own is not None:
            yield own
        for line in self.lines.values():
            limits = self.limits(line.id, line.state.sequence)
            if line is not own and place.sequence <= limits.get(place.branch_id, -1):
                yield line

    def line_holding(self, place: CommitPlace) -> Line:
        """The first of them. Raises HistoryGone."""
        for line in self.lines_holding(place):
            return line
        raise HistoryGone(
            f"commit {place.sequence} was made on branch "
            f'"{self.origins[place.branch_id].name}", which was dropped',
            hint="what was merged from it is in the branch it was merged into",
        )

    def check_kept(self, place: CommitPlace) -> None:
        """Raises HistoryGone if the commit is older than what is kept."""
        first = max(self.horizon, self.catalogs.base.sequence)
        if place.sequence < first:
            raise HistoryGone(
                f"commit {place.sequence} is older than what is kept",
                hint=f"what was true from commit {first} on is still there",
            )

    def catalog_at(self, place: CommitPlace) -> Catalog:
        """The catalog after a commit; the same object while it is kept. Raises HistoryGone,
        Corruption."""
        self.check_kept(place)
        if place.sequence:
            hash_ = self.commits().catalog_hash(place.sequence)
        else:
            hash_ = catalog_hash(first_catalog())
        for state in self.states():
            if state.catalog_hash == hash_:
                return state.catalog
        return self.catalogs.at(self.limits(place.branch_id, place.sequence), hash_)

    def tables_at(
        self, lines: Iterable[Line], place: CommitPlace, catalog: Catalog
    ) -> dict[int, TableState]:
        """The tables after a commit that these branches hold, each by the first that has its rows,
        without their logs; those are left out whose rows are gone."""
        out, lines = {}, tuple(lines)
        for table_id in catalog.tables_by_id:
            kept = (_rows_of(line, table_id) for line in lines)
            found = next((rows for rows in kept if rows is not None), None)
            if found is not None:
                chunks = tuple(c for c in found.chunks if not _is_younger(c, place.sequence))
                out[table_id] = TableState(table_id, place.sequence, chunks)
        return out

    def models(self) -> Iterator[Entry]:
        """Entries whose models are needed: those of all heads, and of the past that is kept."""
        for state in self.states():
            yield from state.catalog.entries.values()
        if self.objects is not None:
            yield from self.catalogs.models(self.horizon)


def rows_gone(table: TableEntry) -> HistoryGone:
    """The error for a table that an older commit had and of which nothing is kept."""
    return HistoryGone(
        f'the rows of table "{table.name}", which was dropped since, are not kept',
        hint="a database in memory keeps no dropped tables",
    )


def _rows_of(line: Line, table_id: int) -> TableState | None:
    """A table on a branch, dropped or not; None if nothing is kept of it there."""
    found = line.state.tables.get(table_id)
    if found is None and table_id in line.dropped:
        return line.dropped[table_id].state
    if found is None and table_id in line.state.catalog.tables_by_id:
        return line.state.table(table_id)  # it never had rows
    return found


def _is_younger(chunk: Chunk, sequence: int) -> bool:
    """Whether all rows were certainly born after a commit."""
    return chunk.birth is not None and chunk.birth > sequence

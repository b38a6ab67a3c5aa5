"""What a database offers as a repository of commits: branches, tags, settings, any moment of it.

A moment is a `CommitPlace`; `as_of` gives a snapshot of it. Nothing of what it reads was copied
when the commit was made: rows know when they were born and died (chunk.py), and the catalog of that
moment is made of what changed since (catalog_history.py).
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hartonomous.storage.branches import MAIN_NAME, Branch, Line, Tag, get_line
from hartonomous.storage.catalog import Catalog, TableEntry, fold, next_version
from hartonomous.storage.commit_log import BEFORE_ALL, CommitPlace
from hartonomous.storage.errors import HistoryGone, NotFound, ReadOnly
from hartonomous.storage.repository import rows_gone
from hartonomous.storage.state import DatabaseState, Snapshot, moment
from hartonomous.storage.table import TableView

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.storage.commit_path import CommitPath
    from hartonomous.storage.database_changes import Change
    from hartonomous.storage.garbage import Garbage
    from hartonomous.storage.readers import Follower
    from hartonomous.storage.repository import Repository

#: digits that say which commit is meant
PREFIX_MIN: Final = 8
#: snapshots of older commits that are kept, with what their views keep
PAST_KEPT_MAX: Final = 16


class PastSnapshot(Snapshot):
    """A snapshot of an older commit. Tables that it had and whose rows are gone cannot be read."""

    __slots__ = ()

    def view(self, table_id: int) -> TableView:
        """The rows of a table; raises NotFound, HistoryGone."""
        if table_id in self.catalog.tables_by_id and table_id not in self.state.tables:
            raise rows_gone(self.catalog.tables_by_id[table_id])
        return super().view(table_id)


class Past:
    """The part of Database that knows more than the newest state of one branch."""

    commits_path: CommitPath
    garbage: Garbage
    read_only: bool
    _follower: Follower | None

    def __init__(self) -> None:
        #: by sequence, branch, and version of the catalog whose indexes it has
        self._past: dict[tuple[int, int, int], DatabaseState] = {}

    def _follow(self) -> None:
        raise NotImplementedError

    @property
    def repository(self) -> Repository:
        """To be looked at under `guard`."""
        return self.commits_path.repository

    @property
    def follower(self) -> Follower | None:
        """Of a reader."""
        return self._follower

    @property
    def guard(self) -> AbstractContextManager[object]:
        """The lock of the repository."""
        return self.commits_path.lock if self._follower is None else self._follower.guard

    # --- branches, tags, settings

    def branches(self) -> list[Branch]:
        """All branches by name, main first."""
        self._follow()
        lines = list(self.repository.lines.values())
        rest = sorted((b.to_branch() for b in lines if b.id), key=lambda b: fold(b.name))
        return [self.repository.main.to_branch(), *rest]

    def branch(self, name: str) -> Branch:
        """The branch of that name; raises NotFound."""
        self._follow()
        return get_line(list(self.repository.lines.values()), name).to_branch()

    def create_branch(
        self, name: str, at: Snapshot | None = None, source: str = MAIN_NAME
    ) -> Branch:
        """A branch after the commit that `at` shows, or the newest of branch `source`. Costs no
        copy of rows. Durable on return. Raises AlreadyExists, NotFound, HistoryGone, ReadOnly."""
        from hartonomous.storage.database_changes import branch_from

        self._change(lambda repository: branch_from(repository, name, at, source))
        return self.branch(name)

    def drop_branch(self, name: str) -> None:
        """Remove a branch; its commits stay known. Raises NotFound, ConstraintFault for main."""
        from hartonomous.storage.database_changes import branch_to_drop

        self._change(lambda repository: branch_to_drop(repository, name))

    def tags(self) -> list[Tag]:
        """All tags, by name."""
        self._follow()
        return sorted(self.repository.tags.values(), key=lambda t: fold(t.name))

    def create_tag(self, name: str, commit: bytes) -> Tag:
        """A name for the commit of that hash. Raises AlreadyExists, NotFound."""
        from hartonomous.storage.database_changes import tag_for

        place = self.find_commit(commit.hex())
        self._change(lambda repository: tag_for(repository, name, place))
        return self.repository.tags[fold(name)]

    def drop_tag(self, name: str) -> None:
        """Raises NotFound."""
        from hartonomous.storage.database_changes import tag_to_drop

        self._change(lambda repository: tag_to_drop(repository, name))

    @property
    def settings(self) -> Mapping[str, str]:
        """What was set for the whole database."""
        self._follow()
        return self.repository.settings

    def set_setting(self, name: str, value: str) -> None:
        """Set it for all, durably. What it means is the caller's."""
        from hartonomous.storage.database_changes import SetSetting

        self._change(lambda repository: SetSetting(name, value))

    @property
    def security(self) -> Mapping[str, str]:
        """Accounts and what they may, as texts by name. Another mapping whenever it changed."""
        self._follow()
        return self.repository.security

    def set_security(
        self, values_of: Callable[[Mapping[str, str]], Mapping[str, str | None]]
    ) -> None:
        """Change texts (None takes one away), durably and all or none; `values_of` says how, of
        what there is while nobody else changes it. Raises what it raises, and ReadOnly."""
        from hartonomous.storage.database_changes import SetSecurity

        self._change(lambda repository: SetSecurity(values_of(repository.security)))

    def _change(self, change_of: Callable[[Repository], Change]) -> None:
        self._follow()
        if self.read_only:
            raise ReadOnly("the database was opened read-only")
        self.commits_path.change(change_of)

    # --- commits

    @property
    def horizon(self) -> int:
        """The oldest commit that is still whole; 0 if all are."""
        self._follow()
        return max(self.repository.horizon, self.repository.catalogs.base.sequence)

    def find_commit(self, text: str) -> CommitPlace:
        """The commit that a tag names, or whose hash begins with these hex digits (8 or more).
        Raises NotFound, also if several do."""
        self._follow()
        with self.guard:
            tag = self.repository.tags.get(fold(text))
            commits = self.repository.commits()
            limit = {i: line.published.sequence for i, line in self.repository.lines.items()}
        if tag is not None:
            text = tag.commit.hex()
        if len(text) < PREFIX_MIN or not set(text) <= set(string.hexdigits):
            raise NotFound(
                f'there is no commit "{text}"',
                hint=f"give a tag or the first {PREFIX_MIN} or more hex digits of a commit's hash",
            )
        found = [
            p
            for p in commits.with_prefix(text[:64])
            if p.sequence <= limit.get(p.branch_id, p.sequence)
            and p.hash.hex().startswith(text.lower())
        ]
        if len(found) > 1:
            raise NotFound(
                f'{len(found)} commits begin with "{text}"',
                hint=f"the first is {found[0].hash.hex()}",
            )
        if not found:
            raise NotFound(f'there is no commit "{text}"', hint="SHOW COMMITS lists them")
        return found[0]

    def place_of(self, sequence: int) -> CommitPlace:
        """The commit of that sequence. Raises NotFound."""
        self._follow()
        with self.guard:
            found = BEFORE_ALL if sequence == 0 else self.repository.commits().find(sequence)
        if found is None:
            raise NotFound(f"there is no commit {sequence}")
        return found

    def head_of(self, branch: str = MAIN_NAME) -> CommitPlace:
        """The newest commit of a branch. Raises NotFound."""
        self._follow()
        with self.guard:
            line = get_line(self.repository.lines.values(), branch)
            return self.repository.place_on(line.id, line.published.sequence)

    def commit_at(self, at_us: int, branch: str = MAIN_NAME) -> CommitPlace:
        """The last commit of the branch's lineage that is not later than a moment (microseconds
        since 1970 UTC). Raises NotFound (no such branch), HistoryGone (before the first commit)."""
        self._follow()
        with self.guard:
            line = get_line(self.repository.lines.values(), branch)
            commits = self.repository.commits()
            limits = self.repository.limits(line.id, line.published.sequence)
            found = commits.last_at(at_us, limits)
            first = commits.first(limits)
        if found is None:
            hint = None if first is None else f"the first commit was made {moment(first.at_us)}"
            raise HistoryGone("there was no commit yet at that time", hint=hint)
        return found

    def commits(self, branch: str | None = None) -> pa.Table:
        """Sequence, Hash, Parent, At, Author, Statement, Root, Branch (where it was made) of the
        commits of a branch's lineage by first parents (None: of all), newest first. Raises
        NotFound."""
        from hartonomous.storage.history import commits_table

        self._follow()
        return commits_table(self, branch)

    def common_ancestor(self, a: CommitPlace | Snapshot, b: CommitPlace | Snapshot) -> int:
        """The sequence of the last commit that both have among their ancestors, merged ones
        counted; 0 if there is none."""
        from hartonomous.storage.history import common_ancestor

        self._follow()
        return common_ancestor(self, self._place(a), self._place(b))

    def _place(self, at: CommitPlace | Snapshot) -> CommitPlace:
        return at if isinstance(at, CommitPlace) else self.place_of(at.sequence)

    # --- the past

    def as_of(self, place: CommitPlace) -> Snapshot:
        """The database after a commit: schema and rows of then, indexes of now. Raises
        HistoryGone."""
        self._follow()
        with self.guard:
            repository = self.repository
            repository.check_kept(place)
            line = repository.line_holding(place)
            name = repository.origins[place.branch_id].name
            if line.published.sequence == place.sequence:
                snapshot = Snapshot(line.published, name)
            else:
                snapshot = PastSnapshot(self._past_state(repository, line, place), name)
        self.garbage.watch(snapshot)
        return snapshot

    def _past_state(self, repository: Repository, line: Line, place: CommitPlace) -> DatabaseState:
        """The state after a commit older than the newest of a branch that holds its rows."""
        now = line.published
        key = place.sequence, line.id, now.catalog.version
        state = self._past.get(key)
        if state is None:
            catalog = repository.catalog_at(place)
            tables = repository.tables_at(repository.lines_holding(place), place, catalog)
            catalog = with_indexes_of(catalog, now.catalog)
            state = DatabaseState(place.sequence, catalog, tables, place.hash, place.at_us)
            while len(self._past) >= PAST_KEPT_MAX:
                self._past.pop(next(iter(self._past)))
            self._past[key] = state
        return state


def with_indexes_of(catalog: Catalog, now: Catalog) -> Catalog:
    """A catalog whose tables have those indexes of `now` whose columns they have."""
    if catalog is now:
        return catalog
    entries, tables = dict(catalog.entries), dict(catalog.tables_by_id)
    changed = False
    for key, entry in catalog.entries.items():
        if isinstance(entry, TableEntry):
            table = _with_indexes(entry, now.tables_by_id.get(entry.id))
            if table is not entry:
                entries[key] = tables[entry.id] = table
                changed = True
    return Catalog(next_version(), entries, tables) if changed else catalog


def _with_indexes(table: TableEntry, now: TableEntry | None) -> TableEntry:
    if now is None or now is table:
        return table
    known = {c.id for c in table.stored}
    indexes = tuple(i for i in now.indexes if set(i.columns) <= known)
    return table if indexes == table.indexes else replace(table, indexes=indexes)

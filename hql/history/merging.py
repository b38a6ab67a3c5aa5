"""MERGE BRANCH: what another branch changed since the common ancestor comes to the session's one,
as one commit with two parents.

Definitions are merged first, then the rows of each table. Nothing is changed before all conflicts
are known: with any and without TAKE the statement gives them as rows and fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.hql.changes.misfits import check_new_promises
from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault, HistoryFault, TransactionFault
from hartonomous.hql.history.applying import find_entry
from hartonomous.hql.history.comparing import Parting, Side, table_ids
from hartonomous.hql.history.conflicts import CONFLICT_FIELDS, definition_rows, table_rows
from hartonomous.hql.history.merge_apply import TableMerge
from hartonomous.hql.history.merge_definitions import (
    Definitions,
    apply_definitions,
    merge_definitions,
    relaxed,
    table_of,
)
from hartonomous.hql.history.merge_rows import Version, changes_since
from hartonomous.hql.history.merge_sessions import settle_paths
from hartonomous.hql.result import Result
from hartonomous.hql.run import Run, shorten, step_aside
from hartonomous.hql.sessions.paths import follow
from hartonomous.storage.catalog import TableEntry, fold
from hartonomous.storage.errors import Conflict
from hartonomous.storage.state import Snapshot

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.scripts.script import Script
    from hartonomous.hql.statements.merge_branch import MergeBranch

#: how often a merge is begun again when others commit meanwhile
ATTEMPTS_MAX = 25


def play_merge(statement: MergeBranch, script: Script) -> Iterator[Result]:
    """The number of rows merged, or the conflicts and an error."""
    session = script.session
    if session.in_transaction:
        raise TransactionFault("MERGE BRANCH: a transaction is open", hint="COMMIT it first")
    if fold(statement.name.text) == fold(session.branch):
        raise place(BindFault("a branch cannot be merged into itself"), statement.name)
    run = Run(script.prepared, script.frame, script.messages, script.limits)
    for attempt in range(1, ATTEMPTS_MAX + 1):
        transaction = session.open_transaction()
        try:
            merge = _Merge(statement, run.context(session, transaction))
            conflicts = merge.conflicts()
            if conflicts is None:
                count = merge.apply()
                transaction.commit(
                    statement=shorten(script.prepared.text),
                    author=session.author,
                    parents=merge.parents,
                )
        except Conflict:
            if attempt == ATTEMPTS_MAX:
                raise
            step_aside(attempt)
            script.limits.check()
        except BaseException:
            transaction.rollback()
            raise
        else:
            break
    if conflicts is None:
        result = Result(row_count=count)
        session.status.note(result)
        yield result
        return
    transaction.rollback()
    yield Result.of_table(CONFLICT_FIELDS, conflicts)
    raise place(_conflict_fault(statement, conflicts), statement)


def _conflict_fault(statement: MergeBranch, conflicts: pa.Table) -> HistoryFault:
    count = conflicts.num_rows
    what = "1 conflict" if count == 1 else f"{count} conflicts"
    return HistoryFault(
        f'merge conflict: branch "{statement.name.text}" and this one changed the same '
        f"differently, {what}",
        hint=f"MERGE BRANCH {statement.name} TAKE OURS or TAKE THEIRS settles them",
        rows=conflicts,
    )


class _Merge:
    """One attempt, in a transaction of its own."""

    def __init__(self, statement: MergeBranch, context: Context) -> None:
        self.context, self.take = context, statement.take
        database, transaction = context.session.database, context.transaction
        commit = database.place_of(transaction.sequence)
        snapshot = Snapshot(transaction.state, transaction.branch)
        self.ours = Side(commit, snapshot, transaction.state.catalog)
        self.theirs = Side.of(database, database.head_of(statement.name.text))
        ancestor = database.common_ancestor(self.ours.commit, self.theirs.commit)
        self.base = Side.of(database, database.place_of(ancestor))
        base, ours, theirs = self.base.commit, self.ours.commit, self.theirs.commit
        self.partings = (
            Parting.of(database, base, ours),
            Parting.of(database, base, theirs),
            Parting.of(database, ours, theirs),
        )
        self.is_merged = ancestor == self.theirs.commit.sequence
        self.parents = () if self.is_merged else (self.theirs.commit.hash,)
        self.definitions = merge_definitions(
            self.base, self.ours, self.theirs, self.take, self.partings[:2], self._has_changes
        )
        self.tables = self._plan_tables()
        self.sessions = settle_paths(self.tables)

    def _has_changes(self, table: TableEntry, is_theirs: bool) -> bool:
        """Whether a branch changed rows of a table of the base."""
        side = self.theirs if is_theirs else self.ours
        after = table_of(side.catalog, table)
        base = Version(self.base, table)
        found = changes_since(base, Version(side, after), self.partings[is_theirs])
        return len(found) > 0

    def _plan_tables(self) -> list[TableMerge]:
        """The merges of tables that both branches have, atoms first."""
        out: list[TableMerge] = []
        if self.is_merged:
            return out
        final = {e.id: e for e in self.definitions.replaced if isinstance(e, TableEntry)}
        dropped = {e.id for e in self.definitions.dropped}
        atoms: dict[int, int] = {}
        ids = [i for i in table_ids(self.theirs, self.theirs)]
        ids.sort(key=lambda i: fold(self.theirs.catalog.tables_by_id[i].name) != "atoms")
        for table_id in ids:
            self.context.limits.check()
            theirs = self.theirs.catalog.tables_by_id[table_id]
            ours = table_of(self.ours.catalog, theirs)
            if ours is None or ours.id in dropped:
                continue
            merge = TableMerge(
                final.get(ours.id, ours),
                Version(self.base, table_of(self.base.catalog, theirs)),
                Version(self.ours, ours),
                Version(self.theirs, theirs),
                self.partings,
                atoms,
            )
            atoms = {**atoms, **merge.find_atoms(self.context)}
            out.append(merge)
        return out

    def conflicts(self) -> pa.Table | None:
        """What both branches changed differently; None if nothing, or if TAKE settles it."""
        if self.take is not None:
            return None
        parts = [table_rows(self.context, t) for t in self.tables if t.has_conflicts]
        if self.definitions.conflicts:
            parts.insert(0, definition_rows(self.definitions.conflicts))
        return pa.concat_tables(parts) if parts else None

    def apply(self) -> int:
        """Definitions without their new promises, rows, and then the promises: they are checked on
        the result. How many rows and definitions."""
        if self.is_merged:
            self.context.messages.append("there is nothing to merge")
            return 0
        transaction = self.context.transaction
        first = tuple(
            relaxed(e, self.ours.catalog) if isinstance(e, TableEntry) else e
            for e in self.definitions.replaced
        )
        apply_definitions(transaction, replace(self.definitions, replaced=first))
        count = self.definitions.count
        for entry in self.definitions.adopted:
            if isinstance(entry, TableEntry) and entry.id > 0:
                count += self._bring_rows(entry)
        for table in self.tables:
            self.context.limits.check()
            count += table.apply(self.context, self.take)
        if self.sessions is not None:
            follow(self.context, self.sessions)
        last = tuple(e for e, r in zip(self.definitions.replaced, first, strict=True) if e is not r)
        apply_definitions(transaction, Definitions((), last, (), ()))
        self._check_new_promises()
        return count

    def _check_new_promises(self) -> None:
        """Rows of ours keep the CHECKs and lengths that they added."""
        for entry in self.definitions.replaced:
            if isinstance(entry, TableEntry):
                before = self.ours.catalog.tables_by_id[entry.id]
                check_new_promises(self.context, before, entry)

    def _bring_rows(self, table: TableEntry) -> int:
        """The rows of a table that only they have, under their ids."""
        transaction = self.context.transaction
        assert find_entry(transaction, table.id) is not None
        view = self.theirs.snapshot.view(table.id)
        names = [c.name for c in table.stored]
        found = view.scan(names, row_id=True, cancel=self.context.limits.cancelled.is_set).table
        if found.num_rows:
            rows = found.select(names).cast(table.arrow_schema)
            transaction.insert(table.id, rows, row_ids=found.column("__row_id").to_numpy())
        return int(found.num_rows)

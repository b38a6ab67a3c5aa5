"""REVERT COMMIT: the inverse of one commit of the session's branch, if nothing that it changed was
changed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.hql.changes.completion import Completion
from hartonomous.hql.changes.misfits import check_new_promises
from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault, HistoryFault
from hartonomous.hql.history.applying import (
    addresses_of,
    are_visible,
    change_rows,
    find_entry,
    in_order,
    with_history,
)
from hartonomous.hql.history.comparing import (
    DefinitionChange,
    Side,
    column_pairs,
    counterparts,
    definition_changes,
    rows_at,
)
from hartonomous.hql.history.definitions import full_name
from hartonomous.hql.history.merge_definitions import relaxed
from hartonomous.hql.history.moments import find_commit
from hartonomous.hql.plan import Field
from hartonomous.hql.result import Result
from hartonomous.hql.types import parse_type
from hartonomous.storage.branches import limits_of
from hartonomous.storage.catalog import ColumnEntry, TableEntry, fold
from hartonomous.storage.chunk import Int64
from hartonomous.storage.commit_log import BEFORE_ALL, CommitPlace
from hartonomous.storage.differences import (
    NOWHERE,
    Differences,
    Moment,
    differences,
    values_at,
)

if TYPE_CHECKING:
    from hartonomous.hql.ast import Expression
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.revert_commit import RevertCommit
    from hartonomous.storage.transaction import Transaction


def run_revert(statement: RevertCommit, context: Context) -> Result:
    """Definitions back first, then rows."""
    commit = find_commit(context, statement.commit)
    reverting = _Reverting(context, commit, _commit_before(context, commit, statement.commit))
    reverting.revert_definitions()
    for table_id in sorted(reverting.tables()):
        context.limits.check()
        reverting.revert_rows(table_id)
    reverting.drop_created()
    reverting.keep_promises()
    return Result(row_count=reverting.count)


def _commit_before(context: Context, commit: CommitPlace, node: Expression) -> CommitPlace:
    """The first parent of a commit, which must be one of the branch's line."""
    database, transaction = context.session.database, context.transaction
    with database.guard:
        repository = database.repository
        line = limits_of(repository.origins, transaction.line_id, transaction.sequence)
        log = repository.commits()
    if commit.sequence > line.get(commit.branch_id, -1):
        message = f'the commit is none of branch "{transaction.branch}"'
        hint = "USE BRANCH moves to the branch that it was made on"
        raise place(BindFault(message, hint=hint), node)
    for sequence in range(commit.sequence - 1, 0, -1):
        found = log.find(sequence)
        if found is not None and sequence <= line.get(found.branch_id, -1):
            return found
    return BEFORE_ALL


class _Reverting:
    """One commit's inverse on its way into the transaction."""

    def __init__(self, context: Context, commit: CommitPlace, parent: CommitPlace) -> None:
        database = context.session.database
        self.context = context
        self.transaction: Transaction = context.transaction
        self.before, self.after = Side.of(database, parent), Side.of(database, commit)
        self.definitions = definition_changes(self.before.catalog, self.after.catalog)
        #: tables as they were and as their definitions are again
        self.altered: list[tuple[TableEntry, TableEntry]] = []
        self.count = 0

    def tables(self) -> list[int]:
        """Tables that were there before and after the commit, and are now."""
        both = self.before.catalog.tables_by_id.keys() & self.after.catalog.tables_by_id
        return [i for i in both if i > 0 and i in self.transaction.catalog.tables_by_id]

    # --- definitions

    def revert_definitions(self) -> None:
        """What the commit dropped or altered is as it was, but for promises that rows may not keep
        yet."""
        for change in self.definitions:
            if change.after is not None:
                self._check_unchanged(change)
        dropped = [c.before for c in self.definitions if c.after is None and c.before is not None]
        for entry in in_order(dropped):
            made = self.transaction.create(entry)
            if isinstance(entry, TableEntry) and entry.id > 0:
                self._bring_back(entry, made.id)
        for change in self.definitions:
            if change.before is not None and change.after is not None:
                entry = change.before
                if isinstance(entry, TableEntry):
                    now = self.transaction.catalog.tables_by_id[entry.id]
                    whole = with_history(entry, now)
                    entry = relaxed(whole, self.transaction.catalog)
                    self.altered.append((now, whole))
                self.transaction.replace(entry)
                self.count += 1

    def drop_created(self) -> None:
        """What the commit made goes; a table with the rows that the commit itself put into it."""
        made = [c.after for c in self.definitions if c.before is None and c.after is not None]
        for entry in reversed(in_order(made)):
            if isinstance(entry, TableEntry) and entry.id > 0:
                self._check_rows_unchanged(entry)
            self.transaction.drop(entry)
            self.count += 1

    def keep_promises(self) -> None:
        """Keys, NOT NULL, CHECKs and lengths that hold again hold for the rows that are there."""
        for now, entry in self.altered:
            if self.transaction.catalog.tables_by_id[entry.id] != entry:
                self.transaction.replace(entry)
            check_new_promises(self.context, now, entry)

    def _check_unchanged(self, change: DefinitionChange) -> None:
        if find_entry(self.transaction, change.entry.id) != change.after:
            raise _fault(f'{change.entry.kind} "{full_name(change.entry)}" was')

    def _check_rows_unchanged(self, table: TableEntry) -> None:
        own = self.transaction.tables.get(table.id)
        if len(self._changes_since(table)) or (own is not None and own.has_changes):
            raise _fault(f'rows of table "{full_name(table)}" were')

    def _changes_since(self, table: TableEntry) -> Differences:
        """What became of the rows after the commit."""
        state = self.transaction.state.table(table.id)
        since = self.after.commit.sequence
        now = Moment.of(state, self.transaction.sequence)
        return differences(Moment(now.chunks, since), now, since)

    def _bring_values_back(self, old: TableEntry, new: TableEntry) -> None:
        """Rows that were written since have nothing in columns that the commit dropped: they get
        what they had there, rows that came since the defaults."""
        ids = {c.id for c in new.stored}
        lost = {c.id for c in old.stored if c.id not in ids}
        if not lost:
            return
        table = self.transaction.catalog.tables_by_id[new.id]
        later = self._changes_since(new)
        for had_row in (True, False):
            is_meant = (later.after != NOWHERE) & ((later.before != NOWHERE) == had_row)
            if not is_meant.any():
                continue
            now, then = later.after[is_meant], later.before[is_meant]
            given = [c for c in table.stored if had_row or c.id not in lost]
            columns = {
                c.name: values_at(later.chunks, then if c.id in lost else now, c, c.arrow)
                for c in given
            }
            rows = self._completed(table, given, pa.table(columns))
            self.transaction.update(table.id, now, rows)
            self.count += len(rows)

    def _bring_back(self, table: TableEntry, table_id: int) -> None:
        view = self.before.snapshot.view(table.id)
        names = [c.name for c in table.stored]
        found = view.scan(names, row_id=True).table
        if found.num_rows:
            rows = found.select(names).cast(table.arrow_schema)
            ids = found.column("__row_id").to_numpy()
            self.transaction.insert(table_id, rows, row_ids=ids)
        self.count += found.num_rows

    # --- rows

    def revert_rows(self, table_id: int) -> None:
        """Rows of a table as they were, if they are as the commit left them."""
        state = self.transaction.state.table(table_id)
        since, until = self.before.commit.sequence, self.after.commit.sequence
        found = differences(Moment(state.chunks, since), Moment(state.chunks, until), since)
        old, new = self.before.table(table_id), self.after.table(table_id)
        assert old is not None
        if new is not None and _is_rewritten(old, new):  # rows since then have no way back
            self._check_rows_unchanged(new)
        else:
            if new is not None:
                self._bring_values_back(old, new)
            found = found.really(column_pairs(old, new, old.next_id))
        if not len(found):
            return
        table = self.transaction.catalog.tables_by_id[table_id]
        self._check_as_left(table, found)
        is_new, is_gone = found.before == NOWHERE, found.after == NOWHERE
        changed = found.before[~is_new & ~is_gone]
        as_before = rows_at(found, table, changed)
        if (table.columns, table.checks) != (old.columns, old.checks):
            as_before = self._completed(table, table.stored, as_before)
        self.count += change_rows(
            self.transaction,
            table_id,
            found.after[is_new],
            (found.after[~is_new & ~is_gone], as_before),
            (found.row_ids[is_gone], self._rows_back(found, old, table, found.before[is_gone])),
        )

    def _rows_back(
        self, found: Differences, old: TableEntry, table: TableEntry, places: Int64
    ) -> pa.Table:
        """Rows that were deleted, as the table is now: columns that have other ids since (ALTER
        COLUMN) keep their values, those that are new get their defaults, new CHECKs hold."""
        if (table.columns, table.checks) == (old.columns, old.checks):
            return rows_at(found, table, places)
        known = counterparts(table.columns, old.columns, old.next_id)
        given = [c for c in table.stored if c.id in known]
        columns: dict[str, pa.Array] = {}
        for column in given:
            values = values_at(found.chunks, places, known[column.id], column.arrow)
            try:
                columns[column.name] = values.cast(column.arrow)
            except pa.ArrowException:
                raise _fault(f'column "{column.name}" of table "{full_name(table)}" was') from None
        return self._completed(table, given, pa.table(columns))

    def _completed(
        self, table: TableEntry, given: Sequence[ColumnEntry], rows: pa.Table
    ) -> pa.Table:
        """Whole rows of the table; CHECK_VIOLATION for one that a CHECK of now forbids."""
        plain = [c for c in given if c.computed is None]
        fields = [Field(c.name, parse_type(c.type)) for c in plain]
        shape = replace(table, keys=())
        completion = Completion(shape, fields)
        done = completion.complete(self.context, rows.select([c.name for c in plain]))
        return done.select(table.arrow_schema.names)

    def _check_as_left(self, table: TableEntry, found: Differences) -> None:
        view = self.transaction.view(table.id)
        there = found.after[found.after != NOWHERE]
        back, _ = addresses_of(view, found.row_ids[found.after == NOWHERE])
        if len(back) or not np.all(are_visible(view, there)):
            raise _fault(f'rows of table "{full_name(table)}" were')


def _is_rewritten(old: TableEntry, new: TableEntry) -> bool:
    """Whether a column got another id (ALTER COLUMN)."""
    names = {fold(c.name): c.id for c in new.stored}
    return any(names.get(fold(c.name), c.id) != c.id for c in old.stored)


def _fault(what: str) -> HistoryFault:
    return HistoryFault(
        f"{what} changed again since",
        code="REVERT_CONFLICT",
        hint="revert the later commits first, the last one first",
    )

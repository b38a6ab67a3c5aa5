"""Bringing what merge_rows.py found into a table of the session's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.changes.completion import Completion
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.history.applying import addresses_of
from hartonomous.hql.history.comparing import Parting, column_pairs
from hartonomous.hql.history.merge_rows import (
    Forms,
    KeyChanges,
    Outcome,
    Version,
    changes_by_key,
    changes_since,
    renamed,
    settle,
)
from hartonomous.hql.history.row_keys import is_atoms_table
from hartonomous.hql.plan import Field
from hartonomous.hql.types import parse_type
from hartonomous.storage.catalog import ColumnEntry, TableEntry
from hartonomous.storage.chunk import Int64
from hartonomous.storage.differences import NOWHERE, values_at
from hartonomous.storage.table import ADDRESS, TableView

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


class TableMerge:
    """One table's merge. `final` is the definition that both branches' changes give; `partings` are
    those of the base and ours, the base and theirs, ours and theirs. Made before anything is
    changed."""

    def __init__(
        self,
        final: TableEntry,
        base: Version,
        ours: Version,
        theirs: Version,
        partings: tuple[Parting, Parting, Parting],
        atoms: Mapping[int, int],
    ) -> None:
        assert ours.table is not None and theirs.table is not None
        shared = (
            partings[0].shared(base.table, ours.table),
            partings[1].shared(base.table, theirs.table),
            partings[2].shared(ours.table, theirs.table),
        )
        self.forms = Forms(final, base.table, ours.table, theirs.table, shared)
        self.final = final
        self.atoms = atoms
        self.ours: KeyChanges | None = None
        found = changes_since(base, theirs, partings[1])
        if not len(found):
            return
        mine = changes_since(base, ours, partings[0])
        self.ours, self.theirs = changes_by_key(self.forms, mine, found, atoms)
        self.outcome: Outcome = settle(
            self.ours,
            self.theirs,
            column_pairs(ours.table, theirs.table, shared[2]),
            is_atoms_table(final),
        )

    @property
    def has_conflicts(self) -> bool:
        return self.ours is not None and bool(self.outcome.is_conflict.any())

    def find_atoms(self, context: Context) -> Mapping[int, int]:
        """Of atoms: ids of theirs that have another id here, as the same atom is here already, or
        as the id is (a branch that made the table itself counts by itself)."""
        column = self.final.find_column("AtomId")
        if self.ours is None or column is None or not is_atoms_table(self.final):
            return {}
        same = np.flatnonzero(self.outcome.is_same)
        known = self._theirs(column, self.theirs.place[same]).to_numpy()
        places = self.ours.place[self.outcome.ours_at[same]]
        here = values_at(self.ours.found.chunks, places, column, column.arrow).to_numpy()
        is_new = (self.theirs.base_place == NOWHERE) & (self.theirs.place != NOWHERE)
        come = np.flatnonzero(is_new & (self.outcome.ours_at == NOWHERE))
        ids = self._theirs(column, self.theirs.place[come])
        view = context.transaction.view(self.final.id)
        key = next(k for k in self.final.keys if k.kind == "PRIMARY KEY")
        taken = view.lookup(key.id, pa.table([ids], names=[column.name]))
        met = np.intersect1d(ids.to_numpy(), view.gather(column.name, taken).to_numpy())
        assert column.identity is not None
        first = self._free_identity(context, column, ids) if len(met) else 0
        found = dict(zip(known.tolist(), here.tolist(), strict=True))
        found |= {old: first + i * column.identity[1] for i, old in enumerate(met.tolist())}
        self.atoms = {old: new for old, new in found.items() if old != new}
        return self.atoms

    def _free_identity(self, context: Context, column: ColumnEntry, ids: pa.Array) -> int:
        """The first of as many numbers that neither branch has."""
        assert column.identity is not None
        seed, step = column.identity
        transaction = context.transaction
        transaction.bump_identity(self.final.id, max(ids.to_pylist()), seed, step)
        return transaction.next_identity(self.final.id, len(ids), seed, step)

    # --- applying

    def apply(self, context: Context, take: str | None) -> int:
        """Changes our rows; how many. The transaction's definition of the table has all columns of
        `final` by then. Conflicts are settled as `take` says."""
        if self.ours is None:
            return 0
        transaction, table_id = context.transaction, self.final.id
        self._carry_over(context)
        keep = ~self.outcome.is_conflict if take != "THEIRS" else np.ones(len(self), np.bool_)
        numbers = np.flatnonzero(keep)
        view = transaction.view(table_id)
        addresses = self._our_addresses(view)[numbers]
        is_here, is_taken = addresses != NOWHERE, self.outcome.is_taken[numbers]
        is_there = self.theirs.place[numbers] != NOWHERE
        delete = np.flatnonzero(is_taken & is_here & ~is_there)
        insert = np.flatnonzero(is_taken & ~is_here & is_there)
        update = np.flatnonzero(is_here & is_there & (is_taken | self._adds_columns))
        new = self._inserted(context, numbers[insert])
        changed = self._updated(context, view, addresses[update], numbers[update])
        transaction.delete(table_id, addresses[delete])
        transaction.update(table_id, addresses[update], changed)
        if len(insert):
            ids = self._free_ids(context, self.theirs.row_id[numbers[insert]])
            transaction.insert(table_id, new, row_ids=ids)
            self._pass_identity(context, new)
        count = len(delete) + len(update) + len(insert)
        return count + self._fill_ours(context)

    def _carry_over(self, context: Context) -> None:
        """Our rows get their values under the ids that columns have in `final`."""
        rewritten = self.forms.rewritten()
        stored = [c for c in self.final.stored if c.id in self.forms.in_ours()]
        if not any(c.id in rewritten for c in stored):
            return
        transaction, table_id = context.transaction, self.final.id
        view = transaction.view(table_id)
        found = view.scan([], address=True).table
        addresses = found.column(ADDRESS).to_numpy()
        if not len(addresses):
            return
        before = TableView(self.forms.ours, view.parts)
        columns: dict[str, pa.Array] = {}
        for column in stored:
            own = rewritten.get(column.id)
            if own is None:
                columns[column.name] = view.gather(column.name, addresses)
            else:
                columns[column.name] = _cast(before.gather(own.name, addresses), column)
        for column in self.final.stored:
            if column.name not in columns:  # filled when rows are
                columns[column.name] = pa.nulls(len(addresses), column.arrow)
        rows = pa.table(columns).select(self.final.arrow_schema.names)
        transaction.update(table_id, addresses, rows)

    def __len__(self) -> int:
        return len(self.theirs.codes)

    def _pass_identity(self, context: Context, rows: pa.Table) -> None:
        """Numbers that came are not given out again."""
        column = next((c for c in self.final.stored if c.identity is not None), None)
        if column is not None and column.identity is not None:
            seed, step = column.identity
            known = pc.min_max(rows.column(column.name)).as_py()
            furthest = known["max"] if step > 0 else known["min"]
            context.transaction.bump_identity(self.final.id, furthest, seed, step)

    @property
    def _adds_columns(self) -> bool:
        """Whether the other branch has columns that this one has not."""
        known = self.forms.in_ours()
        return any(c.id not in known for c in self.final.stored)

    def _our_addresses(self, view: TableView) -> Int64:
        """Where our rows of their keys are, NOWHERE if there is none."""
        assert self.ours is not None
        at = self.outcome.ours_at
        ids, met = self.theirs.base_id.copy(), at != NOWHERE
        ids[met] = self.ours.row_id[at[met]]
        wanted = np.flatnonzero(ids != NOWHERE)
        index, found = addresses_of(view, ids[wanted])
        out = np.full(len(self), NOWHERE, np.int64)
        out[wanted[index]] = found
        return out

    def _free_ids(self, context: Context, ids: Int64) -> Int64:
        """Ids for rows that are added: their own, but for those that rows here still have."""
        taken, _ = addresses_of(context.transaction.view(self.final.id), ids)
        if not len(taken):
            return ids
        ids = ids.copy()
        first = context.session.database.reserve_row_ids(len(taken))
        ids[taken] = np.arange(first, first + len(taken))
        return ids

    # --- rows

    def _theirs(self, column: ColumnEntry, places: Int64) -> pa.Array:
        """Their values of a column of `final`, of which they have one."""
        own = self.forms.in_theirs()[column.id]
        values = values_at(self.theirs.found.chunks, places, own, column.arrow)
        return renamed(_cast(values, column), column, self.final, self.atoms)

    def _inserted(self, context: Context, numbers: Int64) -> pa.Table:
        """Their rows as they are added here; columns that they lack get their defaults."""
        known = self.forms.in_theirs()
        given = [c for c in self.final.stored if c.id in known]
        places = self.theirs.place[numbers]
        rows = pa.table({c.name: self._theirs(c, places) for c in given})
        return self._completed(context, given, rows, len(given) < len(self.final.stored))

    def _updated(
        self, context: Context, view: TableView, addresses: Int64, numbers: Int64
    ) -> pa.Table:
        """Our rows as they become: their values where their version counts and in columns that
        they added, ours elsewhere."""
        final, places = self.final, self.theirs.place[numbers]
        in_theirs, in_ours = self.forms.in_theirs(), self.forms.in_ours()
        is_taken = self.outcome.is_taken[numbers]
        count = len(numbers)
        columns: dict[str, pa.Array] = {}
        for column in final.stored:
            if column.id not in in_theirs:
                columns[column.name] = view.gather(column.name, addresses)
            elif column.id not in in_ours or is_taken.all():
                columns[column.name] = self._theirs(column, places)
            else:
                both = [view.gather(column.name, addresses), self._theirs(column, places)]
                chosen = np.arange(count) + np.where(is_taken, count, 0)
                columns[column.name] = pa.concat_arrays(both).take(pa.array(chosen))
        return self._completed(context, list(final.stored), pa.table(columns), False)

    def _fill_ours(self, context: Context) -> int:
        """Rows that we added get the defaults of columns that they added."""
        assert self.ours is not None
        in_ours = self.forms.in_ours()
        added = [c for c in self.final.stored if c.id not in in_ours and c.default is not None]
        fresh = self.ours.row_id[(self.ours.base_place == NOWHERE) & (self.ours.place != NOWHERE)]
        if not added or not len(fresh):
            return 0
        transaction = context.transaction
        view = transaction.view(self.final.id)
        index, addresses = addresses_of(view, fresh)
        given = [c for c in self.final.stored if c.id in in_ours]
        rows = pa.table({c.name: view.gather(c.name, addresses) for c in given})
        transaction.update(self.final.id, addresses, self._completed(context, given, rows, True))
        return len(index)

    def _completed(
        self, context: Context, given: list[ColumnEntry], rows: pa.Table, lacks: bool
    ) -> pa.Table:
        """Whole rows of the table: defaults and computed columns made, CHECKs and lengths that one
        branch may not know tested."""
        final = self.final
        tables = (self.forms.ours, self.forms.theirs)
        is_known = self._is_bound_alike() and all(
            t.checks == final.checks and _computed(t) == _computed(final) for t in tables
        )
        if is_known and not lacks:
            return rows.select(final.arrow_schema.names).cast(final.arrow_schema)
        plain = [c for c in given if c.computed is None]
        fields = [Field(c.name, parse_type(c.type)) for c in plain]
        shape = replace(final, keys=())
        done = Completion(shape, fields).complete(context, rows.select([c.name for c in plain]))
        return done.select(final.arrow_schema.names)

    def _is_bound_alike(self) -> bool:
        """Whether both branches have the types and NOT NULLs of `final`."""
        return all(
            known.get(c.id) is None or _bounds(known[c.id]) == _bounds(c)
            for known in (self.forms.in_ours(), self.forms.in_theirs())
            for c in self.final.stored
        )


def _bounds(column: ColumnEntry) -> tuple[str, bool]:
    return column.type, column.nullable


def _cast(values: pa.Array, column: ColumnEntry) -> pa.Array:
    """Values of one branch as the type that the other one gave their column; BAD_VALUE."""
    try:
        return values.cast(column.arrow)
    except pa.ArrowException as fault:
        message = f'a value of the column "{column.name}" does not fit {column.type}: {fault}'
        raise ExecutionFault(message, code="BAD_VALUE") from None


def _computed(table: TableEntry) -> list[tuple[str, str | None]]:
    return [(c.name, c.computed) for c in table.columns if c.computed is not None]

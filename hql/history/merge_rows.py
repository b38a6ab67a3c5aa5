"""Merging the rows of a table: three versions of it side by side, matched by key.

A *key* is the primary key's value, else the row's id; of Atoms, what an atom is (kind and hash of
its content). For each key that the other branch changed since the base:

    only they changed it                            → theirs
    both, to the same                               → as it is
    both, differently (or one of them deleted it)   → a conflict, settled by TAKE or shown
    both inserted the same atom                     → ours; what named theirs names it

Columns that one branch added are no part of that: they go along with their rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.hql.frozen import frozen
from hartonomous.hql.history.comparing import Parting, Side, column_pairs, counterparts
from hartonomous.hql.history.row_keys import codes_of, match_key
from hartonomous.hql.system_schema import definition_of
from hartonomous.storage.catalog import ColumnEntry, TableEntry, fold
from hartonomous.storage.chunk import Chunk, Int64
from hartonomous.storage.differences import (
    NOWHERE,
    ColumnPair,
    Differences,
    Moment,
    differences,
    same_rows,
    values_at,
)
from hartonomous.storage.keys import KeyColumns
from hartonomous.storage.table import ADDRESS_BITS

Bool = npt.NDArray[np.bool_]

#: columns of system tables that name an atom
ATOM_COLUMNS = frozenset({"AtomId", "ParentAtomId"})


@frozen
class Version:
    """A table on one side: its definition and its rows; None: it is not there."""

    side: Side
    table: TableEntry | None

    def moment(self, common: int) -> Moment:
        return Moment((), common) if self.table is None else self.side.moment(self.table.id)


def changes_since(base: Version, after: Version, common: Parting) -> Differences:
    """The rows that may differ. A table that both branches made is compared whole."""
    is_same = base.table is None or after.table is None or base.table.id == after.table.id
    since = common.sequence if is_same else 0
    return differences(base.moment(since), after.moment(since), since)


@frozen
class Forms:
    """The definitions of a table, and below which their columns' ids mean the same: the base's and
    ours, the base's and theirs, ours and theirs. `final` is what becomes of ours and has its
    ids."""

    final: TableEntry
    base: TableEntry | None
    ours: TableEntry
    theirs: TableEntry
    shared: tuple[int, int, int]

    def in_base(self) -> dict[int, ColumnEntry]:
        """What columns of `final` are there, by their ids; likewise below."""
        if self.base is None:
            return {}
        return counterparts(self.final.columns, self.base.columns, self.shared[0])

    def in_ours(self) -> dict[int, ColumnEntry]:
        by_id = {c.id: c for c in self.ours.columns}
        same = {c.id: by_id[c.id] for c in self.final.columns if c.id in by_id}
        return same | self.rewritten()

    def rewritten(self) -> dict[int, ColumnEntry]:
        """What columns of `final` that the base has too are in ours, where theirs gave them other
        ids (ALTER COLUMN)."""
        known = {fold(c.name) for c in self.base.columns} if self.base is not None else set()
        ids = {c.id for c in self.ours.columns}
        left = {c.id for c in self.final.columns} & ids
        ours = {fold(c.name): c for c in self.ours.columns if c.id not in left}
        return {
            c.id: ours[fold(c.name)]
            for c in self.final.columns
            if c.id not in ids and fold(c.name) in known and fold(c.name) in ours
        }

    def in_theirs(self) -> dict[int, ColumnEntry]:
        return counterparts(self.final.columns, self.theirs.columns, self.shared[2])


@frozen
class KeyChanges:
    """What one branch did, by key: codes ascending and distinct, the places (in `found.chunks`) and
    row ids of the versions at the base and now, NOWHERE where there is none. `is_core`: the change
    is to more than columns that the base lacks."""

    found: Differences
    codes: Int64
    base_place: Int64
    base_id: Int64
    place: Int64
    row_id: Int64
    is_core: Bool


def changes_by_key(
    forms: Forms, ours: Differences, theirs: Differences, atoms: Mapping[int, int]
) -> tuple[KeyChanges, KeyChanges]:
    """Both branches' changes with codes that mean the same keys. `atoms`: ids of their atoms that
    are ours under another id."""
    final = forms.final
    lists = [(ours, ours.before), (ours, ours.after), (theirs, theirs.before)]
    lists.append((theirs, theirs.after))
    rows = [np.flatnonzero(places != NOWHERE) for _, places in lists]
    columns = _key_columns(forms)
    if columns is None:
        codes = [found.row_ids[some] for (found, _), some in zip(lists, rows, strict=True)]
    else:
        key = match_key(final)
        assert key is not None
        arrays: list[pa.Array] = []
        for number, wanted in enumerate(KeyColumns.of(final, key).columns):
            parts = []
            for (found, places), some, own in zip(lists, rows, columns, strict=True):
                values = values_at(found.chunks, places[some], own[number], wanted.arrow)
                values = values.cast(wanted.arrow)
                is_new = places is theirs.after
                parts.append(renamed(values, wanted, final, atoms) if is_new else values)
            arrays.append(pa.concat_arrays(parts))
        whole = codes_of(KeyColumns.of(final, key).compared(arrays))
        codes = np.split(whole, np.cumsum([len(some) for some in rows])[:-1])
    pairs = column_pairs(forms.base, forms.ours, forms.shared[0])
    mine = _by_key(ours, pairs, rows[:2], codes[:2])
    pairs = column_pairs(forms.base, forms.theirs, forms.shared[1])
    return mine, _by_key(theirs, pairs, rows[2:], codes[2:])


def _key_columns(forms: Forms) -> list[list[ColumnEntry | None]] | None:
    """The key's columns in the base, in ours, in the base, in theirs; None without a key that all
    have."""
    key = match_key(forms.final)
    if key is None:
        return None
    base = forms.in_base()
    out: list[list[ColumnEntry | None]] = []
    for known in (base, forms.in_ours(), base, forms.in_theirs()):
        is_there = forms.base is not None or known is not base
        if is_there and not set(key.columns) <= known.keys():
            return None
        out.append([known.get(i) for i in key.columns])
    return out


def renamed(
    values: pa.Array, column: ColumnEntry, table: TableEntry, atoms: Mapping[int, int]
) -> pa.Array:
    """Values of a column, in which atoms that are ours under another id have that one."""
    if not atoms or column.name not in ATOM_COLUMNS or definition_of(table) is None:
        return values
    old = np.fromiter(atoms.keys(), np.int64, len(atoms))
    new = np.fromiter(atoms.values(), np.int64, len(atoms))
    order = np.argsort(old)
    old, new = old[order], new[order]
    is_null = values.is_null().to_numpy(zero_copy_only=False)
    numbers = values.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    at = np.minimum(np.searchsorted(old, numbers), len(old) - 1)
    numbers = np.where(old[at] == numbers, new[at], numbers)
    return pa.array(numbers, mask=is_null).cast(values.type)


def _by_key(
    found: Differences,
    pairs: Sequence[ColumnPair],
    rows: Sequence[Int64],
    codes: Sequence[Int64],
) -> KeyChanges:
    keys = np.union1d(codes[0], codes[1])
    versions = []
    for places, some, own in zip((found.before, found.after), rows, codes, strict=True):
        place, row_id = (np.full(len(keys), NOWHERE, np.int64) for _ in range(2))
        at = np.searchsorted(keys, own)
        place[at], row_id[at] = places[some], found.row_ids[some]
        versions += [place, row_id]
    base_place, base_id, place, row_id = versions
    both = np.flatnonzero((base_place != NOWHERE) & (place != NOWHERE))
    is_changed, is_core = (np.ones(len(keys), np.bool_) for _ in range(2))
    core = [(b, a) for b, a in pairs if b is not None and a is not None]
    rest = [(b, a) for b, a in pairs if b is None or a is None]
    same_core = same_rows(found.chunks, base_place[both], place[both], core)
    same_rest = same_rows(found.chunks, base_place[both], place[both], rest)
    is_core[both] = ~same_core
    # what is equal and has another id is no change, but where the row is must be known
    is_changed[both] = ~(same_core & same_rest) | (base_id[both] != row_id[both])
    return KeyChanges(
        found,
        keys[is_changed],
        base_place[is_changed],
        base_id[is_changed],
        place[is_changed],
        row_id[is_changed],
        is_core[is_changed],
    )


@frozen
class Outcome:
    """What comes of their changes, in the order of `theirs.codes`. `ours_at` is the number of the
    same key among our changes, or NOWHERE; `is_taken` says whether their version counts (else only
    the columns that they added do), `is_conflict` whether both changed it differently, `is_same`
    whether both inserted the same atom."""

    ours_at: Int64
    is_taken: Bool
    is_conflict: Bool
    is_same: Bool


def settle(
    ours: KeyChanges, theirs: KeyChanges, pairs: Sequence[ColumnPair], is_atoms: bool
) -> Outcome:
    """Key by key. `pairs` are our columns beside theirs."""
    count = len(theirs.codes)
    ours_at = np.full(count, NOWHERE, np.int64)
    _, mine, other = np.intersect1d(
        ours.codes, theirs.codes, assume_unique=True, return_indices=True
    )
    ours_at[other] = mine
    met = np.flatnonzero((ours_at != NOWHERE) & theirs.is_core)
    met = met[ours.is_core[ours_at[met]]]
    left, right = ours.place[ours_at[met]], theirs.place[met]
    agree = (left == NOWHERE) & (right == NOWHERE)
    both = np.flatnonzero((left != NOWHERE) & (right != NOWHERE))
    chunks: tuple[Chunk, ...] = (*ours.found.chunks, *theirs.found.chunks)
    shift = len(ours.found.chunks) << ADDRESS_BITS
    core = [(a, b) for a, b in pairs if a is not None and b is not None]
    agree[both] = same_rows(chunks, left[both], right[both] + shift, core)
    is_same = np.zeros(count, np.bool_)
    if is_atoms:
        made = (theirs.base_place[met] == NOWHERE) & (right != NOWHERE) & (left != NOWHERE)
        is_same[met] = made
        agree |= made
    is_taken = theirs.is_core.copy()
    is_taken[met[agree]] = False
    is_conflict = np.zeros(count, np.bool_)
    is_conflict[met[~agree]] = True
    return Outcome(ours_at, is_taken, is_conflict, is_same)

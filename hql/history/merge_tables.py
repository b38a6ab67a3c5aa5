"""Two branches changed the definition of one table: both changes together, if they touch different
things.

Columns, keys, indexes, checks and foreign keys are told apart by their names and merged one by one:
what one branch added, altered or dropped since the base is taken, unless the other one did
something else to the same. What the other branch added gets new ids here, since both branches gave
out the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from hartonomous.hql.history.applying import with_history
from hartonomous.hql.history.comparing import counterparts
from hartonomous.storage.catalog import ColumnEntry, TableEntry, fold

Part = TypeVar("Part", bound=Any)


class Differs(Exception):
    """Both branches changed one thing, and not to the same."""


def merge_tables(
    base: TableEntry, ours: TableEntry, theirs: TableEntry, shared: tuple[int, int]
) -> TableEntry | None:
    """The definition with the changes of both branches; None if they conflict. `shared`: below
    which columns' ids of ours, and of theirs, mean what they do in the base (Parting.shared)."""
    in_ours = counterparts(base.columns, ours.columns, shared[0])
    in_theirs = counterparts(base.columns, theirs.columns, shared[1])
    try:
        return _merged(base, ours, theirs, in_ours, in_theirs)
    except Differs:
        return None


def renumbered(table: TableEntry, ours: TableEntry, shared: int) -> TableEntry:
    """Their definition in the place of ours: what they added gets ids that nothing here has."""
    next_id = max(table.next_id, ours.next_id)
    groups: tuple[Sequence[Any], ...]
    groups = table.columns, table.keys, table.indexes, table.foreign_keys
    fresh = sorted(part.id for parts in groups for part in parts if part.id >= shared)
    ids = {old: next_id + i for i, old in enumerate(fresh)}

    def moved(some: Sequence[Part]) -> tuple[Part, ...]:
        return tuple(replace(_renumbered(p, ids), id=ids.get(p.id, p.id)) for p in some)

    columns = [replace(c, id=ids.get(c.id, c.id)) for c in table.columns]
    return replace(
        table,
        columns=tuple(sorted(columns, key=lambda c: c.id)),
        keys=moved(table.keys),
        indexes=moved(table.indexes),
        foreign_keys=moved(table.foreign_keys),
        next_id=next_id + len(fresh),
    )


Became = Mapping[int, ColumnEntry]  # what the base's columns are on a branch, by their ids


def _merged(
    base: TableEntry, ours: TableEntry, theirs: TableEntry, in_ours: Became, in_theirs: Became
) -> TableEntry:
    columns, ids, next_id = _columns(base, ours, theirs, in_ours, in_theirs)
    parts: dict[str, Any] = {}
    known = {c.id for c in columns}
    here: dict[int, int] = {i: column.id for i, column in in_ours.items()}
    for name in ("keys", "indexes", "foreign_keys"):
        known_parts = [_renumbered(p, here) for p in getattr(base, name)]
        own = [_renumbered(p, ids) for p in getattr(theirs, name)]
        merged = _by_name(known_parts, getattr(ours, name), own)
        kept: list[Any] = []
        mine = {fold(p.name): p.id for p in getattr(ours, name)}
        for part in merged:
            if fold(part.name) in mine:
                part = replace(part, id=mine[fold(part.name)])
            else:
                part, next_id = replace(part, id=next_id), next_id + 1
            if not set(part.columns) <= known:
                raise Differs  # one branch dropped a column that the other one's part needs
            kept.append(part)
        parts[name] = tuple(kept)
    if sum(k.kind == "PRIMARY KEY" for k in parts["keys"]) > 1:
        raise Differs
    merged_table = replace(
        ours,
        name=_value(base.name, ours.name, theirs.name),
        schema=_value(base.schema, ours.schema, theirs.schema),
        columns=columns,
        checks=tuple(_by_name(base.checks, ours.checks, theirs.checks)),
        next_id=next_id,
        **parts,
    )
    return with_history(merged_table, ours)


def _value(base: Part, ours: Part, theirs: Part) -> Part:
    if theirs in (base, ours):
        return ours
    if ours == base:
        return theirs
    raise Differs


def _columns(
    base: TableEntry, ours: TableEntry, theirs: TableEntry, in_ours: Became, in_theirs: Became
) -> tuple[tuple[ColumnEntry, ...], dict[int, int], int]:
    """The columns, what the other branch's ids have become here, and the next free id."""
    next_id = max(ours.next_id, theirs.next_id)
    dropped = []
    altered: dict[int, ColumnEntry] = {}
    ids: dict[int, int] = {}
    for column in base.columns:
        mine, other = in_ours.get(column.id), in_theirs.get(column.id)
        if other is not None and mine is not None:
            ids[other.id] = mine.id
        if other is None and mine is not None:
            _value(column, mine, None)
            dropped.append(mine.id)
        elif other is not None and mine is None:
            _value(column, None, other)
        elif other is not None and mine is not None:
            alike = replace(other, id=mine.id), replace(column, id=mine.id)
            altered[mine.id] = _value(alike[1], mine, alike[0])
    columns = [altered.get(c.id, c) for c in ours.columns if c.id not in dropped]
    names = {fold(c.name): c for c in columns}
    from_base = {c.id for c in in_theirs.values()}
    for column in theirs.columns:
        if column.id in from_base:
            continue
        same = names.get(fold(column.name))
        if same is not None:
            if replace(column, id=same.id) != same:
                raise Differs
            ids[column.id] = same.id
            continue
        ids[column.id] = next_id
        columns.append(replace(column, id=next_id))
        next_id += 1
    if len({fold(c.name) for c in columns}) < len(columns):
        raise Differs
    return tuple(columns), ids, next_id


def _renumbered(part: Part, ids: Mapping[int, int]) -> Part:
    moved: Part = replace(part, columns=tuple(ids.get(i, i) for i in part.columns))
    return moved


def _by_name(base: Sequence[Part], ours: Sequence[Part], theirs: Sequence[Part]) -> list[Part]:
    """Named parts, each merged by itself."""
    known, mine, other = ({fold(p.name): p for p in parts} for parts in (base, ours, theirs))
    out = []
    for name in dict.fromkeys([*mine, *other]):
        left, right = mine.get(name), other.get(name)
        if name not in known and left is not None and right is not None:
            if _bare(left) != _bare(right):
                raise Differs
            found: Part | None = left
        else:
            found = _part(known.get(name), left, right)
        if found is not None:
            out.append(found)
    return out


def _part(base: Part | None, ours: Part | None, theirs: Part | None) -> Part | None:
    one, mine, other = (_bare(p) for p in (base, ours, theirs))
    if other in (one, mine):
        return ours
    if mine == one:
        return theirs
    raise Differs


def _bare(part: Any) -> Any:
    """A part without its id, which differs from branch to branch."""
    return replace(part, id=0) if part is not None and hasattr(part, "id") else part

"""Plain DML on Atoms.

INSERT gives an atom that is there another source: AtomSources gets a row, and OUTPUT shows the atom
that is there. The row count is the number of rows given. UPDATE of what the content is made of
derives everything again; DELETE takes the atom's sources and definitions along. The paths of
sessions follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.atoms.adding import add_atoms, add_sources, as_array, content_hashes
from hartonomous.hql.atoms.derived import DERIVED, check_given, derive, embedded_rows
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.sessions.paths import follow_atoms
from hartonomous.hql.system_schema.behaviour import Behaviour, RowChange
from hartonomous.hql.system_schema.writing import find
from hartonomous.storage.errors import ConstraintFault

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.storage.catalog import TableEntry

#: columns from which others follow
CONTENT = frozenset({"Modality", "CanonicalText", "Content", "Embedding", "SpatialKey"})
#: tables whose rows belong to an atom
BELONGING = ("AtomSources", "AtomEmbeddings", "CodeAtoms")


class AtomRows(Behaviour):
    """See the module."""

    def insert(self, context: Context, table: TableEntry, rows: pa.Table) -> pa.Table:
        """Adds atoms and sources; the atoms, one for each row given."""
        _check_modality(rows)
        rows = rows.append_column("ContentHash", _hashes(rows))
        check_given(rows, embedded_rows(rows))
        added = add_atoms(context, rows)
        sources = rows.select(["SourceUri", "ParentAtomId"])
        add_sources(context, sources.append_column("AtomId", pa.array(added.ids)))
        if len(added.firsts) == rows.num_rows:
            return added.new
        return rows_of(context, table, added.ids, table.arrow_schema.names)

    def update(self, context: Context, table: TableEntry, change: RowChange) -> pa.Table:
        """Derives what follows from assigned columns. UNIQUE_VIOLATION if the content becomes that
        of another atom."""
        if change.assigned & CONTENT and change.rows.num_rows:
            _check_modality(change.rows)
            rows = _derived_again(context, change.rows, change.assigned)
            rows = rows.select(table.arrow_schema.names).cast(table.arrow_schema)
            change = replace(change, rows=rows)
        stored = super().update(context, table, change)
        if change.assigned & CONTENT:
            follow_atoms(context, as_array(stored.column("AtomId")))
        return stored

    def delete(self, context: Context, table: TableEntry, addresses: np.ndarray) -> int:
        """Removes atoms and what belongs to them."""
        ids = context.transaction.view(table.id).gather("AtomId", addresses)
        for name in BELONGING:
            _delete_of(context, name, ids)
        count = super().delete(context, table, addresses)
        follow_atoms(context, ids)
        return count

    def truncate(self, context: Context, table: TableEntry) -> int:
        """Removes all atoms and what belongs to them."""
        for name in BELONGING:
            entry = find(context, name)
            if entry is not None:
                context.transaction.truncate(entry.id)
        ids = context.transaction.view(table.id).scan(["AtomId"]).table.column("AtomId")
        count = super().truncate(context, table)
        follow_atoms(context, as_array(ids))
        return count


ATOMS = AtomRows()


def _check_modality(rows: pa.Table) -> None:
    modality = rows.column("Modality")
    if modality.null_count:
        raise ConstraintFault(
            "an atom needs its Modality", code="NOT_NULL_VIOLATION", hint="text, code, image …"
        )
    for name in pc.unique(modality).to_pylist():
        if not name or name != name.strip().lower():
            raise ExecutionFault(
                f'"{name}" is no Modality: these are words in lower case', code="BAD_VALUE"
            )


def _hashes(rows: pa.Table) -> pa.Array:
    hashes = content_hashes(rows)
    if hashes.null_count:
        raise ConstraintFault(
            "an atom needs a content: CanonicalText or Content", code="NOT_NULL_VIOLATION"
        )
    return hashes


def _derived_again(context: Context, rows: pa.Table, assigned: frozenset[str]) -> pa.Table:
    """The rows with everything that follows from their content, as if they were inserted. What no
    encoder is for keeps its Embedding and SpatialKey."""
    hashes = _hashes(rows)
    is_embedded = embedded_rows(rows)
    if assigned & {"Embedding", "SpatialKey"}:
        check_given(rows.select([*(assigned & {"Embedding", "SpatialKey"})]), is_embedded)
    places = rows.schema.get_field_index("ContentHash")
    rows = rows.set_column(places, "ContentHash", hashes)
    kept = pa.array(~is_embedded)
    for name in ("Embedding", "SpatialKey"):
        values = as_array(rows.column(name))
        blank = pa.nulls(1, values.type)
        order = pc.if_else(kept, pa.array(np.arange(len(values))), len(values))
        values = pa.concat_arrays([values, blank]).take(order)
        rows = rows.set_column(rows.schema.get_field_index(name), name, values)
    assert set(DERIVED) <= set(rows.column_names)
    return derive(context, rows)


def rows_of(
    context: Context, table: TableEntry, ids: np.ndarray, columns: Sequence[str]
) -> pa.Table:
    """The atoms of the ids, in their order, which may repeat."""
    view = context.transaction.view(table.id)
    key = next(k for k in table.keys if k.kind == "PRIMARY KEY")
    distinct, places = np.unique(ids, return_inverse=True)
    addresses = view.lookup(key.id, pa.table({"AtomId": distinct}))
    order = np.argsort(view.gather("AtomId", addresses).to_numpy())
    wanted = addresses[order][places]
    return pa.table({name: view.gather(name, wanted) for name in columns})


def _delete_of(context: Context, name: str, ids: pa.Array) -> None:
    """Removes the rows of a table that belong to the atoms."""
    entry = find(context, name)
    if entry is None:
        return
    view = context.transaction.view(entry.id)
    scan = view.scan(["AtomId"], address=True).table
    mine = pc.is_in(scan.column("AtomId"), value_set=ids)
    context.transaction.delete(entry.id, scan.column("__address").filter(mine).to_numpy())

"""What earlier readings of a source left in the tables: found, compared, taken away.

A source may have been read by several modalities (AS TEXT, and AS CODE); each has its rows, told
apart by their atoms' Modality, and none touches the others'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.atoms.adding import as_array
from hartonomous.hql.ingest.reading import Known
from hartonomous.hql.system_schema.writing import find
from hartonomous.storage.table import TableView

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

SOURCES, ATOMS = "AtomSources", "Atoms"


def source_addresses(view: TableView, uris: Sequence[str]) -> np.ndarray:
    """Addresses of the rows of those sources, by the table's index of SourceUri."""
    if not uris or not view.row_count:
        return np.empty(0, np.int64)
    column = view.table.find_column("SourceUri")
    assert column is not None, view.table.name
    key = next(k for k in view.table.keys if k.columns == (column.id,))
    return view.lookup(key.id, pa.table({"SourceUri": pa.array(uris, pa.string())}))


def known_sources(context: Context) -> Known:
    """Looks up hashes in the tables as they are now: no source is read twice by one statement."""
    views = _views(context)
    if views is None:
        return lambda uris: {}

    def known(uris: Sequence[str]) -> dict[tuple[str, str], bytes]:
        rows = _rows_of(*views, uris)
        columns = [rows.column(n).to_pylist() for n in ("SourceUri", "Modality", "SourceHash")]
        names, modalities, hashes = columns
        return dict(zip(zip(names, modalities, strict=True), hashes, strict=True))

    return known


def take_away(context: Context, ended: Sequence[tuple[str, str]], new: pa.Table) -> pa.Table:
    """Removes the rows of AtomSources of sources that were read to their end: (URI, Modality).
    Gives `new`, the rows that they have now, where those of an atom that the source had already
    have kept their IngestedAt."""
    views, table = _views(context), find(context, SOURCES)
    if views is None or table is None:
        return new
    old = _rows_of(*views, [uri for uri, _ in ended])
    if not old.num_rows:
        return new
    marks = pa.array([f"{modality} {uri}" for uri, modality in ended])
    mine = pc.is_in(_joined(old, "Modality"), value_set=marks)
    old = old.filter(mine)
    context.transaction.delete(table.id, old.column("__address").to_numpy())
    found = pc.index_in(_joined(new, "AtomId"), value_set=_joined(old, "AtomId"))
    times = pc.coalesce(
        as_array(old.column("IngestedAt")).take(found), as_array(new.column("IngestedAt"))
    )
    return new.set_column(new.schema.get_field_index("IngestedAt"), "IngestedAt", times)


def take_away_from(context: Context, name: str, uris: Sequence[str]) -> None:
    """Removes the rows of those sources from a table."""
    table = find(context, name)
    if table is not None:
        addresses = source_addresses(context.transaction.view(table.id), uris)
        context.transaction.delete(table.id, addresses)


def _views(context: Context) -> tuple[TableView, TableView] | None:
    """AtomSources and Atoms, if there are such."""
    sources, atoms = find(context, SOURCES), find(context, ATOMS)
    if sources is None or atoms is None:
        return None
    return context.transaction.view(sources.id), context.transaction.view(atoms.id)


def _rows_of(sources: TableView, atoms: TableView, uris: Sequence[str]) -> pa.Table:
    """The rows of the sources with their addresses and the Modality of their atoms."""
    addresses = source_addresses(sources, uris)
    names = ("SourceUri", "AtomId", "SourceHash", "IngestedAt")
    rows = pa.table({n: sources.gather(n, addresses) for n in names})
    rows = rows.append_column("__address", pa.array(addresses))
    ids = pc.unique(rows.column("AtomId"))
    key = next(k for k in atoms.table.keys if k.kind == "PRIMARY KEY")
    places = atoms.lookup(key.id, pa.table({"AtomId": ids}))
    index = pc.index_in(rows.column("AtomId"), value_set=atoms.gather("AtomId", places))
    modality = atoms.gather("Modality", places).take(as_array(index))
    return rows.append_column("Modality", modality)


def _joined(rows: pa.Table, name: str) -> pa.Array:
    """A column and the source as one text."""
    first = as_array(rows.column(name)).cast(pa.string())
    return pc.binary_join_element_wise(first, as_array(rows.column("SourceUri")), " ")

"""The columns of TensorAtoms and TensorAtomCoefficients, and how a name in FROM finds them.

TensorAtoms is scanned as a stored table is, so it has an entry as the catalog's have, under a
number that no stored table gets. TensorAtomCoefficients is no table: a plan has a source of its own
for it (plan.Coefficients).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

from hartonomous.hql.plan import Field
from hartonomous.hql.system_schema import singular
from hartonomous.hql.types import (
    BIGINT,
    DATETIME2,
    FLOAT,
    GEOMETRY,
    INT,
    NVARCHAR,
    REAL,
    VARBINARY,
    Type,
    vector,
)
from hartonomous.storage.catalog import Catalog, ColumnEntry, TableEntry, fold

if TYPE_CHECKING:
    from hartonomous.hql.operators.base import Source
    from hartonomous.storage.table import TableView

#: the number of TensorAtoms; those of stored tables are positive
TENSOR_ATOMS_ID: Final = -1

ATOMS: Final = "TensorAtoms"
COEFFICIENTS: Final = "TensorAtomCoefficients"

_ATOM_COLUMNS: Final[dict[str, Type]] = {
    "TensorAtomId": BIGINT,
    "ModelId": INT,
    "ModelName": NVARCHAR,
    "LayerIdx": INT,
    "TensorName": NVARCHAR,
    "SourceName": NVARCHAR,
    "RowIdx": INT,
    "UnitKind": NVARCHAR,
    "UnitId": INT,
    "Weights": vector(None),  # as long as the tensor's rows
    "DType": NVARCHAR,
    "Norm": FLOAT,
    "ImportanceScore": REAL,
    "WeightsGeometry": GEOMETRY,
    "ContentHash": VARBINARY,
    "UpdatedAt": DATETIME2,
}

ATOM_FIELDS: Final = tuple(Field(name, type_) for name, type_ in _ATOM_COLUMNS.items())

COEFFICIENT_FIELDS: Final = (
    Field("TensorAtomId", BIGINT),
    Field("Position", INT),
    Field("Coefficient", REAL),
    Field("Magnitude", REAL),
)

#: all names, as they are shown
NAMES: Final = (ATOMS, COEFFICIENTS)

_FORMS: Final = {form: name for name in NAMES for form in (fold(name), singular(name))}


def find_relation(schema: str, name: str) -> str | None:
    """ATOMS or COEFFICIENTS if a name means one of them, in the plural or the singular."""
    return _FORMS.get(fold(name)) if fold(schema) == "dbo" else None


def scanned_atoms(catalog: Catalog) -> TableEntry:
    """TensorAtoms as scans have tables, with its indexes."""
    kept = catalog.find("dbo", ATOMS)
    if not isinstance(kept, TableEntry) or not kept.indexes:
        return atoms_entry()
    return replace(atoms_entry(), indexes=kept.indexes, next_id=kept.next_id)


def is_atoms(entry: object) -> bool:
    """Whether a catalog's entry is that of TensorAtoms."""
    return isinstance(entry, TableEntry) and find_relation(entry.schema, entry.name) == ATOMS


def view_of(table: TableEntry, source: Source) -> TableView:
    """The rows of a table of the catalog or of a scan, TensorAtoms among them."""
    if not is_atoms(table):
        return source.view(table.id)
    from hartonomous.hql.models.relations.view import open_atoms

    return open_atoms(table, source)


@cache
def atoms_entry() -> TableEntry:
    """TensorAtoms without indexes. A catalog has it, under a number of its own and without rows,
    once there was an index of it."""
    columns = tuple(
        ColumnEntry(number, name, str(type_), type_.arrow)
        for number, (name, type_) in enumerate(_ATOM_COLUMNS.items(), 1)
    )
    return TableEntry(TENSOR_ATOMS_ID, "dbo", ATOMS, columns, next_id=len(columns) + 1)

"""System tables that are stored: their definitions by family, found by name.

They are ordinary tables in the catalog's schema dbo, made inside the transaction that first writes
to them (writing.py). Until then a query sees their columns and no rows, so that reading leaves no
trace and works read-only. One family is one file with a tuple of StoredTable and one line here.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from hartonomous.hql.system_schema.atoms import ATOMS
from hartonomous.hql.system_schema.base import StoredTable
from hartonomous.hql.system_schema.code import CODE_TABLES
from hartonomous.hql.system_schema.sessions import SESSION_TABLES
from hartonomous.hql.system_schema.spaces import SPACE_TABLES
from hartonomous.storage.catalog import TableEntry, fold

if TYPE_CHECKING:
    from hartonomous.hql.plan import Field

TABLES: dict[str, StoredTable] = {
    fold(table.name): table for table in (*ATOMS, *SPACE_TABLES, *SESSION_TABLES, *CODE_TABLES)
}


def singular(name: str) -> str:
    """`Hypotheses` → `hypothesis`, `Queries` → `query`, `Atoms` → `atom`."""
    name = fold(name)
    for ending, one in (("theses", "thesis"), ("ies", "y"), ("s", "")):
        if name.endswith(ending):
            return name.removesuffix(ending) + one
    return name


_FORMS = {form: table for name, table in TABLES.items() for form in (name, singular(name))}


def find_stored(schema: str, name: str) -> StoredTable | None:
    """The stored system table that a name means, in the plural or the singular."""
    return _FORMS.get(fold(name)) if fold(schema) == "dbo" else None


def definition_of(table: TableEntry) -> StoredTable | None:
    """The definition of a table of the catalog, or None if it is a user's."""
    if table.temporary or fold(table.schema) != "dbo":
        return None
    return TABLES.get(fold(table.name))


@cache
def template(name: str) -> TableEntry:
    """The catalog's entry as it is when the table is made, with id 0. `name` is folded."""
    from hartonomous.hql.changes.definitions import define_plain
    from hartonomous.hql.changes.indexes import with_index
    from hartonomous.hql.statements.create_index import CreateIndex
    from hartonomous.hql.statements.create_table import CreateTable
    from hartonomous.hql.syntax.parse import parse_batch

    stored = TABLES[name]
    statement, *indexes = parse_batch(stored.text)
    assert isinstance(statement, CreateTable), stored.text
    entry = define_plain(statement)
    assert fold(entry.name) == name, (entry.name, name)
    for index in indexes:
        assert isinstance(index, CreateIndex) and fold(index.table.last) == name, index
        entry, _ = with_index(entry, index)
    ids = {fold(c.name) for c in entry.columns}
    unknown = [c for c in stored.derived if fold(c) not in ids]
    assert not unknown, f"{stored.name} has no columns {unknown}"
    return entry


@cache
def fields_of(name: str) -> tuple[Field, ...]:
    """The columns of a stored system table. `name` is folded."""
    from hartonomous.hql.plan import Field
    from hartonomous.hql.types import parse_type

    stored = TABLES[name]
    return tuple(Field(c.name, stored.type_of(parse_type(c.type))) for c in template(name).columns)

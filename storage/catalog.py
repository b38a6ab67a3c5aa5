"""The catalog: tables, views, routines and schemas. Frozen entries, copied on change.

Entries are found by (kind, schema, name), names folded. Storage reads of a table entry what it
must enforce (columns, keys) and carries the rest (defaults, checks, computed columns, view text)
as HQL text that it never looks into. `catalog_maps.py` says how they are encoded.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import field, replace

import pyarrow as pa

from hartonomous.storage.errors import AlreadyExists, NotFound
from hartonomous.storage.frozen import frozen


def fold(name: str) -> str:
    """The form under which names are compared."""
    return name.casefold()


#: the collation that compares texts in lower case
NOCASE = "NOCASE"


@frozen
class ColumnEntry:
    """One column. `id` is unique within its table and never reused: it names the column in
    segments, so that a rename touches no file. `type` is HQL's text form of the type."""

    id: int
    name: str
    type: str
    arrow: pa.DataType
    nullable: bool = True
    default: str | None = None  # HQL expression
    identity: tuple[int, int] | None = None  # (seed, step)
    computed: str | None = None  # HQL expression
    persisted: bool = False  # a computed column that is stored; the others have no data
    collation: str | None = None  # NOCASE: how the column's texts compare, in unique keys too


@frozen
class KeyEntry:
    """A key: PRIMARY KEY, UNIQUE constraint, or index. NULLs: a row with a NULL in a unique
    (not primary) key never collides, as the SQL standard has it."""

    id: int
    name: str
    columns: tuple[int, ...]  # column ids
    kind: str  # PRIMARY KEY, UNIQUE, INDEX

    @property
    def is_unique(self) -> bool:
        return self.kind != "INDEX"


@frozen
class IndexEntry:
    """An index by an access method (storage/access): it finds rows and forbids none. Its id is one
    of the table's column and key ids."""

    id: int
    name: str
    columns: tuple[int, ...]  # column ids
    method: str  # of access.METHODS
    #: how often it was searched since the database was opened: one number, never stored
    searches: list[int] = field(default_factory=lambda: [0], compare=False, repr=False)


@frozen
class CheckEntry:
    name: str
    text: str  # HQL predicate over the table's columns


#: what happens to rows that refer to a row which goes, or whose key changes
NO_ACTION, CASCADE, SET_NULL, SET_DEFAULT = "NO ACTION", "CASCADE", "SET NULL", "SET DEFAULT"


@frozen
class ForeignKeyEntry:
    """Columns whose values, where none is NULL, are the key of a row of a table (storage/
    references.py). Its id is one of its table's column and key ids. `table` is the table's id, 0
    for the one that the entry is of; `referenced` are ids of columns there, each for the column at
    the same place in `columns`, and together those of a unique key."""

    id: int
    name: str
    columns: tuple[int, ...]
    table: int
    referenced: tuple[int, ...]
    on_delete: str = NO_ACTION
    on_update: str = NO_ACTION


@frozen
class TableEntry:
    """A table. `id` is database-wide and never reused. `next_id` is the next column or key id.
    `temporary` tables (`#t`) belong to a session and never reach the disk. `dropped` columns are no
    columns any more, but rows from before hold their values, which the leaves of their commits
    cover: they are kept for as long as the rows are, and nothing but hashing reads them. `definer`
    is the account that made the entry; empty: an owner of the database."""

    id: int
    schema: str
    name: str
    columns: tuple[ColumnEntry, ...]
    keys: tuple[KeyEntry, ...] = ()
    checks: tuple[CheckEntry, ...] = ()
    next_id: int = 1
    temporary: bool = False
    indexes: tuple[IndexEntry, ...] = ()
    dropped: tuple[ColumnEntry, ...] = ()
    foreign_keys: tuple[ForeignKeyEntry, ...] = ()
    definer: str = ""
    kind: str = field(default="table", init=False)

    def find_column(self, name: str) -> ColumnEntry | None:
        folded = fold(name)
        return next((c for c in self.columns if fold(c.name) == folded), None)

    def without_column(self, column: ColumnEntry) -> TableEntry:
        """The table without a column that no key has; if it has data, it is among `dropped`."""
        used = [k.columns for k in self.keys] + [i.columns for i in self.indexes]
        used += [f.columns for f in self.foreign_keys]
        assert not any(column.id in ids for ids in used), column
        rest = tuple(c for c in self.columns if c.id != column.id)
        if column not in self.stored:
            return replace(self, columns=rest)
        gone = ColumnEntry(column.id, column.name, column.type, column.arrow)
        return replace(self, columns=rest, dropped=(*self.dropped, gone))

    @property
    def stored(self) -> tuple[ColumnEntry, ...]:
        """The columns that have data in segments, in order."""
        return tuple(c for c in self.columns if c.computed is None or c.persisted)

    @property
    def arrow_schema(self) -> pa.Schema:
        """Logical names and types of the stored columns."""
        return pa.schema([pa.field(c.name, c.arrow, c.nullable) for c in self.stored])


@frozen
class ViewEntry:
    """A view: the HQL text of its query and the names of its columns. `definer` is the account with
    whose rights the query reads; empty: with all."""

    id: int
    schema: str
    name: str
    text: str
    columns: tuple[str, ...] = ()
    definer: str = ""
    kind: str = field(default="view", init=False)


@frozen
class RoutineEntry:
    """A procedure or a function: the text of the statement that made it, as it was written.
    `routine` is PROCEDURE, SCALAR FUNCTION or TABLE FUNCTION; a call needs to know no more of it
    before the text is read. `definer` is the account with whose rights the body runs; empty: with
    all."""

    id: int
    schema: str
    name: str
    routine: str
    text: str
    definer: str = ""
    kind: str = field(default="routine", init=False)


@frozen
class SchemaEntry:
    id: int
    schema: str  # always ""
    name: str
    definer: str = ""
    kind: str = field(default="schema", init=False)


#: where spaces are found: under a name that no schema has
SPACES = "\0spaces"


@frozen
class SpaceEntry:
    """A coordinate system. `projection` are the bytes of its matrix (float32[3,D], little-endian)
    and `definition` is JSON of what made it; storage looks into neither."""

    id: int
    name: str
    srid: int
    projection: bytes
    definition: str
    schema: str = SPACES
    kind: str = field(default="space", init=False)


#: where models are found
MODELS = "\0models"


@frozen
class VersionEntry:
    """A version of a model. `manifest` names the object that says what it is made of; `sequence`
    is the commit that made it, 0 until it is committed; `parents` are the content hashes of the
    versions it came from, `figures` is small JSON."""

    number: int
    manifest: str
    sequence: int = 0
    parents: tuple[str, ...] = ()
    figures: str = "{}"


@frozen
class ModelEntry:
    """A model: its versions, the newest last. All that equal models share lies in objects;
    `definition` is small JSON of what this one has to itself. Storage looks into neither, but for
    the list of objects in each manifest (models.py)."""

    id: int
    name: str
    definition: str
    versions: tuple[VersionEntry, ...]
    schema: str = MODELS
    definer: str = ""
    kind: str = field(default="model", init=False)

    @property
    def manifest(self) -> str:
        """The newest version's."""
        return self.versions[-1].manifest

    def committed_at(self, sequence: int) -> ModelEntry:
        """The entry as the commit `sequence` writes it: versions that it makes have its number."""
        if all(v.sequence for v in self.versions):
            return self
        made = (v if v.sequence else replace(v, sequence=sequence) for v in self.versions)
        return replace(self, versions=tuple(made))


Entry = TableEntry | ViewEntry | RoutineEntry | SchemaEntry | SpaceEntry | ModelEntry


def key_of(entry: Entry) -> tuple[str, str]:
    """Tables, views and routines share one namespace; schemas have their own (under ""), and so do
    spaces and models."""
    return fold(entry.schema), fold(entry.name)


@frozen
class Catalog:
    """All entries at one moment. `version` changes with every change (plan caches key on it)."""

    version: int = 0
    entries: Mapping[tuple[str, str], Entry] = field(default_factory=dict)
    tables_by_id: Mapping[int, TableEntry] = field(default_factory=dict)

    def find(self, schema: str, name: str) -> Entry | None:
        return self.entries.get((fold(schema), fold(name)))

    def get(self, schema: str, name: str) -> Entry:
        entry = self.find(schema, name)
        if entry is None:
            raise NotFound(f'"{schema}.{name}" does not exist')
        return entry

    def tables(self) -> Iterator[TableEntry]:
        return (e for e in self.entries.values() if isinstance(e, TableEntry))

    def spaces(self) -> list[SpaceEntry]:
        """All spaces, in the order in which they were made."""
        found = [e for e in self.entries.values() if isinstance(e, SpaceEntry)]
        return sorted(found, key=lambda e: e.id)

    def models(self) -> list[ModelEntry]:
        """All models, in the order in which they were made."""
        found = [e for e in self.entries.values() if isinstance(e, ModelEntry)]
        return sorted(found, key=lambda e: e.id)

    def routines(self) -> list[RoutineEntry]:
        """All procedures and functions, by schema and name."""
        found = [e for e in self.entries.values() if isinstance(e, RoutineEntry)]
        return sorted(found, key=lambda e: (fold(e.schema), fold(e.name)))

    def members(self, schema: str) -> list[Entry]:
        """The tables, views and routines of a schema."""
        folded = fold(schema)
        return [e for (s, _), e in self.entries.items() if s == folded and e.kind != "schema"]

    def with_entry(self, entry: Entry, version: int, *, or_replace: bool = False) -> Catalog:
        key = key_of(entry)
        if key in self.entries and not or_replace:
            raise AlreadyExists(f'"{entry.name}" already exists')
        by_id = self.tables_by_id
        if isinstance(entry, TableEntry):
            by_id = {**by_id, entry.id: entry}
        return Catalog(version, {**self.entries, key: entry}, by_id)

    def without(self, entry: Entry, version: int) -> Catalog:
        key = key_of(entry)
        rest = {k: v for k, v in self.entries.items() if k != key}
        by_id = {i: t for i, t in self.tables_by_id.items() if i != entry.id}
        return Catalog(version, rest, by_id)


#: the schema of names written without one; it is there from the start and cannot be dropped
DEFAULT_SCHEMA = SchemaEntry(1, "", "dbo")


def first_catalog() -> Catalog:
    """What a new database begins with."""
    return Catalog().with_entry(DEFAULT_SCHEMA, next_version())


def physical_name(column: ColumnEntry) -> str:
    """The name of a column in segments and WAL records; a rename does not change it."""
    return f"c{column.id}"


_versions = itertools.count(1)


def next_version() -> int:
    """A catalog version that no other catalog of this process has."""
    return next(_versions)

"""What a session can name, for completion: relations, columns, routines, models, spaces, functions,
variables, files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Protocol

from hartonomous.hql.frozen import frozen
from hartonomous.storage.catalog import Catalog, IndexEntry, KeyEntry, TableEntry, fold
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.functions.base import Function
    from hartonomous.hql.parameters import ParameterSet
    from hartonomous.hql.session import Session
    from hartonomous.hql.shell.completion_scope import Reach, Relation

#: files of a folder that are looked at
FILES_MAX = 5_000
#: a statement's text that is bound to learn its columns is no longer than this
TEXT_MAX = 20_000


@frozen
class Name:
    """Something that can be written: `text` as it is written, `what` for people, `order`: smaller
    comes first."""

    text: str
    what: str = ""
    order: int = 0


class NamesInterface(Protocol):
    """What completion asks for; see Names."""

    def entries(self, *kinds: str, schema: str | None = None) -> Iterable[Name]: ...

    def relations(self, schema: str | None = None) -> Iterable[Name]: ...

    def schemas(self) -> Iterable[Name]: ...

    def indexes(self) -> Iterable[Name]: ...

    def constraints(self, table: str) -> Iterable[Name]: ...

    def columns(self, relation: Relation, reach: Reach) -> Iterable[Name]: ...

    def all_columns(self) -> Iterable[Name]: ...

    def variables(self) -> Iterable[Name]: ...


class Names:
    """The names of one session as they are now: the catalog that its next statement will see, and
    `parameters`, its variables. To be made anew for each text: who asks is another thread than
    the one that runs statements."""

    def __init__(self, session: Session, parameters: ParameterSet | None = None) -> None:
        self.database, self.parameters = session.database, parameters
        if session.in_transaction:
            catalog = session.transaction.catalog
        else:
            transaction = session.open_transaction()
            catalog = transaction.catalog
            transaction.rollback()
        self.catalog: Catalog = session.seen(catalog)

    # --- things of the catalog -------------------------------------------------------------------

    def entries(self, *kinds: str, schema: str | None = None) -> Iterator[Name]:
        """Entries of these kinds, those of other schemas than dbo with their schema unless one is
        asked for."""
        from hartonomous.hql.syntax.print_expressions import quote

        for entry in self.catalog.entries.values():
            if entry.kind not in kinds or entry.name.startswith("\0"):
                continue
            own = fold(entry.schema)
            if schema is not None and own != fold(schema):
                continue
            is_bare = schema is not None or own in ("", "dbo") or own.startswith("\0")
            what = getattr(entry, "routine", None) or entry.kind
            text = quote(entry.name) if entry.name[0] != "#" else entry.name
            yield Name(text if is_bare else f"{quote(entry.schema)}.{text}", str(what))

    def relations(self, schema: str | None = None) -> Iterator[Name]:
        """Tables and views, then system tables."""
        from hartonomous.hql.models.relations.tables import NAMES
        from hartonomous.hql.system_schema import TABLES
        from hartonomous.hql.system_tables import SYSTEM_TABLES

        yield from self.entries("table", "view", schema=schema)
        shown = [t.name for t in TABLES.values()] + list(NAMES)
        known = {fold(n) for n in shown}
        shown += [_SHOWN.get(n, n) for n in SYSTEM_TABLES if n not in known]
        for name in shown:
            first, dot, last = name.rpartition(".")
            if schema is None:
                yield Name(name, "system table", 1)
            elif fold(schema) == (fold(first) if dot else "dbo"):
                yield Name(last, "system table", 1)

    def schemas(self) -> Iterator[Name]:
        yield Name("dbo", "schema", 2)
        yield from (Name(name, "schema", 2) for name in ("sys", "INFORMATION_SCHEMA"))
        yield from (Name(n.text, n.what, 2) for n in self.entries("schema") if n.text != "dbo")

    def indexes(self) -> Iterator[Name]:
        from hartonomous.hql.syntax.print_expressions import quote

        for table in self.catalog.tables():
            indexes: list[KeyEntry | IndexEntry] = [*table.keys, *table.indexes]
            for index in indexes:
                yield Name(quote(index.name), f"index of {table.name}")

    def constraints(self, table: str) -> Iterator[Name]:
        """Keys and checks of a table, by its name as written."""
        from hartonomous.hql.syntax.print_expressions import quote

        entry = self._table(table)
        if entry is not None:
            yield from (Name(quote(k.name), k.kind) for k in entry.keys if k.kind != "INDEX")
            yield from (Name(quote(c.name), "CHECK") for c in entry.checks)

    def _table(self, written: str) -> TableEntry | None:
        schema, _, name = written.replace('"', "").rpartition(".")
        entry = self.catalog.find(schema or "dbo", name)
        return entry if isinstance(entry, TableEntry) else None

    # --- columns ---------------------------------------------------------------------------------

    def columns(self, relation: Relation, reach: Reach) -> list[Name]:
        """The columns of a relation in FROM: what binding `SELECT * FROM` it says. None where the
        text around it cannot be bound yet."""
        return columns_named(self.fields(query_of(relation, reach)), relation)

    def fields(self, text: str) -> list[tuple[str, str]]:
        """Names and types of a query's columns; none if it cannot be bound."""
        from hartonomous.hql.bind import BindContext, bind_query
        from hartonomous.hql.syntax.parse import parse_query
        from hartonomous.hql.system_tables import SYSTEM_FIELDS

        if len(text) > TEXT_MAX:
            return []
        given = self.parameters
        context = BindContext(
            self.catalog,
            parameters={} if given is None else given.types,
            table_parameters={} if given is None else given.table_fields,
            system_tables=SYSTEM_FIELDS,
            parse_view=parse_query,
            database=self.database,
        )
        try:
            fields = bind_query(parse_query(text), context).plan.fields
        except Error:  # what is being written need not mean anything yet
            return []
        return [(field.name, str(field.type)) for field in fields]

    def all_columns(self) -> Iterator[Name]:
        """The columns of all tables of users, for a query that has no FROM yet."""
        from hartonomous.hql.syntax.print_expressions import quote
        from hartonomous.hql.system_schema import definition_of

        for table in self.catalog.tables():
            if definition_of(table) is None:
                for column in table.columns:
                    yield Name(quote(column.name), f"{column.type} of {table.name}", 1)

    # --- variables -------------------------------------------------------------------------------

    def variables(self) -> Iterator[Name]:
        """What the session has declared or was given."""
        if self.parameters is not None:
            for name, type_ in self.parameters.types.items():
                yield Name(f"@{name}", str(type_))


# --- what does not depend on a session -----------------------------------------------------------


def query_of(relation: Relation, reach: Reach) -> str:
    """A query whose columns are those of a relation in FROM."""
    common = ", ".join(text for _, text in reach.common)
    with_clause = f"WITH RECURSIVE {common} " if common else ""
    alias = f" AS __r {relation.columns}" if relation.columns else " AS __r"
    return f"{with_clause}SELECT * FROM {relation.source}{alias}"


def columns_named(found: list[tuple[str, str]], relation: Relation) -> list[Name]:
    """Columns by name and type; of a table function that cannot be bound yet, those that it
    always has."""
    from hartonomous.hql.syntax.print_expressions import quote

    if not found and relation.function:
        from hartonomous.hql.functions import find

        function = find(relation.function)
        found = [] if function is None else [(n, str(t)) for n, t in function.columns]
    return [Name(quote(name), type_) for name, type_ in found]


#: system tables whose names are not as they are looked up
_SHOWN = {
    "commits": "Commits",
    "inferencerequests": "InferenceRequests",
    "modellayers": "ModelLayers",
    "models": "Models",
    "modelversions": "ModelVersions",
    "querylog": "QueryLog",
    "spaces": "Spaces",
}


@cache
def functions() -> tuple[Name, ...]:
    """Functions that are called by their name in expressions, with what they take."""
    from hartonomous.hql import functions as registry

    found = []
    for name in registry.names():
        function = registry.find(name)
        assert function is not None, name
        if "::" not in name and function.kind != "table" and not _is_method(function):
            found.append(_called(name, function))
    return tuple(found)


@cache
def table_functions() -> tuple[Name, ...]:
    """Functions that stand in FROM."""
    from hartonomous.hql.functions import FUNCTIONS

    return tuple(_called(n, f) for n, f in FUNCTIONS.items() if f.kind == "table" or f.of_row)


@cache
def methods() -> tuple[Name, ...]:
    """What can be called on a geometry."""
    from hartonomous.hql.functions import FUNCTIONS

    return tuple(
        Name(f"{n}(" if len(f.parameters) > 1 else f"{n}()", _takes(f, skip=1))
        for n, f in FUNCTIONS.items()
        if _is_method(f)
    )


@cache
def statics(type_: str) -> tuple[Name, ...]:
    """What stands behind `type::`."""
    from hartonomous.hql.functions import FUNCTIONS

    prefix = f"{type_.lower()}::"
    return tuple(
        Name(f"{n[len(prefix) :]}(", _takes(f))
        for n, f in FUNCTIONS.items()
        if n.lower().startswith(prefix)
    )


@cache
def types() -> tuple[Name, ...]:
    """Names of types, those that others are spellings of first."""
    from hartonomous.hql.types import KINDS, SYNONYMS

    kinds = [Name(kind, "type") for kind in KINDS if kind != "NULL"]
    return (*kinds, *(Name(name, f"type {of}", 1) for name, of in SYNONYMS.items()))


def parameters_of(function_name: str) -> tuple[str, ...]:
    """The names of a function's parameters; none if there is no such function."""
    from hartonomous.hql.functions import find

    function = find(function_name)
    return () if function is None else function.parameters


def _is_method(function: Function) -> bool:
    return function.name.startswith("ST") and function.parameters[:1] == ("geometry",)


def _called(name: str, function: Function) -> Name:
    return Name(f"{name}(" if function.parameters else f"{name}()", _takes(function))


def _takes(function: Function, skip: int = 0) -> str:
    kind = "function" if function.kind == "scalar" else function.kind
    return f"{kind} ({', '.join(function.parameters[skip:])})"


def files(written: str) -> Iterator[Name]:
    """Files and folders whose path begins with what is written; folders end in /."""
    folder, _, _ = written.rpartition("/")
    folder = f"{folder}/" if "/" in written else ""
    looked_in = os.path.expanduser(folder) or "."
    try:
        with os.scandir(looked_in) as entries:
            found = sorted((e.name, e.is_dir()) for _, e in zip(range(FILES_MAX), entries))  # noqa: B905
    except OSError:  # no folder, or none that may be read: there is nothing to offer
        return
    begun = written[len(folder) :]
    for name, is_folder in found:
        if name.startswith(begun) and (begun.startswith(".") or not name.startswith(".")):
            path = f"{folder}{name}{'/' if is_folder else ''}"
            yield Name(path, "folder" if is_folder else "file", int(is_folder))

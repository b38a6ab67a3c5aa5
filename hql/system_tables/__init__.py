"""System tables: what can be asked about a database with SELECT.

Those of this folder are computed from the snapshot; those of system_schema/ are stored. Their names
are taken: no table or view of a user's may have one, also those not built yet. One computed table,
or one family of them, is one file and a line for each in SYSTEM_TABLES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.errors import NotSupported
from hartonomous.hql.models.relations.tables import NAMES as RELATIONS
from hartonomous.hql.plan import Field, schema_of
from hartonomous.hql.system_schema import TABLES as STORED
from hartonomous.hql.system_schema import fields_of, singular
from hartonomous.hql.system_tables import (
    activity,
    catalog,
    information_schema,
    models,
    routines,
    users,
)
from hartonomous.hql.system_tables.base import SystemTable, needing
from hartonomous.hql.system_tables.branches import BRANCHES, TAGS
from hartonomous.hql.system_tables.commits import COMMITS
from hartonomous.hql.system_tables.foreign_keys import FOREIGN_KEY_COLUMNS, FOREIGN_KEYS
from hartonomous.hql.system_tables.index_columns import INDEX_COLUMNS
from hartonomous.hql.system_tables.queries import QUERIES
from hartonomous.hql.system_tables.requests import REQUESTS
from hartonomous.hql.system_tables.settings import SETTINGS
from hartonomous.hql.system_tables.spaces import SPACES
from hartonomous.hql.system_tables.statistics import COLUMN_STATISTICS, STATISTICS
from hartonomous.hql.system_tables.storage import STORAGE
from hartonomous.storage.catalog import fold
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

#: by folded name
SYSTEM_TABLES: Final[dict[str, SystemTable]] = {
    "commits": needing("VIEW HISTORY", COMMITS),
    "inferencerequests": needing("VIEW STATE", REQUESTS),
    **{f"information_schema.{fold(n)}": t for n, t in information_schema.VIEWS.items()},
    "modellayers": models.LAYERS,
    "models": models.MODELS,
    "modelversions": models.VERSIONS,
    "querylog": QUERIES,
    "spaces": SPACES,
    "sys.branches": BRANCHES,
    "sys.audit": users.AUDIT,
    "sys.check_constraints": catalog.CHECKS,
    "sys.column_statistics": needing("VIEW STATE", COLUMN_STATISTICS),
    "sys.columns": catalog.COLUMNS,
    "sys.foreign_key_columns": FOREIGN_KEY_COLUMNS,
    "sys.foreign_keys": FOREIGN_KEYS,
    "sys.functions": routines.FUNCTIONS,
    "sys.index_columns": INDEX_COLUMNS,
    "sys.indexes": catalog.INDEXES,
    "sys.parameters": routines.PARAMETERS,
    "sys.permissions": users.PERMISSIONS,
    "sys.policies": users.POLICIES,
    "sys.procedures": routines.PROCEDURES,
    "sys.role_members": users.ROLE_MEMBERS,
    "sys.roles": users.ROLES,
    "sys.schemas": catalog.SCHEMAS,
    "sys.sessions": activity.SESSIONS,
    "sys.settings": needing("VIEW STATE", SETTINGS),
    "sys.statements": activity.STATEMENTS,
    "sys.statistics": needing("VIEW STATE", STATISTICS),
    "sys.storage": needing("VIEW STATE", STORAGE),
    "sys.tables": catalog.TABLES,
    "sys.tags": TAGS,
    "sys.tokens": users.TOKENS,
    "sys.users": users.USERS,
    "sys.views": catalog.VIEWS,
}

#: schemas of nothing but system tables
SYSTEM_SCHEMAS: Final = ("sys", "information_schema")

#: HQL.md section 5: there, and not built yet
LATER: Final = (
    "InferenceFeedback",
    "Observations",
    "Hypotheses",
    "PendingActions",
    "ImprovementHistory",
    "AutonomousComputeJobs",
    "ProvenanceNodes",
    "ProvenanceEdges",
    "sys.queues",
    "sys.schedules",
)


class SystemFields(Mapping[str, "tuple[Field, ...]"]):
    """The columns of every system table, by folded name; those of stored ones are parsed when they
    are asked for."""

    def __getitem__(self, name: str) -> tuple[Field, ...]:
        computed = SYSTEM_TABLES.get(name)
        if computed is not None:
            return computed.fields
        if name in STORED:
            return fields_of(name)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in SYSTEM_TABLES or name in STORED

    def __iter__(self) -> Iterator[str]:
        yield from SYSTEM_TABLES
        yield from STORED

    def __len__(self) -> int:
        return len(SYSTEM_TABLES) + len(STORED)


#: what the binder needs to know of them; a stored one is looked for in the catalog first
SYSTEM_FIELDS = SystemFields()


class RowSources(Mapping[str, "Callable[[], Any]"]):
    """What computes the rows of tables that are no stored ones: those `given`, and system tables. A
    stored one of these that is not in the catalog has none."""

    __slots__ = ("_context", "_given")

    def __init__(self, context: Context, given: Mapping[str, Callable[[], Any]]) -> None:
        self._context, self._given = context, given

    def __getitem__(self, name: str) -> Callable[[], Any]:
        given = self._given.get(name)
        if given is not None:
            return given
        if name in STORED:
            return partial(_no_rows, name)
        return partial(SYSTEM_TABLES[name].rows, self._context)

    def __iter__(self) -> Iterator[str]:
        yield from self._given
        yield from SYSTEM_FIELDS

    def __len__(self) -> int:
        return len(self._given) + len(SYSTEM_FIELDS)


def _no_rows(name: str) -> pa.Table:
    return schema_of(SYSTEM_FIELDS[name]).empty_table()


_RESERVED = {fold(n) for n in (*LATER, *SYSTEM_TABLES, *STORED, *RELATIONS)}
_RESERVED |= {singular(n) for n in _RESERVED}
_LATER = {form: name for name in LATER for form in (fold(name), singular(name))}


def _full(schema: str, name: str) -> str:
    return fold(name) if fold(schema) == "dbo" else f"{fold(schema)}.{fold(name)}"


def is_reserved(schema: str, name: str) -> bool:
    """Whether a name is a system table's, in the plural or the singular."""
    return _full(schema, name) in _RESERVED


def explain_unknown(error: Error, query: ast.Query) -> Error:
    """UNKNOWN_TABLE for a system table that is not built yet is said to be that."""
    from hartonomous.hql.changes.targets import place, split_name
    from hartonomous.hql.syntax.trees import walk

    for node in walk(query):
        if isinstance(node, ast.TableName) and len(node.name.parts) <= 2:
            later = _LATER.get(_full(*split_name(node.name)))
            if later is not None and (node.span.line, node.span.column) == (
                error.line,
                error.column,
            ):
                return place(NotSupported(f"not supported yet: the system table {later}"), node)
    return error

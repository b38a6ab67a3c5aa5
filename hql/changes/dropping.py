"""CREATE SCHEMA; DROP of schemas, tables and views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.changes.new_names import check_word
from hartonomous.hql.changes.targets import (
    describe_kind,
    find_entry,
    place,
    refuse_system_table,
    unknown_table,
)
from hartonomous.hql.errors import BindFault
from hartonomous.hql.result import Result
from hartonomous.hql.security.checking import allow
from hartonomous.storage.catalog import SchemaEntry, fold
from hartonomous.storage.errors import AlreadyExists, NotFound

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.create_schema import CreateSchema
    from hartonomous.hql.statements.drop_schema import DropSchema


def run_create_schema(statement: CreateSchema, context: Context) -> Result:
    """CREATE SCHEMA."""
    from hartonomous.hql.system_tables import SYSTEM_SCHEMAS

    name = statement.name.text
    check_word(statement.name)
    taken = fold(name) in (*SYSTEM_SCHEMAS, "dbo") or context.catalog.find("", name) is not None
    if taken:
        if statement.if_not_exists:
            return Result()
        raise place(AlreadyExists(f'the schema "{name}" already exists'), statement.name)
    context.transaction.create(SchemaEntry(0, "", name, context.transaction.definer))
    return Result()


def run_drop_schema(statement: DropSchema, context: Context) -> Result:
    """DROP SCHEMA; BIND if something is in it."""
    from hartonomous.hql.system_tables import SYSTEM_SCHEMAS

    name = statement.name.text
    if fold(name) in (*SYSTEM_SCHEMAS, "dbo"):
        raise place(BindFault(f'the schema "{name}" cannot be dropped'), statement.name)
    entry = context.catalog.find("", name)
    if entry is None:
        if statement.if_exists:
            return Result()
        raise place(NotFound(f'there is no schema "{name}"'), statement.name)
    allow(context.rights, context.catalog, entry, ("ALTER",), statement.name)
    held = [e.name for e in context.catalog.entries.values() if fold(e.schema) == fold(name)]
    if held:
        message = f'the schema "{name}" is not empty: {", ".join(sorted(held)[:5])}'
        raise place(BindFault(message, hint="drop what is in it first"), statement.name)
    context.transaction.drop(entry)
    return Result()


def run_drop(
    context: Context, kind: str, names: Sequence[ast.ObjectName], if_exists: bool
) -> Result:
    """DROP TABLE and DROP VIEW."""
    for name in names:
        refuse_system_table(name, "dropped")
        entry = find_entry(context, name)
        if entry is not None and entry.kind != kind:
            found = describe_kind(entry)
            message = f'"{name}" is a {found}, not a {kind}'
            raise place(BindFault(message, hint=f"DROP {found.upper()} {name}"), name)
        if entry is None:
            if if_exists:
                continue
            raise unknown_table(context, name, kind)
        allow(context.rights, context.catalog, entry, ("ALTER",), name)
        context.transaction.drop(entry)
    return Result()

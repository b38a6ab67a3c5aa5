"""What new tables, views, routines, columns, users and models may be called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.changes.targets import place, split_name
from hartonomous.hql.errors import BindFault
from hartonomous.storage.catalog import Entry, fold
from hartonomous.storage.errors import NotFound

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

NAME_CHARACTERS_MAX = 128


def check_new_name(context: Context, name: ast.ObjectName, old: Entry | None = None) -> None:
    """Whether a new table, view or routine may be called so, and be made there by whose rights
    count; `old` is what is to be replaced."""
    from hartonomous.hql.system_tables import SYSTEM_SCHEMAS, is_reserved

    schema, last = split_name(name)
    check_word(name.parts[-1])
    if is_reserved(schema, last):
        raise place(
            BindFault(f'"{name}" is a system table; a table or view may not take its name'), name
        )
    if last.startswith("#") and len(name.parts) > 1:
        raise place(BindFault("a #temp table has no schema"), name)
    if fold(schema) in SYSTEM_SCHEMAS:
        raise place(BindFault(f"the schema {schema} is for system tables"), name)
    if fold(schema) != "dbo" and context.catalog.find("", schema) is None:
        raise place(
            NotFound(f'there is no schema "{schema}"', hint=f"CREATE SCHEMA {schema}"), name
        )
    if context.session.account is None:
        return
    from hartonomous.hql.security.checking import allow, allow_in

    if old is not None:
        allow(context.rights, context.catalog, old, ("ALTER",), name)
    elif not last.startswith("#"):
        allow_in(context, schema, name)


def check_word(name: ast.Identifier) -> None:
    """Names are not empty, not endless, and do not begin with two underscores (ours do)."""
    if not name.text.strip():
        raise place(BindFault("a name may not be empty"), name)
    if len(name.text) > NAME_CHARACTERS_MAX:
        raise place(BindFault(f"a name has at most {NAME_CHARACTERS_MAX} characters"), name)
    if name.text.startswith("__"):
        raise place(BindFault(f'"{name.text}": names that begin with __ are reserved'), name)

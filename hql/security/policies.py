"""CREATE POLICY, DROP POLICY: which rows of a table the members of a role see (rows.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.changes.targets import find_entry, place, unknown_table
from hartonomous.hql.errors import BindFault
from hartonomous.hql.history.branches import refuse_inside
from hartonomous.hql.result import Result
from hartonomous.hql.scripts.routines import find_routine
from hartonomous.hql.security.accounts import Accounts
from hartonomous.hql.security.audit import note
from hartonomous.hql.security.checking import allow, denied
from hartonomous.hql.security.directory import Directory, Policy, policy_text
from hartonomous.hql.security.visible import key_of, whole_of
from hartonomous.hql.syntax import trees
from hartonomous.storage.catalog import TableEntry, fold
from hartonomous.storage.errors import AlreadyExists, NotFound

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.create_policy import CreatePolicy
    from hartonomous.hql.statements.drop_policy import DropPolicy


def run_create_policy(statement: CreatePolicy, context: Context) -> Result:
    """CREATE POLICY, by who has CONTROL on the table. Its predicates must bind over the table's
    columns; they may ask other tables."""
    refuse_inside(context, "CREATE POLICY")
    table = _table(context, statement.table)
    for condition in (statement.using, statement.check):
        if condition is not None:
            _check_condition(context, table, condition)
    role = statement.role.text
    made = Policy(
        statement.name.text,
        key_of(table),
        role,
        str(statement.using),
        None if statement.check is None else str(statement.check),
    )

    def change(directory: Directory) -> Mapping[str, str | None]:
        if fold(role) not in directory.roles and fold(role) not in directory.users:
            raise place(NotFound(f'there is no role or user "{role}"'), statement.role)
        if any(p.key == made.key for p in directory.policies):
            message = f'the policy "{made.name}" of "{table.name}" already exists'
            raise place(AlreadyExists(message), statement.name)
        return {made.key: policy_text(made)}

    Accounts.of(context.session.database).change(change)
    note(context.session, "CREATE POLICY", str(statement))
    return Result()


def run_drop_policy(statement: DropPolicy, context: Context) -> Result:
    """DROP POLICY, by who has CONTROL on the table."""
    refuse_inside(context, "DROP POLICY")
    table = _table(context, statement.table)
    gone = Policy(statement.name.text, key_of(table), "", "").key

    def change(directory: Directory) -> Mapping[str, str | None]:
        if any(p.key == gone for p in directory.policies):
            return {gone: None}
        if statement.if_exists:
            return {}
        message = f'"{table.name}" has no policy "{statement.name.text}"'
        raise place(NotFound(message), statement.name)

    Accounts.of(context.session.database).change(change)
    note(context.session, "DROP POLICY", str(statement))
    return Result()


def _table(context: Context, name: ast.ObjectName) -> TableEntry:
    """The table of a policy: a stored one of users', as rows of others come from many sides."""
    from hartonomous.hql.system_tables import is_reserved

    entry = find_entry(context, name)
    if entry is None:
        raise unknown_table(context, name)
    is_users = isinstance(entry, TableEntry) and not entry.temporary
    if not is_users or is_reserved(entry.schema, entry.name):
        raise place(BindFault(f'"{name}" can have no policy: stored tables of users have'), name)
    assert isinstance(entry, TableEntry)
    allow(context.rights, context.catalog, entry, ("CONTROL",), name)
    return entry


def _asks_others(context: Context, node: ast.Node) -> bool:
    """Whether a part of a condition reads tables: a query, or a routine of somebody's."""
    if isinstance(node, ast.FunctionCall):
        return find_routine(whole_of(context.catalog), node.name) is not None
    return isinstance(node, ast.Query | ast.Relation)


def _check_condition(context: Context, table: TableEntry, condition: ast.Expression) -> None:
    """Raises what binding the condition over a row of the table raises. It is read with all
    rights, so only an owner's asks other tables, or routines, which may."""
    is_owners = context.rights is None or context.rights.is_owner
    for node in trees.walk(condition):
        if isinstance(node, (ast.Variable, ast.Placeholder, ast.VariableTable)):
            raise place(BindFault("a policy has no parameters or variables"), node)
        if not is_owners and _asks_others(context, node):
            raise denied("a policy that asks more than its row needs CONTROL on the database", node)
    name = ast.ObjectName((ast.Identifier(table.schema), ast.Identifier(table.name)))
    source = ast.TableName(name, ast.Identifier(table.name))
    binding = context.trusted() if is_owners else context
    binding.bind(trees.select([trees.item(ast.Literal(1, "INTEGER"), "one")], source, condition))

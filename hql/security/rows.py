"""The rows that an account sees: those for which a policy of one of its roles holds.

    GuardedSource   stands where a plan reads tables from, and gives views in which all other rows
                    are hidden, as if they had been deleted: whatever stands above (joins, indexes,
                    nearest rows, counts, errors of expressions) never meets them
    row_check       what storage asks about rows that come: WITH CHECK, else USING

A table without policies shows all its rows. One with policies shows none to whom none is meant for;
owners see all. Predicates are read with all rights, and ask CURRENT_USER who reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.errors import PermissionFault
from hartonomous.hql.security.checking import denied
from hartonomous.hql.security.directory import Policy
from hartonomous.hql.security.visible import key_of, visible, where_of, whole_of
from hartonomous.storage.catalog import Catalog, TableEntry, fold
from hartonomous.storage.table import TableView, split_addresses

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.operators.base import Source
    from hartonomous.hql.security.accounts import Account
    from hartonomous.storage.commit_log import CommitPlace
    from hartonomous.storage.database import Database

ADDRESS = "__address"
ROWS = "__policy_rows"


def policies_for(account: Account | None, table: TableEntry) -> Sequence[Policy] | None:
    """The policies that decide which rows of a table an account sees; None: it sees all, an empty
    list: none."""
    if account is None or account.is_owner or not account.policies or table.temporary:
        return None
    found = account.policies.get(key_of(table))
    if found is None:
        return None
    return [p for p in found if fold(p.role) in account.roles or fold(p.role) == fold(account.name)]


def sees_all(context: Context, table: TableEntry) -> bool:
    """Whether no policy hides rows of a table from whoever runs the statement."""
    return context.account is None or policies_for(context.account, table) is None


def reads_all(context: Context, table: TableEntry) -> bool:
    """Whether all rows of a table are for whoever runs the statement."""
    rights = context.rights
    if rights is None or table.temporary or table.id < 0:
        return True
    may_read = rights.may("SELECT", *where_of(table, whole_of(context.catalog)))
    return may_read and sees_all(context, table)


def refuse_hidden(context: Context, table: TableEntry, node: ast.Node) -> None:
    """PERMISSION where a policy hides rows, for what has to do with all of a table's."""
    if not sees_all(context, table):
        raise denied(f'table "{table.name}" has a policy, and may hold rows that are hidden', node)


def guarded(context: Context, source: Source, moment: CommitPlace | None = None) -> Source:
    """Where a statement reads tables: `source` itself for who sees all."""
    account = context.account
    if account is None or account.is_owner:
        return source
    return GuardedSource(context, source, moment)


class GuardedSource:
    """A source of which an account sees some rows. Not for two threads at once, but while its
    views are made when a plan begins."""

    __slots__ = ("_context", "_moment", "_source", "_views", "catalog", "database")

    def __init__(self, context: Context, source: Source, moment: CommitPlace | None) -> None:
        self._context, self._source, self._moment = context, source, moment
        self._views: dict[int, TableView] = {}
        self.database: Database = source.database
        self.catalog: Catalog = visible(source.catalog, context.rights, readable=True)

    def view(self, table_id: int) -> TableView:
        """The table's rows, less those that the account does not see."""
        found = self._views.get(table_id)
        if found is None:
            found = self._views[table_id] = self._view(table_id)
        return found

    def _view(self, table_id: int) -> TableView:
        whole = self._source.view(table_id)
        policies = policies_for(self._context.account, whole.table)
        if policies is None or table_id < 0:
            return whole
        if not policies:
            return _only(whole, np.empty(0, np.int64))
        return _only(whole, self._addresses(whole.table, policies))

    def _addresses(self, table: TableEntry, policies: Sequence[Policy]) -> Any:
        """The addresses, ascending, of the rows that a policy lets through."""
        from hartonomous.hql.syntax import trees

        name = ast.ObjectName((ast.Identifier(table.schema), ast.Identifier(table.name)))
        time = None if self._moment is None else ast.SystemTime("COMMIT", ast.Literal("", "STRING"))
        source = ast.TableName(name, ast.Identifier(table.name), as_of=time)
        item = trees.item(trees.column(table.name, ADDRESS), ADDRESS)
        query = trees.select([item], source, any_of([p.using for p in policies]))
        key = "policy", table.id, tuple([p.using for p in policies])
        with _explained(table):
            found = _rows(self._context.trusted(), query, key, self._moment)
        return np.sort(found.column(0).to_numpy())


def _only(view: TableView, addresses: Any) -> TableView:
    """A view with nothing but the rows at some addresses."""
    kept = dict(split_addresses(addresses))
    parts = []
    for ordinal, selection in view.parts:
        all_offsets = selection.offsets()
        hidden = np.setdiff1d(all_offsets, kept[ordinal]) if ordinal in kept else all_offsets
        parts.append((ordinal, selection.without(hidden) if len(hidden) else selection))
    return TableView(view.table, tuple(parts))


def _rows(context: Context, query: ast.Query, key: Any, moment: CommitPlace | None) -> pa.Table:
    """All rows of a query of our own; AS OF in it means `moment`. Its plan is kept under `key`
    where it reads the present."""
    from hartonomous.hql.bind import bind_query
    from hartonomous.hql.execute import prepare
    from hartonomous.hql.queries import bind_context, start_plan

    if moment is None:
        return context.table(query, key=key, hidden=True)
    catalog = context.session.database.as_of(moment).catalog
    bound = replace(bind_context(context, hidden=True), find_moment=lambda _: (moment, catalog))
    return start_plan(context, prepare(bind_query(query, bound))).to_table()


def any_of(predicates: Sequence[str]) -> ast.Expression:
    """A condition that holds where one of some texts does."""
    from hartonomous.hql.syntax.parse import parse_expression

    first, *rest = map(parse_expression, predicates)
    condition: ast.Expression = first
    for other in rest:
        condition = ast.Binary("OR", condition, other)
    return condition


# --- rows that come ------------------------------------------------------------------------------


def row_check(context: Context) -> Callable[[TableEntry, pa.Table], None] | None:
    """What storage asks about rows that the statement inserts or changes; None: nothing."""
    account = context.account
    if account is None or account.is_owner or not account.policies:
        return None

    def check(table: TableEntry, rows: pa.Table) -> None:
        policies = policies_for(account, table)
        if policies is not None and rows.num_rows:
            _check_rows(context, table, rows, policies)

    return check


def _check_rows(
    context: Context, table: TableEntry, rows: pa.Table, policies: Sequence[Policy]
) -> None:
    from hartonomous.hql.bind.tables import fields_of
    from hartonomous.hql.syntax import trees

    passed = 0
    if policies:
        condition = any_of([p.check if p.check is not None else p.using for p in policies])
        source = ast.VariableTable(ROWS, ast.Identifier(table.name))
        query = trees.select([trees.item(ast.Literal(1, "INTEGER"), "one")], source, condition)
        given = {ROWS: (fields_of(table), rows.rename_columns([f.name for f in fields_of(table)]))}
        with _explained(table):
            key = "policy check", table.id, str(condition)
            passed = context.trusted().table(query, tables=given, key=key).num_rows
    if passed != rows.num_rows:
        raise PermissionFault(
            f'permission denied: a policy of table "{table.name}" forbids such a row'
        )


class _explained:
    """Inside the block an error says of which table's policy it is, and nothing of what it met."""

    __slots__ = ("_table",)

    def __init__(self, table: TableEntry) -> None:
        self._table = table

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from hartonomous.storage.errors import Cancelled, Error

        if isinstance(error, Error) and not isinstance(error, (Cancelled, PermissionFault)):
            raise PermissionFault(
                f'permission denied: a policy of table "{self._table.name}" cannot be applied',
                hint="an owner can: SELECT * FROM sys.policies",
            ) from error

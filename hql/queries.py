"""Queries on behalf of statements: bound, planned (both kept with the statement), started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault
from hartonomous.hql.plan import BoundQuery, Field
from hartonomous.hql.result import Result
from hartonomous.hql.system_tables import SYSTEM_FIELDS, RowSources, explain_unknown

if TYPE_CHECKING:
    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.context import Context
    from hartonomous.hql.execute import PreparedPlan
    from hartonomous.hql.operators.base import Source
    from hartonomous.hql.security.accounts import Accounts
    from hartonomous.storage.catalog import Catalog
    from hartonomous.storage.commit_log import CommitPlace

#: tables that a statement hands over itself, by name (without @): their columns and rows
Given = Mapping[str, tuple[tuple[Field, ...], pa.Table]]


def start_query(
    context: Context,
    query: ast.Query,
    *,
    key: Any = None,
    hidden: bool = False,
    tables: Given | None = None,
    assigning: bool = False,
) -> Result:
    """Starts a query in the context's transaction.

    `key` names the query within its statement: its plan is kept for the next run (None: it is
    not). `hidden` makes the column `__address` visible. `tables` stand in FROM as `@name`.
    `assigning` says that the rows are for the variables that the query names.
    """
    prepared = _prepared(context, query, key, hidden, tables or {})
    if not assigning:
        _refuse_assignments(prepared.bound, query)
    return start_plan(context, prepared, tables)


def start_plan(context: Context, prepared: PreparedPlan, tables: Given | None = None) -> Result:
    """Starts a plan in the context's transaction."""
    context.session.is_bounded = prepared.is_bounded
    stream = prepared.start(
        source_of(context),
        values_for(context, prepared.bound),
        context.limits,
        _sources(context, tables or {}),
        context=context,
    )
    result = Result(stream.fields, stream, close=stream.close)
    if stream.is_calling:
        # the engine computes ahead in threads of its own, and a function runs in the session
        result.spool()
    return result


def plan_query(context: Context, query: ast.Query) -> PreparedPlan:
    """A query's plan, which the caller keeps as long as the catalog and the parameters' types
    are the same."""
    prepared = _prepared(context, query, None, False, {})
    _refuse_assignments(prepared.bound, query)
    return prepared


def prepare_query(context: Context, query: ast.Query, *, key: Any) -> PreparedPlan:
    """Binds and plans a query, which may be started later under the same key."""
    prepared = _prepared(context, query, key, False, {})
    _refuse_assignments(prepared.bound, query)
    return prepared


def bind_only(context: Context, query: ast.Query, *, tables: Given | None = None) -> BoundQuery:
    """What a query means, without running it. Raises what binding raises."""
    bound = _bind(context, query, False, tables or {})
    _refuse_assignments(bound, query)
    return bound


def _refuse_assignments(bound: BoundQuery, query: ast.Query) -> None:
    """BIND for `SELECT @v = …` where rows are asked for."""
    if bound.assignments:
        message = f"a SELECT that assigns to @{bound.assignments[0]} gives no rows"
        raise place(BindFault(message, hint="it can only stand as a statement of its own"), query)


def explain_query(
    context: Context, query: ast.Query, *, analyze: bool, hidden: bool = False
) -> list[str]:
    """The operator tree as lines; `analyze` runs the query first."""
    from hartonomous.hql.explain import explain

    prepared = _prepared(context, query, None, hidden, {})
    return explain(
        prepared,
        source_of(context),
        values_for(context, prepared.bound),
        context.limits,
        _sources(context, {}),
        analyze=analyze,
        context=context,
    )


def _prepared(
    context: Context, query: ast.Query, key: Any, hidden: bool, tables: Given
) -> PreparedPlan:
    """The query's plan, from the statement's memory or made now."""
    from hartonomous.hql.execute import prepare

    catalog = context.catalog
    full_key = (key, context.parameters.signature, context.frame.tables_signature)
    found: PreparedPlan | None = None
    if key is not None:
        found = context.memory.find(catalog, full_key)
    if found is not None and not _means_the_same(context, found.bound):
        found = None
    if found is None:
        found = prepare(_bind(context, query, hidden, tables))
        if key is not None:
            context.memory.keep(catalog, full_key, found)
    return found


def _means_the_same(context: Context, bound: BoundQuery) -> bool:
    """Whether every FOR SYSTEM_TIME still means the commit that it did."""
    if not bound.moments:
        return True
    from hartonomous.hql.history.moments import find_moment

    return all(find_moment(context, time) == commit for time, commit in bound.moments)


def values_for(context: Context, bound: BoundQuery) -> Mapping[str, Any]:
    """The values of parameters, and of what the query asks of the session (@@ROWCOUNT …)."""
    values = context.parameters.values
    asked = bound.of_session
    if not asked:
        return values
    from hartonomous.hql.scripts.status import values_of

    return {**values, **values_of(asked, context.session, context.frame)}


def _bind(context: Context, query: ast.Query, hidden: bool, tables: Given) -> BoundQuery:
    from hartonomous.hql.bind import bind_query

    try:
        return bind_query(query, bind_context(context, hidden, tables))
    except BindFault as error:
        if error.code == "UNKNOWN_TABLE":
            raise explain_unknown(error, query) from None
        raise


def bind_context(
    context: Context, hidden: bool = False, tables: Given | None = None
) -> BindContext:
    """What names mean in a statement."""
    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.scripts.temporary import find_temporary
    from hartonomous.hql.syntax.parse import parse_query

    parameters = context.parameters
    table_parameters: dict[str, Any] = dict(parameters.table_fields)
    table_parameters.update((name, t.entry) for name, t in context.frame.tables.items())
    table_parameters.update((name, fields) for name, (fields, _) in (tables or {}).items())
    return BindContext(
        context.catalog,
        parameters=parameters.types,
        table_parameters=table_parameters,
        system_tables=SYSTEM_FIELDS,
        temporary=partial(find_temporary, context.frame, context.catalog),
        parse_view=parse_query,
        hidden=hidden,
        database=context.session.database,
        find_moment=partial(_find_moment, context),
        rights=context.rights,
        accounts=_accounts(context),
    )


def _accounts(context: Context) -> Accounts | None:
    """Where those who made views and routines are found, if anybody is asked for rights."""
    if context.account is None:
        return None
    from hartonomous.hql.security.accounts import Accounts

    return Accounts.of(context.session.database)


def source_of(context: Context) -> Source:
    """Where a statement reads tables: its transaction, less the rows that it may not see."""
    if context.account is None:
        return context.transaction
    from hartonomous.hql.security.rows import guarded

    return guarded(context, context.transaction)


def _find_moment(context: Context, time: ast.SystemTime) -> tuple[CommitPlace, Catalog]:
    from hartonomous.hql.history.moments import find_moment

    found = find_moment(context, time)
    return found, context.session.database.as_of(found).catalog


def _sources(context: Context, tables: Given) -> RowSources:
    """What gives the rows of the tables that are no stored ones, when a plan asks for them."""
    sources: dict[str, Callable[[], Any]] = {}
    for name in context.parameters.tables:
        sources[f"@{name}"] = lambda name=name: context.parameters.spool(name)  # type: ignore[misc]
    for name, (_, rows) in tables.items():
        sources[f"@{name}"] = lambda rows=rows: rows  # type: ignore[misc]
    return RowSources(context, sources)

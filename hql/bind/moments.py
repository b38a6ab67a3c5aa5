"""FOR SYSTEM_TIME AS OF: names are looked up in the catalog of an earlier moment.

Everything that a view stands on is then of that moment too, but for what says a moment of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from hartonomous.hql import ast
from hartonomous.hql.bind.context import fault
from hartonomous.hql.bind.scope import Scope
from hartonomous.storage.catalog import fold


@contextmanager
def as_of(node: ast.TableName, time: ast.SystemTime, scope: Scope) -> Iterator[None]:
    """Inside the block `scope`'s statement sees the catalog of the moment that `time` means.
    `node` is the table that it stands at, which may be no common table and no #temp one."""
    statement = scope.statement
    span, name = statement.span_of(node), node.name.last
    if len(node.name.parts) == 1 and fold(name) in scope.common_tables:
        hint = "AS OF belongs to the tables in its query"
        raise fault(span, f'the common table "{name}" has no history', "BIND", hint)
    if name.startswith("#"):
        raise fault(span, f'the temporary table "{name}" has no history', "BIND")
    context, before = statement.context, statement.moment
    assert context.find_moment is not None, "FOR SYSTEM_TIME, and nothing finds moments"
    found, catalog = context.find_moment(time)
    if context.accounts is not None:
        from hartonomous.hql.security.visible import visible

        catalog = visible(catalog, context.rights)
    statement.moments.append((time, found))
    statement.context = replace(context, catalog=catalog, temporary=None)
    statement.moment = found
    try:
        yield
    finally:
        statement.context, statement.moment = context, before

"""What a text would give, said before it runs: columns of rows, types of parameters.

A query is bound and not planned. A parameter whose type is not known is bound as a text: the binder
makes every conversion explicit, so the type that the text would be cast to is the parameter's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql import ast, plan
from hartonomous.hql.errors import BindFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.parameters import ParameterSet
from hartonomous.hql.run import Guard
from hartonomous.hql.scripts.frame import Frame
from hartonomous.hql.statements.delete import Delete
from hartonomous.hql.statements.insert import Insert
from hartonomous.hql.statements.query import QueryStatement, assigns, find_into
from hartonomous.hql.statements.update import Update
from hartonomous.hql.types import BIGINT, NVARCHAR, Type, parse_type
from hartonomous.storage.catalog import fold

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.plan import Field
    from hartonomous.hql.run import Prepared
    from hartonomous.hql.session import Session

#: statements that never give rows, by how their titles begin
WITHOUT_ROWS = (
    "ALTER ",
    "BACKUP ",
    "BEGIN TRAN",
    "COMMIT",
    "CREATE ",
    "DECLARE",
    "DROP ",
    "GRANT",
    "PRINT",
    "REVOKE",
    "ROLLBACK",
    "SAVE TRAN",
    "SET",
    "TRUNCATE ",
    "UPDATE STATISTICS",
    "USE BRANCH",
)
#: statements of those families that may give some all the same
WITH_ROWS = ("CREATE MODEL", "CREATE TOKEN")


@frozen
class Forecast:
    """`fields` None: no rows. `parameters` are the types that given values are converted to, by
    folded name."""

    fields: tuple[Field, ...] | None
    parameters: Mapping[str, Type]


def forecast(
    session: Session, text: str, known: Mapping[str, Type], unknown: Sequence[str] = ()
) -> Forecast | None:
    """What a text of one statement would give; None if only running it can tell. `known` are types
    of parameters by folded name, `unknown` names of others. Raises what binding raises."""
    session.check_open()
    with Guard(session):
        statements = session.prepare(text)
        if not statements:
            return Forecast(None, {})
        if len(statements) > 1:
            return None
        types = {**known, **dict.fromkeys(unknown, NVARCHAR)}
        return _settled(session, statements[0], types, list(unknown))


def _settled(
    session: Session, prepared: Prepared, types: dict[str, Type], unknown: list[str]
) -> Forecast | None:
    """Where a text cannot stand (LIMIT, TOP), a whole number can."""
    try:
        return _forecast(session, prepared, types, unknown)
    except BindFault as fault:
        for name in unknown:
            changed = {**types, name: BIGINT}
            others = [other for other in unknown if other != name]
            try:
                return _forecast(session, prepared, changed, others)
            except BindFault as next_fault:
                if (next_fault.line, next_fault.column) != (fault.line, fault.column):
                    return _settled(session, prepared, changed, others)
        raise


def _forecast(
    session: Session, prepared: Prepared, types: Mapping[str, Type], unknown: Sequence[str]
) -> Forecast | None:
    frame = Frame(ParameterSet())
    for name, type_ in types.items():
        frame.parameters.declare(name, type_, None)
    limits = session.new_limits(prepared)

    def look(context: Context) -> Forecast | None:
        return _look(context, types, unknown)

    try:
        found: Forecast | None = session.read(prepared, frame, [], limits, look)
        return found
    finally:
        limits.stop()


def _look(context: Context, types: Mapping[str, Type], unknown: Sequence[str]) -> Forecast | None:
    assert context.prepared is not None
    statement = context.prepared.statement
    if isinstance(statement, QueryStatement):
        if find_into(statement.query) is not None or assigns(statement.query):
            return Forecast(None, types)
        bound = context.bind(statement.query)
        return Forecast(bound.plan.fields, {**types, **_converted(bound.plan, unknown)})
    if isinstance(statement, Insert):
        return _of_insert(context, statement, types, unknown)
    if isinstance(statement, (Update, Delete)):
        return Forecast(None, types) if statement.output is None else None
    title = statement.title
    if title.startswith(WITHOUT_ROWS) and not title.startswith(WITH_ROWS):
        return Forecast(None, types)
    return None


def _of_insert(
    context: Context, statement: Insert, types: Mapping[str, Type], unknown: Sequence[str]
) -> Forecast:
    """The types of parameters that stand in VALUES are those of their columns."""
    from hartonomous.hql.changes.dml import insert_query
    from hartonomous.hql.changes.output_clause import output_result

    table, columns, query = insert_query(statement, context)
    found: dict[str, Type] = {}
    written = statement.source.body if statement.source is not None else None
    if isinstance(written, ast.Values):
        for row in written.rows:
            for column, value in zip(columns, row, strict=False):
                if isinstance(value, ast.Variable) and fold(value.name) in unknown:
                    found.setdefault(fold(value.name), parse_type(column.type))
    elif query is not None:
        found.update(_converted(context.bind(query).plan, unknown))
    fields = None
    if statement.output is not None and statement.output.into is None:
        empty = table.arrow_schema.empty_table()
        result = output_result(context, statement.output, table, inserted=empty)
        fields = result.fields
        result.close()
    return Forecast(fields, {**types, **found})


def _converted(value: Any, unknown: Sequence[str]) -> dict[str, Type]:
    """Parameters that are converted, with the first type that each one is converted to."""
    found: dict[str, Type] = {}
    for node in _nodes(value):
        if isinstance(node, plan.Cast) and isinstance(node.operand, plan.Parameter):
            name = node.operand.name
            if name in unknown:
                found.setdefault(name, node.type)
    return found


def _nodes(value: Any) -> Iterator[Any]:
    """All frozen parts of a plan."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting.extend(part)
        elif hasattr(part, "__dataclass_fields__") and not isinstance(part, Type):
            yield part
            if not isinstance(part, plan.Scan):
                waiting.extend(getattr(part, name) for name in part.__dataclass_fields__)

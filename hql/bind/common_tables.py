"""WITH: common tables, plain and recursive.

A common table that refers to itself is recursive, with or without the word. Its body is a UNION
[ALL] of anchor members, which do not refer to it, and recursive members, which do; the plan's body
is one SetBlock with the anchors on the left and the recursive members on the right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.columns import cast_plan, column_names, unique_fields
from hartonomous.hql.bind.context import fault, not_supported
from hartonomous.hql.bind.conversions import common_type
from hartonomous.hql.bind.scope import CommonTable, Scope
from hartonomous.hql.bind.sets import check_count, join_sides
from hartonomous.hql.bind.steps import why_not_a_step
from hartonomous.hql.types import Type
from hartonomous.storage.catalog import fold

#: how often the types of a recursive table may widen before the text must CAST
_ROUNDS_MAX = 4

_LEAVES = frozenset([ast.Identifier, ast.Literal, ast.ColumnName, ast.Variable, ast.VectorLiteral])

BindQuery = Callable[[ast.Query, Scope], plan.Plan]
BindBody = Callable[[ast.QueryBody, Scope], plan.Plan]


def bind_common_tables(
    query: ast.Query, outer: Scope, bind_query: BindQuery, bind_body: BindBody
) -> tuple[Scope, tuple[plan.Cte, ...]]:
    """A scope that knows the query's common tables (each sees those before it), and their plans."""
    scope = Scope(outer.statement, outer)
    bound: list[plan.Cte] = []
    seen: set[str] = set()
    for table in query.ctes:
        folded = fold(table.name.text)
        if folded in seen:
            message = f'WITH defines "{table.name.text}" twice'
            raise fault(scope.span(table.name), message, "AMBIGUOUS")
        seen.add(folded)
        if refers_to(table.query, folded):
            cte = _bind_recursive(table, scope, bind_query, bind_body)
        else:
            plan_ = bind_query(table.query, scope)
            names = column_names(table.columns, plan_.fields, table.name, scope)
            cte = _make(table, names, [f.type for f in plan_.fields], plan_, scope)
        names = column_names(table.columns, cte.plan.fields, table.name, scope)
        known = CommonTable(cte.number, cte.name, names, cte.fields)
        scope.common_tables = {**scope.common_tables, folded: known}
        bound.append(cte)
    return scope, tuple(bound)


def _make(
    table: ast.CommonTable,
    names: Sequence[str],
    types: Sequence[Type],
    query: plan.Plan,
    scope: Scope,
    number: int | None = None,
) -> plan.Cte:
    return plan.Cte(
        number=scope.statement.next_common_table() if number is None else number,
        name=table.name.text,
        fields=unique_fields(names, types, query.fields),
        plan=query,
        recursive=number is not None,
    )


# --- recursive -----------------------------------------------------------------------------------


def _bind_recursive(
    table: ast.CommonTable, scope: Scope, bind_query: BindQuery, bind_body: BindBody
) -> plan.Cte:
    anchors, members, operation = _members(table, scope)
    anchor = bind_body(anchors[0], scope)
    for other in anchors[1:]:
        anchor = join_sides(operation, anchor, bind_body(other, scope), scope)
    number = scope.statement.next_common_table()
    names = column_names(table.columns, anchor.fields, table.name, scope)
    types = [f.type for f in anchor.fields]
    for round_ in range(_ROUNDS_MAX):
        inner = Scope(scope.statement, scope)
        known = CommonTable(
            number, table.name.text, names, unique_fields(names, types, anchor.fields)
        )
        inner.common_tables = {**scope.common_tables, fold(table.name.text): known}
        bound = [bind_body(member, inner) for member in members]
        for member in bound:
            check_count(operation.op, anchor, member, scope.span(operation))
            _check_step(table, member, number, scope)
        wider = [
            common_type([t, *[m.fields[i].type for m in bound]], scope.span(operation))
            for i, t in enumerate(types)
        ]
        if all(_is_settled(a, b, round_) for a, b in zip(types, wider, strict=True)):
            return _assemble(table, number, names, types, anchor, bound, operation, scope)
        types = wider
    raise fault(
        scope.span(table.name),
        f'the column types of "{table.name.text}" grow with every step',
        "TYPE_MISMATCH",
        "CAST the columns of the recursive part to the types of the first",
    )


def _check_step(table: ast.CommonTable, member: plan.Plan, number: int, scope: Scope) -> None:
    why = why_not_a_step(member, number)
    if why is not None:
        raise fault(
            scope.span(table.name),
            f'the recursive part of "{table.name.text}" {why}',
            "BIND",
            "put that into the query that uses the table",
        )


def _is_settled(known: Type, wanted: Type, rounds: int) -> bool:
    """Whether the recursive part's column goes into the known type. A DECIMAL sum has a digit more
    at every step; once it had room for the first, overflow is left to execution."""
    if known == wanted:
        return True
    return rounds > 0 and known.kind == wanted.kind == "DECIMAL" and known.b == wanted.b


def _assemble(
    table: ast.CommonTable,
    number: int,
    names: Sequence[str],
    types: Sequence[Type],
    anchor: plan.Plan,
    members: Sequence[plan.Plan],
    operation: ast.SetOperation,
    scope: Scope,
) -> plan.Cte:
    statement = scope.statement
    if not operation.all and any(f.nocase for p in (anchor, *members) for f in p.fields):
        raise not_supported(
            scope.span(table.name),
            "recursion by UNION over a column with COLLATE NOCASE",
            "UNION ALL, or COLLATE BINARY on the column in every part",
        )
    sides = [cast_plan(p, types, statement) for p in (anchor, *members)]
    right = sides[1]
    for other in sides[2:]:
        right = join_sides(operation, right, other, scope)
    fields = tuple(
        [plan.Field(f.name, t, f.nocase) for f, t in zip(anchor.fields, types, strict=True)]
    )
    body = plan.SetBlock(op="UNION", all=operation.all, left=sides[0], right=right)
    return _make(table, names, types, plan.Plan(fields=fields, body=body), scope, number)


def _members(
    table: ast.CommonTable, scope: Scope
) -> tuple[list[ast.QueryBody], list[ast.QueryBody], ast.SetOperation]:
    """The anchor members, the recursive members, and a set operation that says ALL or not."""
    query, name = table.query, table.name.text
    body: ast.QueryBody = query.body
    if query.order_by or query.limit or query.offset or query.ctes:
        raise fault(
            scope.span(table.name),
            f'the recursive table "{name}" cannot have WITH, ORDER BY or LIMIT of its own',
            "BIND",
            "put them into the query that uses it",
        )
    operation = body
    if not isinstance(operation, ast.SetOperation) or operation.op != "UNION":
        raise _no_anchor(table, scope)
    parts: list[ast.QueryBody] = []
    while isinstance(body, ast.SetOperation) and body.op == "UNION" and body.all == operation.all:
        parts.append(body.right)
        body = body.left
    parts.append(body)
    parts.reverse()
    folded = fold(name)
    anchors = [p for p in parts if not refers_to(p, folded)]
    members = [p for p in parts if refers_to(p, folded)]
    if not anchors:
        raise _no_anchor(table, scope)
    return anchors, members, operation


def _no_anchor(table: ast.CommonTable, scope: Scope) -> Exception:
    return fault(
        scope.span(table.name),
        f'"{table.name.text}" refers to itself and has no part to start from',
        "BIND",
        "write WITH t AS (SELECT first rows UNION ALL SELECT … FROM t)",
    )


def refers_to(node: ast.Node, folded: str) -> bool:
    """Whether a table of this one-part name stands in a FROM inside `node`. Without recursion:
    a chain of ORs may be longer than Python's stack is deep."""
    stack: list[Any] = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, tuple):
            stack.extend(part)
        elif not isinstance(part, ast.Node) or part.__class__ in _LEAVES:
            continue
        elif isinstance(part, ast.TableName):
            if len(part.name.parts) == 1 and fold(part.name.last) == folded:
                return True
        elif isinstance(part, ast.Query) and any(fold(c.name.text) == folded for c in part.ctes):
            continue  # an inner WITH gives the name another meaning
        else:
            stack.extend([getattr(part, name) for name in part.__dataclass_fields__])
    return False

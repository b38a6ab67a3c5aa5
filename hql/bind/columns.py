"""Columns of whole queries: their names, a query as a source, and conversion of its columns.

A query may show one name twice; a source's fields have unique names (compared without case), so
that a plan.Column says which one it means. The second `a` is called `a:2` inside the plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.context import Statement, fault
from hartonomous.hql.bind.conversions import cast, fold_case
from hartonomous.hql.bind.scope import Scope, Visible
from hartonomous.hql.types import Type
from hartonomous.storage.catalog import fold


def output_name(node: ast.Expression, position: int) -> str:
    """The name of a select item without an alias: a column's own name, a function's in lower
    case (`count`), `case`, what a CAST converts; for everything else `expr` and the 1-based
    position in the select list (`expr2`)."""
    match node:
        case ast.ColumnName():
            return node.parts[-1].text
        case ast.FunctionCall():
            return node.name.last.lower()
        case ast.MethodCall() | ast.StaticCall():
            return node.name.text.lower()
        case ast.Cast() | ast.Collate():
            return output_name(node.operand, position)
        case ast.Case():
            return "case"
        case ast.Exists():
            return "exists"
    return f"expr{position}"


def unique_fields(
    names: Sequence[str], types: Sequence[Type], like: Sequence[plan.Field] = ()
) -> tuple[plan.Field, ...]:
    """Fields under the names, made unique by `:2`, `:3` … where a name comes again; with the
    collations of the fields `like`."""
    taken: set[str] = set()
    fields = []
    for i, (name, type_) in enumerate(zip(names, types, strict=True)):
        unique, count = name, 1
        while (folded := fold(unique)) in taken:
            count += 1
            unique = f"{name}:{count}"
        taken.add(folded)
        fields.append(plan.Field(unique, type_, bool(like) and like[i].nocase))
    return tuple(fields)


def derive(
    query: plan.Plan, statement: Statement, alias: str = "", *, lateral: bool = False
) -> plan.Derived:
    """The query as a source of a new relation number."""
    return plan.Derived(
        relation=statement.next_relation(),
        alias=alias,
        fields=unique_fields(
            [f.name for f in query.fields], [f.type for f in query.fields], query.fields
        ),
        plan=query,
        lateral=lateral,
    )


def columns_of(source: plan.Source) -> list[plan.Column]:
    """All columns of a source, in order."""
    return [plan.Column(type=f.type, relation=source.relation, name=f.name) for f in source.fields]


def wrap(query: plan.Plan, statement: Statement) -> plan.Plan:
    """SELECT all columns FROM (query): a plain block around it."""
    source = derive(query, statement)
    outputs = tuple(
        [
            plan.Output(f.name, column)
            for f, column in zip(query.fields, columns_of(source), strict=True)
        ]
    )
    return plan.Plan(fields=query.fields, body=plan.SelectBlock(outputs=outputs, source=source))


def fold_column(query: plan.Plan, statement: Statement) -> plan.Plan:
    """A query of one column under COLLATE NOCASE, if it is a string."""
    if not query.fields[0].type.is_string:
        return query
    around = wrap(query, statement)
    assert isinstance(around.body, plan.SelectBlock)
    output = around.body.outputs[0]
    folded = plan.Output(output.name, fold_case(output.expr))
    field = plan.Field(output.name, folded.expr.type)
    return replace(around, fields=(field,), body=replace(around.body, outputs=(folded,)))


def cast_plan(query: plan.Plan, types: Sequence[Type], statement: Statement) -> plan.Plan:
    """The query with its columns converted to `types`.

    The casts go into the select list where that changes nothing else (no DISTINCT, no ORDER BY,
    which see the unconverted values), else into a block around the query.
    """
    if all(f.type == t for f, t in zip(query.fields, types, strict=True)):
        return query
    body = query.body
    if query.order_by or query.json is not None:
        return cast_plan(wrap(query, statement), types, statement)
    if isinstance(body, plan.ValuesBlock):
        rows = tuple([_cast_row(row, types) for row in body.rows])
        body = plan.ValuesBlock(rows)
    elif isinstance(body, plan.SelectBlock) and not body.distinct:
        outputs = zip(body.outputs, types, strict=True)
        cast_outputs = [plan.Output(o.name, cast(o.expr, t)) for o, t in outputs]
        body = replace(body, outputs=tuple(cast_outputs))
    else:
        return cast_plan(wrap(query, statement), types, statement)
    fields = [plan.Field(f.name, t, f.nocase) for f, t in zip(query.fields, types, strict=True)]
    return replace(query, fields=tuple(fields), body=body)


def _cast_row(row: tuple[plan.Expr, ...], types: Sequence[Type]) -> tuple[plan.Expr, ...]:
    return tuple([cast(e, t) for e, t in zip(row, types, strict=True)])


# --- sources and their names ----------------------------------------------------------------------


def column_names(
    columns: Sequence[ast.Identifier],
    fields: Sequence[plan.Field],
    name: ast.Identifier,
    scope: Scope,
) -> tuple[str, ...]:
    """The names given in parentheses, or the query's own."""
    if not columns:
        return tuple([f.name for f in fields])
    if len(columns) != len(fields):
        raise fault(
            scope.span(name),
            f'"{name.text}" names {len(columns)} columns, and its query has {len(fields)}',
            "BIND",
        )
    return tuple([c.text for c in columns])


def show(
    source: plan.Source, names: Sequence[str], node: Any, scope: Scope, schema: str | None = None
) -> Visible:
    """Add a source to the scope, under the column names given with its alias or else `names`."""
    given = tuple(names)
    if node.columns:
        named = node.alias or ast.Identifier(text=source.alias, span=node.span)
        given = column_names(node.columns, source.fields, named, scope)
    visible = Visible(source, schema=schema if node.alias is None else None, names=given)
    scope.add(visible, scope.span(node.alias or node))
    return visible

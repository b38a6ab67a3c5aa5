"""Builders of queries and relations: grammar rule -> syntax tree (parse.py puts them in)."""

from __future__ import annotations

from functools import reduce
from typing import Any

from hartonomous.grammar.lexer import Token
from hartonomous.hql import ast
from hartonomous.hql.ast import Span
from hartonomous.hql.syntax.build_expressions import Builder, as_tuple, binary, constant, only

# --- select --------------------------------------------------------------------------------------


def _select(children: list[Any], span: Span) -> ast.Select:
    quantity, top, items, into, source, where, group_by, having = children
    distinct = quantity is not None and quantity.upper == "DISTINCT"
    return ast.Select(items, distinct, top, into, source, where, group_by or (), having, span=span)


def _top(children: list[Any], span: Span) -> ast.Top:
    count, percent, ties = children
    return ast.Top(count, percent is not None, ties is not None, span=span)


def _item(children: list[Any], span: Span) -> ast.SelectItem:
    return ast.SelectItem(*children, span=span)


def _named_item(children: list[Any], span: Span) -> ast.SelectItem:
    name, value = children
    return ast.SelectItem(value, name, span=span)


def _assigned_item(children: list[Any], span: Span) -> ast.SelectItem:
    variable, value = children
    return ast.SelectItem(value, None, variable.name, span=span)


def _reassigned_item(children: list[Any], span: Span) -> ast.SelectItem:
    variable, op, value = children
    return ast.SelectItem(changed(variable, op, value, span), None, variable.name, span=span)


def changed(old: ast.Expression, op: Token, value: ast.Expression, span: Span) -> ast.Binary:
    """The new value of `old += value`."""
    return binary(str(op.value)[0], old, value, span)


def _star_item(children: list[Any], span: Span) -> ast.SelectItem:
    qualifier = tuple(child for child in children if isinstance(child, ast.Identifier))
    return ast.SelectItem(ast.Star(qualifier, span=span), span=span)


def _from(children: list[Any], span: Span) -> ast.Relation:
    def cross(left: ast.Relation, right: ast.Relation) -> ast.Relation:
        place = Span(left.span.line, left.span.column, left.span.start, right.span.end)
        return ast.Join("CROSS", left, right, span=place)

    relation: ast.Relation = reduce(cross, children)
    return relation


def _grouping(children: list[Any], span: Span) -> ast.GroupingElement:
    return ast.GroupingElement("PLAIN", (tuple(children),), span=span)


def _grouping_of(kind: str) -> Builder:
    return lambda children, span: ast.GroupingElement(kind, tuple(children), span=span)


def _values(children: list[Any], span: Span) -> ast.Values:
    return ast.Values(tuple(children), span=span)


def _default(children: list[Any], span: Span) -> ast.Default:
    return ast.Default(span=span)


# --- queries -------------------------------------------------------------------------------------


def _body_of(query: Any) -> Any:
    """A query in parentheses without clauses of its own is its body."""
    is_plain = isinstance(query, ast.Query) and not query.has_clauses
    return query.body if is_plain else query


def _set_operation(children: list[Any], span: Span) -> ast.SetOperation:
    left, op, quantity, right = children
    all_ = quantity is not None and quantity.upper == "ALL"
    return ast.SetOperation(op.upper, all_, _body_of(left), _body_of(right), span=span)


def _query_of(children: list[Any], span: Span) -> ast.Query:
    body, tail = children
    return ast.Query(_body_of(body), **tail, span=span)


def _query_plain(children: list[Any], span: Span) -> ast.Query:
    (body,) = children
    if isinstance(body, ast.Query):  # parentheses around a whole query
        return body
    return ast.Query(body, span=span)


def _query_with(children: list[Any], span: Span) -> ast.Query:
    (ctes, recursive), body, tail = children
    return ast.Query(_body_of(body), ctes, recursive, **(tail or {}), span=span)


def _with_clause(children: list[Any], span: Span) -> tuple[tuple[ast.CommonTable, ...], bool]:
    recursive, *tables = children
    return tuple(tables), recursive is not None


def _common_table(children: list[Any], span: Span) -> ast.CommonTable:
    name, columns, query = children
    return ast.CommonTable(name, columns or (), query, span=span)


def _tail(*names: str) -> Builder:
    """Builder of what follows a query's body: clauses by field; `limit` makes two."""

    def build(children: list[Any], span: Span) -> dict[str, Any]:
        fields = {n: c for n, c in zip(names, children, strict=True) if c is not None}
        if "limit" in fields:
            fields["limit"], fields["offset"] = fields["limit"]
        return fields

    return build


def _order_item(children: list[Any], span: Span) -> ast.OrderItem:
    expression, direction, nulls = children
    descending = direction is not None and direction.upper == "DESC"
    return ast.OrderItem(expression, descending, nulls, span=span)


def _offset(children: list[Any], span: Span) -> tuple[Any, Any]:
    offset, *limit = children
    return (limit[0] if limit else None), offset


def _fetch_first(children: list[Any], span: Span) -> tuple[Any, Any]:
    return children[0], None


def _for_json(children: list[Any], span: Span) -> ast.ForJson:
    mode, *options = children
    return ast.ForJson(mode, **dict(options), span=span)


def _json_root(children: list[Any], span: Span) -> tuple[str, str]:
    (name,) = children
    return "root", "root" if name is None else name.value


def _hint(children: list[Any], span: Span) -> ast.Option:
    name, value = children
    return ast.Option(name.text.upper(), value, span=span)


def _use_index(children: list[Any], span: Span) -> ast.Option:
    return ast.Option("USE INDEX", *children, span=span)


# --- relations -----------------------------------------------------------------------------------


def _join(kind: str) -> Builder:
    def build(children: list[Any], span: Span) -> ast.Join:
        left, (right, on) = children
        return ast.Join(kind, left, right, on, span=span)

    return build


def _cross(kind: str) -> Builder:
    return lambda children, span: ast.Join(kind, *children, span=span)


_NO_ALIAS: tuple[None, tuple[ast.Identifier, ...]] = (None, ())


def _alias(children: list[Any], span: Span) -> tuple[ast.Identifier, tuple[ast.Identifier, ...]]:
    name, columns = children
    return name, columns or ()


def _table(children: list[Any], span: Span) -> ast.TableName:
    name, as_of, alias = children
    given, columns = alias or _NO_ALIAS
    return ast.TableName(name, given, columns, as_of, span=span)


def _function_table(children: list[Any], span: Span) -> ast.FunctionTable:
    call, schema, alias = children
    given, columns = alias or _NO_ALIAS
    return ast.FunctionTable(call, given, columns, schema or (), span=span)


def _variable_table(children: list[Any], span: Span) -> ast.VariableTable:
    variable, alias = children
    return ast.VariableTable(variable.name, *(alias or _NO_ALIAS), span=span)


def _derived(children: list[Any], span: Span) -> ast.Derived:
    query, alias = children
    return ast.Derived(query, *(alias or _NO_ALIAS), span=span)


def _as_of(kind: str) -> Builder:
    return lambda children, span: ast.SystemTime(kind, *children, span=span)


def _schema_column(children: list[Any], span: Span) -> tuple[Any, ...]:
    name, type_, path = children
    return name, type_, None if path is None else path.value


BUILDERS: dict[str, Builder] = {
    "select": _select,
    "top": _top,
    "with_ties": constant(True),
    "items": as_tuple,
    "item": _item,
    "named_item": _named_item,
    "assigned_item": _assigned_item,
    "reassigned_item": _reassigned_item,
    "star_item": _star_item,
    "into": only,
    "from": _from,
    "where": only,
    "having": only,
    "group_by": as_tuple,
    "grouping": _grouping,
    "rollup": _grouping_of("ROLLUP"),
    "cube": _grouping_of("CUBE"),
    "grouping_sets": _grouping_of("SETS"),
    "grouping_set": as_tuple,
    "values": _values,
    "row": as_tuple,
    "default": _default,
    "set_operation": _set_operation,
    "primary_open": only,
    "query_of": _query_of,
    "query_plain": _query_plain,
    "query_with": _query_with,
    "paren_query": only,
    "with_clause": _with_clause,
    "common_table": _common_table,
    "query_tail": _tail("order_by", "limit", "for_json", "options"),
    "query_tail_limit": _tail("limit", "for_json", "options"),
    "query_tail_json": _tail("for_json", "options"),
    "query_tail_option": _tail("options"),
    "order_by": as_tuple,
    "order_item": _order_item,
    "nulls_first": constant("FIRST"),
    "nulls_last": constant("LAST"),
    "limit": as_tuple,
    "offset": _offset,
    "fetch_first": _fetch_first,
    "for_json": _for_json,
    "json_path": constant("PATH"),
    "json_auto": constant("AUTO"),
    "json_root": _json_root,
    "json_nulls": constant(("include_nulls", True)),
    "json_without_wrapper": constant(("without_wrapper", True)),
    "option": as_tuple,
    "hint": _hint,
    "use_index": _use_index,
    "no_index": lambda children, span: ast.Option("NO INDEX", span=span),
    "join_inner": _join("INNER"),
    "join_left": _join("LEFT"),
    "join_right": _join("RIGHT"),
    "join_full": _join("FULL"),
    "join_cross": _cross("CROSS"),
    "cross_apply": _cross("CROSS APPLY"),
    "outer_apply": _cross("OUTER APPLY"),
    "relation_right": as_tuple,
    "table": _table,
    "function_table": _function_table,
    "variable_table": _variable_table,
    "derived": _derived,
    "alias": _alias,
    "as_of_commit": _as_of("COMMIT"),
    "as_of_branch": _as_of("BRANCH"),
    "as_of_time": _as_of("TIME"),
    "schema": as_tuple,
    "schema_column": _schema_column,
}

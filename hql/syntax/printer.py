"""HQL text from a syntax tree, on one line: `parse(print_node(x)) == x` for every node.

Names and expressions are in print_expressions.py. Statements print themselves (statements/NAME.py)
with the helpers of both files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hartonomous.hql import ast
from hartonomous.hql.syntax import print_expressions
from hartonomous.hql.syntax.print_expressions import commas as commas
from hartonomous.hql.syntax.print_expressions import line as line
from hartonomous.hql.syntax.print_expressions import literal
from hartonomous.hql.syntax.print_expressions import operand as operand
from hartonomous.hql.syntax.print_expressions import parens as parens
from hartonomous.hql.syntax.print_expressions import quote as quote
from hartonomous.hql.syntax.print_expressions import statements as statements
from hartonomous.hql.syntax.print_expressions import value as value
from hartonomous.hql.syntax.print_expressions import values as values


def print_node(node: ast.Node) -> str:
    """HQL text of any node."""
    printer = _PRINTERS.get(type(node))
    return str(node) if printer is None else printer(node)


# --- relations -----------------------------------------------------------------------------------


def _alias(alias: ast.Identifier | None, columns: tuple[ast.Identifier, ...] = ()) -> str:
    return f"AS {alias}{parens(columns)}" if alias else ""


def _system_time(node: ast.SystemTime) -> str:
    kind = "" if node.kind == "TIME" else node.kind
    return line("FOR SYSTEM_TIME AS OF", kind, value(node.value))


def _table_name(node: ast.TableName) -> str:
    return line(node.name, node.as_of, _alias(node.alias, node.columns))


def _function_table(node: ast.FunctionTable) -> str:
    columns = (
        line(name, type_, None if path is None else literal(ast.Literal(path)))
        for name, type_, path in node.schema
    )
    schema = parens(columns)
    return line(node.call, schema and f"WITH {schema}", _alias(node.alias, node.columns))


def _join(node: ast.Join) -> str:
    right = f"({node.right})" if isinstance(node.right, ast.Join) else node.right
    word = node.kind if node.kind.endswith("APPLY") else f"{node.kind} JOIN"
    return line(node.left, word, right, node.on and f"ON {node.on}")


# --- queries -------------------------------------------------------------------------------------


def _select_item(node: ast.SelectItem) -> str:
    text = value(node.expression)
    if node.assign_to is not None:
        return f"@{node.assign_to} = {text}"
    return line(text, _alias(node.alias))


def _top(node: ast.Top) -> str:
    return line(
        f"TOP ({value(node.count)})",
        "PERCENT" if node.percent else "",
        "WITH TIES" if node.with_ties else "",
    )


def _grouping(node: ast.GroupingElement) -> str:
    if node.kind == "PLAIN":
        return value(node.sets[0][0])
    word = "GROUPING SETS" if node.kind == "SETS" else node.kind
    return f"{word} ({', '.join(_grouping_set(s) for s in node.sets)})"


def _grouping_set(nodes: tuple[ast.Expression, ...]) -> str:
    return value(nodes[0]) if len(nodes) == 1 else f"({values(nodes)})"


def _select(node: ast.Select) -> str:
    return line(
        "SELECT",
        "DISTINCT" if node.distinct else "",
        node.top,
        commas(node.items),
        node.into and f"INTO {node.into}",
        node.source and f"FROM {node.source}",
        node.where and f"WHERE {node.where}",
        node.group_by and f"GROUP BY {commas(node.group_by)}",
        node.having and f"HAVING {node.having}",
    )


def _values(node: ast.Values) -> str:
    return "VALUES " + ", ".join(f"({values(row)})" for row in node.rows)


def _set_strength(node: ast.QueryBody) -> int:
    if isinstance(node, ast.SetOperation):
        return 2 if node.op == "INTERSECT" else 1
    return 0 if isinstance(node, ast.Query) else 3


def _set_operation(node: ast.SetOperation) -> str:
    strength = _set_strength(node)
    left = node.left if _set_strength(node.left) >= strength else f"({node.left})"
    right = node.right if _set_strength(node.right) > strength else f"({node.right})"
    return line(left, node.op, "ALL" if node.all else "", right)


def common_tables(tables: tuple[ast.CommonTable, ...], recursive: bool) -> str:
    """`WITH [RECURSIVE] a AS (…), …`, or nothing for no tables."""
    return tables and line("WITH", "RECURSIVE" if recursive else "", commas(tables)) or ""


def _query(node: ast.Query) -> str:
    fetch = node.limit and f"FETCH NEXT {value(node.limit)} ROWS ONLY"
    limit = node.limit and f"LIMIT {value(node.limit)}"
    if node.offset is not None:
        limit = line(f"OFFSET {value(node.offset)} ROWS", fetch)
    return line(
        common_tables(node.ctes, node.recursive),
        f"({node.body})" if isinstance(node.body, ast.Query) else node.body,
        node.order_by and f"ORDER BY {commas(node.order_by)}",
        limit,
        node.for_json,
        node.options and f"OPTION {parens(node.options)}",
    )


def _for_json(node: ast.ForJson) -> str:
    root = None if node.root is None else f"ROOT({literal(ast.Literal(node.root))})"
    nulls = "INCLUDE_NULL_VALUES" if node.include_nulls else ""
    wrapper = "WITHOUT_ARRAY_WRAPPER" if node.without_wrapper else ""
    return f"FOR JSON {', '.join(p for p in (node.mode, root, nulls, wrapper) if p)}"


def _option(node: ast.Option) -> str:
    if node.value is None:
        return node.name
    if isinstance(node.value, ast.Identifier):
        return f"{node.name} ({node.value})"
    return f"{node.name} {value(node.value)}"


_PRINTERS: dict[type, Callable[[Any], str]] = {
    **print_expressions.PRINTERS,
    ast.SystemTime: _system_time,
    ast.TableName: _table_name,
    ast.VariableTable: lambda n: line(f"@{n.name}", _alias(n.alias, n.columns)),
    ast.Derived: lambda n: line(f"({n.query})", _alias(n.alias, n.columns)),
    ast.FunctionTable: _function_table,
    ast.Join: _join,
    ast.SelectItem: _select_item,
    ast.Top: _top,
    ast.GroupingElement: _grouping,
    ast.Select: _select,
    ast.Values: _values,
    ast.SetOperation: _set_operation,
    ast.CommonTable: lambda n: f"{n.name}{parens(n.columns)} AS ({n.query})",
    ast.ForJson: _for_json,
    ast.Option: _option,
    ast.Query: _query,
}

"""FOR JSON PATH as text for the engine: rows become objects, objects one array, in row order.

A dot in a column's name nests: `a.b` is `{"a": {"b": …}}`. NULLs are left out, and objects of
which nothing is left, unless INCLUDE_NULL_VALUES. Texts are joined by concat_ws, which skips NULLs;
values of type JSON go in as they are, geometries as strings of well-known text.
"""

from __future__ import annotations

import json
from typing import Any

from hartonomous.hql import plan as p
from hartonomous.hql.functions.geometry import TO_TEXT
from hartonomous.hql.functions.json_values import value_sql
from hartonomous.hql.functions.vectors import FROM_VECTOR
from hartonomous.hql.lower.native import Natives
from hartonomous.hql.types import NVARCHAR, Type


def json_query(plan: p.Plan, rows: str, natives: Natives) -> str:
    """A query of one row and one column over the text of the query that gives the rows."""
    options = plan.json
    fields = _body_fields(plan)
    columns = ", ".join(f"c{i}" for i in range(len(fields)))
    values = [_value(f"c{i}", f.type, natives) for i, f in enumerate(fields)]
    tree = _nest([f.name for f in fields])
    item = _object(tree, values, options.include_nulls, is_row=True)
    whole = f"string_agg({item}, ',' ORDER BY n)"
    if not options.without_wrapper:
        whole = f"'[' || coalesce({whole}, '') || ']'"
    if options.root is not None:
        key = json.dumps(options.root, ensure_ascii=False)
        whole = f"{_text('{' + key + ':')} || {whole} || '}}'"
    return (
        f"SELECT {whole} AS json FROM "
        f"(SELECT *, row_number() OVER () AS n FROM ({rows}) AS q({columns})) AS q"
    )


def _body_fields(plan: p.Plan) -> tuple[p.Field, ...]:
    match plan.body:
        case p.SelectBlock():
            return tuple(p.Field(o.name, o.expr.type) for o in plan.body.outputs)
        case p.SetBlock():
            return plan.body.left.fields
        case p.Plan():
            return plan.body.fields
        case p.ValuesBlock():
            types = [e.type for e in plan.body.rows[0]]
            return tuple(p.Field(f"column{i + 1}", t) for i, t in enumerate(types))


def _nest(names: list[str]) -> dict[str, Any]:
    """Names by their dots: {"a": {"b": 0}, "c": 1}, leaves being places in the row. The binder has
    seen that no two mean the same place."""
    tree: dict[str, Any] = {}
    for place, name in enumerate(names):
        *outer, last = name.split(".")
        inside = tree
        for step in outer:
            inside = inside.setdefault(step, {})
        assert last not in inside, names
        inside[last] = place
    return tree


def _object(tree: dict[str, Any], values: list[str], nulls: bool, is_row: bool = False) -> str:
    """The SQL of an object; NULL if nothing is in it and it is not the row itself."""
    members = []
    for name, inside in tree.items():
        key = _text(json.dumps(name, ensure_ascii=False) + ":")
        if isinstance(inside, dict):
            value = _object(inside, values, nulls)
        else:
            value = f"coalesce({values[inside]}, 'null')" if nulls else values[inside]
        members.append(f"{key} || {value}")
    inner = f"concat_ws(',', {', '.join(members)})"
    made = f"'{{' || {inner} || '}}'"
    return made if is_row else f"CASE WHEN {inner} <> '' THEN {made} END"


def _value(column: str, type_: Type, natives: Natives) -> str:
    """The SQL of a value as JSON text; NULL stays NULL."""
    if type_.kind == "VECTOR":
        return natives.call_sql(FROM_VECTOR, NVARCHAR, type_, column)
    if type_.kind == "GEOMETRY":  # well-known text has nothing to escape
        return f"'\"' || {natives.call_sql(TO_TEXT, NVARCHAR, type_, column)} || '\"'"
    return value_sql(column, type_)


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

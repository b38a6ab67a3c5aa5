"""A small catalog to bind against, and bound expressions as short texts to compare."""

from __future__ import annotations

from typing import Any

from hartonomous.hql import ast, plan, types
from hartonomous.hql.bind import BindContext, bind_query
from hartonomous.hql.plan import Field
from hartonomous.storage.catalog import Catalog, ColumnEntry, TableEntry, ViewEntry


def parse(text: str) -> ast.Query:
    from hartonomous.hql.syntax.parse import parse_batch

    (statement,) = parse_batch(text)
    query = statement.query
    assert isinstance(query, ast.Query)
    return query


def table(name: str, columns: dict[str, str], schema: str = "dbo", **computed: str) -> TableEntry:
    entries = []
    for number, (column, text) in enumerate(columns.items(), 1):
        type_ = types.parse_type(text)
        entries.append(
            ColumnEntry(number, column, str(type_), type_.arrow, computed=computed.get(column))
        )
    return TableEntry(1, schema, name, tuple(entries), next_id=len(entries) + 1)


ENTRIES = (
    table(
        "Items",
        {
            "Id": "INT",
            "Name": "NVARCHAR(20)",
            "Price": "DECIMAL(10,2)",
            "Score": "FLOAT",
            "Flag": "BIT",
            "Day": "DATE",
            "At": "DATETIME2",
            "V": "VECTOR(3)",
            "Big": "BIGINT",
            "Tiny": "TINYINT",
            "Doc": "JSON",
        },
    ),
    table("Sales", {"Id": "INT", "ItemId": "INT", "Quantity": "INT", "Note": "NVARCHAR"}),
    table("Items", {"Code": "INT"}, schema="other"),
    table("Squares", {"n": "INT", "Square": "BIGINT", "m": "INT"}, Square="n * n"),
    ViewEntry(
        9, "dbo", "Dear", "SELECT Id, Name AS n FROM Items WHERE Price > 10", ("id", "Title")
    ),
    ViewEntry(10, "dbo", "Snake", "SELECT * FROM Tail"),
    ViewEntry(11, "dbo", "Tail", "SELECT * FROM Snake"),
    ViewEntry(12, "dbo", "Broken", "SELECT 1 AS one,\n  nope FROM Items"),
)


def catalog() -> Catalog:
    made = Catalog()
    for version, entry in enumerate(ENTRIES, 1):
        made = made.with_entry(entry, version)
    return made


CATALOG = catalog()
TEMPORARY = table("#kept", {"a": "INT"})


def context(**changes: Any) -> BindContext:
    given: dict[str, Any] = {
        "catalog": CATALOG,
        "parse_view": parse,
        "parameters": {
            "n": types.INT,
            "s": types.NVARCHAR,
            "q": types.vector(3),
            "?0": types.INT,
            "?1": types.NVARCHAR,
        },
        "table_parameters": {"rows": (Field("a", types.INT), Field("b", types.NVARCHAR))},
        "system_tables": {
            "sys.tables": (Field("name", types.NVARCHAR), Field("rows", types.BIGINT)),
            "sys.indexes": (Field("name", types.NVARCHAR),),
            "commits": (Field("Sequence", types.BIGINT),),
            "hypotheses": (Field("Kind", types.NVARCHAR),),
        },
        "temporary": lambda name: TEMPORARY if name.lower() == "#kept" else None,
    }
    return BindContext(**{**given, **changes})


def bind(text: str, **changes: Any) -> plan.BoundQuery:
    return bind_query(parse(text), context(**changes))


def block(text: str, **changes: Any) -> plan.SelectBlock:
    body = bind(text, **changes).plan.body
    assert isinstance(body, plan.SelectBlock), body
    return body


def fields(text: str, **changes: Any) -> list[str]:
    return [f"{f.name} {f.type}" for f in bind(text, **changes).plan.fields]


def first(text: str, **changes: Any) -> str:
    """The first output of a SELECT, shown."""
    return show(block(text, **changes).outputs[0].expr)


def where(condition: str, **changes: Any) -> str:
    """A condition over Items, shown."""
    made = block(f"SELECT 1 FROM Items WHERE {condition}", **changes).where
    assert made is not None
    return show(made)


def show(expr: plan.Expr) -> str:
    match expr:
        case plan.Column():
            return f"r{expr.relation}.{expr.name}"
        case plan.Constant():
            value = expr.value.tolist() if hasattr(expr.value, "tolist") else expr.value
            return f"{value}:{expr.type}"
        case plan.Parameter():
            return f"@{expr.name}"
        case plan.OutputColumn():
            return f"#{expr.index}"
        case plan.Cast():
            return f"{'try_' if expr.try_ else ''}cast({show(expr.operand)}, {expr.type})"
        case plan.Call():
            return f"{expr.function.name}({', '.join(show(a) for a in expr.arguments)})"
        case plan.Case():
            whens = " ".join(f"{show(w)}→{show(t)}" for w, t in expr.whens)
            return f"case({whens} {show(expr.otherwise) if expr.otherwise else '-'})"
        case plan.InList():
            values = ", ".join(show(v) for v in expr.values)
            return f"{'not ' if expr.negated else ''}in({show(expr.operand)}; {values})"
        case plan.Aggregate():
            inside = ("distinct " if expr.distinct else "") + ", ".join(map(show, expr.arguments))
            rest = f" filter {show(expr.filter)}" if expr.filter else ""
            return f"agg {expr.function.name}({inside}){rest}"
        case plan.Window():
            return f"win {expr.function.name}({', '.join(map(show, expr.arguments))})"
    return type(expr).__name__

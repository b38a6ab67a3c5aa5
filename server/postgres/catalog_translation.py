"""A query of PostgreSQL's catalog as the relational engine reads it.

sqlglot reads PostgreSQL's words and writes the engine's. In between, tables of the catalog become
tables of the snapshot, functions become macros, what depends on the connection becomes a constant,
and types that only PostgreSQL has become numbers or texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hartonomous.hql.errors import NotSupported, ResourceFault
from hartonomous.hql.frozen import frozen
from hartonomous.server.postgres.catalog_functions import (
    EMPTY_FUNCTIONS,
    MACROS,
    RENAMED,
    constant_of,
)
from hartonomous.server.postgres.catalog_relations import RELATIONS
from hartonomous.server.postgres.faults import Refused

#: types that are a number underneath and a name on top
_REGISTERS = ("regclass", "regtype", "regproc", "regnamespace", "regrole", "regprocedure")
_TEXTS = frozenset(
    (
        "text",
        "name",
        "char",
        '"char"',
        "bpchar",
        "varchar",
        "cstring",
        "pg_node_tree",
        "sql_identifier",
        "character_data",
        "yes_or_no",
        "aclitem",
        "inet",
        "unknown",
    )
)
_NUMBERS = ("oid", "xid", "cid", "cardinal_number")
#: columns of an older kind of array, which is shown without braces
_VECTORS = ("indkey", "indcollation", "indclass", "indoption", "proargtypes")
#: functions that sqlglot calls otherwise
_NAMED_OTHERWISE = {"current_version": "version", "group_concat": "string_agg"}
#: arrays of types that sqlglot knows alone
_ARRAYS = re.compile(
    r'::\s*(?:pg_catalog\.)?(oid|name|xid|cid|"char"|regclass|regtype|regproc)\s*\[\s*\]', re.I
)
#: functions that may stand in FROM
_ROWS = frozenset(
    (
        *MACROS,
        "explode",  # as sqlglot calls unnest
        "exploding_generate_series",
        "generate_series",
        "json_array_elements",
        "json_each",
        "regexp_split_to_table",
        "string_to_table",
        "unnest",
    )
)
#: functions that make texts of a length that is said
_LENGTHENING = frozenset(
    ("bitstring", "format", "lpad", "pad", "printf", "repeat", "rpad", "space")
)
#: nodes of a query; a text is no longer than makes sense of one
NODES_MAX = 20_000


@frozen
class Translated:
    """A query for the engine, the relations that it reads, and its parameters' numbers."""

    text: str
    relations: tuple[tuple[str, str], ...]
    parameters: tuple[int, ...]


def translate(text: str, about: Mapping[str, Any]) -> Translated:
    """Raises Refused for what is no query of the catalog, ResourceFault without sqlglot."""
    glot = _sqlglot()
    try:
        read = glot.parse(_ARRAYS.sub(_array_type, text), dialect="postgres")
        trees = [tree for tree in read if tree is not None]
    except glot.errors.SqlglotError as fault:
        raise Refused("42601", f"a query of the catalog: {_first_line(fault)}") from fault
    if len(trees) != 1 or not isinstance(trees[0], glot.exp.Query):
        raise NotSupported(
            "not supported yet: statements beside a query of the catalog", hint="send them apart"
        )
    return _Translation(glot, about).run(trees[0])


def _array_type(match: re.Match[str]) -> str:
    of = "BIGINT" if match[1].lower() in _NUMBERS + _REGISTERS else "TEXT"
    return f"::{of}[]"


def _sqlglot() -> Any:
    try:
        import sqlglot
        import sqlglot.errors
    except ImportError as fault:
        raise ResourceFault(
            "queries of PostgreSQL's catalog need the package sqlglot",
            code="NOT_INSTALLED",
            hint='pip install "hartonomous[postgres]"',
        ) from fault
    return sqlglot


def _first_line(fault: Exception) -> str:
    return str(fault).split("\n", 1)[0]


class _Translation:
    """One query's way from one language to the other."""

    def __init__(self, glot: Any, about: Mapping[str, Any]) -> None:
        self.exp = glot.exp
        self.about = about
        self.relations: dict[tuple[str, str], None] = {}

    def run(self, tree: Any) -> Translated:
        if sum(1 for _ in tree.walk()) > NODES_MAX:
            raise Refused("54001", "a query of the catalog is too long")
        self._name_outputs(tree)
        common = {cte.alias_or_name.lower() for cte in tree.find_all(self.exp.CTE)}
        for table in list(tree.find_all(self.exp.Table)):
            self._table(table, common)
        for lateral in tree.find_all(self.exp.Lateral):
            self._check_rows(lateral.this)
        for node in reversed(list(tree.bfs())):  # what is inside first
            changed = self._node(node)
            if changed is not node:
                node.replace(changed)
        numbers = {int(node.name or node.this.name) for node in tree.find_all(self.exp.Parameter)}
        return Translated(tree.sql(dialect="duckdb"), tuple(self.relations), tuple(sorted(numbers)))

    def _name_outputs(self, tree: Any) -> None:
        """Columns without a name are called as PostgreSQL calls them."""
        exp = self.exp
        block = tree
        while isinstance(block, exp.SetOperation):
            block = block.left
        if not isinstance(block, exp.Select):
            return
        for item in list(block.expressions):
            inner = item.this if isinstance(item, exp.Alias) else item
            if isinstance(inner, exp.Column) and inner.name.lower() in _VECTORS:
                shown = exp.Anonymous(
                    this="array_to_string", expressions=[inner.copy(), exp.Literal.string(" ")]
                )
                item.replace(exp.alias_(shown, item.alias_or_name))
            elif not isinstance(item, (exp.Alias, exp.Column, exp.Star)):
                item.replace(exp.alias_(item.copy(), self._output_name(item), quoted=True))

    def _output_name(self, item: Any) -> str:
        exp = self.exp
        while isinstance(item, (exp.Cast, exp.Paren, exp.Dot)):
            item = item.expression if isinstance(item, exp.Dot) else item.this
        if isinstance(item, exp.Column):
            return str(item.name)
        if isinstance(item, exp.Case):
            return "case"
        if isinstance(item, exp.Func):
            return self._function_name(item)
        return "?column?"

    # --- relations ---

    def _table(self, table: Any, common: set[str]) -> None:
        exp = self.exp
        if not isinstance(table.this, exp.Identifier):
            self._table_function(table)
            return
        name, schema = table.name.lower(), table.db.lower()
        if not schema and name in common:
            return
        place = self._find(schema, name)
        if place is None:
            shown = f"{table.db}.{table.name}" if table.db else table.name
            raise Refused(
                "42P01",
                f'relation "{shown}" is not of the catalog',
                "a query of the catalog reads nothing else; other statements are HQL",
            )
        self.relations[place] = None
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(name)))
        table.set("this", exp.to_identifier(f"{place[0]}__{place[1]}"))
        table.set("db", None)
        table.set("catalog", None)

    def _find(self, schema: str, name: str) -> tuple[str, str] | None:
        for place in (schema,) if schema else ("pg_catalog",):
            if (place, name) in RELATIONS:
                return place, name
        return None

    def _table_function(self, table: Any) -> None:
        """A function in FROM that has no rows here."""
        exp = self.exp
        function = table.this
        if isinstance(function, exp.Dot):
            function = function.expression
        name = function.name.lower() if isinstance(function, exp.Anonymous) else ""
        if name in EMPTY_FUNCTIONS:
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(name))
            given = [column.name for column in alias.args.get("columns") or ()]
            named = [*given, *EMPTY_FUNCTIONS[name][len(given) :]]
            columns = ", ".join(f'NULL::VARCHAR AS "{column}"' for column in named)
            empty = exp.maybe_parse(f"(SELECT {columns} WHERE FALSE)", dialect="duckdb")
            table.replace(exp.Subquery(this=empty.this, alias=alias))
            return
        self._check_rows(function)
        table.set("db", None)

    def _check_rows(self, function: Any) -> None:
        """Refused for a function of the engine's in FROM, which tell of its settings and files."""
        exp = self.exp
        if isinstance(function, exp.Dot):
            function = function.expression
        if isinstance(function, exp.Func) and self._function_name(function) not in _ROWS:
            raise self._refused(function)

    def _refused(self, function: Any) -> Refused:
        name = self._function_name(function)
        return Refused("42883", f"the function {name} is not of the catalog")

    # --- expressions ---

    def _node(self, node: Any) -> Any:
        exp = self.exp
        if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
            return node.expression  # pg_catalog.f(…)
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, exp.Collate):
            return node.this
        if isinstance(node, exp.Dot) and node.sql(dialect="postgres").startswith("pg_catalog."):
            return node.expression
        if isinstance(node, exp.Operator):
            return self._operator(node)
        if isinstance(node, (exp.RegexpLike, exp.RegexpILike)):
            return exp.RegexpLike(
                this=node.this, expression=node.expression, flag=exp.Literal.string("i")
            )
        if isinstance(node, exp.Cast):
            return self._cast(node)
        if isinstance(node, exp.Func):
            return self._function(node)
        return node

    def _column(self, node: Any) -> Any:
        """Without its schema: relations have aliases."""
        if not node.table and not node.args.get("db"):
            word = node.name.lower()
            bare = ("current_user", "session_user", "current_catalog", "current_role", "user")
            if word in bare and not node.this.quoted:
                return self._constant(constant_of(word, [], self.about))
        if node.args.get("db") is not None:
            node.set("db", None)
            node.set("catalog", None)
        return node

    def _operator(self, node: Any) -> Any:
        """OPERATOR(pg_catalog.~): psql's patterns. Names of HQL match without case."""
        exp = self.exp
        sign = str(node.args["operator"]).rsplit(".", 1)[-1].strip('"')
        left, right = node.this, node.expression
        matches = exp.RegexpLike(this=left, expression=right, flag=exp.Literal.string("i"))
        match sign:
            case "~" | "~*":
                return matches
            case "!~" | "!~*":
                return exp.Not(this=matches)
            case "=":
                return exp.EQ(this=left, expression=right)
            case "<>":
                return exp.NEQ(this=left, expression=right)
            case "~~":
                return exp.Like(this=left, expression=right)
        raise NotSupported(f"not supported yet: OPERATOR({sign}) in a query of the catalog")

    def _cast(self, node: Any) -> Any:
        exp = self.exp
        name = self._type_name(node.to)
        if name in _REGISTERS:
            return self._register(node, name.replace("procedure", "proc"))
        if name in _TEXTS:
            return exp.Cast(this=node.this, to=exp.DataType.build("VARCHAR"))
        if name in _NUMBERS:
            return exp.Cast(this=node.this, to=exp.DataType.build("BIGINT"))
        if name.endswith("[]") and name[:-2] in (*_TEXTS, *_NUMBERS, *_REGISTERS):
            of = "VARCHAR" if name[:-2] in _TEXTS else "BIGINT"
            return exp.Cast(this=node.this, to=exp.DataType.build(f"{of}[]", dialect="duckdb"))
        if name in ("int2vector", "oidvector", "int2[]"):
            return exp.Cast(this=node.this, to=exp.DataType.build("BIGINT[]", dialect="duckdb"))
        return node

    def _type_name(self, to: Any) -> str:
        name = str(to.sql(dialect="postgres")).lower()
        return name.removeprefix("pg_catalog.").removeprefix("information_schema.")

    def _register(self, node: Any, name: str) -> Any:
        """A name becomes its number. A number stays one where a number is wanted, and becomes its
        name where it is shown."""
        exp = self.exp
        inner = node.this
        while isinstance(inner, exp.Paren):
            inner = inner.this
        is_name = isinstance(inner, (exp.Parameter, exp.Func, exp.Literal))
        if isinstance(inner, exp.Cast):
            is_name = self._type_name(inner.to) in _TEXTS
        if isinstance(node.parent, exp.Cast) and self._type_name(node.parent.to) in _NUMBERS:
            is_name = True
            name = "proc_oid" if name == "regproc" else name
        if is_name:
            return exp.Anonymous(this=f"hql_to_{name}", expressions=[node.this])
        return exp.Anonymous(this=f"hql_{name}_name", expressions=[node.this])

    def _function(self, node: Any) -> Any:
        exp = self.exp
        is_named = isinstance(node, exp.Anonymous)
        name = self._function_name(node)
        if name in _LENGTHENING:
            raise self._refused(node)
        arguments = list(node.expressions) if is_named else []
        constants = [a.this if isinstance(a, exp.Literal) else None for a in arguments]
        try:
            return self._constant(constant_of(name, constants, self.about))
        except (KeyError, IndexError):
            pass  # it is no such function
        if not is_named:
            if isinstance(node, exp.ArraySize):
                return exp.Anonymous(this="len", expressions=[node.this])
            return node
        if name in MACROS:
            return exp.Anonymous(this=f"hql_{name}", expressions=arguments)
        if name in RENAMED:
            return exp.Anonymous(this=RENAMED[name], expressions=arguments)
        return node

    def _function_name(self, node: Any) -> str:
        """A function's name in PostgreSQL."""
        if isinstance(node, (self.exp.Anonymous, self.exp.AnonymousAggFunc)):
            return str(node.name).lower()
        name = str(node.sql_names()[0]).lower()
        return _NAMED_OTHERWISE.get(name, name)

    def _constant(self, value: Any) -> Any:
        return self.exp.convert(value)

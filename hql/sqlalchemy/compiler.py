"""SQLAlchemy's expressions and statements as HQL.

What differs from SQL as SQLAlchemy writes it by itself:
- A condition as a value stands in parentheses: `SELECT (a = b) AS x`, as `SELECT a = b` names a
  column. `_conditions_in_parentheses` marks the places where values stand; the mark is passed down,
  so that conditions inside get parentheses too, which does no harm.
- RETURNING is OUTPUT, and stands before VALUES, FROM and WHERE.
- A limit is LIMIT … OFFSET; WITH TIES and PERCENT make it TOP.
- JSON is reached into by JSON_VALUE and JSON_QUERY.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import exc
from sqlalchemy import types as sa
from sqlalchemy.sql import elements, expression, operators
from sqlalchemy.sql import util as sql_util
from sqlalchemy.sql.compiler import IdentifierPreparer, SQLCompiler
from sqlalchemy.sql.sqltypes import NumericCommon

from hartonomous.grammar.words import RESERVED

#: EXTRACT's fields -> DATEPART's parts
_PARTS = {"doy": "dayofyear", "dow": "weekday", "milliseconds": "millisecond"}
_PARTS |= {"microseconds": "microsecond"}


#: what a parameter's name may be
_PARAMETER = re.compile(r"[^\W\d_]\w*")


class HQLIdentifierPreparer(IdentifierPreparer):
    """Names that must be quoted, and how."""

    reserved_words = {word.lower() for word in RESERVED}


class HQLCompiler(SQLCompiler):
    """Queries, changes and expressions."""

    returning_precedes_values = True

    # --- conditions as values ---------------------------------------------------------------------

    def visit_binary(self, binary: Any, *args: Any, **kw: Any) -> str:
        text = super().visit_binary(binary, *args, **kw)
        return self._as_value(binary, text, kw)

    def visit_unary(self, unary: Any, *args: Any, **kw: Any) -> str:
        text = super().visit_unary(unary, *args, **kw)
        # EXISTS (…) is a value as it stands; ASC and the like are no conditions
        if unary.operator is None or unary.operator is operators.exists:
            return text
        return self._as_value(unary, text, kw)

    def visit_expression_clauselist(self, clauselist: Any, **kw: Any) -> str:
        text = super().visit_expression_clauselist(clauselist, **kw)
        return self._as_value(clauselist, text, kw)

    def _as_value(self, element: Any, text: str, kw: Any) -> str:
        is_value = kw.get("within_label_clause") or kw.get("as_value")
        if is_value and element.type._type_affinity is sa.Boolean:
            return f"({text})"
        return text

    def order_by_clause(self, select: Any, **kw: Any) -> str:
        return super().order_by_clause(select, **{**kw, "as_value": True})

    def group_by_clause(self, select: Any, **kw: Any) -> str:
        return super().group_by_clause(select, **{**kw, "as_value": True})

    def visit_cast(self, cast: Any, **kw: Any) -> str:
        return super().visit_cast(cast, **{**kw, "as_value": True})

    def visit_try_cast(self, cast: Any, **kw: Any) -> str:
        value = cast.clause._compiler_dispatch(self, **{**kw, "as_value": True})
        return f"TRY_CAST({value} AS {cast.typeclause._compiler_dispatch(self, **kw)})"

    def visit_case(self, clause: Any, **kw: Any) -> str:
        return super().visit_case(clause, **{**kw, "as_value": True})

    def visit_insert(self, insert_stmt: Any, *args: Any, **kw: Any) -> str:
        return super().visit_insert(insert_stmt, *args, **{**kw, "as_value": True})

    def visit_update(self, update_stmt: Any, *args: Any, **kw: Any) -> str:
        return super().visit_update(update_stmt, *args, **{**kw, "as_value": True})

    def visit_true(self, expr: Any, **kw: Any) -> str:
        return "(1 = 1)"

    def visit_false(self, expr: Any, **kw: Any) -> str:
        return "(1 = 0)"

    def visit_is__binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return self._is(binary, "IS", "IS NOT DISTINCT FROM", **kw)

    def visit_is_not_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return self._is(binary, "IS NOT", "IS DISTINCT FROM", **kw)

    def _is(self, binary: Any, with_null: str, with_others: str, **kw: Any) -> str:
        is_null = isinstance(binary.right, elements.Null)
        operator = with_null if is_null else with_others
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        return f"{left} {operator} {right}"

    # --- parameters -------------------------------------------------------------------------------

    def bindparam_string(self, name: str, *args: Any, **kw: Any) -> str:
        """Names that HQL has not for parameters, such as those of columns with strange names, are
        written with the numbers of their strange characters."""
        if not kw.get("escaped_from") and not _PARAMETER.fullmatch(name):
            kw["escaped_from"] = name
            name = "p_" + re.sub(r"\W", lambda match: f"_{ord(match[0]):x}_", name)
        return super().bindparam_string(name, *args, **kw)

    # --- operators and functions ------------------------------------------------------------------

    def visit_truediv_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Integers divide to integers in HQL; everything else to FLOAT."""
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        if any(isinstance(side.type, NumericCommon) for side in (binary.left, binary.right)):
            return f"{left} / {right}"
        return f"{left} / CAST({right} AS FLOAT)"

    def visit_extract(self, extract: Any, **kw: Any) -> str:
        part = _PARTS.get(extract.field, extract.field)
        text = f"DATEPART({part}, {self.process(extract.expr, **kw)})"
        # SQLAlchemy's "dow" counts from Sunday = 0, HQL's weekday from 1
        return f"({text} - 1)" if extract.field == "dow" else text

    def visit_now_func(self, fn: Any, **kw: Any) -> str:
        return "CURRENT_TIMESTAMP"

    def visit_localtimestamp_func(self, fn: Any, **kw: Any) -> str:
        return "CURRENT_TIMESTAMP"

    def visit_random_func(self, fn: Any, **kw: Any) -> str:
        return "RAND()"

    def visit_pow_func(self, fn: Any, **kw: Any) -> str:
        return f"POWER{self.function_argspec(fn, **kw)}"

    def visit_aggregate_strings_func(self, fn: Any, **kw: Any) -> str:
        return super().visit_aggregate_strings_func(fn, use_function_name="STRING_AGG", **kw)

    def visit_empty_set_expr(self, element_types: Any, **kw: Any) -> str:
        nulls = (f"CAST(NULL AS {self._type_name(type_)})" for type_ in element_types)
        return f"SELECT {', '.join(nulls)} WHERE 1 = 0"

    def _type_name(self, type_: Any) -> str:
        if type_._type_affinity in (sa.NullType, None):
            return "INT"
        return str(self.dialect.type_compiler_instance.process(type_))

    # --- JSON -------------------------------------------------------------------------------------

    def visit_json_getitem_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return self._json(binary, **kw)

    def visit_json_path_getitem_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return self._json(binary, **kw)

    def _json(self, binary: Any, **kw: Any) -> str:
        left = self.process(binary.left, **kw)
        # A path stands in the text: as a parameter it would be another one each time it is
        # written, and GROUP BY would not know the path of the select list again.
        right = self.process(binary.right, **{**kw, "literal_execute": True})
        affinity = binary.type._type_affinity
        if affinity is sa.JSON:
            return f"JSON_QUERY({left}, {right})"
        value = f"JSON_VALUE({left}, {right})"
        if affinity is sa.String:
            return value
        if affinity is sa.Boolean:
            return f"CAST({value} AS BIT)"
        if isinstance(binary.type, sa.Float):
            return f"CAST({value} AS FLOAT)"
        return f"CAST({value} AS {self._type_name(binary.type)})"

    # --- SELECT -----------------------------------------------------------------------------------

    def get_select_precolumns(self, select: Any, **kw: Any) -> str:
        text = super().get_select_precolumns(select, **kw)
        if not self._is_top(select):
            return text
        if select._offset_clause is not None:
            raise exc.CompileError("HQL has no OFFSET beside FETCH … WITH TIES or PERCENT")
        options = select._fetch_clause_options
        percent = " PERCENT" if options["percent"] else ""
        ties = " WITH TIES" if options["with_ties"] else ""
        return f"{text}TOP ({self.process(select._fetch_clause, **kw)}){percent}{ties} "

    def _is_top(self, select: Any) -> bool:
        options = select._fetch_clause_options
        return select._fetch_clause is not None and (options["percent"] or options["with_ties"])

    def limit_clause(self, select: Any, **kw: Any) -> str:
        if select._limit_clause is not None:
            return super().limit_clause(select, **kw)
        return f"\n OFFSET {self.process(select._offset_clause, **kw)} ROWS"

    def fetch_clause(self, select: Any, *args: Any, **kw: Any) -> str:
        if not self._is_top(select):
            return super().fetch_clause(select, *args, **kw)
        if not isinstance(select, expression.Select):
            raise exc.CompileError("HQL has no WITH TIES or PERCENT for UNION and its kin")
        return ""

    def for_update_clause(self, select: Any, **kw: Any) -> str:
        """Nothing: transactions read a snapshot, lock no rows, and fail with a Conflict if another
        changed the same rows first."""
        return ""

    def visit_lateral(self, lateral_: Any, **kw: Any) -> str:
        raise exc.CompileError("HQL has no LATERAL; write CROSS APPLY as text()")

    # --- INSERT, UPDATE, DELETE -------------------------------------------------------------------

    def returning_clause(
        self, stmt: Any, returning_cols: Any, *, populate_result_map: bool, **kw: Any
    ) -> str:
        """OUTPUT, over the rows that HQL calls inserted or deleted: the columns are rendered as
        those of an alias of that name, and found in the result as those they are."""
        rows = stmt.table.alias("deleted" if stmt.is_delete else "inserted")
        adapter = sql_util.ClauseAdapter(rows)
        columns = [
            self._label_returning_column(
                stmt,
                adapter.traverse(column),
                populate_result_map,
                {"result_map_targets": (column,)},
                fallback_label_name=fallback_label_name,
                column_is_repeated=repeated,
                name=name,
                proxy_name=proxy_name,
                **kw,
            )
            for name, proxy_name, fallback_label_name, column, repeated in (
                stmt._generate_columns_plus_names(
                    True, cols=expression._select_iterables(returning_cols)
                )
            )
        ]
        return "OUTPUT " + ", ".join(columns)

    def update_from_clause(
        self, update_stmt: Any, from_table: Any, extra_froms: Any, from_hints: Any, **kw: Any
    ) -> str:
        return self._from(extra_froms, from_hints, **kw)

    def delete_extra_from_clause(
        self, delete_stmt: Any, from_table: Any, extra_froms: Any, from_hints: Any, **kw: Any
    ) -> str:
        return self._from(extra_froms, from_hints, **kw)

    def _from(self, relations: Any, from_hints: Any, **kw: Any) -> str:
        texts = (
            relation._compiler_dispatch(self, asfrom=True, fromhints=from_hints, **kw)
            for relation in relations
        )
        return "FROM " + ", ".join(texts)

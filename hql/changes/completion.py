"""Makes whole rows of a table from some of its columns: conversions, defaults, identity values,
computed columns, lengths, CHECKs. Every way in (INSERT, UPDATE, COPY) goes through here.

Works batch by batch. What can be done by Arrow is done by Arrow; the rest of a batch's work is one
query over the batch, in up to three layers:

    SELECT <stored columns>, <extra>, <number of the first CHECK that is FALSE>
    FROM (SELECT t.*, <computed columns>
          FROM (SELECT <conversions>, <defaults>, <extra> FROM @rows) AS t) AS t

NOT NULL and keys are storage's to check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql import ast
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.plan import Field
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import BITS, INT, Type, parse_type
from hartonomous.storage.catalog import ColumnEntry, TableEntry
from hartonomous.storage.errors import ConstraintFault, Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

#: rows that go through one completing query
BATCH_ROWS = 65_536
#: columns of the completing query that are not the table's; no user's column can be named so,
#: because names in a table may not begin with two underscores
FAILED = "__failed"
NOTHING = "__nothing"


class Completion:
    """Completes rows for `table`; can be kept as long as the table's entry is the same.

    `given` are the columns that come, by name, with the types they come in; `extra` columns are
    carried along untouched (row addresses).
    """

    def __init__(
        self,
        table: TableEntry,
        given: Sequence[Field],
        extra: Sequence[Field] = (),
    ) -> None:
        self.table = table
        self.given = {field.name: field for field in given}
        self.extra = tuple(extra)
        self.types = {c.name: parse_type(c.type) for c in table.columns}
        self.folded = {c.name for c in table.columns if c.collation is not None}
        absent = [c for c in table.stored if c.name not in self.given and c.computed is None]
        self.identity = next((c for c in table.stored if c.identity is not None), None)
        self.numbers_identity = self.identity is not None and self.identity in absent
        self.constants: dict[str, pa.Scalar] = {}
        self.defaults: dict[str, ast.Expression] = {}
        for column in absent:
            if column is not self.identity:
                self._plan_default(column)
        self.converted = [
            c for c in table.stored if c.name in self.given and not self._comes_right(c)
        ]
        self.query = self._completing_query() if self._needs_query() else None
        self.bounded = [
            (name, type_)
            for name, type_ in self.types.items()
            if type_.a is not None and type_.kind in ("NVARCHAR", "VARBINARY")
        ]
        stored = table.arrow_schema
        self.schema = pa.schema(
            [pa.field(f.name, f.type) for f in stored]
            + [pa.field(f.name, f.type.arrow) for f in self.extra]
        )

    def _comes_right(self, column: ColumnEntry) -> bool:
        """Whether a given column needs no conversion, or one that Arrow does exactly."""
        given = trees.unbounded(self.given[column.name].type)
        wanted = trees.unbounded(self.types[column.name])
        return given == wanted or is_exact_cast(given, wanted)

    def _plan_default(self, column: ColumnEntry) -> None:
        """A constant that needs no conversion rules is made once; any other default is computed
        for each row."""
        if column.default is None:
            self.constants[column.name] = pa.scalar(None, column.arrow)
            return
        from hartonomous.hql.operators.values import as_scalar
        from hartonomous.hql.syntax.parse import parse_expression
        from hartonomous.hql.values import coerce_constant

        expression = parse_expression(column.default)
        value = NotImplemented
        if isinstance(expression, ast.Literal):
            value = coerce_constant(expression.value, self.types[column.name])
        if value is NotImplemented:
            self.defaults[column.name] = expression
        else:
            self.constants[column.name] = as_scalar(value, self.types[column.name])

    def _needs_query(self) -> bool:
        persisted = any(c.computed is not None for c in self.table.stored)
        return bool(persisted or self.table.checks or self.defaults or self.converted)

    # --- the completing query --------------------------------------------------------------------

    def _completing_query(self) -> ast.Query:
        table, name = self.table, self.table.name
        items = [trees.item(self._value(c), c.name) for c in table.stored if c.computed is None]
        items += [trees.item(trees.column(name, f.name), f.name) for f in self.extra]
        query = trees.select(items, trees.rows("__rows", name))
        computed = [c for c in table.columns if c.computed is not None]
        if not computed and not table.checks:
            return query
        query = trees.select(
            [ast.SelectItem(ast.Star()), *(self._computed(c) for c in computed)],
            trees.derived(query, name),
        )
        names = [c.name for c in table.stored] + [f.name for f in self.extra]
        items = [trees.item(trees.column(name, n), n) for n in names]
        if table.checks:
            items.append(trees.item(self._first_failed(), FAILED))
        return trees.select(items, trees.derived(query, name))

    def _value(self, column: ColumnEntry) -> ast.Expression:
        if column.name in self.defaults:
            return trees.cast(self.defaults[column.name], self.types[column.name])
        value = trees.column(self.table.name, column.name)
        if column in self.converted:
            return trees.cast(value, self.types[column.name])
        return value

    def _computed(self, column: ColumnEntry) -> ast.SelectItem:
        from hartonomous.hql.syntax.parse import parse_expression

        assert column.computed is not None
        value = trees.cast(parse_expression(column.computed), self.types[column.name])
        return trees.item(value, column.name)

    def _first_failed(self) -> ast.Expression:
        from hartonomous.hql.syntax.parse import parse_expression

        whens = []
        for number, check in enumerate(self.table.checks):
            broken = ast.Unary("NOT", parse_expression(check.text))
            whens.append((broken, ast.Literal(number, "INTEGER")))
        return ast.Case(None, tuple(whens), None)

    # --- a batch ---------------------------------------------------------------------------------

    def complete(self, context: Context, rows: pa.Table, count: int | None = None) -> pa.Table:
        """The table's stored columns, in order and exactly typed, then the extra ones. `count` is
        the number of rows where `rows` has no columns."""
        count = rows.num_rows if count is None else count
        if not count:
            return self.schema.empty_table()
        columns: dict[str, Any] = {n: rows.column(n) for n in rows.column_names}
        for name, scalar in self.constants.items():
            columns[name] = pa.repeat(scalar, count)
        if self.identity is not None:
            self._number(context, columns, self.identity, count)
        if self.query is not None:
            columns = self._run_query(context, self.query, columns, count)
        self._check_lengths(columns)
        return self._assemble(columns)

    def _number(
        self, context: Context, columns: dict[str, Any], identity: ColumnEntry, count: int
    ) -> None:
        """Gives out identity values, or moves the counter past explicit ones."""
        assert identity.identity is not None
        seed, step = identity.identity
        counters = context.transaction
        if self.numbers_identity:
            first = counters.next_identity(self.table.id, count, seed, step)
            context.session.note_identity(first + (count - 1) * step, context.frame)
            columns[identity.name] = _sequence(first, step, count, identity)
            return
        if identity.name in columns:
            values = pc.min_max(columns[identity.name]).as_py()
            furthest = values["max"] if step > 0 else values["min"]
            if isinstance(furthest, int):
                counters.bump_identity(self.table.id, furthest, seed, step)

    def _run_query(
        self, context: Context, query: ast.Query, columns: dict[str, Any], count: int
    ) -> dict[str, Any]:
        fields = [*self.given.values(), *self.extra]
        known = {f.name for f in fields}
        for name in columns:
            if name not in known:
                fields.append(Field(name, self.types[name]))
        if not columns:
            columns = {NOTHING: pa.nulls(count, pa.int32())}
            fields = [Field(NOTHING, INT)]
        ordered = [
            replace(f, nocase=True) if f.name in self.folded else f
            for f in fields
            if f.name in columns
        ]
        rows = pa.table({f.name: columns[f.name] for f in ordered})
        try:
            done = context.table(
                query,
                key=("complete", self.table.id, tuple((f.name, f.type) for f in ordered)),
                tables={"__rows": (tuple(ordered), rows)},
            )
        except Error as error:
            error.line = error.column = None  # a place in the catalog's text, not in the user's
            raise
        if FAILED in done.column_names:
            self._raise_failed(done)
        return {n: done.column(n) for n in done.column_names if n != FAILED}

    def _raise_failed(self, rows: pa.Table) -> None:
        failed = pc.min(rows.column(FAILED)).as_py()
        if failed is not None:
            check = self.table.checks[failed]
            raise ConstraintFault(
                f'a row of "{self.table.name}" breaks CHECK "{check.name}": {check.text}',
                code="CHECK_VIOLATION",
            )

    def _check_lengths(self, columns: dict[str, Any]) -> None:
        for name, type_ in self.bounded:
            if name in columns:
                check_length(columns[name], f'column "{name}"', type_)

    def _assemble(self, columns: dict[str, Any]) -> pa.Table:
        arrays = [_exact(columns[field.name], field) for field in self.schema]
        return pa.Table.from_arrays(arrays, schema=self.schema)


def is_exact_cast(given: Type, wanted: Type) -> bool:
    """Whether every value of `given` is one of `wanted`, and Arrow's cast finds it."""
    if given.kind == "NULL":
        return not wanted.is_wide
    if given.is_integer:
        bits = BITS[given.kind]
        room = {**BITS, "REAL": 24, "FLOAT": 53}.get(wanted.kind, 0)
        return room >= bits
    return (given.kind, wanted.kind) in (("REAL", "FLOAT"), ("JSON", "NVARCHAR"))


def _exact(array: Any, field: pa.Field) -> Any:
    return array if array.type == field.type else array.cast(field.type)


def _sequence(first: int, step: int, count: int, column: ColumnEntry) -> pa.Array:
    import numpy as np

    last = first + (count - 1) * step
    if column.arrow.bit_width < 64:
        bound = 2 ** (column.arrow.bit_width - 1)
        if not -bound <= last < bound:
            raise ExecutionFault(
                f'the identity column "{column.name}" is full: {last} does not fit {column.type}',
                code="OVERFLOW",
            )
    return pa.array(np.arange(count, dtype=np.int64) * step + first).cast(column.arrow)


def check_length(array: Any, what: str, type_: Type) -> None:
    """BAD_VALUE if a value is longer than NVARCHAR(n) or VARBINARY(n) allow; `what` it is for."""
    if pa.types.is_null(array.type):  # a bare NULL in every row
        return
    measure = pc.utf8_length if type_.kind == "NVARCHAR" else pc.binary_length
    longest = pc.max(measure(array)).as_py()
    if longest is not None and type_.a is not None and longest > type_.a:
        unit = "characters" if type_.kind == "NVARCHAR" else "bytes"
        raise ExecutionFault(
            f"a value of {longest} {unit} does not fit {what}, which is {type_}",
            code="BAD_VALUE",
        )


def batches_of(batches: Iterable[pa.RecordBatch], rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
    """The same rows in tables of about `rows` rows: small batches are joined, large ones kept."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        if count >= rows:
            yield pa.Table.from_batches(held)
            held, count = [], 0
    if count:
        yield pa.Table.from_batches(held)

"""A small database, queries over it from text, and the same query with rules switched off."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from hartonomous.hql.bind import BindContext, bind_query
from hartonomous.hql.execute import PreparedPlan, Stream, prepare
from hartonomous.hql.limits import Limits
from hartonomous.hql.plan import BoundQuery
from hartonomous.hql.rules import ALL
from hartonomous.hql.syntax.parse import parse_query
from hartonomous.hql.types import Type, parse_type
from hartonomous.storage.catalog import ColumnEntry, KeyEntry, TableEntry
from hartonomous.storage.database import Database


class World:
    """An in-memory database whose tables are made from Arrow columns."""

    def __init__(self) -> None:
        self.database = Database.open(None)
        self.source = self.database.begin()

    def create(
        self, name: str, columns: Mapping[str, str], rows: list[Any], key: str | None = None
    ) -> TableEntry:
        """`rows` holds one sequence of values per column."""
        entries = [
            ColumnEntry(number, column, text, parse_type(text).arrow)
            for number, (column, text) in enumerate(columns.items(), 1)
        ]
        keys = ()
        if key is not None:
            number = list(columns).index(key) + 1
            keys = (KeyEntry(90, f"pk_{name}", (number,), "PRIMARY KEY"),)
        made = self.source.create(TableEntry(0, "dbo", name, tuple(entries), keys, next_id=91))
        assert isinstance(made, TableEntry)
        self.insert(made, rows)
        return made

    def insert(self, table: TableEntry, rows: list[Any]) -> None:
        schema = table.arrow_schema
        arrays = [pa.array(v, f.type) for v, f in zip(rows, schema, strict=True)]
        self.source.insert(table.id, pa.table(arrays, schema=schema))

    def bind(self, text: str, types: Mapping[str, Type] | None = None, **more: Any) -> BoundQuery:
        context = BindContext(self.source.catalog, parameters=types or {}, **more)
        return bind_query(parse_query(text), context)

    def prepare(self, text: str, *, off: Collection[str] = (), **more: Any) -> PreparedPlan:
        return prepare(self.bind(text, **more), off=off)

    def stream(
        self,
        text: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        limits: Limits | None = None,
        tables: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Stream:
        prepared = self.prepare(text, **more)
        return prepared.start(self.source, parameters or {}, limits or Limits(), tables)

    def table(
        self, text: str, parameters: Mapping[str, Any] | None = None, **more: Any
    ) -> pa.Table:
        return self.stream(text, parameters, **more).read_all()

    def rows(self, text: str, parameters: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """Rows as tuples, in order."""
        return tuples(self.table(text, parameters, **more))

    def both(self, text: str, parameters: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """The rows, after checking that they come without rules too (in any order, unless the
        text orders them)."""
        with_rules = self.rows(text, parameters, **more)
        without = self.rows(text, parameters, off=ALL, **more)
        binding = {k: v for k, v in more.items() if k not in ("tables", "limits")}
        if self.bind(text, **binding).plan.order_by:
            assert with_rules == without
        assert sorted(map(repr, with_rules)) == sorted(map(repr, without))
        return with_rules

    def operator(self, text: str, **more: Any) -> Any:
        """The fragment of a query."""
        operator: Any = self.prepare(text, **more).operator
        return getattr(operator, "below", operator)


def tuples(table: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(c.to_pylist() for c in table.columns), strict=True))


def vectors(count: int, width: int, seed: int = 1) -> list[list[float]]:
    """Vectors with many repeated values, so that distances tie."""
    numbers = np.random.default_rng(seed).integers(-2, 3, (count, width))
    return [[float(x) for x in row] for row in numbers]

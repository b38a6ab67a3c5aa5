"""System tables as topics: their columns."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hartonomous.hql.help.topics import Topic
from hartonomous.hql.models.relations.tables import (
    ATOM_FIELDS,
    ATOMS,
    COEFFICIENT_FIELDS,
    COEFFICIENTS,
)
from hartonomous.hql.plan import Field
from hartonomous.hql.system_schema import TABLES as STORED
from hartonomous.hql.system_schema import fields_of
from hartonomous.hql.system_tables import SYSTEM_TABLES


def topics() -> Iterator[Topic]:
    for folded, stored in STORED.items():
        yield _topic(stored.name, fields_of(folded), "stored; made by the first row")
    yield _topic(ATOMS, ATOM_FIELDS, "a row for each row of a weight matrix")
    yield _topic(COEFFICIENTS, COEFFICIENT_FIELDS, "a row for each weight")
    for name, table in SYSTEM_TABLES.items():
        yield _topic(name, table.fields, "computed when it is read")


def _topic(name: str, fields: tuple[Field, ...], what: str) -> Topic:
    columns = ", ".join(f.name for f in fields)
    return Topic(name, "table", columns, partial(_page, name, fields, what))


def _page(name: str, fields: tuple[Field, ...], what: str) -> str:
    width = max(len(f.name) for f in fields)
    lines = [f"    {f.name.ljust(width)}  {f.type}" for f in fields]
    return "\n".join([f"{name}    (system table, {what})", "", *lines])

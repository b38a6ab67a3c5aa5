"""Rows that a function's body leaves in its table, on their way through the engine: as a JSON array
of arrays of texts. Arrow writes numbers and times so that the engine reads the same ones again."""

from __future__ import annotations

import json

import pyarrow as pa

from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.unnest import Unnest
from hartonomous.hql.scripts.functions import Signature
from hartonomous.hql.scripts.routines import Routine
from hartonomous.hql.types import NVARCHAR, Type


def json_of_rows(rows: pa.Table) -> str:
    """One text for each value, null for NULL."""
    columns = [_texts(column.combine_chunks()) for column in rows.columns]
    return json.dumps(list(zip(*columns, strict=True)))


def _texts(column: pa.Array) -> list[str | None]:
    if pa.types.is_binary(column.type) or pa.types.is_fixed_size_binary(column.type):
        return [None if value is None else value.hex() for value in column.to_pylist()]
    texts: list[str | None] = column.cast(pa.string()).to_pylist()
    return texts


def table_function(routine: Routine) -> Function:
    """The table function that takes such a text apart."""
    return Function(
        name=routine.title,
        kind="table",
        resolve=Signature(NVARCHAR, (NVARCHAR,)),
        render=Unnest(routine.columns, _value),
        columns=routine.columns,
        volatile=True,
        null_on_null=False,
    )


def _value(place: int, type_: Type) -> str:
    text = f"json_extract_string(item, {place})"
    if type_.is_string:
        return text
    is_bytes = type_.kind in ("VARBINARY", "UNIQUEIDENTIFIER")
    return f"unhex({text})" if is_bytes else f"CAST({text} AS {type_.relational})"

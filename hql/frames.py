"""Arrow tables of results as data frames of pandas and polars, which are imported when asked for.

HQL                    pandas                                      polars
BIT, whole numbers     NumPy's; Int64 … and boolean with NULLs     the same
NVARCHAR, JSON         str                                         String
DECIMAL                objects: Decimal                            Decimal
DATE, TIME             objects: date, time                         Date, Time
DATETIME2              datetime64[us]                              Datetime
DATETIMEOFFSET         datetime64[us, UTC]                         Datetime, UTC
UNIQUEIDENTIFIER       objects: uuid.UUID                          Binary
VECTOR                 objects: float32 arrays                     Array(Float32)
GEOMETRY               objects: Geometry                           Struct
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from hartonomous.hql.errors import ParameterFault, ResourceFault

if TYPE_CHECKING:
    import pandas
    import polars

    from hartonomous.hql.plan import Field
    from hartonomous.hql.types import Type

#: kinds whose values in pandas are those that rows have
_OBJECTS = ("UNIQUEIDENTIFIER", "VECTOR", "GEOMETRY")
#: kinds that NumPy has no NULL for -> what pandas has instead
_NULLABLE = {
    "BIT": "boolean",
    "TINYINT": "Int8",
    "SMALLINT": "Int16",
    "INT": "Int32",
    "BIGINT": "Int64",
}


def to_pandas(
    table: pa.Table, fields: Sequence[Field], dtype_backend: Literal["pyarrow"] | None
) -> pandas.DataFrame:
    """A result's table as a DataFrame. Two columns may have one name."""
    pandas = _import("pandas")
    if dtype_backend not in (None, "pyarrow"):
        raise ParameterFault(f'dtype_backend is None or "pyarrow", not {dtype_backend!r}')
    if dtype_backend == "pyarrow":
        columns = [pandas.Series(pandas.arrays.ArrowExtensionArray(c)) for c in table.columns]
    else:
        pairs = zip(table.columns, fields, strict=True)
        columns = [_series(pandas, column, field.type) for column, field in pairs]
    frame = pandas.DataFrame(dict(enumerate(columns)), copy=False)
    frame.columns = pandas.Index([field.name for field in fields])
    return frame


def _series(pandas: Any, column: pa.ChunkedArray, type_: Type) -> Any:
    if type_.kind in _OBJECTS:
        from hartonomous.hql.values import to_python

        values = [value for chunk in column.chunks for value in to_python(chunk, type_)]
        return pandas.Series(values, dtype=object)
    nullable = _NULLABLE.get(type_.kind) if column.null_count else None
    if nullable is None:
        return column.to_pandas()
    dtype = pandas.api.types.pandas_dtype(nullable)
    return column.to_pandas(types_mapper=lambda _: dtype)


def to_polars(table: pa.Table) -> polars.DataFrame:
    """A result's table as a polars DataFrame."""
    frame: polars.DataFrame = _import("polars").from_arrow(table)
    return frame


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as fault:
        if fault.name != name:
            raise
        raise ResourceFault(
            f"{name} is not installed", code="NOT_INSTALLED", hint=f"pip install {name}"
        ) from fault

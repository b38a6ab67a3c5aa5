"""Foreign Arrow data as HQL's: which type a column has, and its values in that type's own form.

| Arrow | HQL |
| --- | --- |
| bool; int8 … int64; uint8, uint16, uint32 | BIT; TINYINT … BIGINT; the next wider kind |
| uint64 | DECIMAL(20,0) |
| float16, float32; float64; decimals of up to 38 digits | REAL; FLOAT; DECIMAL |
| strings of every layout, also in a dictionary | NVARCHAR; arrow.json: JSON |
| binary of every layout; arrow.uuid | VARBINARY; UNIQUEIDENTIFIER |
| date32, date64; time32, time64 | DATE; TIME |
| timestamp without zone; with one | DATETIME2; DATETIMEOFFSET |
| fixed-size list of numbers; list of numbers | VECTOR(n); VECTOR of unknown length |
| GEOMETRY's struct, GeoArrow | GEOMETRY, see geo_arrow.py |

Conversions are exact or an error (BAD_VALUE); only REAL components of vectors are rounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from hartonomous.hql import types
from hartonomous.hql.errors import ExecutionFault, ParameterFault
from hartonomous.hql.plan import Field, schema_of
from hartonomous.hql.types import Type
from hartonomous.storage.catalog import fold

_WIDER = {"uint8": "SMALLINT", "uint16": "INT", "uint32": "BIGINT"}
_PLAIN = {
    "null": types.NULL,
    "bool": types.BIT,
    "int8": types.TINYINT,
    "int16": types.SMALLINT,
    "int32": types.INT,
    "int64": types.BIGINT,
    "halffloat": types.REAL,
    "float": types.REAL,
    "double": types.FLOAT,
    "string": types.NVARCHAR,
    "large_string": types.NVARCHAR,
    "string_view": types.NVARCHAR,
    "binary": types.VARBINARY,
    "large_binary": types.VARBINARY,
    "binary_view": types.VARBINARY,
    "uint64": types.decimal(20, 0),
}


def find_field_type(field: pa.Field) -> Type | None:
    """The HQL type of a column, whose field may say what its values are; None if there is none."""
    if pa.types.is_nested(field.type) or has_extension(field):
        from hartonomous.hql.geo_arrow import encoding_of

        if encoding_of(field) is not None:
            return types.GEOMETRY
    return find_type(field.type)


def has_extension(field: pa.Field) -> bool:
    """Whether a field says that its values are more than their Arrow type."""
    named = field.metadata is not None and b"ARROW:extension:name" in field.metadata
    return named or isinstance(field.type, pa.BaseExtensionType)


def find_type(arrow: pa.DataType) -> Type | None:
    """The HQL type of an Arrow type, or None if there is none."""
    if isinstance(arrow, pa.BaseExtensionType):
        return _extension_type(arrow)
    if pa.types.is_dictionary(arrow) or pa.types.is_run_end_encoded(arrow):
        return find_type(arrow.value_type)
    text = str(arrow)
    if text in _WIDER:
        return Type(_WIDER[text])
    if text in _PLAIN:
        return _PLAIN[text]
    if pa.types.is_decimal(arrow):
        fits = arrow.precision <= 38 and 0 <= arrow.scale <= arrow.precision
        return types.decimal(arrow.precision, arrow.scale) if fits else None
    if pa.types.is_fixed_size_binary(arrow):
        return types.VARBINARY
    if pa.types.is_date(arrow):
        return types.DATE
    if pa.types.is_time(arrow):
        return types.TIME
    if pa.types.is_timestamp(arrow):
        return types.DATETIME2 if arrow.tz is None else types.DATETIMEOFFSET
    return _vector_type(arrow)


def _extension_type(arrow: pa.BaseExtensionType) -> Type | None:
    if arrow.extension_name == "arrow.uuid":
        return types.UNIQUEIDENTIFIER
    if arrow.extension_name == "arrow.json":
        return types.JSON
    return find_type(arrow.storage_type)


def _vector_type(arrow: pa.DataType) -> Type | None:
    is_list = pa.types.is_fixed_size_list(arrow) or pa.types.is_list(arrow)
    if not is_list and not pa.types.is_large_list(arrow):
        return None
    number = arrow.value_type
    if not (pa.types.is_floating(number) or pa.types.is_integer(number)):
        return None
    return types.vector(arrow.list_size if pa.types.is_fixed_size_list(arrow) else None)


def table_fields(name: str, schema: pa.Schema) -> tuple[Field, ...]:
    """The columns of a table parameter; PARAMETER for a type that HQL has not, and for a name that
    two columns have (names are matched without case)."""
    fields = []
    taken: set[str] = set()
    for column in schema:
        if fold(column.name) in taken:
            raise ParameterFault(
                f'@{name} has two columns "{column.name}"; names are matched without case',
                hint="rename one of them",
            )
        taken.add(fold(column.name))
        if not column.name:
            raise ParameterFault(f"@{name} has a column without a name", hint="rename it")
        type_ = find_field_type(column)
        if type_ is None:
            raise ParameterFault(
                f'column "{column.name}" of @{name} is {column.type}, which HQL has not',
                hint="cast it, or leave it out",
            )
        fields.append(Field(column.name, type_))
    if not fields:
        raise ParameterFault(f"@{name} has no columns")
    return tuple(fields)


def conform(table: pa.Table, fields: tuple[Field, ...]) -> pa.Table:
    """The table in HQL's own Arrow types; columns that are so already are not copied."""
    schema = schema_of(fields)
    columns = [
        conform_column(table.column(i), field, table.schema.field(i))
        for i, field in enumerate(fields)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def conform_batches(
    batches: Iterator[pa.RecordBatch], fields: tuple[Field, ...], given: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The same for a stream; `given` says what the columns that come are."""
    schema = schema_of(fields)
    for batch in batches:
        columns = [
            conform_column(batch.column(i), field, given.field(i)) for i, field in enumerate(fields)
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def conform_column(array: Any, field: Field, given: pa.Field) -> Any:
    """One column (Array or ChunkedArray) in the Arrow type of its HQL type."""
    wanted = field.type.arrow
    if field.type.kind == "GEOMETRY":
        return _geometries(array, field, given)
    try:
        cast = array if array.type == wanted else _cast(array, wanted)
    except pa.ArrowException as fault:
        raise ExecutionFault(
            f'column "{field.name}": a value does not fit {field.type}: {fault}', code="BAD_VALUE"
        ) from fault
    if field.type.kind == "VECTOR":
        _check_elements(array, cast, field.name)
    return cast


def _geometries(array: Any, field: Field, given: pa.Field) -> Any:
    from hartonomous.hql.geo_arrow import geometries

    try:
        return geometries(array, given)
    except ExecutionFault as fault:
        fault.message = f'column "{field.name}": {fault.message}'
        raise
    except pa.ArrowException as fault:
        raise ExecutionFault(
            f'column "{field.name}": a value does not fit {field.type}: {fault}', code="BAD_VALUE"
        ) from fault


def _check_elements(given: Any, cast: Any, name: str) -> None:
    """BAD_VALUE if a vector has an element that is NULL, or finite and beyond 32 bits."""
    chunks = cast.chunks if isinstance(cast, pa.ChunkedArray) else [cast]
    for chunk in chunks:
        if chunk.flatten().null_count:
            raise ExecutionFault(
                f'column "{name}": a vector has an element that is NULL', code="BAD_VALUE"
            )
    if pa.types.is_float64(given.type.value_type) and _infinities(cast) != _infinities(given):
        raise ExecutionFault(
            f'column "{name}": a number does not fit an element of a vector (32-bit float)',
            code="OVERFLOW",
        )


def _infinities(vectors: Any) -> int:
    """How many elements are infinite."""
    import pyarrow.compute as pc

    chunks = vectors.chunks if isinstance(vectors, pa.ChunkedArray) else [vectors]
    return sum(pc.sum(pc.is_inf(chunk.flatten())).as_py() or 0 for chunk in chunks)


def _cast(array: Any, wanted: pa.DataType) -> Any:
    if isinstance(array.type, pa.BaseExtensionType):
        if isinstance(array, pa.ChunkedArray):
            chunks = [chunk.storage for chunk in array.chunks]
            array = pa.chunked_array(chunks, array.type.storage_type)
        else:
            array = array.storage
    if pa.types.is_run_end_encoded(array.type):
        import pyarrow.compute as pc

        array = pc.run_end_decode(array)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if array.type == wanted:
        return array
    is_list = pa.types.is_list(wanted) or pa.types.is_fixed_size_list(wanted)
    # components of vectors are REAL by definition, so rounding them is not an error
    return array.cast(wanted, safe=not is_list)

"""CSV files as batches: parsed by Arrow into the table's types where it can, else read as text
(which the completing query then casts)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv

from hartonomous.hql.copying.formats import (
    READ_BYTES,
    FileSource,
    ahead,
    bad_value,
    binary_columns,
    file_fault,
)
from hartonomous.hql.copying.text import CsvOptions
from hartonomous.hql.errors import FileFault
from hartonomous.hql.plan import Field
from hartonomous.hql.types import NVARCHAR, Type
from hartonomous.storage.errors import Error

#: kinds whose text form Arrow parses as HQL does
PARSED = ("TINYINT", "SMALLINT", "INT", "BIGINT", "REAL", "FLOAT", "DECIMAL", "BIT", "DATE", "TIME")

_PLACE = re.compile(r"(?:In CSV column #(\d+): )?(?:Row #(\d+): )?(.*)", re.DOTALL)


def open_csv(path: Path, options: CsvOptions) -> FileSource:
    """The columns are those of the header; without one they are called 1, 2, 3 …"""
    names = _names(path, options)

    def read(columns: Sequence[str], wanted: Sequence[Type]) -> Any:
        fields = tuple(
            Field(name, type_ if type_.kind in (*PARSED, "VARBINARY") else NVARCHAR)
            for name, type_ in zip(columns, wanted, strict=True)
        )
        batches = _batches(path, options, names, fields)
        return fields, ahead(binary_columns(path, batches, fields))

    return FileSource(names, read)


def _names(path: Path, options: CsvOptions) -> list[str]:
    """The first record's fields."""
    with open(path, "rb") as file:
        start = file.read(READ_BYTES)
    if not start.strip():
        raise FileFault(f'"{path}" is empty' + (" and has no header" if options.header else ""))
    # the file, not the start alone, whose last record may be cut
    with _open(str(path), options, None, (), threads=False) as reader:
        names: list[str] = reader.schema.names
    return names if options.header else [str(i) for i in range(1, len(names) + 1)]


def _open(
    source: Any,
    options: CsvOptions,
    names: list[str] | None,
    fields: Sequence[Field],
    *,
    threads: bool,
) -> Any:
    return csv.open_csv(
        source,
        read_options=csv.ReadOptions(
            use_threads=threads,
            block_size=READ_BYTES,
            column_names=names,
            skip_rows=1 if options.header and names is not None else 0,
            autogenerate_column_names=names is None and not options.header,
        ),
        parse_options=csv.ParseOptions(
            delimiter=options.delimiter,
            newlines_in_values=True,
        ),
        convert_options=csv.ConvertOptions(
            column_types={f.name: _parsed_as(f.type) for f in fields},
            include_columns=[f.name for f in fields] or None,
            null_values=[options.null],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["1", "true", "True", "TRUE"],
            false_values=["0", "false", "False", "FALSE"],
        ),
    )


def _parsed_as(type_: Type) -> pa.DataType:
    return pa.string() if type_.kind == "VARBINARY" else type_.arrow


def _batches(
    path: Path, options: CsvOptions, names: list[str], fields: Sequence[Field]
) -> Iterator[pa.RecordBatch]:
    try:
        before = 0
        for batch in _open(str(path), options, names, fields, threads=True):
            _check_decimals(path, batch, fields, before)
            before += batch.num_rows
            yield batch
    except pa.ArrowException as fault:
        raise _located(path, options, names, fields, fault) from fault
    except OSError as fault:
        raise file_fault(path, fault) from fault


def _check_decimals(
    path: Path, batch: pa.RecordBatch, fields: Sequence[Field], before: int
) -> None:
    """BAD_VALUE for a number with more digits than its type has: Arrow's parser takes it."""
    import pyarrow.compute as pc

    for i, field in enumerate(fields):
        if field.type.kind != "DECIMAL":
            continue
        assert field.type.a is not None and field.type.b is not None
        largest = pa.scalar(Decimal((0, (9,) * field.type.a, -field.type.b)), field.type.arrow)
        column = batch.column(i)
        wide = pc.greater(pc.abs(column), largest)
        if pc.any(wide).as_py():
            row = pc.index(wide, True).as_py()
            value = column[row].as_py()
            what = f"{value} is out of range for {field.type}"
            raise bad_value(path, before + row + 1, field.name, what)


def _located(
    path: Path, options: CsvOptions, names: list[str], fields: Sequence[Field], fault: Exception
) -> Error:
    """The error with its row: Arrow knows it only if it parses without threads, so once more."""
    try:
        for _ in _open(str(path), options, names, fields, threads=False):
            pass
    except pa.ArrowException as again:
        fault = again
    match = _PLACE.match(str(fault))
    assert match is not None
    column, row, what = match.groups()
    if column is None:
        return FileFault(f'"{path}" cannot be read: {what.strip()}')
    header = 1 if options.header else 0
    name = fields[int(column)].name if int(column) < len(fields) else names[int(column)]
    return bad_value(path, None if row is None else int(row) - header, name, what.strip())

"""CSV files as batches: parsed by Arrow into the table's types where it can, else read as text
(which the completing query then casts).

Where Arrow is more lenient or stricter than HQL the file is looked through first, a pass over its
bytes: a quote that is never closed swallows the rest of the file and is an error; where a `+` or
`0x` stands anywhere, integers are read as text and converted here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv

from hartonomous.hql.copying.csv_bytes import find_unclosed_quote, may_hold_odd_integers
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
from hartonomous.hql.types import BITS, NVARCHAR, Type
from hartonomous.storage.errors import Error

#: kinds whose text form Arrow parses as HQL does
PARSED = ("TINYINT", "SMALLINT", "INT", "BIGINT", "REAL", "FLOAT", "DECIMAL", "BIT", "DATE", "TIME")

_INTEGER = re.compile("-?[0-9]+", re.ASCII)
_INVALID = re.compile(r"CSV conversion error to \S+: invalid value '(.*)'", re.DOTALL)
_PLACE = re.compile(r"(?:In CSV column #(\d+): )?(?:Row #(\d+): )?(.*)", re.DOTALL)


def open_csv(path: Path, options: CsvOptions) -> FileSource:
    """The columns are those of the header; without one they are called 1, 2, 3 …"""
    _check(path, options)
    names = _names(path, options)

    def read(columns: Sequence[str], wanted: Sequence[Type]) -> Any:
        fields = tuple(
            Field(name, type_ if type_.kind in (*PARSED, "VARBINARY") else NVARCHAR)
            for name, type_ in zip(columns, wanted, strict=True)
        )
        odd = any(f.type.is_integer for f in fields) and may_hold_odd_integers(path)
        batches = _batches(path, options, names, fields, odd)
        return fields, ahead(binary_columns(path, batches, fields))

    return FileSource(names, read)


def _check(path: Path, options: CsvOptions) -> None:
    with open(path, "rb") as file:
        start = file.read(READ_BYTES)
    if not start.strip():
        raise FileFault(f'"{path}" is empty' + (" and has no header" if options.header else ""))
    line = find_unclosed_quote(path, options.delimiter)
    if line is not None:
        raise FileFault(
            f'"{path}", line {line:,}: the quote is not closed before the end of the file',
            hint='a quote inside a quoted field is doubled: ""',
        )


def _names(path: Path, options: CsvOptions) -> list[str]:
    """The first record's fields."""
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
    odd: bool = False,
) -> Any:
    """`odd`: integers are read as text."""
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
            ignore_empty_lines=names is None or len(names) > 1,  # of one column they are NULL
        ),
        convert_options=csv.ConvertOptions(
            column_types={f.name: _parsed_as(f.type, odd) for f in fields},
            include_columns=[f.name for f in fields] or None,
            null_values=[options.null],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["1", "true", "True", "TRUE"],
            false_values=["0", "false", "False", "FALSE"],
        ),
    )


def _parsed_as(type_: Type, odd: bool) -> pa.DataType:
    is_text = type_.kind == "VARBINARY" or (odd and type_.is_integer)
    return pa.string() if is_text else type_.arrow


def _batches(
    path: Path, options: CsvOptions, names: list[str], fields: Sequence[Field], odd: bool
) -> Iterator[pa.RecordBatch]:
    try:
        before = 0
        for batch in _open(str(path), options, names, fields, threads=True, odd=odd):
            if odd:
                batch = _with_integers(path, batch, fields, before)
            _check_decimals(path, batch, fields, before)
            before += batch.num_rows
            yield batch
    except pa.ArrowException as fault:
        raise _located(path, options, names, fields, fault, odd) from fault
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


def _with_integers(
    path: Path, batch: pa.RecordBatch, fields: Sequence[Field], before: int
) -> pa.RecordBatch:
    """The batch with its integers, which came as text: a sign and digits, blanks around them."""
    import pyarrow.compute as pc

    for i, field in enumerate(fields):
        if not field.type.is_integer:
            continue
        texts = pc.ascii_trim_whitespace(batch.column(i))
        digits = pc.replace_substring_regex(texts, r"^\+([0-9])", r"\1", max_replacements=1)
        try:
            if not pc.all(pc.match_substring_regex(digits, "^-?[0-9]+$")).as_py():
                raise pa.ArrowInvalid("not all are integers")
            column = digits.cast(field.type.arrow)
        except pa.ArrowInvalid as fault:
            bits = BITS[field.type.kind]
            row = next(
                row
                for row, text in enumerate(digits.to_pylist())
                if text is not None and not _is_integer(text, bits)
            )
            what = f"{texts[row].as_py()!r} is not a value of type {field.type}"
            raise bad_value(path, before + row + 1, field.name, what) from fault
        batch = batch.set_column(i, field.name, column)
    return batch


def _is_integer(text: str, bits: int) -> bool:
    end = 2 ** (bits - 1)
    is_short = _INTEGER.fullmatch(text) and len(text.lstrip("-0")) <= len(str(end))
    return bool(is_short) and -end <= int(text) < end


def _located(
    path: Path,
    options: CsvOptions,
    names: list[str],
    fields: Sequence[Field],
    fault: Exception,
    odd: bool,
) -> Error:
    """The error with its row: Arrow knows it only if it parses without threads, so once more."""
    try:
        for _ in _open(str(path), options, names, fields, threads=False, odd=odd):
            pass
    except pa.ArrowException as again:
        fault = again
    match = _PLACE.match(str(fault))
    assert match is not None
    column, row, what = match.groups()
    if column is None:
        return FileFault(f'"{path}" cannot be read: {what.strip()}')
    header = 1 if options.header else 0
    place = int(column)
    name = fields[place].name if place < len(fields) else names[place]
    invalid = _INVALID.match(what)
    if invalid is not None and place < len(fields):
        what = f"{invalid[1]!r} is not a value of type {fields[place].type}"
    return bad_value(path, None if row is None else int(row) - header, name, what.strip())

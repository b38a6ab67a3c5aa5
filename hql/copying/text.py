"""Batches as CSV and JSON text, column by column: a column becomes an array of texts, the texts of
a row are joined, and the result's data buffer is what is written.

CSV follows RFC 4180 with "\\n" line ends. NULL is an empty field (or another text), so a string
that would read as NULL is quoted. In both formats VARBINARY is 0x…, UNIQUEIDENTIFIER has its usual
form, VECTOR is [1,2,3], GEOMETRY is well-known text (with its SRID, if it has one). Numbers that
JSON has no form for are "NaN", "Infinity", "-Infinity".
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.frozen import frozen
from hartonomous.hql.types import Type


@frozen
class CsvOptions:
    """`null` is the text that stands for NULL."""

    header: bool = True
    delimiter: str = ","
    null: str = ""


# --- CSV -----------------------------------------------------------------------------------------


def csv_header(names: Sequence[str], options: CsvOptions) -> bytes:
    """The first line."""
    quoted = _quoted(pa.array(list(names), pa.string()), options).to_pylist()
    return (options.delimiter.join(quoted) + "\n").encode()


def csv_lines(batch: pa.RecordBatch, types: Sequence[Type], options: CsvOptions) -> bytes:
    """A batch's rows, each with its line end."""
    columns = []
    for i, type_ in enumerate(types):
        texts = text_column(batch.column(i), type_)
        columns.append(_quoted(texts, options) if _may_need_quotes(type_, options) else texts)
    rows = _join(columns, options.delimiter, null=options.null)
    return _bytes(_join([rows, "\n"], ""))


def _may_need_quotes(type_: Type, options: CsvOptions) -> bool:
    listed = type_.is_string or type_.is_wide
    return listed or options.null != "" or options.delimiter != ","


def _quoted(texts: pa.Array, options: CsvOptions) -> pa.Array:
    """Quotes around the texts that need them."""
    marks = "".join(f"\\x{ord(c):02x}" for c in f'"\r\n{options.delimiter}')
    needs = pc.or_(
        pc.match_substring_regex(texts, f"[{marks}]"),
        pc.or_(pc.equal(texts, options.null), pc.equal(texts, "")),
    )
    if not pc.any(needs).as_py():
        return texts
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(needs, _join(['"', doubled, '"'], ""), texts)


# --- JSON ----------------------------------------------------------------------------------------


def json_lines(
    batch: pa.RecordBatch, names: Sequence[str], types: Sequence[Type], end: str = "\n"
) -> bytes:
    """A batch's rows as objects, each followed by `end`."""
    parts: list[Any] = []
    for i, (name, type_) in enumerate(zip(names, types, strict=True)):
        parts.append(("{" if i == 0 else ",") + json.dumps(name, ensure_ascii=False) + ":")
        parts.append(_json_column(batch.column(i), type_))
    return _bytes(_join([*parts, "}" + end], "", null="null"))


def json_members(batch: pa.RecordBatch, names: Sequence[str], types: Sequence[Type]) -> bytes:
    """A batch's rows as members of an array, each on a line of its own."""
    return b"\n" + json_lines(batch, names, types, ",\n").removesuffix(b",\n")


def json_arrays(batch: pa.RecordBatch, types: Sequence[Type]) -> bytes:
    """A batch's rows as arrays of values in the columns' order, a line each, commas between; empty
    for a batch without rows."""
    parts: list[Any] = []
    for i, type_ in enumerate(types):
        parts.append("[" if i == 0 else ",")
        parts.append(_json_column(batch.column(i), type_))
    return _bytes(_join([*parts, "],\n"], "", null="null")).removesuffix(b",\n")


def _json_column(array: pa.Array, type_: Type) -> pa.Array:
    if type_.kind == "BIT":
        return array.cast(pa.string())
    texts = text_column(array, type_)
    if type_.is_exact or type_.kind in ("JSON", "VECTOR", "NULL"):
        return texts
    if type_.is_float:
        return _json_floats(texts, array)
    if type_.kind == "NVARCHAR":
        return _json_strings(texts)
    return _join(['"', texts, '"'], "")


def _json_floats(texts: pa.Array, array: pa.Array) -> pa.Array:
    special = pc.invert(pc.is_finite(array))
    if not pc.any(special).as_py():
        return texts
    names = pc.case_when(
        pc.make_struct(pc.is_nan(array), pc.greater(array, pa.scalar(0, array.type))),
        '"NaN"',
        '"Infinity"',
        '"-Infinity"',
    )
    return pc.if_else(special, names, texts)


def _json_strings(texts: pa.Array) -> pa.Array:
    """Quoted; the few that hold quotes, backslashes or control characters are escaped."""
    special = pc.match_substring_regex(texts, '["\\\\\\x00-\\x1f\\x7f]')
    quoted = _join(['"', texts, '"'], "")
    if not pc.any(special).as_py():
        return quoted
    escaped = [json.dumps(text, ensure_ascii=False) for text in texts.filter(special).to_pylist()]
    return pc.replace_with_mask(
        quoted, pc.fill_null(special, False), pa.array(escaped, pa.string())
    )


# --- values --------------------------------------------------------------------------------------


def text_column(array: pa.Array, type_: Type) -> pa.Array:
    """The values of a column as texts that HQL casts back to the same values."""
    match type_.kind:
        case "NVARCHAR" | "JSON":
            return array
        case "BIT":
            return array.cast(pa.int8()).cast(pa.string())
        case "VARBINARY":
            texts = [None if v is None else "0x" + v.hex() for v in array.to_pylist()]
            return pa.array(texts, pa.string())
        case "UNIQUEIDENTIFIER":
            texts = [None if v is None else str(uuid.UUID(bytes=v)) for v in array.to_pylist()]
            return pa.array(texts, pa.string())
        case "VECTOR":
            numbers = array.cast(pa.list_(pa.float32())).cast(pa.list_(pa.string()))
            return _join(["[", pc.binary_join(numbers, ","), "]"], "")
        case "GEOMETRY":
            from hartonomous.hql.functions.geometry_forms import to_text

            return to_text(array, with_srid=True)
        case "DATETIMEOFFSET":
            plain = array.cast(pa.timestamp("us")).cast(pa.string())
            return _join([plain, "+00:00"], "")
    return array.cast(pa.string())


def parse_binary(texts: pa.Array) -> pa.Array:
    """The inverse for VARBINARY: 0x… as bytes. Raises NotHexadecimal for other texts."""
    values: list[bytes | None] = []
    for row, text in enumerate(texts.to_pylist()):
        try:
            values.append(None if text is None else bytes.fromhex(_hex_digits(text)))
        except ValueError as fault:
            raise NotHexadecimal(row, text) from fault
    return pa.array(values, pa.binary())


def _hex_digits(text: str) -> str:
    if text[:2] not in ("0x", "0X") or any(c.isspace() for c in text):
        raise ValueError(text)
    return text[2:]


class NotHexadecimal(ValueError):
    """A text that should be a VARBINARY; `row` counts from 0 within its batch."""

    def __init__(self, row: int, text: str) -> None:
        super().__init__(f"{text[:40]!r} is not a VARBINARY: 0x and pairs of hexadecimal digits")
        self.row = row


def _join(parts: Sequence[Any], separator: str, null: str | None = None) -> pa.Array:
    """The parts of each row joined; with `null`, that text stands for a NULL part, else a NULL part
    makes the row NULL."""
    handling = "emit_null" if null is None else "replace"
    return pc.binary_join_element_wise(
        *parts, separator, null_handling=handling, null_replacement=null or ""
    )


def _bytes(texts: pa.Array) -> bytes:
    """All texts one after the other: the array's data buffer."""
    if isinstance(texts, pa.ChunkedArray):
        return b"".join(_bytes(chunk) for chunk in texts.chunks)
    if len(texts) == 0:
        return b""
    import numpy as np

    _, offsets_buffer, data = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)
    first, last = offsets[texts.offset], offsets[texts.offset + len(texts)]
    return b"" if data is None else memoryview(data)[first:last].tobytes()

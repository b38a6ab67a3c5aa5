"""Results as text or bytes on stdout: aligned table, CSV, JSON, Arrow stream.

Every format writes batch by batch. A table's column widths come from the first rows; a later value
that is wider moves its line, and nothing waits for the last row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    from hartonomous.hql.plan import Field
    from hartonomous.hql.result import Result
    from hartonomous.hql.types import Type

#: rows that decide the column widths of a table
SAMPLE_ROWS = 1_000
#: a value in a table of several columns is cut here; `--format csv` and the others never cut
CELL_CHARACTERS_MAX = 60
#: numbers of a vector that a table shows
VECTOR_NUMBERS_MAX = 4


class Format(Protocol):
    """Writes one result; gives the number of rows."""

    def __call__(self, result: Result, out: IO[bytes]) -> int: ...


def write_table(result: Result, out: IO[bytes]) -> int:
    """Aligned columns under a header; numbers to the right; NULL as the word."""
    assert result.fields is not None
    fields = result.fields
    right = [field.type.is_numeric for field in fields]
    count = 0
    widths: list[int] | None = None
    # a column on its own (EXPLAIN, FOR JSON) has nothing beside it to keep in sight
    length_max = CELL_CHARACTERS_MAX if len(fields) > 1 else sys.maxsize
    for rows in _text_rows(result, length_max, VECTOR_NUMBERS_MAX):
        if widths is None:
            widths = _widths(fields, rows[:SAMPLE_ROWS])
            out.write(_header(fields, widths, right).encode())
        lines = [_line(row, widths, right) for row in rows]
        out.write("".join(lines).encode())
        count += len(rows)
    if widths is None:
        out.write(_header(fields, _widths(fields, []), right).encode())
    return count


def write_csv(result: Result, out: IO[bytes]) -> int:
    """RFC 4180 with a header and "\\n" line ends; NULL is an empty field, "" an empty string."""
    assert result.fields is not None
    from hartonomous.hql.copying.text import CsvOptions, csv_header, csv_lines

    options = CsvOptions()
    types = [field.type for field in result.fields]
    out.write(csv_header([field.name for field in result.fields], options))
    return _write_each(result, out, lambda batch: csv_lines(batch, types, options))


def write_json(result: Result, out: IO[bytes]) -> int:
    """One JSON object a row, one row a line."""
    assert result.fields is not None
    from hartonomous.hql.copying.text import json_lines

    names = [field.name for field in result.fields]
    types = [field.type for field in result.fields]
    return _write_each(result, out, lambda batch: json_lines(batch, names, types))


def write_arrow(result: Result, out: IO[bytes]) -> int:
    """An Arrow IPC stream."""
    count = 0
    with pa.ipc.new_stream(out, result.schema) as writer:
        for batch in result.batches():
            writer.write_batch(batch)
            count += batch.num_rows
    return count


FORMATS: dict[str, Format] = {
    "table": write_table,
    "csv": write_csv,
    "json": write_json,
    "arrow": write_arrow,
}


def _write_each(result: Result, out: IO[bytes], encode: Any) -> int:
    count = 0
    for batch in result.batches():
        out.write(encode(batch))
        count += batch.num_rows
    return count


def _text_rows(result: Result, length_max: int, numbers_max: int) -> Iterator[list[Sequence[str]]]:
    """Each batch's rows as texts."""
    assert result.fields is not None
    types = [field.type for field in result.fields]
    for batch in result.batches():
        columns = [
            _cells(batch.column(i), type_, length_max, numbers_max) for i, type_ in enumerate(types)
        ]
        yield list(zip(*columns, strict=True))


def _cells(array: pa.Array, type_: Type, length_max: int, numbers_max: int) -> list[str]:
    from hartonomous.hql.functions.geometry_forms import to_text
    from hartonomous.hql.values import format_value, to_python

    if type_.kind == "GEOMETRY":
        texts = to_text(array).to_pylist()
        return ["NULL" if text is None else _shorten(text, length_max) for text in texts]
    cells = []
    for value in to_python(array, type_):
        if value is None:
            cells.append("NULL")
        elif type_.kind == "VECTOR":
            cells.append(_short_vector(value, numbers_max))
        else:
            cells.append(_shorten(format_value(value, type_), length_max))
    return cells


def _short_vector(value: Any, numbers_max: int) -> str:
    shown = ", ".join(f"{float(x):.4g}" for x in value[:numbers_max])
    more = f", … {len(value)} numbers" if len(value) > numbers_max else ""
    return f"[{shown}{more}]"


_VISIBLE = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e", "\0": "\\0"})


def _shorten(text: str, length_max: int) -> str:
    if len(text) > length_max:
        text = text[: length_max - 1] + "…"
    return text.translate(_VISIBLE)


def _widths(fields: Sequence[Field], rows: Sequence[Sequence[str]]) -> list[int]:
    return [
        max([_width(field.name), *(_width(row[i]) for row in rows)])
        for i, field in enumerate(fields)
    ]


def _width(text: str) -> int:
    """Columns on a terminal: East Asian wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _pad(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if right else text + blanks


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = [_pad(text, widths[i], right[i]) for i, text in enumerate(row)]
    return "  ".join(cells).rstrip() + "\n"


def _header(fields: Sequence[Field], widths: Sequence[int], right: Sequence[bool]) -> str:
    names = _line([field.name for field in fields], widths, right)
    return names + "  ".join("─" * width for width in widths) + "\n"


def say(text: str) -> None:
    """A message for people, on stderr."""
    sys.stderr.write(text.rstrip("\n") + "\n")
    sys.stderr.flush()

"""Results as text or bytes on stdout: aligned table, CSV, JSON, Arrow stream, Markdown.

Every format writes batch by batch. A table's column widths come from the first rows; a later value
that is wider moves its line, and nothing waits for the last row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from hartonomous.hql.shell.cells import (
    VECTOR_NUMBERS_MAX,
    cell_texts,
    pad,
    visible,
    visible_lines,
    width,
)

if TYPE_CHECKING:
    from hartonomous.hql.plan import Field
    from hartonomous.hql.result import Result

#: rows that decide the column widths of a table
SAMPLE_ROWS = 1_000
#: a value in a table of several columns is cut here, behind what a hash or a token takes;
#: `--format csv` and the others never cut
CELL_CHARACTERS_MAX = 80


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


def write_markdown(result: Result, out: IO[bytes]) -> int:
    """A table of GitHub's Markdown; values are whole, numbers stand at the right."""
    assert result.fields is not None
    fields = result.fields
    rules = ["---:" if field.type.is_numeric else "---" for field in fields]
    out.write(_markdown_line([visible(field.name) for field in fields]).encode())
    out.write(f"| {' | '.join(rules)} |\n".encode())
    count = 0
    for batch in result.batches():
        columns = [
            cell_texts(column, field.type, sys.maxsize, VECTOR_NUMBERS_MAX, keeps_lines=True)
            for column, field in zip(batch.columns, fields, strict=True)
        ]
        rows = zip(*columns, strict=True)
        lines = [_markdown_line(["NULL" if t is None else t for t in row]) for row in rows]
        out.write("".join(lines).encode())
        count += batch.num_rows
    return count


def _markdown_line(texts: Sequence[str]) -> str:
    cells = [text.translate(_MARKDOWN).replace("\n", "<br>") for text in texts]
    return f"| {' | '.join(cells)} |\n"


#: what would end a cell or begin a tag
_MARKDOWN = str.maketrans({"\\": "\\\\", "|": "\\|", "<": "&lt;"})

FORMATS: dict[str, Format] = {
    "table": write_table,
    "csv": write_csv,
    "json": write_json,
    "arrow": write_arrow,
    "markdown": write_markdown,
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
            ["NULL" if t is None else t for t in cell_texts(column, type_, length_max, numbers_max)]
            for column, type_ in zip(batch.columns, types, strict=True)
        ]
        yield list(zip(*columns, strict=True))


def _widths(fields: Sequence[Field], rows: Sequence[Sequence[str]]) -> list[int]:
    return [
        max([width(visible(field.name)), *(width(row[i]) for row in rows)])
        for i, field in enumerate(fields)
    ]


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = [pad(text, widths[i], right=right[i]) for i, text in enumerate(row)]
    return "  ".join(cells).rstrip() + "\n"


def _header(fields: Sequence[Field], widths: Sequence[int], right: Sequence[bool]) -> str:
    names = _line([visible(field.name) for field in fields], widths, right)
    return names + "  ".join("─" * width for width in widths) + "\n"


def say(text: str) -> None:
    """A message for people, on stderr. What would move a terminal's cursor is made visible there;
    a file or pipe gets what was said."""
    text = text.rstrip("\n") + "\n"
    sys.stderr.write(visible_lines(text) if sys.stderr.isatty() else text)
    sys.stderr.flush()

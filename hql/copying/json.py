"""JSON files as batches of texts, which the completing query casts to the table's types: an object
a line, or one array of objects.

A string is its text, a number its digits, an object or array its JSON; a key that is missing is
NULL. For a column of type JSON every value is its JSON.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from hartonomous.hql.copying.formats import READ_BYTES, FileSource, ahead, bad_value, binary_columns
from hartonomous.hql.errors import FileFault
from hartonomous.hql.plan import Field
from hartonomous.hql.types import NVARCHAR, Type

#: objects of one batch
BATCH_ROWS = 16_384
#: a fault so near to the end of what was read may be due to the end
CUT_CHARACTERS = 4_096

_decoder = json.JSONDecoder(parse_float=Decimal)


def open_json(path: Path) -> FileSource:
    """The columns are the keys of the first objects; a later object may lack some, and may have no
    others."""
    keys: dict[str, None] = {}
    for value in itertools.islice(_objects(path), BATCH_ROWS):
        keys.update(dict.fromkeys(value))
    names = list(keys)

    def read(columns: Sequence[str], wanted: Sequence[Type]) -> Any:
        kinds = [t.kind for t in wanted]
        fields = tuple(
            Field(c, Type(k) if k in ("JSON", "VARBINARY") else NVARCHAR)
            for c, k in zip(columns, kinds, strict=True)
        )
        batches = _batches(path, names, list(columns), kinds)
        return fields, ahead(binary_columns(path, batches, fields))

    return FileSource(names, read)


def _batches(
    path: Path, names: list[str], columns: list[str], kinds: list[str]
) -> Iterator[pa.RecordBatch]:
    known = set(names)
    held: list[dict[str, Any]] = []
    first = 1
    for row, value in enumerate(_objects(path), 1):
        if not known.issuperset(value):
            extra = next(key for key in value if key not in known)
            raise bad_value(path, row, extra, "the first objects have no such key")
        held.append(value)
        if len(held) == BATCH_ROWS:
            yield _batch(path, held, first, columns, kinds)
            held, first = [], row + 1
    if held:
        yield _batch(path, held, first, columns, kinds)


def _batch(
    path: Path, rows: list[dict[str, Any]], first: int, columns: list[str], kinds: list[str]
) -> pa.RecordBatch:
    """`first` is the number of the first row."""
    arrays = []
    for name, kind in zip(columns, kinds, strict=True):
        texts = [_text(row.get(name), kind) for row in rows]
        try:
            arrays.append(pa.array(texts, pa.string()))
        except UnicodeEncodeError as fault:
            at = next(i for i, text in enumerate(texts) if text is not None and not _is_text(text))
            what = "half of a surrogate pair is no character"
            raise bad_value(path, first + at, name, what) from fault
    return pa.RecordBatch.from_arrays(arrays, names=columns)


def _is_text(text: str) -> bool:
    """Whether the text has a UTF-8 form (lone surrogates have none)."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _text(value: Any, kind: str) -> str | None:
    if value is None:
        return None
    if kind != "JSON":
        if isinstance(value, str):
            return value
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)


# --- objects -------------------------------------------------------------------------------------


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file, read piece by piece."""
    with open(path, encoding="utf-8-sig") as file:
        try:
            yield from _decode(path, file)
        except UnicodeDecodeError as fault:
            raise FileFault(f'"{path}" is not UTF-8: {fault}') from fault


def _decode(path: Path, file: Any) -> Iterator[dict[str, Any]]:
    """Decodes value after value; between them white space and, in an array, one comma each."""
    text, position = _next_value("", 0, file)
    is_array = text[position : position + 1] == "["
    if is_array:
        text, position = _next_value(text, position + 1, file)
        if text[position : position + 1] == "]":
            return _check_end(path, text, position + 1, file)
    for row in itertools.count(1):
        if position >= len(text):
            if is_array:
                raise FileFault(f'"{path}": the array does not end')
            return
        if is_array and text[position] in ",]":
            raise bad_value(path, row, None, f"an object is expected before {text[position]}")
        value, text, position = _value(path, row, text, position, file)
        if not isinstance(value, dict):
            raise bad_value(path, row, None, f"an object is expected, not {str(value)[:40]}")
        yield value
        text, position = _next_value(text, position, file)
        if not is_array or position >= len(text):
            continue
        if text[position] == "]":
            return _check_end(path, text, position + 1, file)
        if text[position] != ",":
            raise bad_value(path, row + 1, None, "a comma is missing before it")
        text, position = _next_value(text, position + 1, file)


def _check_end(path: Path, text: str, position: int, file: Any) -> None:
    """After the array's end nothing may stand."""
    text, position = _next_value(text, position, file)
    if position < len(text):
        raise FileFault(f'"{path}" goes on after the end of the array, with {text[position]}')


def _next_value(text: str, position: int, file: Any) -> tuple[str, int]:
    """Steps over white space, reading on if the text ends."""
    while True:
        while position < len(text) and text[position] in " \t\r\n":
            position += 1
        if position < len(text):
            return text, position
        more = file.read(READ_BYTES)
        if not more:
            return text, position
        text, position = more, 0


def _value(path: Path, row: int, text: str, position: int, file: Any) -> tuple[Any, str, int]:
    """The value at a place, reading on as long as it is cut off by the end of what was read."""
    while True:
        try:
            value, end = _decoder.raw_decode(text, position)
            return value, text, end
        except json.JSONDecodeError as fault:
            is_cut = fault.pos > len(text) - CUT_CHARACTERS or "Unterminated" in fault.msg
            more = file.read(READ_BYTES) if is_cut else ""
            if not more:
                raise bad_value(path, row, None, f"not JSON: {fault.msg}") from fault
            text, position = text[position:] + more, 0
        except RecursionError as fault:
            raise bad_value(path, row, None, "it nests too deep") from fault
        except ValueError as fault:  # Python bounds the digits of an integer
            raise bad_value(path, row, None, "a number has too many digits") from fault

"""Values as the texts of a table's cells: short vectors and geometries, nothing that would move a
terminal's cursor; and how wide texts are there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hartonomous.hql.text_width import character_width
from hartonomous.hql.text_width import width as width

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.types import Type

#: numbers of a vector that a table shows
VECTOR_NUMBERS_MAX = 4


def _shown(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


#: what a terminal would obey, or what turns the direction of writing: C0, DEL, C1, bidi marks
_OBEYED = (*range(32), *range(127, 160), *range(0x200E, 0x2010), *range(0x2028, 0x202F))
_VISIBLE = {code: _shown(code) for code in (*_OBEYED, *range(0x2066, 0x206A))}
_VISIBLE |= str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e", "\0": "\\0"})
#: the same for cells of several lines
_VISIBLE_LINES = {**_VISIBLE, ord("\n"): "\n", ord("\t"): "    "}


def cell_texts(
    array: pa.Array,
    type_: Type,
    length_max: int = sys.maxsize,
    numbers_max: int = VECTOR_NUMBERS_MAX,
    *,
    keeps_lines: bool = False,
) -> list[str | None]:
    """A column's values, None for NULL. Texts are cut at `length_max` characters, vectors at
    `numbers_max` numbers; line ends are kept or shown as `\\n`."""
    from hartonomous.hql.functions.geometry_forms import to_text
    from hartonomous.hql.values import format_value, to_python

    table = _VISIBLE_LINES if keeps_lines else _VISIBLE
    if type_.kind == "GEOMETRY":
        return [
            t if t is None else _shorten(t, length_max, table) for t in to_text(array).to_pylist()
        ]
    cells: list[str | None] = []
    for value in to_python(array, type_):
        if value is None:
            cells.append(None)
        elif type_.kind == "VECTOR":
            cells.append(_short_vector(value, numbers_max))
        else:
            cells.append(_shorten(format_value(value, type_), length_max, table))
    return cells


def _short_vector(value: Any, numbers_max: int) -> str:
    shown = ", ".join(f"{float(x):.4g}" for x in value[:numbers_max])
    more = f", … {len(value)} numbers" if len(value) > numbers_max else ""
    return f"[{shown}{more}]"


def _shorten(text: str, length_max: int, table: dict[int, Any]) -> str:
    if len(text) > length_max:
        text = text[: length_max - 1] + "…"
    return text if text.isascii() and text.isprintable() else text.translate(table)


def visible(text: str) -> str:
    """A name as one line that a terminal only shows."""
    return text.translate(_VISIBLE)


def visible_lines(text: str) -> str:
    """A message of one or several lines as a terminal only shows it."""
    return text if text.isprintable() else text.translate(_VISIBLE_LINES)


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """`text` with blanks up to `columns`."""
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def cut(text: str, columns: int) -> str:
    """`text` in no more than `columns` columns, the last one `…` if some of it is missing."""
    if width(text) <= columns:
        return text
    return _take(text, columns - 1) + "…"


def wrap(text: str, columns: int) -> list[str]:
    """`text` as lines of no more than `columns` columns, cut anywhere; line ends are kept."""
    lines = []
    for line in text.split("\n"):
        while width(line) > columns:
            taken = _take(line, columns) or line[:1]
            lines.append(taken)
            line = line[len(taken) :]
        lines.append(line)
    return lines


def _take(text: str, columns: int) -> str:
    if text.isascii():
        return text[:columns]
    used = 0
    for index, character in enumerate(text):
        used += character_width(character)
        if used > columns:
            return text[:index]
    return text

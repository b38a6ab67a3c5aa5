"""Tables as people see them on a terminal: boxes that fit the screen, or a line for each value.

    ┌────┬──────┐        ─[ 1 ]───────
    │ id │ name │        id   │ 1
    ├────┼──────┤        name │ Ada
    │  1 │ Ada  │
    └────┴──────┘
    (1 row)

Widths come from the first batch. No row is ever left out; cells that are too wide are cut, wrapped,
or left for a pager to scroll, as settings say, but numbers are always whole. A drawing is pulled
batch by batch, so nothing waits for the last row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hartonomous.hql.shell.cells import cell_texts, cut, pad, visible, width, wrap
from hartonomous.hql.shell.running import count_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.result import Result
    from hartonomous.hql.shell.settings import Settings
    from hartonomous.hql.shell.terminal import Terminal

#: no column is made narrower than this to fit the screen
COLUMN_WIDTH_MIN = 8
#: characters of a value that are looked at; a screen never has so many
CELL_CHARACTERS_MAX = 2_000

#: top, middle, bottom: left end, line, crossing, right end; then the line between cells
_UNICODE = (tuple("┌─┬┐"), tuple("├─┼┤"), tuple("└─┴┘"), ("│",))
_ASCII = (tuple("+-++"), tuple("+-++"), tuple("+-++"), ("|",))

Cells = Sequence[str | None]


class Drawing:
    """The lines of a result for one terminal, piece by piece. `row_count` grows; `is_wide` tells
    whether a line so far is wider than the screen."""

    def __init__(self, result: Result, settings: Settings, terminal: Terminal) -> None:
        assert result.fields is not None
        self.row_count = 0
        self.is_wide = False
        self._result = result
        self._settings = settings
        self._terminal = terminal
        self._columns = terminal.columns
        self._names = [visible(field.name) for field in result.fields]
        self._types = [field.type for field in result.fields]
        self._right = [type_.is_numeric for type_ in self._types]
        self._marks = _UNICODE if terminal.has_unicode else _ASCII

    def pieces(self) -> Iterator[list[str]]:
        """Lists of lines, without line ends."""
        batches = self._result.batches()
        first = next(batches, None)
        yield from self._draw(first, batches)
        if self._settings.footer:
            yield [f"({count_rows(self.row_count)})"]

    def _draw(
        self, first: pa.RecordBatch | None, batches: Iterator[pa.RecordBatch]
    ) -> Iterator[list[str]]:
        rows = self._rows(first)
        widths = self._natural_widths(rows)
        is_expanded = self._settings.expanded
        if is_expanded == "on" or is_expanded == "auto" and self._total(widths) > self._columns:
            while first is not None:
                yield self._measured(self._records(first))
                first = next(batches, None)
            return
        if self._settings.overflow != "scroll" and len(widths) > 1:
            widths = self._fit(widths)
        yield self._measured(self._head(widths))
        while first is not None:
            self.row_count += first.num_rows
            yield self._measured([line for row in rows for line in self._row(row, widths)])
            first = next(batches, None)
            rows = self._rows(first)
        if self._settings.border == 2:
            yield [self._rule(2, widths)]

    def _measured(self, lines: list[str]) -> list[str]:
        if not self.is_wide:
            self.is_wide = any(width(_bare(line)) > self._columns for line in lines)
        return lines

    # --- cells -----------------------------------------------------------------------------------

    def _rows(self, batch: pa.RecordBatch | None) -> list[Cells]:
        if batch is None:
            return []
        # a column on its own (EXPLAIN, FOR JSON) has nothing beside it to keep in sight
        length_max = CELL_CHARACTERS_MAX if len(self._names) > 1 else sys.maxsize
        if self._settings.overflow != "cut":
            length_max = sys.maxsize
        return self._texts(batch, length_max, self._settings.overflow == "wrap")

    def _texts(self, batch: pa.RecordBatch, length_max: int, keeps_lines: bool) -> list[Cells]:
        columns = [
            cell_texts(
                batch.column(i), type_, length_max, self._settings.vector, keeps_lines=keeps_lines
            )
            for i, type_ in enumerate(self._types)
        ]
        return list(zip(*columns, strict=True))

    # --- widths ----------------------------------------------------------------------------------

    def _natural_widths(self, rows: Sequence[Cells]) -> list[int]:
        null = width(self._settings.null)
        return [
            max(
                width(name),
                *(
                    null if text is None else max(map(width, text.split("\n")))
                    for text in (row[i] for row in rows)
                ),
                1,
            )
            for i, name in enumerate(self._names)
        ]

    def _total(self, widths: Sequence[int]) -> int:
        """Columns of a line with such cells."""
        border = self._settings.border
        return sum(widths) + (
            2 * (len(widths) - 1) if border == 0 else 3 * len(widths) + border - 1
        )

    def _fit(self, widths: list[int]) -> list[int]:
        """Narrower widths, the widest first; numbers keep theirs. Where even the narrowest do not
        fit, all keep theirs, which were cut to a length: who scrolls to and fro sees values."""
        excess = self._total(widths) - self._columns
        natural, widths = widths, list(widths)
        while excess > 0:
            soft = [i for i, right in enumerate(self._right) if not right]
            widest = max((widths[i] for i in soft), default=0)
            if widest <= COLUMN_WIDTH_MIN:
                return natural if self._settings.overflow == "cut" else widths
            group = [i for i in soft if widths[i] == widest]
            below = max([widths[i] for i in soft if widths[i] < widest] + [COLUMN_WIDTH_MIN])
            step = max(1, min(widest - below, excess // len(group)))
            for i in group:
                taken = min(step, excess)
                widths[i] -= taken
                excess -= taken
        return widths

    # --- lines -----------------------------------------------------------------------------------

    def _rule(self, which: int, widths: Sequence[int]) -> str:
        left, line, crossing, right = self._marks[which]
        border = self._settings.border
        if border == 0:
            return "  ".join(line * w for w in widths)
        middle = crossing.join(line * (w + 2) for w in widths)
        return f"{left}{middle}{right}" if border == 2 else middle

    def _head(self, widths: Sequence[int]) -> list[str]:
        texts = [cut(name, w) for name, w in zip(self._names, widths, strict=True)]
        painted = [
            self._terminal.paint(pad(text, w, right=right), "bold")
            for text, w, right in zip(texts, widths, self._right, strict=True)
        ]
        lines = [self._joined(painted), self._rule(1, widths)]
        return [self._rule(0, widths), *lines] if self._settings.border == 2 else lines

    def _row(self, row: Cells, widths: Sequence[int]) -> list[str]:
        columns = [
            self._cell(text, w, right)
            for text, w, right in zip(row, widths, self._right, strict=True)
        ]
        height = max(map(len, columns))
        if height == 1:
            return [self._joined([cell[0] for cell in columns])]
        return [
            self._joined(
                [
                    cell[k] if k < len(cell) else " " * w
                    for cell, w in zip(columns, widths, strict=True)
                ]
            )
            for k in range(height)
        ]

    def _cell(self, text: str | None, columns: int, right: bool) -> list[str]:
        """A cell's lines."""
        if text is None:
            return [self._terminal.paint(pad(self._settings.null, columns, right=right), "dim")]
        if not right and self._settings.overflow == "wrap" and len(self._names) > 1:
            return [pad(line, columns) for line in wrap(text, columns)]
        if not right and self._settings.overflow == "cut" and len(self._names) > 1:
            text = cut(text, columns)
        return [pad(line, columns, right=right) for line in text.split("\n")]

    def _joined(self, cells: Sequence[str]) -> str:
        border, mark = self._settings.border, self._marks[3][0]
        if border == 0:
            return "  ".join(cells).rstrip()
        line = f" {mark} ".join(cells)
        return f"{mark} {line} {mark}" if border == 2 else f" {line}".rstrip()

    # --- expanded --------------------------------------------------------------------------------

    def _records(self, batch: pa.RecordBatch) -> list[str]:
        """A line for each value; long ones go on below their beginning, and are whole."""
        name_width = max(map(width, self._names))
        room = max(self._columns - name_width - 3, COLUMN_WIDTH_MIN)
        line, crossing, mark = self._marks[0][1], self._marks[0][2], self._marks[3][0]
        lines = []
        for row in self._texts(batch, sys.maxsize, True):
            self.row_count += 1
            title = f"{line}[ {self.row_count} ]"
            fill = name_width + 1 - len(title)
            end = f"{line * fill}{crossing}" if fill >= 0 else ""
            lines.append(f"{title}{end}{line * 12}")
            for name, text in zip(self._names, row, strict=True):
                null = self._terminal.paint(self._settings.null, "dim")
                first, *more = [null] if text is None else wrap(text, room)
                head = self._terminal.paint(pad(name, name_width), "bold")
                lines.append(f"{head} {mark} {first}".rstrip())
                lines += [f"{' ' * name_width} {mark} {rest}".rstrip() for rest in more]
        return lines


def _bare(line: str) -> str:
    """A line without colours."""
    if "\x1b" not in line:
        return line
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", line)

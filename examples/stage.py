"""What the demo stands on: sends statements, prints them, their answers, and how long they took."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hartonomous import hql
from hartonomous.storage.errors import Error

CELL = 120  # characters of a value that are shown


class Stage:
    """One database on show."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database: Any = None

    def title(self, text: str) -> None:
        print(f"\n== {text}", flush=True)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        print(f"{what} {duration(time.perf_counter() - start)}", flush=True)

    def open(self) -> None:
        self.database = hql.connect(self.folder)

    def ask(self, text: str, parameters: Any = None) -> None:
        """Sends a text, prints it, its rows or its error, and its messages."""
        print("> " + text.replace("\n", "\n  "))
        start = time.perf_counter()
        try:
            cursor = self.database.execute(text, parameters)
            rows = cursor.fetchall() if cursor.description else []
        except Error as error:
            print(f"{error.code}: {error}")
            return
        taken = time.perf_counter() - start
        if cursor.description:
            print_table([column[0] for column in cursor.description], rows)
        elif cursor.rowcount >= 0:
            print(f"{cursor.rowcount:,} rows")
        for message in cursor.messages:
            print(message)
        print(duration(taken), flush=True)


def duration(seconds: float) -> str:
    return f"[{seconds * 1000:.0f} ms]" if seconds < 1 else f"[{seconds:.1f} s]"


def print_table(names: list[str], rows: list[tuple[Any, ...]]) -> None:
    """Aligned columns; numbers to the right, hashes by their first bytes."""
    texts = [[show(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *texts, strict=True)]
    print("  ".join(n.ljust(w) for n, w in zip(names, widths, strict=True)).rstrip())
    for row, values in zip(texts, rows, strict=True):
        cells = [
            text.rjust(width) if isinstance(value, (int, float)) else text.ljust(width)
            for text, width, value in zip(row, widths, values, strict=True)
        ]
        print("  ".join(cells).rstrip())


def show(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bytes():
            return value[:6].hex() + "…"
        case float():
            return f"{value:,.4g}"
        case int():
            return f"{value:,}"
    text = re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1…", str(value))
    text = re.sub(r"\s+", " ", text) if "\n" in text else text
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

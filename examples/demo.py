"""The demo: real text in, a commit, the folder opened again, questions answered.

    python examples/demo.py [FOLDER]

Loads the source of the Python standard library that runs it. Everything printed is what happened;
the statements below the `>` marks are what was sent, and their answers follow.
"""

from __future__ import annotations

import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from library import read_library

from hartonomous import hql
from hartonomous.storage.errors import Error

CELL = 200  # characters of a value that are shown
FOLDER = Path(__file__).parents[1] / "demo.hdb"

SCHEMA = """\
CREATE TABLE modules (
    id INT PRIMARY KEY, name NVARCHAR(100) NOT NULL UNIQUE, package NVARCHAR(50) NOT NULL,
    line_count INT NOT NULL CHECK (line_count >= 0), docstring NVARCHAR(MAX)
);
CREATE TABLE definitions (
    id INT PRIMARY KEY, module INT NOT NULL, kind NVARCHAR(10) NOT NULL,
    name NVARCHAR(200) NOT NULL, first_line INT NOT NULL, last_line INT NOT NULL,
    docstring NVARCHAR(MAX), line_count AS (last_line - first_line + 1)
);
CREATE TABLE imports (module INT NOT NULL, target NVARCHAR(100) NOT NULL);
CREATE TABLE lines (module INT NOT NULL, number INT NOT NULL, text NVARCHAR(MAX))"""

QUESTIONS = {
    "Which packages are largest, and how much of each is documented?": """\
SELECT TOP (5) m.package, COUNT(DISTINCT m.id) AS modules, COUNT(*) AS definitions,
       100 * COUNT(d.docstring) / COUNT(*) AS percent_documented
FROM modules m JOIN definitions d ON d.module = m.id
GROUP BY m.package ORDER BY definitions DESC, m.package""",
    "Who writes about race conditions?": """\
SELECT m.name AS module, d.name, d.kind
FROM definitions d JOIN modules m ON m.id = d.module
WHERE d.docstring LIKE '%race condition%' ORDER BY m.name, d.first_line""",
    "The longest function or method of each of five modules": """\
SELECT module, name, line_count
FROM (
    SELECT m.name AS module, d.name, d.line_count,
           ROW_NUMBER() OVER (PARTITION BY m.id ORDER BY d.line_count DESC, d.id) AS place
    FROM definitions d JOIN modules m ON m.id = d.module
    WHERE d.kind <> 'class'
      AND m.name IN ('argparse', 'ast', 'json.decoder', 'random', 'sqlite3.dump')
) AS ranked
WHERE place = 1 ORDER BY line_count DESC""",
    "What does importing json import, directly and behind the scenes?": """\
WITH reached (name, depth) AS (
    SELECT 'json', 0
    UNION ALL
    SELECT i.target, r.depth + 1
    FROM reached r JOIN modules m ON m.name = r.name JOIN imports i ON i.module = m.id
    WHERE r.depth < 4
)
SELECT depth, COUNT(*) AS modules, MIN(name) AS first_by_name
FROM (SELECT name, MIN(depth) AS depth FROM reached GROUP BY name) AS nearest
GROUP BY depth ORDER BY depth""",
}


PRUNED = """\
SELECT COUNT(*) AS lines FROM lines WHERE module BETWEEN 100 AND 110 AND text LIKE '%self%'"""
UNDONE = """\
BEGIN TRAN;
DELETE FROM definitions WHERE docstring IS NULL;
ROLLBACK"""


class Stage:
    """One database on show: sends statements, prints their answers and how long they took."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database: Any = None

    def title(self, text: str) -> None:
        print(f"\n== {text}")

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        print(f"{what} {duration(time.perf_counter() - start)}")

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
        print(duration(taken))


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
            return f"{value:,.6g}"
        case int():
            return f"{value:,}"
    text = re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1…", str(value))
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def load(stage: Stage) -> None:
    """Reads the library and loads it in one transaction: durable when it is committed."""
    stage.title("Real text: the source of the Python standard library")
    with stage.timed(f"read and parsed with Python {platform.python_version()}"):
        tables = read_library()
    stage.open()
    stage.database.execute(SCHEMA)
    with stage.timed("loaded in one transaction, hashed and durable"), stage.database.transaction():
        for name, table in tables.items():
            columns = ", ".join(table.column_names)
            insert = f"INSERT INTO {name} ({columns}) SELECT * FROM @rows"
            stage.database.execute(insert, {"rows": table})
            print(f"  {name:12}{table.num_rows:>10,} rows")


def reopen(stage: Stage) -> None:
    stage.title("Closed, and opened again")
    stage.database.close()
    with stage.timed(f"opened {size_of(stage.folder) / 2**20:,.0f} MiB"):
        stage.open()


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def ask_questions(stage: Stage) -> None:
    for question, text in QUESTIONS.items():
        stage.title(question)
        stage.ask(text)


def show_plan(stage: Stage) -> None:
    stage.title("What a query costs: batches that cannot match are not read")
    stage.ask("EXPLAIN ANALYZE " + PRUNED)


def show_arrow(stage: Stage) -> None:
    stage.title("Every line of it as one Arrow table")
    text = "SELECT module, number, text FROM lines"
    start = time.perf_counter()
    table = stage.database.execute(text).fetch_arrow_table()
    taken = duration(time.perf_counter() - start)
    print(f"> {text}\n{table.num_rows:,} rows, {table.nbytes / 2**20:,.0f} MiB {taken}")


def show_safety(stage: Stage) -> None:
    stage.title("Mistakes are named, and leave nothing behind")
    stage.ask("SELECT docstrin FROM definitions")
    stage.ask("INSERT INTO modules (id, name, package, line_count) VALUES (1, 'mine', 'mine', 1)")
    stage.ask(UNDONE)
    stage.ask("SELECT COUNT(*) AS definitions, COUNT(docstring) AS documented FROM definitions")


def show_history(stage: Stage) -> None:
    stage.title("Every change is a commit, every commit names the root of all data")
    stage.ask("SELECT Sequence, Hash, Parent, Root FROM Commits ORDER BY Sequence DESC")
    stage.ask("VERIFY DATABASE")


def show_tampering(stage: Stage) -> None:
    """One byte of a copy is changed behind the database's back."""
    stage.title("One byte changed on the disk of a copy, behind the database's back")
    stage.database.close()
    copy = stage.folder.with_name("tampered.hdb")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(stage.folder, copy)
    try:
        victim = max((copy / "objects").rglob("*"), key=lambda path: path.stat().st_size)
        place = victim.stat().st_size // 2
        with victim.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ 1]))
        print(f"byte {place:,} of {victim.parent.name}/{victim.name[:12]}… is not what it was")
        stage.database = hql.connect(copy, read_only=True)
        stage.ask("VERIFY DATABASE")
        stage.database.close()
    finally:
        shutil.rmtree(copy)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    stage, start = Stage(folder), time.perf_counter()
    for act in (load, reopen, ask_questions, show_plan, show_arrow, show_safety, show_history):
        act(stage)
    show_tampering(stage)
    print(f"\n{duration(time.perf_counter() - start)} in all. The database stays; ask it yourself:")
    question = "SELECT TOP (3) name, docstring FROM modules ORDER BY line_count DESC"
    print(f'  .venv/bin/hql -c "{question}" {folder.name}')


if __name__ == "__main__":
    main()

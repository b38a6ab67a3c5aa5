"""Real data that every machine has: lines of Python's standard library, as tables of a World."""

from __future__ import annotations

import sysconfig
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from query_world import World

from hartonomous.storage.catalog import IndexEntry, KeyEntry, TableEntry


def read_lines(count: int) -> list[list[Any]]:
    """File, number, length, depth, first word (NULL of an empty line) and text of at least so many
    lines, as columns."""
    rows: list[tuple[Any, ...]] = []
    for number, path in enumerate(sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))):
        text = path.read_text("utf-8", "replace").replace("\0", "")
        for line, content in enumerate(text.splitlines()):
            words = content.split()
            depth = len(content) - len(content.lstrip(" "))
            rows.append((number, line, len(content), depth, words[0] if words else None, content))
        if len(rows) >= count:
            break
    return [list(column) for column in zip(*rows, strict=True)]


def library_world(count: int) -> World:
    """`files` (id, name, lines), `words` (word, uses) and `code` (id, file, line, length, depth,
    word), with keys and BTREE indexes over most of what can be joined; in each there are rows
    without a match in the others."""
    world = World()
    file, line, length, depth, word, _ = read_lines(count)
    ids = list(range(len(file)))
    code = world.create(
        "code",
        {
            "id": "INT",
            "file": "BIGINT",
            "line": "INT",
            "length": "SMALLINT",
            "depth": "INT",
            "word": "NVARCHAR",
        },
        [ids, file, line, length, depth, word],
        key="id",
    )
    by_file = IndexEntry(80, "code_file_line", (2, 3), "BTREE")
    by_word = IndexEntry(81, "code_word_depth", (6, 5), "BTREE")
    by_depth = IndexEntry(82, "code_depth", (5,), "BTREE")
    world.source.replace(replace(current(world, code), indexes=(by_file, by_word, by_depth)))
    lines = {n: count for n, count in Counter(file).items() if n % 7 != 3}
    lines |= {900 + n: 5 for n in range(4)}
    names = [f"module{n}" if n % 5 else None for n in lines]
    world.create(
        "files",
        {"id": "INT", "name": "NVARCHAR(20)", "lines": "BIGINT"},
        [list(lines), names, list(lines.values())],
        key="id",
    )
    uses = Counter(w for w in word if w is not None).most_common(300)
    uses += [(f"unheard{n}", n) for n in range(4)]
    words = world.create(
        "words",
        {"word": "NVARCHAR", "uses": "INT"},
        [[w for w, _ in uses], [n for _, n in uses]],
    )
    key = KeyEntry(85, "words_word", (1,), "UNIQUE")
    world.source.replace(replace(current(world, words), keys=(key,)))
    return world


def current(world: World, table: TableEntry) -> TableEntry:
    found = world.source.catalog.find(table.schema, table.name)
    assert isinstance(found, TableEntry)
    return found

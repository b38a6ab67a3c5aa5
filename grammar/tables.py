"""The parser's tables: made by Lark from the fragments (generate.py), read here without it.

A wheel carries `tables.bin`; a checkout makes the file on first use and keeps it in the user's
cache folder under the digest of the fragments. A file whose digest is not that of the fragments
beside this module is not used.

File: 8 bytes magic with the format's version, 32 bytes SHA-256 of the joined fragments, then
sections, each a 4-byte length and its bytes (integers are little-endian):

| section | content |
| --- | --- |
| symbols | names of terminals, then of non-terminals, one a line; after a tab the word or mark |
| counts | uint32: number of terminals |
| starts | lines of start rule, tab, state |
| rules | lines of left side, length, name, flags, and `index:inline:nones` of each child kept |
| states | uint16 for each state: its row |
| offsets | uint32 for each row: where it begins in `rows`, and an end |
| rows | int16 pairs of symbol and action |

An action >= 0 shifts or goes to that state, one < 0 reduces rule ~action; symbol -1 holds the
action whatever comes. Shifting $END, which the last state does to itself, accepts.

Rows are shared between states that act alike and decoded when a state is first visited. Measured
on this grammar (see `python -m hartonomous.grammar.generate`): loading takes 3 ms, so there is no
smaller core set of tables.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

#: raise the number when the file format or generate.py changes
MAGIC = b"HQLTAB04"
FOLDER = Path(__file__).parent
FRAGMENTS = ("base", "expressions", "queries", "scripts")

#: action for any symbol, in a state that can only reduce one rule
ANY = -1


class Rule:
    """A grammar rule as the driver needs it: `size` symbols become one `symbol`. `children` are
    (index, inline, number of Nones before it) of the symbols that leave a child; an inline one is
    a list of children of a `_rule`. `nones_last` Nones come after them. `build` is the driver's:
    what makes the rule's value, once it is known."""

    __slots__ = (
        "build",
        "children",
        "expand_single",
        "inline",
        "is_unit",
        "name",
        "nones_last",
        "size",
        "symbol",
    )

    def __init__(self, line: str) -> None:
        symbol, size, self.name, flags, nones, *children = line.split(" ")
        self.build: Callable[[list[Any], Any], Any] | None = None
        self.symbol, self.size, self.nones_last = int(symbol), int(size), int(nones)
        self.expand_single = flags == "1"
        self.inline = self.name.startswith("_")
        parts = (c.split(":") for c in children)
        self.children = tuple((int(i), inline == "1", int(n)) for i, inline, n in parts)
        self.is_unit = self.expand_single and self.size == 1 and self.children == ((0, False, 0),)

    def gather(self, values: list[Any]) -> list[Any]:
        """The children among the values of the rule's symbols."""
        children: list[Any] = []
        for i, inline, nones in self.children:
            if nones:
                children += [None] * nones
            if not inline:
                children.append(values[i])
            elif i == 0 and not nones:
                children = values[0]  # this list is ours alone, so that lists grow in place
            else:
                children += values[i]
        if self.nones_last:
            children += [None] * self.nones_last
        return children


@dataclass(slots=True)
class Tables:
    """Everything the driver reads. `literals` maps words and marks to their terminals."""

    symbols: list[str]
    terminal_count: int
    literals: dict[str, int]
    starts: dict[str, int]
    rule_lines: list[str]
    states: array[int]
    offsets: array[int]
    rows: array[int]
    ids: dict[str, int] = field(init=False)
    _rows: list[dict[int, int] | None] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        self.ids = {name: i for i, name in enumerate(self.symbols)}
        self._rows = [None] * (len(self.offsets) - 1)

    def row(self, state: int) -> dict[int, int]:
        """symbol -> action of a state."""
        number = self.states[state]
        row = self._rows[number]
        if row is None:
            cells = self.rows[self.offsets[number] : self.offsets[number + 1]]
            row = self._rows[number] = dict(zip(cells[::2], cells[1::2], strict=True))
        return row


def join_fragments() -> str:
    """The whole grammar as Lark text, without what generate.py adds."""
    paths = [FOLDER / f"{name}.lark" for name in FRAGMENTS]
    paths += sorted((FOLDER / "statements").glob("*.lark"))
    return "".join(path.read_text(encoding="utf-8") for path in paths)


def digest_of(text: str) -> bytes:
    return hashlib.sha256(MAGIC + text.encode()).digest()


@cache
def load() -> Tables:
    """The tables of the grammar beside this module: shipped, cached, or made now."""
    text = join_fragments()
    digest = digest_of(text)
    cached = cache_folder() / f"{digest.hex()}.bin"
    for path in (FOLDER / "tables.bin", cached):
        data = _read(path)
        if data is not None and data[:40] == MAGIC + digest:
            return decode(data)
    from hartonomous.grammar.generate import generate

    data = generate(text)
    write_cache(cached, data)
    return decode(data)


def cache_folder() -> Path:
    """Where a checkout keeps its tables, readable by its user only."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "hartonomous" / "grammar"


def write_cache(path: Path, data: bytes) -> None:
    """Puts the file in place whole. A folder that cannot be written to costs time, no more: the
    tables are made again by the next process."""
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        print(f"grammar tables are not cached: {error}", file=sys.stderr)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def encode(digest: bytes, tables: Tables) -> bytes:
    """The file of these tables; `decode(encode(…))` gives them back."""
    texts = {number: text for text, number in tables.literals.items()}
    symbols = "\n".join(f"{n}\t{texts.get(i, '')}" for i, n in enumerate(tables.symbols))
    starts = "\n".join(f"{name}\t{state}" for name, state in tables.starts.items())
    sections = [
        symbols.encode(),
        struct.pack("<I", tables.terminal_count),
        starts.encode(),
        "\n".join(tables.rule_lines).encode(),
        _little(tables.states).tobytes(),
        _little(tables.offsets).tobytes(),
        _little(tables.rows).tobytes(),
    ]
    return MAGIC + digest + b"".join(struct.pack("<I", len(s)) + s for s in sections)


def decode(data: bytes) -> Tables:
    """Tables from a file's bytes."""
    sections = []
    position = 40
    while position < len(data):
        (length,) = struct.unpack_from("<I", data, position)
        sections.append(data[position + 4 : position + 4 + length])
        position += 4 + length
    names, count, starts, rules, states, offsets, rows = sections
    lines = [line.split("\t") for line in names.decode().split("\n")]
    return Tables(
        symbols=[name for name, _ in lines],
        terminal_count=struct.unpack("<I", count)[0],
        literals={text: i for i, (_, text) in enumerate(lines) if text},
        starts={n: int(s) for n, s in (x.split("\t") for x in starts.decode().split("\n"))},
        rule_lines=rules.decode().split("\n"),
        states=_little(array("H", states)),
        offsets=_little(array("I", offsets)),
        rows=_little(array("h", rows)),
    )


def _little(values: array[int]) -> array[int]:
    if sys.byteorder == "little":
        return values
    swapped = array(values.typecode, values)
    swapped.byteswap()
    return swapped

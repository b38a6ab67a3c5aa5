"""What ways to rows cost, in microseconds: the constants by which the planner chooses.

Measured once on one machine (a table of a million rows and five columns in one segment, warm), and
used only to compare ways with each other: what they say about another machine is that all its ways
are slower or faster by about the same factor.

    scan      all rows go through the engine, which tests or joins them
    fetch     rows are picked by address, batch by batch, column by column
    seek      an index is asked for some stretches or single keys
    walk      an index is followed in its order, block by block
"""

from __future__ import annotations

from typing import Final

#: a row that the engine reads and tests, and each column of it
SCAN_ROW_US: Final = 0.0015
SCAN_CELL_US: Final = 0.0015
#: a row that the engine sorts to find the first few
TOP_ROW_US: Final = 0.004
#: picking one column out of one batch, and each value of it
FETCH_BATCH_US: Final = 10.0
FETCH_CELL_US: Final = 0.03
#: asking the part of an index over one chunk, and each key that is looked up there
SEEK_CHUNK_US: Final = 20.0
SEEK_KEY_US: Final = 0.3
#: a row that comes out of an index in order
WALK_ROW_US: Final = 0.1
#: comparing the values of a row with constants, in Arrow
TEST_ROW_US: Final = 0.002
#: what a scan costs at least: below this nothing is worth a comparison
LEAST_SCAN_US: Final = 300.0
#: how much more a geometry costs that is fetched by address, and how many are not worth counting
FETCHED_FACTOR: Final = 5
FREE_ROWS: Final = 1000


def scan_us(rows: float, columns: int) -> float:
    """The engine reads `rows` rows of so many columns."""
    return rows * (SCAN_ROW_US + SCAN_CELL_US * columns)


def fetch_us(rows: float, columns: int, batches: int) -> float:
    """So many rows, which may lie in any of `batches` batches, are picked by address."""
    return columns * (FETCH_BATCH_US * min(rows, batches) + FETCH_CELL_US * rows)


def seek_us(keys: float, chunks: int) -> float:
    """So many keys are looked up in an index."""
    return chunks * SEEK_CHUNK_US + keys * SEEK_KEY_US


def walk_us(rows: float, chunks: int) -> float:
    """So many rows come out of an index in order."""
    return chunks * SEEK_CHUNK_US + rows * WALK_ROW_US


def few_rows(rows: int, whole: int) -> bool:
    """Whether computing something of each of `rows` rows, fetched by address, costs less than of
    all `whole` rows that a scan gives: a geometry fetched costs five times one that is scanned."""
    return rows * FETCHED_FACTOR < whole + FREE_ROWS

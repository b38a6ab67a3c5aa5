"""The data that benchmarks run on, made from a seed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

GROUPS = 1_000
FACTS = """CREATE TABLE facts (
    id BIGINT, k INT, g INT, x FLOAT, y FLOAT, day DATE, word VARCHAR(20)
)"""
DIMENSIONS = "CREATE TABLE dimensions (g INT, name VARCHAR(20))"


def facts(rows: int, seed: int = 0) -> pa.Table:
    """`rows` facts: k has rows / 10 values, g a thousand, word ten thousand; ids ascend."""
    dice = np.random.default_rng(seed)
    words = pa.array([f"word {n:05}" for n in range(10_000)])
    return pa.table(
        {
            "id": np.arange(rows, dtype=np.int64),
            "k": dice.integers(0, max(rows // 10, 1), rows, dtype=np.int32),
            "g": dice.integers(0, GROUPS, rows, dtype=np.int32),
            "x": dice.random(rows),
            "y": dice.normal(size=rows),
            "day": pa.array(np.sort(dice.integers(10_000, 20_000, rows, dtype=np.int32))).cast(
                pa.date32()
            ),
            "word": words.take(pa.array(dice.integers(0, len(words), rows))),
        }
    )


def dimensions() -> pa.Table:
    return pa.table(
        {"g": np.arange(GROUPS, dtype=np.int32), "name": [f"name {n % 50}" for n in range(GROUPS)]}
    )

"""SpatialSignature of Python definitions: points of their trees (kernels/tree_signature.py).

The directions are those along which the definitions of a standard library differ most. They are a
file of the package, 1.5 KB, made once by `python -m hartonomous.hql.modalities.python_signature` on
CPython 3.11: signatures are stored, so it stays as it is, whatever Python runs.

What a distance means, over the 19,239 definitions there: two of them are 13 apart in the median; a
statement more or less moves one by 2.7 in the median; within 2 of a function lie 66 others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hartonomous.hql.modalities.python_parts import PAIRS

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.modalities.python_tree import Found

#: of the space of Python's trees; spaces of texts come after it
SRID: Final = 999_999
FILE: Final = "python.signature"


@cache
def directions() -> np.ndarray[Any, Any]:
    """int16[3, PAIRS]"""
    data = (files(__package__) / FILE).read_bytes()
    return np.frombuffer(data, "<i2").reshape(3, PAIRS)


def signatures(found: Sequence[Found]) -> pa.Array:
    """The GEOMETRY point of each definition."""
    from hartonomous.hql.functions.geometry_kernels import array_of_shapes
    from hartonomous.kernels.geometry.layout import POINT, Shapes
    from hartonomous.kernels.tree_signature import signature_points

    count = len(found)
    hashes = np.frombuffer(b"".join(f.ast_hash for f in found), np.uint8).reshape(count, 32)
    shapes = Shapes(
        np.full(count, POINT, np.int8),
        np.zeros(count),
        np.full(count, SRID, np.int32),
        np.zeros(count + 1, np.int64),
        np.empty(0, np.int32),
        np.arange(count + 1),
        signature_points(counts_of(found), hashes, directions()),
    )
    return array_of_shapes(shapes)


def counts_of(found: Sequence[Found]) -> np.ndarray[Any, Any]:
    """int64[N, PAIRS]: how often each pair of types occurs in each definition."""
    lengths = [len(f.pairs) for f in found]
    pairs = np.array([p for f in found for p in f.pairs], np.int64)
    cells = np.repeat(np.arange(len(found)) * PAIRS, lengths) + pairs
    return np.bincount(cells, minlength=len(found) * PAIRS).reshape(-1, PAIRS)


def compute() -> bytes:
    """The bytes of the file, from the standard library of the Python that runs, without tests."""
    import sysconfig
    from pathlib import Path

    from hartonomous.hql.modalities.python_parts import parse
    from hartonomous.hql.modalities.python_tree import find_definitions
    from hartonomous.kernels.projection import principal_directions
    from hartonomous.kernels.tree_signature import LOG_UNIT, UNIT, profiles

    left_out = {"test", "tests", "idle_test", "site-packages", "dist-packages"}
    found: list[Found] = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if left_out.isdisjoint(path.parts):
            found += find_definitions(parse(path.read_text("utf-8", "replace")))
    distinct = np.unique(profiles(counts_of(found)), axis=0)
    matrix = principal_directions((distinct / LOG_UNIT).astype(np.float32))
    return np.round(matrix * UNIT).astype("<i2").tobytes()


if __name__ == "__main__":
    from pathlib import Path

    (Path(__file__).parent / FILE).write_bytes(compute())

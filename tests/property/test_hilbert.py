"""The Hilbert curve: a bijection whose neighbours on the line are neighbours in space."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.kernels import hilbert, hilbert_compiled

SIDE = 1 << hilbert.BITS
coordinates = st.integers(0, SIDE - 1)
keys = st.integers(0, 2**63 - 2)


def steps(cells: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """How far each cell is from the next, in the sum of coordinates."""
    return np.asarray(np.abs(np.diff(cells.astype(np.int64), axis=0)).sum(axis=1))


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5])
def test_the_whole_curve_visits_every_cell_once_in_steps_of_one(bits: int) -> None:
    every = np.arange(1 << 3 * bits, dtype=np.int64)
    cells = hilbert.decode_reference(every, bits)
    assert (steps(cells) == 1).all()
    assert len(np.unique(cells, axis=0)) == len(every)
    assert (hilbert.encode_reference(cells, bits) == every).all()
    assert cells[0].tolist() == [0, 0, 0]


@settings(max_examples=60, deadline=None)
@given(st.lists(keys, min_size=1, max_size=20))
def test_adjacent_keys_are_adjacent_cells(given_keys: list[int]) -> None:
    starts = np.array(given_keys, np.int64)
    pairs = np.stack((starts, starts + 1), axis=1).reshape(-1)
    cells = hilbert.decode(pairs).reshape(-1, 2, 3)
    assert all(steps(pair)[0] == 1 for pair in cells)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(coordinates, coordinates, coordinates), max_size=20))
def test_decoding_undoes_encoding(points: list[tuple[int, int, int]]) -> None:
    cells = np.array(points, np.uint32).reshape(-1, 3)
    made = hilbert.encode(cells)
    assert (made >= 0).all()
    assert (hilbert.decode(made) == cells).all()


@pytest.mark.parametrize("bits", [1, 2, 11, 21])
def test_compiled_keys_are_those_of_the_reference(bits: int) -> None:
    random = np.random.default_rng(bits)
    cells = random.integers(0, 1 << bits, (3000, 3), dtype=np.uint32)
    cells[:2] = [[0, 0, 0], [(1 << bits) - 1] * 3]
    cells.setflags(write=False)  # as mapped files are
    made = hilbert.encode_reference(cells, bits)
    assert (hilbert_compiled.encode(cells, bits) == made).all()
    assert (hilbert_compiled.decode(made, bits) == cells).all()
    assert (hilbert.decode_reference(made, bits) == cells).all()

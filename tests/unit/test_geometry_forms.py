"""The two forms of the geometry kernels give the same bits; which one runs, and when it is made.

The default tests run the compiled form of every entry a few times; making it takes half a minute of
a processor where numba's cache has none of it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geometry_compiling import in_compiled_form, in_python
from geometry_seeds import CUBE, Numbers, any_value, values
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.kernels.geometry import compiling, distance, measures
from hartonomous.kernels.geometry.compiling import entry, inner
from hartonomous.kernels.geometry.core_distance import core_distances
from hartonomous.kernels.geometry.exact import determinant_sign
from hartonomous.kernels.geometry.frechet import frechet_distances
from hartonomous.kernels.geometry.hausdorff import directed_distances
from hartonomous.kernels.geometry.hull import hulls
from hartonomous.kernels.geometry.layout import HULL, LINESTRING, MULTIPOINT, POLYGON, Shapes, make
from hartonomous.kernels.geometry.pieces import Pieces, pieces_of
from hartonomous.kernels.geometry.tetrahedra import simplices_of

SEEDS = st.integers(0, 2**32 - 1)
#: what coordinates are multiplied with: nothing is lost, or squares vanish, overflow, or all does
SCALES = st.sampled_from([1.0, 1e-20, -3.0, 1e100, 1e-160, 1e-310, 1e160, 4e307])


def pieces(a: Shapes, b: Shapes) -> Pieces:
    """A tree has one node less than there is room for."""
    made = pieces_of(a)
    made.boxes[2 * made.starts[1:] - 1] = 0.0
    return made


def hulls_and_cut(a: Shapes, b: Shapes) -> Pieces:
    """Hulls as the cells of a search are made of them."""
    points = Shapes(
        np.full(len(a), HULL, np.int8), a.radius, a.srid, a.ring_starts * 0, a.rings[:0],
        a.coord_starts, a.coords,
    )  # fmt: skip
    return simplices_of(pieces(points, points))


FUNCTIONS: list[Callable[[Shapes, Shapes], Any]] = [
    distance.distances,
    distance.intersects,
    distance.within,
    distance.hausdorff,
    distance.frechet,
    lambda a, b: measures.convex_hull(a),
    lambda a, b: measures.centroid(a),
    pieces,
    hulls_and_cut,
]


def bits(made: Any) -> list[bytes]:
    """Of an array, or of each array of a structure; all NaN alike."""
    if isinstance(made, np.ndarray):
        return [np.where(made != made, np.nan, made).astype(made.dtype).tobytes()]
    names = made._fields if isinstance(made, Pieces) else Shapes.__slots__
    return [part for name in names for part in bits(getattr(made, name))]


def check_forms(seed: int, scale: float) -> None:
    a, b = scaled(seed, scale), scaled(seed + 1, scale)
    for function in FUNCTIONS:
        with in_python():
            plain = bits(function(a, b))
        with in_compiled_form():
            assert bits(function(a, b)) == plain, (function, seed, scale)


def scaled(seed: int, scale: float) -> Shapes:
    rng = np.random.default_rng(seed)
    kinds, places = zip(*[any_value(rng) for _ in range(5)], strict=True)
    extra = [(POLYGON, np.empty((0, 3))), (HULL, np.array(CUBE, float))]
    limit = np.finfo(np.float64).max
    grown: list[tuple[int, Numbers]] = [
        (kind, np.clip(np.asarray(p) * scale, -limit, limit))
        for kind, p in [*zip(kinds, places, strict=True), *extra]
    ]
    return make(grown)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(SEEDS, SCALES)
def test_forms_have_the_same_bits(seed: int, scale: float) -> None:
    with np.errstate(all="ignore"):
        check_forms(seed, scale)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(SEEDS, SCALES)
def test_forms_have_the_same_bits_at_length(seed: int, scale: float) -> None:
    with np.errstate(all="ignore"):
        check_forms(seed, scale)


@pytest.mark.slow
def test_every_entry_is_compared() -> None:
    """What test_forms_have_the_same_bits runs is what there is."""
    a = scaled(1, 1.0)
    with in_compiled_form():
        for function in FUNCTIONS:
            function(a, scaled(2, 1.0))
    entries = {k for k, options in compiling._options.items() if options is compiling.ENTRY}
    mine = {k for k in entries if getattr(k, "__module__", "").startswith("hartonomous.")}
    assert {k for k in mine if not compiling.is_loaded(k)} <= {determinant_sign}


# ---- the choice ----------------------------------------------------------------------------------


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if nothing had been compiled or run."""
    monkeypatch.setattr(compiling, "_compiled", {})
    monkeypatch.setattr(compiling, "_spent", 0.0)
    yield


def is_python(seconds: float) -> bool:
    return compiling._is_for_python(doubled_sum, seconds)


@inner
def doubled(x):  # type: ignore[no-untyped-def]
    return x + x


@entry
def doubled_sum(numbers, offset):  # type: ignore[no-untyped-def]
    total = 0.0
    for k in range(len(numbers)):
        total += doubled(numbers[k]) + doubled(offset) - doubled(2)
    return total


def test_small_calls_are_for_python_until_they_add_up(fresh: None) -> None:
    assert is_python(0.9 * compiling.CALL_LIMIT) and not is_python(1.1 * compiling.CALL_LIMIT)
    calls = 1
    while is_python(0.9 * compiling.CALL_LIMIT):
        calls += 1
        assert calls < 1000
    assert calls * 0.9 * compiling.CALL_LIMIT == pytest.approx(compiling.PROCESS_LIMIT, rel=0.02)


def test_what_is_loaded_is_used(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(compiling.ENTRY, "cache", False)
    monkeypatch.setitem(compiling.INNER, "cache", False)
    numbers = np.arange(4.0)
    assert compiling.run(doubled_sum, 1e-5, numbers, 3) == 20.0
    assert not compiling._compiled
    assert compiling.run(doubled_sum, 1e9, numbers, 3) == 20.0
    assert compiling.is_loaded(doubled_sum) and not is_python(1e-5)
    # constants are no types of their own
    assert len(compiling._compiled[doubled].overloads) == 2


@pytest.mark.parametrize("function", FUNCTIONS)
def test_small_values_compile_nothing(
    fresh: None, function: Callable[[Shapes, Shapes], Any]
) -> None:
    ring = np.column_stack([np.cos(np.arange(6.0)), np.sin(np.arange(6.0)), np.zeros(6)])
    ring[-1] = ring[0]
    small = make([(POLYGON, ring), (LINESTRING, ring[:3]), (HULL, np.array(CUBE, float))])
    other = make([(POLYGON, ring + [0, 0, 0.5]), (MULTIPOINT, ring), (HULL, ring)])
    function(small, other)
    assert not compiling._compiled


def test_estimates_grow_with_the_values(fresh: None) -> None:
    a = values(1, 1000)
    for kernel, estimate in (
        (core_distances, distance.distances),
        (directed_distances, distance.hausdorff),
        (frechet_distances, distance.frechet),
        (hulls, lambda a, b: measures.convex_hull(a)),
    ):
        seen: list[float] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compiling, "_is_for_python", lambda k, s: seen.append(s) or True)  # noqa: B023
            few = a.take(np.arange(4))
            estimate(few, few)
            with pytest.raises(Stopped):
                patch.setattr(compiling, "_is_for_python", stopper(kernel))
                estimate(a, a)
        assert max(seen) < compiling.CALL_LIMIT


class Stopped(Exception):
    """Before an expensive kernel runs."""


def stopper(kernel: object) -> Callable[[object, float], bool]:
    def choose(called: object, seconds: float) -> bool:
        if called is kernel:
            assert seconds > compiling.CALL_LIMIT
            raise Stopped
        return True

    return choose


# ---- numba's cache -------------------------------------------------------------------------------

PROGRAM = """
import numpy as np
from hartonomous.kernels.geometry import compiling
from hartonomous.kernels.geometry.exact import determinant_sign
made = compiling.compiled(determinant_sign)
assert made(np.eye(3, dtype=np.int64)) == 1
print(sum(made.stats.cache_hits.values()), sum(made.stats.cache_misses.values()))
"""


def test_a_second_process_compiles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    found = [
        subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [f.stdout.strip() for f in found] == ["0 1", "1 0"]

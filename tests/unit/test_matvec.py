"""Products of stored matrices: against float64, alone and side by side, from many threads."""

import os
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from hartonomous.kernels import matvec
from hartonomous.kernels.blocks import BLOCKS, row_bytes
from hartonomous.kernels.matvec import multiply, multiply_many, multiply_rows, prepare, stack, widen
from hartonomous.kernels.quantize import dequantise_compiled, dequantise_reference
from hartonomous.kernels.quantize_reference import DEQUANTISE
from hartonomous.kernels.team import Team, processors, team

FLOATING = ("F32", "F16", "BF16")
#: one of each kind of kernel; the others are `slow`
USUAL = ("Q4_1", "Q8_0", "Q4_K", "Q6_K", "F16")
ALL = [
    pytest.param(dtype, marks=() if dtype in USUAL else pytest.mark.slow)
    for dtype in (*DEQUANTISE, *FLOATING)
]
#: where a block has float16 scales
SCALES = {"Q4_1": (0, 2), "Q5_1": (0, 2), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}

Floats = npt.NDArray[np.float32]


def weights(dtype: str, rows: int, length: int, seed: int = 5) -> npt.NDArray[np.uint8]:
    """Any bits, with scales and numbers of ordinary size; read-only, as mapped memory is."""
    random = np.random.default_rng(seed)
    data = random.integers(0, 256, (rows, row_bytes(dtype, length)), np.uint8)
    if dtype in DEQUANTISE:
        blocks = data.reshape(-1, BLOCKS[dtype][1])
        for place in SCALES.get(dtype, (0,)):
            scales = random.normal(0, 0.01, (len(blocks), 1)).astype("<f2")
            blocks[:, place : place + 2] = scales.view(np.uint8)
    else:
        width = BLOCKS[dtype][1]
        data.reshape(rows, -1, width)[:, :, width - 1] = 0x3C  # exponents of numbers near 1
    data.flags.writeable = False
    return data


def activations(batch: int, length: int) -> Floats:
    random = np.random.default_rng(6)
    return random.standard_normal((batch, length), np.float32) * random.lognormal(0, 3, (batch, 1))


def error(found: Floats, dtype: str, data: npt.NDArray[np.uint8], x: Floats) -> float:
    """The largest difference to float64, as a part of the product of the lengths."""
    exact = matvec.multiply_reference(dtype, data, x)
    assert found.shape == exact.shape and found.dtype == np.float32
    rows = dequantise_reference(dtype, data, x.shape[1])
    sizes = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(rows, axis=1)
    return float((np.abs(found - exact) / sizes).max())


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("rows", [1, 700])
def test_products(dtype: str, rows: int) -> None:
    data, x = weights(dtype, rows, 768), activations(3, 768).astype(np.float32)
    prepared = prepare(dtype, data, 768)
    assert (prepared.rows, prepared.length, prepared.bytes) == (rows, 768, 0)
    together = multiply(prepared, x)
    assert error(together, dtype, data, x) < (1e-5 if dtype in DEQUANTISE else 1e-6)
    for one, expected in zip(x, together, strict=True):  # each as if it were alone
        np.testing.assert_array_equal(multiply(prepared, one), expected)
    exact = multiply_rows(prepared, x)
    assert error(exact, dtype, data, x) < 1e-6
    np.testing.assert_array_equal(multiply_rows(prepared, x[2:]), exact[2:])
    np.testing.assert_array_equal(multiply_rows(prepared, x, exact=False), together)
    numbers = np.array([rows - 1, 0, rows - 1])
    rows_asked = dequantise_reference(dtype, data[numbers], 768)
    np.testing.assert_array_equal(widen(prepared, numbers), rows_asked)


@pytest.mark.parametrize("dtype", ["F32", pytest.param("F16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("length", [1, 31, 33, 100])
def test_lengths_that_are_no_whole_vectors(dtype: str, length: int) -> None:
    data, x = weights(dtype, 5, length), activations(2, length).astype(np.float32)
    assert error(multiply(prepare(dtype, data, length), x), dtype, data, x) < 1e-6


@pytest.mark.parametrize("length", [1, 17, 100])
@pytest.mark.parametrize("rows", [1, 3, 4, 77])
def test_tiles_and_what_is_left_of_them(rows: int, length: int) -> None:
    """Neither the other x nor the other rows change a bit of a product."""
    data, x = weights("F32", rows, length), activations(9, length).astype(np.float32)
    whole = multiply_rows(prepare("F32", data, length), x)
    assert error(whole, "F32", data, x) < 1e-6
    for batch in (1, 3, 4, 5, 8):
        found = multiply_rows(prepare("F32", data, length), x[:batch])
        np.testing.assert_array_equal(found, whole[:batch])
    for row in range(0, rows, 5):
        found = multiply_rows(prepare("F32", data[row : row + 1], length), x)
        np.testing.assert_array_equal(found, whole[:, row : row + 1])


def test_error_of_sixteen_bits_is_bounded() -> None:
    """One large activation in a block costs the others digits, and no more than 2**-16 of it."""
    data, x = weights("Q4_1", 64, 64), activations(1, 64).astype(np.float32)
    x[0, 7] = 1e4
    exact = matvec.multiply_reference("Q4_1", data, x)
    bound = 1e4 * 2.0**-16 * np.abs(dequantise_reference("Q4_1", data, 64)).sum(axis=1)
    assert (np.abs(multiply(prepare("Q4_1", data, 64), x) - exact) <= bound * 1.01).all()


@pytest.mark.parametrize("extreme", [127, -128])
def test_the_largest_sums(extreme: int) -> None:
    data = np.full((3, 34 * 2), extreme, np.int8).view(np.uint8)
    data.reshape(3, 2, 34)[:, :, :2] = np.array([1.0], "<f2").view(np.uint8)
    x = np.full((1, 64), -3.0, np.float32)
    np.testing.assert_allclose(multiply(prepare("Q8_0", data, 64), x), -192.0 * extreme, rtol=1e-6)


def test_activations_without_size_or_without_end() -> None:
    data = weights("Q4_1", 4, 96)
    prepared = prepare("Q4_1", data, 96)
    x = np.zeros((5, 96), np.float32)
    x[1] = 1e-35  # below what has an inverse: zero
    x[2, 40], x[3, 95], x[4, 0] = np.nan, np.inf, -np.inf
    found = multiply(prepared, x)
    np.testing.assert_array_equal(found[:2], 0)
    assert np.isnan(found[2:]).all()


@pytest.mark.parametrize("dtype", ["I8", "F64"])
def test_what_no_kernel_reads_is_widened_once(dtype: str) -> None:
    kind = {"I8": "i1", "F64": "f8"}[dtype]
    numbers = np.random.default_rng(1).integers(-9, 9, (6, 50)).astype(kind)
    prepared = prepare(dtype, numbers.view(np.uint8), 50)
    assert prepared.bytes == 6 * 50 * 4
    x = activations(1, 50).astype(np.float32)
    assert error(multiply(prepared, x), dtype, numbers.view(np.uint8), x) < 1e-6


def test_stacks() -> None:
    """Several matrices, of several dtypes, in one call."""
    kinds = [("Q4_1", 300), ("F16", 5), ("Q8_0", 64)]
    data = [(dtype, weights(dtype, rows, 256, rows)) for dtype, rows in kinds]
    single = [prepare(dtype, d, 256) for dtype, d in data]
    whole, x = stack(single), activations(2, 256).astype(np.float32)
    assert whole.rows == 369
    expected = [multiply(p, x) for p in single]
    for found in (multiply_many(single, x), whole.split(multiply(whole, x))):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)
    exact = np.hstack([matvec.multiply_reference(dtype, d, x) for dtype, d in data])
    np.testing.assert_allclose(multiply_rows(whole, x), exact, atol=1e-5 * np.abs(exact).max())
    numbers = np.array([0, 299, 300, 304, 305, 368, 2])
    rows = np.vstack([dequantise_reference(dtype, d, 256) for dtype, d in data])
    np.testing.assert_array_equal(widen(whole, numbers), rows[numbers])


def test_no_rows_and_no_products() -> None:
    data = weights("Q4_1", 0, 32)
    assert multiply(prepare("Q4_1", data, 32), np.ones((2, 32), np.float32)).shape == (2, 0)
    assert multiply_rows(prepare("Q4_1", data, 32), np.ones((2, 32), np.float32)).shape == (2, 0)
    some, none = prepare("Q4_1", weights("Q4_1", 3, 32), 32), np.empty((0, 32), np.float32)
    assert multiply(some, none).shape == multiply_rows(some, none).shape == (0, 3)


def test_many_threads_at_once() -> None:
    """One job has the team; who comes meanwhile works alone, to the same bits."""
    prepared = prepare("Q4_1", weights("Q4_1", 2000, 256), 256)
    x = activations(8, 256).astype(np.float32)
    expected, wrong = multiply(prepared, x), []

    def run(n: int) -> None:
        for _ in range(100):
            if not np.array_equal(multiply(prepared, x[n]), expected[n]):
                wrong.append(n)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_any_number_of_workers_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepare("Q4_1", weights("Q4_1", 2000, 256), 256)
    x = activations(64, 256).astype(np.float32)
    expected, exact = multiply(prepared, x), multiply_rows(prepared, x)
    for workers in (0, 1, 5):
        made = Team(workers)
        monkeypatch.setattr(matvec, "team", lambda made=made: made)
        for n in range(32):  # other numbers each time: memory is used again as it was left
            part = slice(n, n + 32)
            np.testing.assert_array_equal(multiply(prepared, x[part]), expected[part])
            np.testing.assert_array_equal(multiply_rows(prepared, x[part]), exact[part])
        made.end()
        assert not [t for t in threading.enumerate() if t in made._threads]


def test_a_job_is_over_when_all_chunks_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two chunks of about a millisecond: whoever is first waits for the other."""
    length = 1 << 16
    prepared = prepare("F32", weights("F32", 8, length), length)
    x = activations(64, length).astype(np.float32)
    expected = multiply_rows(prepared, x)
    made = Team(1)
    monkeypatch.setattr(matvec, "team", lambda: made)
    for n in range(16):  # no result is what the memory held before
        scale = np.float32(2.0**n)
        np.testing.assert_array_equal(multiply_rows(prepared, scale * x), scale * expected)
    made.end()


def test_a_job_wakes_who_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    made, sleeper = Team(0), threading.Semaphore(0)
    monkeypatch.setattr(matvec, "team", lambda: made)
    made._asleep.append(sleeper)
    multiply(prepare("Q4_1", weights("Q4_1", 2000, 256), 256), np.ones(256, np.float32))
    assert sleeper.acquire(blocking=False) and not made._asleep


def test_a_forked_process_has_a_team_of_its_own() -> None:
    prepared = prepare("Q4_1", weights("Q4_1", 2000, 256), 256)
    x = activations(1, 256).astype(np.float32)
    expected, before = multiply(prepared, x), team()
    child = os.fork()
    if not child:
        same = np.array_equal(multiply(prepared, x), expected) and team() is not before
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [("max 100000\n", 8), ("250000 100000\n", 2), ("50000 100000", 1), ("", 8), ("9 0", 8)],
)
def test_a_team_is_no_larger_than_the_quota(
    text: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    (tmp_path / "cpu.max").write_text(text)
    assert processors(tmp_path / "cpu.max") == expected
    assert processors(tmp_path / "none") == 8


@pytest.mark.slow
def test_halves_without_the_processors_help() -> None:
    """The conversion for processors that have none gives the same bits for all float16."""
    import numba
    from numba.core import types as nt
    from numba.extending import intrinsic

    from hartonomous.kernels.lanes_compiled import I16, I64, Lanes

    def convert(typing_context, data, out, count):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            lanes = Lanes(builder, native_half=False)
            with lanes.loop(I64(0), arguments[2]) as i:
                half = lanes.load(I16, 8, lanes.at(arguments[0], i, 16))
                lanes.store(lanes.halves(half), lanes.at(arguments[1], i, 32))
            return context.get_dummy_value()

        return nt.void(nt.int64, nt.int64, nt.int64), generate

    converted = intrinsic(convert)

    @numba.njit
    def run(data, out, count):  # type: ignore[no-untyped-def]
        converted(data, out, count)

    bits = np.arange(1 << 16, dtype=np.uint16)
    out = np.empty(1 << 16, np.float32)
    run(bits.ctypes.data, out.ctypes.data, len(bits) // 8)
    np.testing.assert_array_equal(out, bits.view(np.float16).astype(np.float32))
    finite = ~np.isnan(out)
    signs = np.signbit(bits.view(np.float16))
    np.testing.assert_array_equal(np.signbit(out)[finite], signs[finite])


def test_compiled_blocks_are_those_of_the_reference() -> None:
    for dtype in ("Q4_1", "Q6_K"):
        data = weights(dtype, 20, 256)
        found = dequantise_compiled(dtype, data, 256)
        np.testing.assert_array_equal(found, dequantise_reference(dtype, data, 256))

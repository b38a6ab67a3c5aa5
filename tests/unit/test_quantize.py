"""Blocks of quantised numbers against the `gguf` package, bit for bit."""

import numpy as np
import numpy.typing as npt
import pytest

from hartonomous.kernels.blocks import BLOCKS, row_bytes
from hartonomous.kernels.quantize import (
    COMPILED,
    QUANTISABLE,
    dequantise,
    dequantise_compiled,
    dequantise_reference,
    quantise,
)
from hartonomous.kernels.quantize_reference import DEQUANTISE, QUANTISE

gguf = pytest.importorskip("gguf")


def theirs(dtype: str) -> object:
    return gguf.GGMLQuantizationType[dtype]


def random_rows(dtype: str, count: int, length: int) -> npt.NDArray[np.uint8]:
    random = np.random.default_rng(7)
    return random.integers(0, 256, (count, row_bytes(dtype, length)), np.uint8)


def same_bits(found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> None:
    assert found.dtype == expected.dtype == np.float32
    nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(found), nan)
    ours, other = found.view(np.uint32)[~nan], expected.view(np.uint32)[~nan]
    np.testing.assert_array_equal(ours, other)


@pytest.mark.parametrize("dtype", [d for d in BLOCKS if hasattr(gguf.GGMLQuantizationType, d)])
def test_blocks_are_those_of_gguf(dtype: str) -> None:
    assert gguf.GGML_QUANT_SIZES[theirs(dtype)] == BLOCKS[dtype]


@pytest.mark.parametrize("dtype", [*DEQUANTISE, "F16", "BF16", "F32"])
def test_dequantise(dtype: str) -> None:
    data = random_rows(dtype, 64, 768)
    with np.errstate(all="ignore"):
        expected = gguf.quants.dequantize(data, theirs(dtype))
    same_bits(dequantise_reference(dtype, data, 768), expected)
    same_bits(dequantise(dtype, data, 768), expected)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", COMPILED)
@pytest.mark.parametrize("writable", [False, True])
def test_compiled(dtype: str, writable: bool) -> None:
    """Mapped data is read-only, which is a type of its own for numba."""
    data = random_rows(dtype, 64, 768)
    data.flags.writeable = writable
    same_bits(dequantise_compiled(dtype, data, 768), dequantise_reference(dtype, data, 768))


@pytest.mark.parametrize("dtype", ["I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64", "F64"])
def test_dequantise_what_numpy_knows(dtype: str) -> None:
    kind = {"I": "i", "U": "u", "F": "f"}[dtype[0]] + str(BLOCKS[dtype][1])
    values = np.arange(-60, 60).reshape(4, 30).astype(kind)
    found = dequantise(dtype, values.view(np.uint8), 30)
    np.testing.assert_array_equal(found, values.astype(np.float32))


def normal(count: int, length: int) -> npt.NDArray[np.float32]:
    rows = np.random.default_rng(3).standard_normal((count, length), np.float32)
    rows[0] = 0  # a scale of zero
    rows[1, :32] = 1
    rows[2] *= 1e-7  # scales that float16 holds with few bits, or not
    rows[3] = np.round(rows[3] * 8) / 2  # halves
    return rows


@pytest.mark.parametrize("dtype", [*QUANTISE, "F16", "BF16", "F32"])
def test_quantise(dtype: str) -> None:
    rows = normal(64, 256)
    with np.errstate(all="ignore"):
        expected = gguf.quants.quantize(rows, theirs(dtype)).view(np.uint8)
    np.testing.assert_array_equal(quantise(dtype, rows), expected)


@pytest.mark.parametrize("dtype", QUANTISABLE)
def test_not_finite_stays_not_finite(dtype: str) -> None:
    rows = normal(4, 64)
    rows[0, 5], rows[1, 40], rows[2, 3] = np.nan, np.inf, -np.inf
    found = dequantise(dtype, quantise(dtype, rows), 64)
    assert (~np.isfinite(found[:3])).any(axis=1).all()
    assert np.isfinite(found[3]).all()


def test_a_nan_of_bits_that_are_cut_off_stays_one() -> None:
    rows = np.array([[0x7F800001, 0xFF800001]], np.uint32).view(np.float32)
    for dtype in ("BF16", "F16"):
        assert np.isnan(dequantise(dtype, quantise(dtype, rows), 2)).all()


def test_lengths_that_are_no_whole_blocks() -> None:
    with pytest.raises(ValueError, match="48 elements is not made of Q4_0 blocks"):
        row_bytes("Q4_0", 48)
    with pytest.raises(ValueError, match="unknown tensor type Q9"):
        row_bytes("Q9", 32)
    with pytest.raises(ValueError, match="cannot be written as Q6_K"):
        quantise("Q6_K", np.zeros((1, 256), np.float32))


@pytest.mark.slow
def test_a_real_model() -> None:
    """All tensors of a GGUF file, by both forms."""
    import model_files

    reader = gguf.GGUFReader(model_files.model_file(*model_files.SMOLLM))
    dtypes = set()
    for tensor in reader.tensors:
        dtype = tensor.tensor_type.name
        rows = np.ascontiguousarray(tensor.data).view(np.uint8)
        rows = rows.reshape(-1, rows.shape[-1])[:2000]
        length = int(tensor.shape[0])
        expected = gguf.quants.dequantize(rows, tensor.tensor_type).reshape(-1, length)
        same_bits(dequantise_reference(dtype, rows, length), expected)
        if dtype in DEQUANTISE:
            same_bits(dequantise_compiled(dtype, rows, length), expected)
        dtypes.add(dtype)
    assert dtypes == {"F32", "Q4_1", "Q8_0"}

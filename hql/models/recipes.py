"""Recipes: what a file does to a tensor's rows, undone for reading and redone for writing.

A recipe is a plain map, kept with the tensor; without keys the file holds the rows as they are.
In the order in which they are undone:

    transposed: True        the file has inputs as rows (GPT-2's Conv1D)
    rows: [a, b], of: n     the tensor is rows a … b-1 of the n rows of the file's
    rotary: heads           GGUF's order for llama: within a head, rows i and i + half stand side by
                            side as 2i and 2i + 1 (elements, for a vector)
    offset: x               the file holds each value plus x; `original` (bytes) and `of_pack` stand
                            beside it where adding would not give the file's bytes again

Whole rows move without being decoded, so quantised ones do too.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.blocks import BLOCKS, row_bytes

Bytes = npt.NDArray[np.uint8]

#: types whose elements stand alone, by their bytes
_PLAIN: Final = {dtype: size for dtype, (elements, size) in BLOCKS.items() if elements == 1}


class Unfit(Exception):
    """A tensor whose shape or type does not go with its recipe."""


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """(rows, length) of a tensor: rank 0 or 1 is one row, of more than 2 the rest in C order."""
    if len(shape) < 2:
        return 1, shape[0] if shape else 1
    length = 1
    for size in shape[1:]:
        length *= size
    return shape[0], length


def canonical_shape(shape: tuple[int, ...], recipe: dict[str, Any]) -> tuple[int, ...]:
    """The shape of a tensor that a file has with `shape`."""
    if recipe.get("transposed") and len(shape) == 2:
        shape = (shape[1], shape[0])
    if "rows" in recipe:
        start, stop = recipe["rows"]
        if not shape or shape[0] != recipe["of"]:
            raise Unfit(f"it has {shape[0] if shape else 1} rows, not {recipe['of']}")
        shape = (stop - start, *shape[1:])
    return shape


def rotary_order(count: int, heads: int) -> npt.NDArray[np.int64]:
    """int64[count]: where in the file each canonical row stands, for rows of `heads` heads."""
    if heads < 1 or count % (2 * heads):
        raise Unfit(f"{count} rows are not {heads} heads of an even size")
    half = count // heads // 2
    places = np.arange(count, dtype=np.int64).reshape(heads, half, 2)
    return np.ascontiguousarray(places.swapaxes(1, 2)).reshape(-1)


def undo(data: Bytes, dtype: str, shape: tuple[int, ...], recipe: dict[str, Any]) -> Bytes:
    """uint8[rows, row bytes] of the canonical tensor, from all bytes of the file's tensor."""
    rows, length = matrix_shape(shape)
    out: Bytes = np.ascontiguousarray(data).reshape(rows, row_bytes(dtype, length))
    if recipe.get("transposed") and len(shape) == 2:
        out = _turn(out, dtype)
    vector = len(shape) < 2
    if "rows" in recipe:
        start, stop = recipe["rows"]
        out = _elements(out, dtype)[start:stop] if vector else out[start:stop]
        out = out.reshape(1, -1) if vector else out
    if "rotary" in recipe:
        out = _permute(out, dtype, vector, recipe["rotary"], False)
    if "offset" in recipe:
        out = _shift(out, dtype, -recipe["offset"])
    return np.ascontiguousarray(out)


def redo(parts: list[tuple[Bytes, dict[str, Any]]], dtype: str, vector: bool) -> Bytes:
    """All bytes of a file's tensor from its canonical parts uint8[rows, row bytes] with their
    recipes, the parts in order of their rows."""
    made = []
    for data, recipe in parts:
        out = data
        if "offset" in recipe:
            out = _shift(out, dtype, recipe["offset"])
        if "rotary" in recipe:
            out = _permute(out, dtype, vector, recipe["rotary"], True)
        made.append(out.reshape(-1) if vector else out)
    whole = np.concatenate(made) if len(made) > 1 else made[0]
    if parts[0][1].get("transposed") and not vector:
        whole = _turn(whole, dtype)
    return np.ascontiguousarray(whole).reshape(-1)


def keep_original(
    data: Bytes, file_data: Bytes, dtype: str, recipe: dict[str, Any], pack: str
) -> dict[str, Any]:
    """The recipe of a tensor with an offset, with the file's bytes where rounding lost some."""
    if "offset" not in recipe or bytes(_shift(data, dtype, recipe["offset"])) == bytes(file_data):
        return recipe
    return {**recipe, "original": bytes(file_data), "of_pack": pack}


def original(recipe: dict[str, Any], pack: str) -> Bytes | None:
    """The file's own bytes, where they were kept and the tensor is still what it was."""
    if recipe.get("of_pack") != pack:
        return None
    return np.frombuffer(recipe["original"], np.uint8)


def _elements(data: Bytes, dtype: str) -> Bytes:
    """uint8[elements, bytes of one]"""
    if dtype not in _PLAIN:
        raise Unfit(f"its elements are {dtype} blocks, which cannot be moved one by one")
    return np.ascontiguousarray(data).reshape(-1, _PLAIN[dtype])


def _turn(data: Bytes, dtype: str) -> Bytes:
    size = _PLAIN.get(dtype, 0)
    cells = _elements(data, dtype).reshape(len(data), -1, size)
    return np.ascontiguousarray(cells.swapaxes(0, 1)).reshape(cells.shape[1], -1)


def _permute(data: Bytes, dtype: str, vector: bool, heads: int, back: bool) -> Bytes:
    cells = _elements(data, dtype) if vector else data
    order = rotary_order(len(cells), heads)
    moved = cells[np.argsort(order) if back else order]
    return moved.reshape(data.shape)


def _shift(data: Bytes, dtype: str, by: float) -> Bytes:
    """Adds to every element, in the element's own type."""
    if dtype == "BF16":
        from hartonomous.kernels.quantize import dequantise, quantise

        values = dequantise(dtype, np.atleast_2d(data), data.shape[-1] // 2)
        return quantise(dtype, values + np.float32(by)).reshape(data.shape)
    kinds = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
    if dtype not in kinds:
        raise Unfit(f"a norm's weight cannot be {dtype}")
    values = np.ascontiguousarray(data).view(kinds[dtype])
    return np.asarray(values + values.dtype.type(by)).view(np.uint8)

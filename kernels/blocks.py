"""How tensors of each type lie in memory: elements and bytes of one block.

Plain types have blocks of one element. Quantised ones are those of GGUF (ggml's
`block_q4_0` and its kin): a block is a scale, maybe a minimum, and packed small integers; a row
is whole blocks, so its length is a multiple of the block's. Everything is little-endian.
"""

from __future__ import annotations

from typing import Final

#: type -> (elements, bytes) of a block
BLOCKS: Final[dict[str, tuple[int, int]]] = {
    "F64": (1, 8),
    "F32": (1, 4),
    "F16": (1, 2),
    "BF16": (1, 2),
    "I8": (1, 1),
    "U8": (1, 1),
    "I16": (1, 2),
    "U16": (1, 2),
    "I32": (1, 4),
    "U32": (1, 4),
    "I64": (1, 8),
    "U64": (1, 8),
    "BOOL": (1, 1),
    "Q4_0": (32, 18),
    "Q4_1": (32, 20),
    "Q5_0": (32, 22),
    "Q5_1": (32, 24),
    "Q8_0": (32, 34),
    "Q4_K": (256, 144),
    "Q5_K": (256, 176),
    "Q6_K": (256, 210),
}


def row_bytes(dtype: str, length: int) -> int:
    """Bytes of a row of `length` elements. ValueError for an unknown type, a negative length, or
    one that is no multiple of the type's block."""
    if dtype not in BLOCKS:
        raise ValueError(f"unknown tensor type {dtype}")
    elements, size = BLOCKS[dtype]
    if length < 0 or length % elements:
        raise ValueError(f"a row of {length} elements is not made of {dtype} blocks of {elements}")
    return length // elements * size

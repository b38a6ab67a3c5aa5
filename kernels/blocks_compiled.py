"""Quantised blocks taken apart in vectors: integers of 16 bits and their float32 scales.

quantize_reference.py says what the bytes mean. Here a block becomes parts of 32 elements,

    value[32 p + i] = q[p][i] scale[g] (+ offset[p]),

where g is p, or in Q6_K, whose scales belong to 16 elements, 2 p + i // 16.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hartonomous.kernels.lanes_compiled import F32, I8, I16, I32, Lanes


@dataclass(frozen=True)
class Block:
    """q: int16[32] for each part; scale: float32[parts] or [2 x parts]; offset: float32[parts]."""

    q: tuple[Any, ...]
    scale: Any
    offset: Any = None


def _nibbles(lanes: Lanes, address: Any, offset: int) -> Any:
    """int16[32]: the low halves of 16 bytes, then the high halves."""
    data = lanes.load(I8, 16, address, offset)
    wide = lanes.unsigned(lanes.join(data, data), I16)
    shifts = lanes.constant(I16, [0] * 16 + [4] * 16)
    return lanes.mask(lanes.builder.lshr(wide, shifts), 15)


def _fifth_bits(lanes: Lanes, address: Any, offset: int) -> Any:
    """int16[32]: 16 where the bit of 32 is set."""
    bits = lanes.spread(lanes.load(I32, 1, address, offset), 0, 32)
    chosen = lanes.builder.lshr(bits, lanes.constant(I32, list(range(32))))
    one = lanes.builder.trunc(chosen, lanes.same(I16, 32, 0).type)
    return lanes.left(lanes.mask(one, 1), 4)


def _halves(lanes: Lanes, address: Any, offset: int, count: int) -> Any:
    return lanes.halves(lanes.load(I16, count, address, offset))


def _scale_and_offset(lanes: Lanes, address: Any) -> tuple[Any, Any]:
    both = _halves(lanes, address, 0, 2)
    return lanes.pick(both, [0]), lanes.pick(both, [1])


def _q4_0(lanes: Lanes, address: Any) -> Block:
    q = lanes.minus(_nibbles(lanes, address, 2), 8)
    return Block((q,), _halves(lanes, address, 0, 1))


def _q4_1(lanes: Lanes, address: Any) -> Block:
    return Block((_nibbles(lanes, address, 4),), *_scale_and_offset(lanes, address))


def _q5_0(lanes: Lanes, address: Any) -> Block:
    q = lanes.builder.or_(_nibbles(lanes, address, 6), _fifth_bits(lanes, address, 2))
    return Block((lanes.minus(q, 16),), _halves(lanes, address, 0, 1))


def _q5_1(lanes: Lanes, address: Any) -> Block:
    q = lanes.builder.or_(_nibbles(lanes, address, 8), _fifth_bits(lanes, address, 4))
    return Block((q,), *_scale_and_offset(lanes, address))


def _q8_0(lanes: Lanes, address: Any) -> Block:
    q = lanes.signed(lanes.load(I8, 32, address, 2), I16)
    return Block((q,), _halves(lanes, address, 0, 1))


def _k_scales(lanes: Lanes, address: Any) -> tuple[Any, Any]:
    """scale and offset, float32[8] each, of Q4_K and Q5_K."""
    builder = lanes.builder
    first, second, third = (lanes.load(I8, 4, address, 4 + 4 * i) for i in range(3))
    s = builder.or_(lanes.mask(third, 15), lanes.mask(lanes.right(first, 2), 48))
    t = builder.or_(lanes.right(third, 4), lanes.mask(lanes.right(second, 2), 48))
    s = lanes.floats(lanes.unsigned(lanes.join(lanes.mask(first, 63), s), I32))
    t = lanes.floats(lanes.unsigned(lanes.join(lanes.mask(second, 63), t), I32))
    both = _halves(lanes, address, 0, 2)
    scale = builder.fmul(lanes.spread(both, 0, 8), s)
    return scale, builder.fneg(builder.fmul(lanes.spread(both, 1, 8), t))


def _q4_k(lanes: Lanes, address: Any) -> Block:
    parts = []
    for i in range(4):
        data = lanes.unsigned(lanes.load(I8, 32, address, 16 + 32 * i), I16)
        parts += [lanes.mask(data, 15), lanes.right(data, 4)]
    return Block(tuple(parts), *_k_scales(lanes, address))


def _q5_k(lanes: Lanes, address: Any) -> Block:
    fifth = lanes.unsigned(lanes.load(I8, 32, address, 16), I16)
    parts = []
    for i in range(4):
        data = lanes.unsigned(lanes.load(I8, 32, address, 48 + 32 * i), I16)
        for j, low in enumerate((lanes.mask(data, 15), lanes.right(data, 4))):
            bit = lanes.mask(lanes.right(fifth, 2 * i + j), 1)
            parts.append(lanes.builder.or_(low, lanes.left(bit, 4)))
    return Block(tuple(parts), *_k_scales(lanes, address))


def _q6_k(lanes: Lanes, address: Any) -> Block:
    parts = []
    for half in range(2):
        low = [
            lanes.unsigned(lanes.load(I8, 32, address, 64 * half + 32 * i), I16) for i in range(2)
        ]
        high = lanes.unsigned(lanes.load(I8, 32, address, 128 + 32 * half), I16)
        nibbles = [*(lanes.mask(v, 15) for v in low), *(lanes.right(v, 4) for v in low)]
        for i, nibble in enumerate(nibbles):
            bits = lanes.left(lanes.mask(lanes.right(high, 2 * i), 3), 4)
            parts.append(lanes.minus(lanes.builder.or_(nibble, bits), 32))
    s = lanes.floats(lanes.signed(lanes.load(I8, 16, address, 192), I32))
    d = lanes.spread(_halves(lanes, address, 208, 1), 0, 16)
    return Block(tuple(parts), lanes.builder.fmul(d, s))


TAKE_APART: Final[dict[str, Callable[[Lanes, Any], Block]]] = {
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
    "Q5_0": _q5_0,
    "Q5_1": _q5_1,
    "Q8_0": _q8_0,
    "Q4_K": _q4_k,
    "Q5_K": _q5_k,
    "Q6_K": _q6_k,
}


def _f32(lanes: Lanes, count: int, address: Any) -> Any:
    return lanes.load(F32, count, address)


def _f16(lanes: Lanes, count: int, address: Any) -> Any:
    return lanes.halves(lanes.load(I16, count, address))


def _bf16(lanes: Lanes, count: int, address: Any) -> Any:
    bits = lanes.left(lanes.unsigned(lanes.load(I16, count, address), I32), 16)
    return lanes.builder.bitcast(bits, lanes.same(F32, count, 0).type)


#: float32[count] of dtypes that are floating point themselves
READ: Final[dict[str, Callable[[Lanes, int, Any], Any]]] = {
    "F32": _f32,
    "F16": _f16,
    "BF16": _bf16,
}

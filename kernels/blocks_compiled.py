"""Quantised blocks taken apart in vectors: integers of 16 bits and their float32 scales.

quantize_reference.py says what the bytes mean. Here a block becomes parts of 32 elements,

    value[32 p + 16 h + i] = q[p][h][i] scale[g] (+ offset[p]),    h in 0, 1

where g is p, or in Q6_K, whose scales belong to 16 elements, 2 p + h. Vectors of 16 and not of 32:
the halves' products are added before they are scaled (matvec_compiled.py), and processors whose
registers are shorter lose nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hartonomous.kernels.lanes_compiled import F32, I8, I16, I32, Lanes


@dataclass(frozen=True)
class Block:
    """q: two int16[16] a part; scale: float32[parts] or [2 x parts]; offset: float32[parts]."""

    q: tuple[tuple[Any, Any], ...]
    scale: Any
    offset: Any = None


def _bytes(lanes: Lanes, address: Any, offset: int) -> Any:
    """int16[16] of 16 bytes."""
    return lanes.unsigned(lanes.load(I8, 16, address, offset), I16)


def _nibbles(lanes: Lanes, address: Any, offset: int) -> tuple[Any, Any]:
    """The low halves of 16 bytes, the high halves."""
    data = _bytes(lanes, address, offset)
    return lanes.mask(data, 15), lanes.right(data, 4)


def _fifth_bits(lanes: Lanes, address: Any, offset: int) -> tuple[Any, Any]:
    """16 where the bit of 16 is set; twice."""
    chosen = lanes.constant(I16, [1 << i for i in range(16)])
    found = []
    for half in range(2):
        bits = lanes.spread(lanes.load(I16, 1, address, offset + 2 * half), 0, 16)
        is_set = lanes.builder.icmp_unsigned("!=", lanes.builder.and_(bits, chosen), _zeros(lanes))
        found.append(lanes.builder.select(is_set, lanes.same(I16, 16, 16), _zeros(lanes)))
    return found[0], found[1]


def _zeros(lanes: Lanes) -> Any:
    return lanes.same(I16, 16, 0)


def _both(first: tuple[Any, Any], second: tuple[Any, Any], combine: Any) -> tuple[Any, Any]:
    return combine(first[0], second[0]), combine(first[1], second[1])


def _minus(lanes: Lanes, q: tuple[Any, Any], amount: int) -> tuple[Any, Any]:
    return lanes.minus(q[0], amount), lanes.minus(q[1], amount)


def _halves(lanes: Lanes, address: Any, offset: int, count: int) -> Any:
    return lanes.halves(lanes.load(I16, count, address, offset))


def _scale_and_offset(lanes: Lanes, address: Any) -> tuple[Any, Any]:
    both = _halves(lanes, address, 0, 2)
    return lanes.pick(both, [0]), lanes.pick(both, [1])


def _q4_0(lanes: Lanes, address: Any) -> Block:
    q = _minus(lanes, _nibbles(lanes, address, 2), 8)
    return Block((q,), _halves(lanes, address, 0, 1))


def _q4_1(lanes: Lanes, address: Any) -> Block:
    return Block((_nibbles(lanes, address, 4),), *_scale_and_offset(lanes, address))


def _q5_0(lanes: Lanes, address: Any) -> Block:
    low, fifth = _nibbles(lanes, address, 6), _fifth_bits(lanes, address, 2)
    q = _minus(lanes, _both(low, fifth, lanes.builder.or_), 16)
    return Block((q,), _halves(lanes, address, 0, 1))


def _q5_1(lanes: Lanes, address: Any) -> Block:
    low, fifth = _nibbles(lanes, address, 8), _fifth_bits(lanes, address, 4)
    q = _both(low, fifth, lanes.builder.or_)
    return Block((q,), *_scale_and_offset(lanes, address))


def _q8_0(lanes: Lanes, address: Any) -> Block:
    low, high = (lanes.signed(lanes.load(I8, 16, address, 2 + 16 * i), I16) for i in range(2))
    return Block(((low, high),), _halves(lanes, address, 0, 1))


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


def _k_nibbles(lanes: Lanes, address: Any, offset: int) -> list[tuple[Any, Any]]:
    """Of 128 bytes: each 32 hold 32 elements in the low halves and 32 in the high."""
    parts = []
    for i in range(4):
        first, second = (_nibbles(lanes, address, offset + 32 * i + 16 * h) for h in range(2))
        parts += [(first[0], second[0]), (first[1], second[1])]
    return parts


def _q4_k(lanes: Lanes, address: Any) -> Block:
    return Block(tuple(_k_nibbles(lanes, address, 16)), *_k_scales(lanes, address))


def _q5_k(lanes: Lanes, address: Any) -> Block:
    fifth = [_bytes(lanes, address, 16 + 16 * h) for h in range(2)]
    parts = []
    for i, low in enumerate(_k_nibbles(lanes, address, 48)):
        bits = [lanes.left(lanes.mask(lanes.right(data, i), 1), 4) for data in fifth]
        parts.append(_both(low, (bits[0], bits[1]), lanes.builder.or_))
    return Block(tuple(parts), *_k_scales(lanes, address))


def _q6_k(lanes: Lanes, address: Any) -> Block:
    parts = []
    for half in range(2):
        nibbles = [_nibbles(lanes, address, 64 * half + 16 * i) for i in range(4)]
        high = [_bytes(lanes, address, 128 + 32 * half + 16 * h) for h in range(2)]
        for i in range(4):
            low = nibbles[2 * (i % 2)][i // 2], nibbles[2 * (i % 2) + 1][i // 2]
            bits = [lanes.left(lanes.mask(lanes.right(data, 2 * i), 3), 4) for data in high]
            q = _both(low, (bits[0], bits[1]), lanes.builder.or_)
            parts.append(_minus(lanes, q, 32))
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

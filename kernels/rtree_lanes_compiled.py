"""What compiled R-tree searches are made of: 16 boxes at a time, read by address.

A search is handed one int64 array of addresses and sizes (`rtree_layout.frame`), not the tree's
arrays: a mapped array is read-only, which to numba is another type, so every search would be
compiled twice; and one array is a third of the dispatch of seven.

`BLOCK` boxes lie beside each other, a coordinate a vector: `<16 x float>` in inner nodes, widened
as they are loaded, `<16 x double>` in leaves. An answer is an int64 of one bit per box. Comparisons
with NaN are false, so places that are not filled are NaN and answer to nothing.

Squared distances are (dx² + dy²) + dz² in float64, each rounded, nothing fused; since subtraction,
squaring and adding round monotonically, the figure of a box around another box is never above it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types as nt
from numba.extending import intrinsic

from hartonomous.kernels.rtree_layout import BLOCK

_DOUBLES = ir.VectorType(ir.DoubleType(), BLOCK)
_BITS = ir.IntType(BLOCK)
_WORD = ir.IntType(64)


def _pointer(builder: Any, address: Any, kind: Any, bytes_ahead: Any = None) -> Any:
    place = address if bytes_ahead is None else builder.add(address, bytes_ahead)
    return builder.inttoptr(place, kind.as_pointer())


def _coordinates(builder: Any, address: Any, stride: Any, kind: Any) -> list[Any]:
    """Three `<16 x double>`: x, y, z of 16 corners, `stride` bytes from one to the next."""
    found = []
    for axis in range(3):
        ahead = builder.mul(stride, ir.Constant(_WORD, axis))
        pointer = _pointer(builder, address, ir.VectorType(kind, BLOCK), ahead)
        lanes = builder.load(pointer, align=4)  # mapped memory promises no more
        found.append(lanes if kind == ir.DoubleType() else builder.fpext(lanes, _DOUBLES))
    return found


def _all_lanes(builder: Any, number: Any) -> Any:
    index = ir.IntType(32)
    one = builder.insert_element(ir.Constant(_DOUBLES, ir.Undefined), number, ir.Constant(index, 0))
    zeros = ir.Constant(ir.VectorType(index, BLOCK), [0] * BLOCK)
    return builder.shuffle_vector(one, one, zeros)


def _word(builder: Any, truths: Any) -> Any:
    return builder.zext(builder.bitcast(truths, _BITS), _WORD)


def _both(builder: Any, truths: list[Any]) -> Any:
    result = truths[0]
    for truth in truths[1:]:
        result = builder.and_(result, truth)
    return result


def _near(kind: Any) -> Any:
    """(low, high, stride: addresses and bytes; x, y, z; bound; out) -> bits of the boxes whose
    squared distance to (x, y, z) is at most `bound`; all 16 distances go to address `out`."""

    def near(typing_context, low, high, stride, x, y, z, bound, out):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            low, high, stride, x, y, z, bound, out = arguments
            lows = _coordinates(builder, low, stride, kind)
            highs = _coordinates(builder, high, stride, kind)
            zero, total = ir.Constant(_DOUBLES, None), None
            for a, b, q in zip(lows, highs, (x, y, z), strict=True):
                center = _all_lanes(builder, q)
                below, above = builder.fsub(a, center), builder.fsub(center, b)
                gap = builder.select(builder.fcmp_ordered(">", below, above), below, above)
                gap = builder.select(builder.fcmp_ordered("<", gap, zero), zero, gap)
                square = builder.fmul(gap, gap)
                total = square if total is None else builder.fadd(total, square)
            builder.store(total, _pointer(builder, out, _DOUBLES), align=8)
            return _word(builder, builder.fcmp_ordered("<=", total, _all_lanes(builder, bound)))

        words, numbers = (nt.int64,) * 3, (nt.float64,) * 4
        return nt.int64(*words, *numbers, nt.int64), generate

    return intrinsic(near)


def _compared(kind: Any, low_test: str, high_test: str, other_corner: bool) -> Any:
    """(low, high, stride; six numbers of a box) -> bits of the boxes whose low corner passes
    `low_test` against the box's far corner (`other_corner`) or near one, and the high corner
    likewise."""

    def compare(typing_context, low, high, stride, a, b, c, d, e, f):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            low, high, stride, *box = arguments
            near, far = box[:3], box[3:]
            if other_corner:
                near, far = far, near
            truths = []
            for address, test, corner in ((low, low_test, near), (high, high_test, far)):
                for lanes, q in zip(
                    _coordinates(builder, address, stride, kind), corner, strict=True
                ):
                    truths.append(builder.fcmp_ordered(test, lanes, _all_lanes(builder, q)))
            return _word(builder, _both(builder, truths))

        return nt.int64(*(nt.int64,) * 3, *(nt.float64,) * 6), generate

    return intrinsic(compare)


node_near, leaf_near = _near(ir.FloatType()), _near(ir.DoubleType())
#: boxes that share a point with the given one
node_meets = _compared(ir.FloatType(), "<=", ">=", True)
leaf_meets = _compared(ir.DoubleType(), "<=", ">=", True)
#: boxes that lie in the given one
node_inside = _compared(ir.FloatType(), ">=", "<=", False)


def _reader(kind: Any, result: Any, widen: Callable[[Any, Any], Any] | None = None) -> Any:
    """(address, index) -> the number there."""

    def read(typing_context, address, index):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            address, index = arguments
            pointer = builder.gep(_pointer(builder, address, kind), [index])
            value = builder.load(pointer, align=1)
            return value if widen is None else widen(builder, value)

        return result(nt.int64, nt.int64), generate

    return intrinsic(read)


read_float64 = _reader(ir.DoubleType(), nt.float64)
read_int32 = _reader(ir.IntType(32), nt.int64, lambda builder, v: builder.sext(v, _WORD))
read_byte = _reader(ir.IntType(8), nt.int64, lambda builder, v: builder.zext(v, _WORD))


def _read_shared_byte(typing_context, address):  # type: ignore[no-untyped-def]
    """A byte that another thread may write: read anew each time."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        pointer = _pointer(builder, arguments[0], ir.IntType(8))
        return builder.zext(builder.load_atomic(pointer, "monotonic", 1), _WORD)

    return nt.int64(nt.int64), generate


def _first_bit(typing_context, bits):  # type: ignore[no-untyped-def]
    """The lowest bit that is set in an int64 that is not zero."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return nt.int64(nt.int64), generate


def _address_of(typing_context, array):  # type: ignore[no-untyped-def]
    """Where an array's first element lies."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(made.data, _WORD)

    return nt.int64(array), generate


read_shared_byte: Any = intrinsic(_read_shared_byte)
first_bit: Any = intrinsic(_first_bit)
address_of: Any = intrinsic(_address_of)

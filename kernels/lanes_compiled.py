"""Vectors in compiled code: what numba's loops cannot say and LLVM does well.

numba leaves it to LLVM to find vectors in loops over numbers, and for packed blocks it finds poor
ones (measured: six times slower). So the kernels over blocks are written in LLVM's own vectors,
which it fits to whatever registers the processor has. `Lanes` writes instructions into the
function that numba is building; nothing here runs when a kernel runs.

Addresses are integers; loads and stores need no alignment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numba
from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba.core import cgutils

I8, I16, I32, I64 = (ir.IntType(n) for n in (8, 16, 32, 64))
F16, F32 = ir.HalfType(), ir.FloatType()
#: the bytes of a lane
SIZES: Final = {I8: 1, I16: 2, I32: 4, I64: 8, F16: 2, F32: 4}
#: a product and a sum may be rounded once, where the processor can
FUSED: Final = ("contract",)

_tools: Any = cgutils


def has(feature: str) -> bool:
    """Whether the processor that numba compiles for has a feature of LLVM's name for it."""
    config: Any = numba.config
    if config.CPU_NAME is not None or config.CPU_FEATURES is not None:
        return f"+{feature}" in (config.CPU_FEATURES or "").split(",")
    return bool(binding.get_host_cpu_features().get(feature, False))


def has_half() -> bool:
    """Whether it converts float16 itself. (Asked to do what it cannot, LLVM calls a function that
    may not be there.)"""
    return has("f16c") or binding.get_process_triple().startswith(("aarch64", "arm64"))


class Lanes:
    """Vector instructions at the builder's place."""

    def __init__(self, builder: Any, native_half: bool | None = None) -> None:
        self.builder = builder
        self.native_half = has_half() if native_half is None else native_half

    # constants, variables, loops

    def constant(self, kind: Any, values: Sequence[float]) -> Any:
        return ir.Constant(ir.VectorType(kind, len(values)), list(values))

    def same(self, kind: Any, count: int, value: float) -> Any:
        return self.constant(kind, [value] * count)

    def variable(self, start: Any) -> Any:
        return _tools.alloca_once_value(self.builder, start)

    @contextmanager
    def loop(self, first: Any, last: Any) -> Iterator[Any]:
        """The number, from `first` to before `last`."""
        with _tools.for_range(self.builder, self.builder.sub(last, first)) as inner:
            yield self.builder.add(first, inner.index)

    # memory

    def at(self, address: Any, index: Any, size: int) -> Any:
        """The address of element `index` (an integer, ours or LLVM's) of `size` bytes."""
        if isinstance(index, int):
            return self.builder.add(address, I64(index * size))
        return self.builder.add(address, self.builder.mul(index, I64(size)))

    def load(self, kind: Any, count: int, address: Any, offset: int = 0) -> Any:
        place = self.builder.add(address, I64(offset))
        pointer = self.builder.inttoptr(place, ir.VectorType(kind, count).as_pointer())
        value = self.builder.load(pointer)
        value.align = 1
        return value

    def store(self, value: Any, address: Any, offset: int = 0) -> None:
        place = self.builder.add(address, I64(offset))
        pointer = self.builder.inttoptr(place, value.type.as_pointer())
        self.builder.store(value, pointer).align = 1

    # moving lanes

    def pick(self, value: Any, places: Sequence[int], other: Any = None) -> Any:
        """The lanes of `value` (and then of `other`) in the places given."""
        mask = self.constant(I32, list(places))
        return self.builder.shuffle_vector(value, value if other is None else other, mask)

    def join(self, first: Any, second: Any) -> Any:
        return self.pick(first, range(2 * first.type.count), second)

    def spread(self, value: Any, lane: int, count: int) -> Any:
        """One lane of a vector in all lanes of another."""
        return self.pick(value, [lane] * count)

    def lane(self, value: Any, lane: int) -> Any:
        return self.builder.extract_element(value, I32(lane))

    # arithmetic

    def unsigned(self, value: Any, kind: Any) -> Any:
        return self.builder.zext(value, ir.VectorType(kind, value.type.count))

    def signed(self, value: Any, kind: Any) -> Any:
        return self.builder.sext(value, ir.VectorType(kind, value.type.count))

    def floats(self, value: Any) -> Any:
        """float32 of signed integers."""
        return self.builder.sitofp(value, ir.VectorType(F32, value.type.count))

    def mask(self, value: Any, bits: int) -> Any:
        return self.builder.and_(value, self._like(value, bits))

    def right(self, value: Any, shift: int) -> Any:
        return self.builder.lshr(value, self._like(value, shift))

    def left(self, value: Any, shift: int) -> Any:
        return self.builder.shl(value, self._like(value, shift))

    def minus(self, value: Any, amount: int) -> Any:
        return self.builder.sub(value, self._like(value, amount))

    def _like(self, value: Any, number: int) -> Any:
        return self.same(value.type.element, value.type.count, number)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """a b + c, rounded once or twice."""
        return self.builder.fadd(self.builder.fmul(a, b, flags=FUSED), c, flags=FUSED)

    def pair_sums(self, a: Any, b: Any) -> Any:
        """int32[n] of int16[2n] each: a[2i] b[2i] + a[2i+1] b[2i+1] (x86: vpmaddwd)."""
        product = self.builder.mul(self.signed(a, I32), self.signed(b, I32))
        count = product.type.count
        even, odd = range(0, count, 2), range(1, count, 2)
        return self.builder.add(self.pick(product, even), self.pick(product, odd))

    def fold(self, value: Any, combine: Any) -> Any:
        """One number of a vector whose lanes are a power of two: halves are combined."""
        count = value.type.count
        while count > 1:
            count //= 2
            low, high = range(count), range(count, 2 * count)
            value = combine(self.pick(value, low), self.pick(value, high))
        return self.lane(value, 0)

    def halves(self, value: Any) -> Any:
        """float32 of float16, given as int16."""
        count = value.type.count
        if self.native_half:
            half = self.builder.bitcast(value, ir.VectorType(F16, count))
            return self.builder.fpext(half, ir.VectorType(F32, count))
        floats = ir.VectorType(F32, count)
        bits = self.unsigned(value, I32)
        magnitude = self.left(self.mask(bits, 0x7FFF), 13)
        # the exponent is moved by a product, which is exact, also of subnormal numbers
        scaled = self.builder.fmul(
            self.builder.bitcast(magnitude, floats), self.same(F32, count, 2.0**112)
        )
        infinite = self.builder.or_(magnitude, self.same(I32, count, 0x7F800000))
        limit = self.same(I32, count, 0x7C00 << 13)
        is_finite = self.builder.icmp_unsigned("<", magnitude, limit)
        finite = self.builder.bitcast(scaled, ir.VectorType(I32, count))
        sign = self.left(self.right(bits, 15), 31)
        found = self.builder.or_(self.builder.select(is_finite, finite, infinite), sign)
        return self.builder.bitcast(found, floats)

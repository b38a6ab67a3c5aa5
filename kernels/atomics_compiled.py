"""Words of memory that threads share, and calls by address, for compiled code.

Addresses are int64 integers; every order is sequentially consistent.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types as nt
from numba.extending import intrinsic

from hartonomous.kernels.lanes_compiled import I64


def _load(typing_context, address):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        pointer = builder.inttoptr(arguments[0], I64.as_pointer())
        return builder.load_atomic(pointer, "seq_cst", 8)

    return nt.int64(nt.int64), generate


def _store(typing_context, address, value):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        pointer = builder.inttoptr(arguments[0], I64.as_pointer())
        builder.store_atomic(arguments[1], pointer, "seq_cst", 8)
        return context.get_dummy_value()

    return nt.void(nt.int64, nt.int64), generate


def _add(typing_context, address, value):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        pointer = builder.inttoptr(arguments[0], I64.as_pointer())
        return builder.atomic_rmw("add", pointer, arguments[1], "seq_cst")

    return nt.int64(nt.int64, nt.int64), generate


def _call(typing_context, function, data, x, scales, out, length, first, last):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        kind = ir.FunctionType(ir.VoidType(), [I64] * 7)
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return nt.void(*[nt.int64] * 8), generate


#: load(address): the word there
load: Any = intrinsic(_load)
#: store(address, value)
store: Any = intrinsic(_store)
#: add(address, value): the word before
add: Any = intrinsic(_add)
#: call(function, data, x, scales, out, length, first, last): a kernel of matvec_compiled.py
call: Any = intrinsic(_call)

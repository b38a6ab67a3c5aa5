"""Kernels of functions that no engine computes: a Python function of one row's values.

It is called once for each different combination of arguments in a batch (texts and formats repeat),
and never where an argument is NULL. Small batches (BATCH_ROWS), so that a statement can be
cancelled in between and one batch's results stay small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hartonomous.hql.types import Type

#: rows that such a function takes at once
BATCH_ROWS: Final = 4096


def key_of(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Equal for rows of the same arguments, to the bit: 0.0 and -0.0 are two."""
    return tuple([_bits(value) for value in row])


def _bits(value: Any) -> Any:
    if isinstance(value, float):
        return value.hex()
    return value.tobytes() if hasattr(value, "tobytes") else (type(value), value)


class ByValue:
    """The kernel of `compute`: arrays and scalars in, an array of `type_` out; one row if all are
    scalars. With `nulls`, `compute` is called for NULLs too and gets None."""

    def __init__(self, compute: Callable[..., Any], type_: Type, nulls: bool = False) -> None:
        self.compute = compute
        self.type = type_
        self.nulls = nulls

    def __call__(self, *arguments: Any) -> Any:
        import pyarrow as pa

        columns = [None if isinstance(a, pa.Scalar) else a.to_pylist() for a in arguments]
        rows = max((len(c) for c in columns if c is not None), default=1)
        filled = [
            [a.as_py()] * rows if c is None else c for a, c in zip(arguments, columns, strict=True)
        ]
        known: dict[tuple[Any, ...], Any] = {}
        out = []
        for values in zip(*filled, strict=True) if filled else [()]:
            key = key_of(values)
            if key not in known:
                known[key] = self._value(values)
            out.append(known[key])
        return pa.array(out, self.type.arrow)

    def _value(self, values: tuple[Any, ...]) -> Any:
        if not self.nulls and None in values:
            return None
        return self.compute(*values)

"""Numbers as text and back, exactly, whole arrays at a time.

`texts` gives the shortest decimal that reads back as the same float64 (NumPy's Dragon4 in unique
mode), whole numbers without a point; `values` reads decimals correctly rounded (David Gay's
algorithm in Python, through NumPy's conversion of byte strings). About 1 and 0.4 µs a number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.geometry.layout import Numbers, Offsets

#: whole numbers below are written digit by digit; from 1e16 on repr writes an exponent
_WHOLE_LIMIT = 1e16
#: the longest float64: -1.7976931348623157e+308
TEXT_BYTES = 24
#: longer decimals than this are read one by one
_WIDE_BYTES = 64
_BLOCK = 1 << 16

Texts = npt.NDArray[np.bytes_]


def texts(numbers: Numbers) -> Texts:
    """bytes[N]: finite numbers as text; -0 keeps its sign."""
    out = np.empty(len(numbers), f"S{TEXT_BYTES}")
    whole = (np.abs(numbers) < _WHOLE_LIMIT) & (np.trunc(numbers) == numbers)
    out[whole] = numbers[whole].astype(np.int64).astype(f"S{TEXT_BYTES}")
    out[~whole] = numbers[~whole].astype(f"S{TEXT_BYTES + 8}")
    out[(numbers == 0) & np.signbit(numbers)] = b"-0"
    return out


def values(data: npt.NDArray[np.uint8], starts: Offsets, lengths: npt.NDArray[Any]) -> Numbers:
    """float64[N]: the decimals `data[starts : starts + lengths]`, infinite beyond float64's range.

    Their form has been checked: sign, digits with a point among them or around, exponent.
    """
    out = np.empty(len(starts), np.float64)
    for begin in range(0, len(starts), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        out[block] = _block(data, starts[block], lengths[block])
    return out


def _block(data: npt.NDArray[np.uint8], starts: Offsets, lengths: npt.NDArray[Any]) -> Numbers:
    width = min(int(lengths.max()), _WIDE_BYTES)
    columns = np.arange(width)
    cells = data[np.minimum(starts[:, None] + columns, len(data) - 1)]
    cells[columns >= lengths[:, None]] = 0
    wide = lengths > _WIDE_BYTES
    cells[wide] = ord("0")
    out: Numbers = np.ascontiguousarray(cells).view(f"S{width}")[:, 0].astype(np.float64)
    for i in np.flatnonzero(wide):  # almost none: nobody writes 65 digits twice
        out[i] = float(data[starts[i] : starts[i] + lengths[i]].tobytes())
    return out

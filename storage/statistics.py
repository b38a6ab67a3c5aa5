"""Zone maps: least and greatest value and number of NULLs of each batch of a column.

They leave out batches that cannot hold a match; what they let through is a superset. Exactly:
- `lows[i]` and `highs[i]` bound every value of batch i that is neither NULL nor NaN, inclusively;
  both are None if there is none.
- Strings are bounded by the first 32 bytes of their UTF-8 form, whose byte order is code point
  order. A cut least value is a lower bound as it stands. A cut greatest value is a *prefix* of
  the bound (flag PREFIX): a value lies above it only if its own first bytes do.
- A batch with NaN carries flag NAN and passes every range, whatever the caller's order of NaN.
- Vectors, structs, lists and binary have NULL counts only; all their batches pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.types as t

from hartonomous.storage.frozen import frozen
from hartonomous.storage.physical import is_moment

STRING_BYTES: Final = 32
PREFIX: Final = 1
NAN: Final = 2
UNBOUNDED: Final = 4  # no bounds are known


@frozen
class BatchStatistics:
    """Of one column of one batch; bounds in stored form (`stored_value`)."""

    rows: int
    nulls: int
    low: Any
    high: Any
    flags: int


def has_bounds(kind: pa.DataType) -> bool:
    """Whether least and greatest values of the type are kept."""
    return bool(
        t.is_integer(kind)
        or t.is_floating(kind)
        or is_moment(kind)
        or t.is_decimal128(kind)
        or t.is_boolean(kind)
        or t.is_string(kind)
    )


def measure(array: pa.Array) -> BatchStatistics:
    """The statistics of one batch of a column of a stored type."""
    kind, rows, nulls = array.type, len(array), array.null_count
    if not has_bounds(kind):
        return BatchStatistics(rows, nulls, None, None, UNBOUNDED)
    if nulls == rows:
        return BatchStatistics(rows, nulls, None, None, 0)
    if t.is_floating(kind):
        return _measure_floats(array, nulls)
    low, high = _string_bounds(array) if t.is_string(kind) else _bounds(array)
    if t.is_string(kind) and len(high) > STRING_BYTES:
        return BatchStatistics(rows, nulls, low[:STRING_BYTES], high[:STRING_BYTES], PREFIX)
    return BatchStatistics(rows, nulls, low[:STRING_BYTES] if t.is_string(kind) else low, high, 0)


def _measure_floats(array: pa.Array, nulls: int) -> BatchStatistics:
    values = (array.drop_null() if nulls else array).to_numpy(zero_copy_only=False)
    flags = 0
    if np.isnan(values.min()):  # the minimum is NaN if any value is
        values, flags = values[~np.isnan(values)], NAN
    low, high = (float(values.min()), float(values.max())) if len(values) else (None, None)
    return BatchStatistics(len(array), nulls, low, high, flags)


def _bounds(array: pa.Array) -> tuple[Any, Any]:
    import pyarrow.compute as pc  # 30 ms, not to be paid by a process that only opens a database

    kind = array.type
    if is_moment(kind):
        array = array.view(pa.int64() if kind.bit_width == 64 else pa.int32())
    bounds = pc.min_max(array)
    return bounds["min"].as_py(), bounds["max"].as_py()


def _string_bounds(array: pa.Array) -> tuple[bytes, bytes]:
    """Least and greatest string, as bytes. min_max copies every new bound, so it is given only
    what lies outside the bounds of a sample (ascending strings: 5 times faster)."""
    import pyarrow.compute as pc

    array = array.cast(pa.binary())
    sample = array.take(pa.array(np.append(np.arange(0, len(array), 1024), len(array) - 1)))
    if sample.null_count == len(sample):
        low, high = pc.min_max(array).values()
        return low.as_py(), high.as_py()
    low, high = pc.min_max(sample).values()
    below, above = array.filter(pc.less(array, low)), array.filter(pc.greater(array, high))
    if len(below):
        low = pc.min_max(below)["min"]
    if len(above):
        high = pc.min_max(above)["max"]
    return low.as_py(), high.as_py()


def stored_value(value: Any, kind: pa.DataType) -> Any:
    """A Python value of a column's type in the form that bounds have: int, float, bytes (of a
    string), Decimal, bool; None stays None."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, (date, datetime, time)):
        scalar = pa.scalar(value, kind)
        return scalar.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).as_py()
    return value


class ZoneMap:
    """The statistics of all batches of one column of a segment."""

    def __init__(self, kind: pa.DataType, batches: Sequence[BatchStatistics]) -> None:
        self.kind, self.batches = kind, tuple(batches)

    @property
    def nulls(self) -> int:
        return sum(b.nulls for b in self.batches)

    def may_match(
        self,
        low: Any = None,
        high: Any = None,
        *,
        low_open: bool = False,
        high_open: bool = False,
        values: Sequence[Any] | None = None,
        is_null: bool = False,
    ) -> np.ndarray:
        """bool[batches]: False where surely no row satisfies all the conditions given:
        low <= x (< if open), x <= high (< if open), x in values, x IS NULL.

        Values are Python values of the column's type; a NULL satisfies none but is_null.
        """
        if is_null:
            return np.array([b.nulls > 0 for b in self.batches], dtype=np.bool_)
        low, high = stored_value(low, self.kind), stored_value(high, self.kind)
        low = None if low != low else low  # a NaN bounds nothing here
        high = None if high != high else high
        some = None if values is None else [stored_value(v, self.kind) for v in values]
        return np.array(
            [_may_match(b, low, high, low_open, high_open, some) for b in self.batches],
            dtype=np.bool_,
        )

    def to_map(self) -> dict[str, Any]:
        """Plain values for msgpack; decimals as text."""
        return {
            "rows": [b.rows for b in self.batches],
            "nulls": [b.nulls for b in self.batches],
            "lows": [_packed(b.low) for b in self.batches],
            "highs": [_packed(b.high) for b in self.batches],
            "flags": bytes(b.flags for b in self.batches),
        }

    @staticmethod
    def from_map(kind: pa.DataType, data: dict[str, Any]) -> ZoneMap:
        keys = ("rows", "nulls", "lows", "highs", "flags")
        columns = zip(*(data[k] for k in keys), strict=True)
        make = Decimal if t.is_decimal(kind) else None
        return ZoneMap(
            kind,
            [
                BatchStatistics(r, n, _unpacked(a, make), _unpacked(b, make), f)
                for r, n, a, b, f in columns
            ],
        )


def _may_match(
    batch: BatchStatistics,
    low: Any,
    high: Any,
    low_open: bool,
    high_open: bool,
    values: list[Any] | None,
) -> bool:
    if batch.nulls == batch.rows:
        return False
    if batch.flags & (NAN | UNBOUNDED):
        return True
    if low is not None and _above(low, batch, low_open):
        return False
    if high is not None and (high <= batch.low if high_open else high < batch.low):
        return False
    return values is None or _any_inside(batch, values)


def _above(value: Any, batch: BatchStatistics, is_open: bool) -> bool:
    """Whether every value of the batch is below `value` (not above it, if open)."""
    if batch.flags & PREFIX:
        return bool(value[: len(batch.high)] > batch.high)
    return bool(value >= batch.high if is_open else value > batch.high)


def _any_inside(batch: BatchStatistics, values: list[Any]) -> bool:
    return any(
        v is not None and (v != v or (batch.low <= v and not _above(v, batch, False)))
        for v in values
    )


def _packed(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def _unpacked(value: Any, make: type[Decimal] | None) -> Any:
    return value if value is None or make is None else make(value)

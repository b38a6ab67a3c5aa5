"""ColumnStatistics: what is known of a column's values, and which share of rows a test lets pass.

Made of a sample (`measure`). Values are in the form that zone maps have (storage/statistics.py):
int, float, bytes of a text's UTF-8 form, Decimal, bool; NaN counts as infinity, as it sorts above
all numbers. Three parts, as PostgreSQL's pg_stats has them: NULLs, the most common values with
their shares, and of all other values an equi-depth histogram (Chaudhuri, Motwani and Narasayya,
1998: a sample of some 300 rows a bucket keeps its error small). How many different values there
are is estimated from the sample's frequencies (`distinct_values`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statistics.distinct import distinct_values
from hartonomous.storage.physical import is_moment
from hartonomous.storage.statistics import stored_value

BUCKETS: Final = 100
COMMON_MAX: Final = 100
#: a value is common that occurs this much more often than the average one, by as many standard
#: deviations of its count as chance hardly gives
COMMON_FACTOR: Final = 1.25
DEVIATIONS: Final = 3.0
Mask = npt.NDArray[np.bool_]

#: of a text or binary: what is kept of a bound, and the longest common value
BOUND_BYTES: Final = 64
COMMON_BYTES: Final = 256


@frozen
class ColumnStatistics:
    """Shares are of all rows, 0 to 1. `common` are the most common values with their shares, most
    common first; `bounds` ascend and cut the other values (share `rest`) into parts of one size;
    `low` and `high` are the least and the greatest value seen, None if there is none. `distinct`
    is how many different values other than NULL the whole column may have. `is_whole`: all rows
    were looked at. A column without order has no bounds, one of wide values neither they nor
    common values nor `distinct` (0)."""

    rows: int
    sampled: int
    nulls: float
    distinct: float
    common: tuple[tuple[Any, float], ...] = ()
    bounds: tuple[Any, ...] = ()
    low: Any = None
    high: Any = None
    width: float = 0.0  # bytes of a value, on average
    is_whole: bool = False

    @property
    def rest(self) -> float:
        """The share of rows that are neither NULL nor a common value."""
        return max(0.0, 1.0 - self.nulls - sum(share for _, share in self.common))

    @property
    def least(self) -> float:
        """The share below which no estimate of something that may occur falls: half a row of the
        sample, or a row of a table that was looked at whole."""
        if not self.sampled:
            return 0.0
        return 0.0 if self.is_whole else 0.5 / self.sampled

    def share_equal(self, value: Any) -> float:
        """The share of rows whose value is this one (in stored form)."""
        if value is None:
            return 0.0
        for common, share in self.common:
            if common == value:
                return share
        if self.low is not None and not self.low <= _cut(value) <= self.high:
            return min(self.least, self.share_of_one)
        average = self.rest / max(1.0, self.distinct - len(self.common))
        return average if average > 0.0 else min(self.least, self.share_of_one)

    @property
    def share_of_one(self) -> float:
        """The share of rows that have some value of which nothing is known: the average."""
        return (1.0 - self.nulls) / max(1.0, self.distinct)

    def share_between(
        self, low: Any, high: Any, low_open: bool = False, high_open: bool = False
    ) -> float | None:
        """The share of rows with low <(=) value <(=) high, None being no bound; None if the
        column's values have no known order."""
        if not self.bounds and not (self.common and self.low is not None):
            return None if self.nulls < 1.0 and self.sampled else 0.0
        common = sum(s for v, s in self.common if _inside(v, low, high, low_open, high_open))
        above = 1.0 if high is None else self._below(high, not high_open)
        below = 0.0 if low is None else self._below(low, low_open)
        share = common + self.rest * max(0.0, above - below)
        return min(1.0 - self.nulls, max(self.least, share))

    def _below(self, value: Any, inclusive: bool) -> float:
        """The part of the histogram below a value, 0 to 1."""
        bounds, value = self.bounds, _cut(value)
        if len(bounds) < 2:
            return (
                0.5 if bounds and bounds[0] == value else float(bool(bounds) and bounds[0] < value)
            )
        find = bisect_right if inclusive else bisect_left
        place = find(bounds, value)
        if place == 0:
            return 0.0
        if place == len(bounds):
            return 1.0
        inner = _part(bounds[place - 1], value, bounds[place])
        return (place - 1 + inner) / (len(bounds) - 1)


def measure(values: pa.Array, rows: int, *, is_unique: bool = False) -> ColumnStatistics:
    """The statistics of a column of `rows` rows, of which `values` are a sample (all of them if
    there are as many). `is_unique`: no value other than NULL occurs twice in the column."""
    import pyarrow.compute as pc

    sampled = len(values)
    if not sampled:
        return ColumnStatistics(rows, 0, 0.0, 0.0, is_whole=rows == 0)
    nulls, is_whole = values.null_count / sampled, sampled >= rows
    width = values.nbytes / sampled
    comparable = _comparable(values)
    if comparable is None or values.null_count == sampled:
        return ColumnStatistics(rows, sampled, nulls, 0.0, width=width, is_whole=is_whole)
    counted = pc.value_counts(comparable.drop_null())
    different, counts = counted.field("values"), counted.field("counts").to_numpy()
    filled = rows * (1.0 - nulls)
    distinct = filled if is_unique else distinct_values(counts, filled)
    order = pc.sort_indices(different)
    different, counts = different.take(order), counts[order.to_numpy()]
    is_common = _common(counts, distinct, is_whole)
    common = _shares(different, counts, is_common, sampled)
    bounds = _bounds(different, counts, ~is_common)
    low, high = different[0].as_py(), different[-1].as_py()
    return ColumnStatistics(
        rows,
        sampled,
        nulls,
        distinct,
        common,
        bounds,
        _cut(low),
        _cut(high, is_upper=True),
        width,
        is_whole,
    )


def stored(value: Any, kind: pa.DataType) -> Any:
    """A Python value of a column's type in the form that statistics have."""
    found = stored_value(value, kind)
    if isinstance(found, float) and found != found:
        return np.inf
    return found


def _comparable(values: pa.Array) -> pa.Array | None:
    """Values whose order and equality are the column's, in stored form; None of wide ones."""
    kind = values.type
    if is_moment(kind):
        return values.view(pa.int64() if kind.bit_width == 64 else pa.int32())
    if pa.types.is_floating(kind):
        numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
        numbers += 0.0  # -0.0 becomes 0.0
        numbers[np.isnan(numbers)] = np.inf
        missing = values.is_null().to_numpy(zero_copy_only=False) if values.null_count else None
        return pa.array(numbers, pa.float64(), mask=missing)
    if pa.types.is_string(kind):
        return values.cast(pa.binary())
    if pa.types.is_fixed_size_binary(kind):
        return values.cast(pa.binary())
    if pa.types.is_boolean(kind):
        return values.cast(pa.int8())
    known = pa.types.is_integer(kind) or pa.types.is_decimal128(kind) or pa.types.is_binary(kind)
    return values if known else None


def _common(counts: npt.NDArray[np.int64], distinct: float, is_whole: bool) -> Mask:
    """bool[D]: which values are kept with their shares: all of a column with few, where all were
    seen; else those that fill a bucket, or occur clearly more often than the average."""
    if is_whole and len(counts) <= COMMON_MAX:
        return np.ones(len(counts), np.bool_)
    sure = counts - DEVIATIONS * np.sqrt(counts)
    found = (sure > COMMON_FACTOR * counts.sum() / max(distinct, 1.0)) | (
        (sure > 0.0) & (counts * COMMON_MAX >= counts.sum())
    )
    if found.sum() > COMMON_MAX:
        least = np.partition(counts, -COMMON_MAX)[-COMMON_MAX]
        found &= counts > least if (counts >= least).sum() > COMMON_MAX else counts >= least
    return np.asarray(found)


def _shares(
    different: pa.Array, counts: npt.NDArray[np.int64], wanted: Mask, sampled: int
) -> tuple[tuple[Any, float], ...]:
    places = np.flatnonzero(wanted)
    places = places[np.argsort(-counts[places], kind="stable")]
    values = different.take(pa.array(places)).to_pylist()
    shares = (counts[places] / sampled).tolist()
    return tuple(
        (v, s)
        for v, s in zip(values, shares, strict=True)
        if not isinstance(v, bytes) or len(v) <= COMMON_BYTES
    )


def _bounds(different: pa.Array, counts: npt.NDArray[np.int64], wanted: Mask) -> tuple[Any, ...]:
    """Values at equal distances among the rows of the values wanted, ends included."""
    places = np.flatnonzero(wanted)
    if not len(places):
        return ()
    ends = np.cumsum(counts[places])
    cuts = np.linspace(0, ends[-1] - 1, min(BUCKETS, int(ends[-1])) + 1)
    picked = places[np.searchsorted(ends, cuts, "right")]
    return tuple(_cut(v) for v in different.take(pa.array(picked)).to_pylist())


def _cut(value: Any, is_upper: bool = False) -> Any:
    """A bound: long texts are cut, an upper one grows by the greatest byte."""
    if isinstance(value, bytes) and len(value) > BOUND_BYTES:
        return value[:BOUND_BYTES] + (b"\xff" if is_upper else b"")
    return value


def _inside(value: Any, low: Any, high: Any, low_open: bool, high_open: bool) -> bool:
    if low is not None and (value < low or (low_open and value == low)):
        return False
    return high is None or not (value > high or (high_open and value == high))


def _part(low: Any, value: Any, high: Any) -> float:
    """How far a value lies from low to high, 0 to 1, taking values as spread evenly; of texts by
    the first eight bytes in which they can differ."""
    if isinstance(low, bytes):
        shared = _shared(low, high)
        low, value, high = (_number(v[shared : shared + 8]) for v in (low, value, high))
    start, place, end = float(low), float(value), float(high)
    if not start < end or end == np.inf or start == -np.inf:
        return 0.5
    return min(1.0, max(0.0, (place - start) / (end - start)))


def _shared(a: bytes, b: bytes) -> int:
    length = min(len(a), len(b))
    return next((i for i in range(length) if a[i] != b[i]), length)


def _number(text: bytes) -> int:
    return int.from_bytes(text.ljust(8, b"\0"), "big")

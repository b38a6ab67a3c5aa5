"""The order of an R-tree's leaves: centers split at medians, top down.

    records: float64[N, 4] (x, y, z, row), reordered in place

A range of leaves is halved at a child's border along the axis on which its centers spread most,
until single leaves are left. Siblings' boxes hardly overlap, at any scale and for any distribution
(T. Lee and S. Lee, OMT: Overlap Minimizing Top-down Bulk Loading, CAiSE 2003); a curve over a grid
would lump everything together beside one far outlier.

The median is found by selection between two pivots taken from a sample (Floyd and Rivest,
Algorithm 489, 1975), so a level costs about 1.6 passes of moving 32 bytes without branches.
"""

from __future__ import annotations

import numba
import numpy as np

from hartonomous.kernels.options import OPTIONS
from hartonomous.kernels.rtree_lanes_compiled import read_float64
from hartonomous.kernels.rtree_layout import FAN_OUT

#: ranges up to this are sorted by insertion
_SHORT = 24
_SAMPLE = 1024
#: records looked at to choose an axis
_PROBES = 256
#: ranges that can wait: one for each halving of at most 2³¹ records, and one
_STACK = 64


@numba.njit(**OPTIONS)
def _partition(records, start, stop, axis, pivot, with_equal):  # type: ignore[no-untyped-def]
    """Move what is below `pivot` (or equal) to the front; returns where the rest begins."""
    border = start
    for i in range(start, stop):
        key = records[i, axis]
        for c in range(4):
            held = records[i, c]
            records[i, c] = records[border, c]
            records[border, c] = held
        border += (key < pivot) | (with_equal & (key == pivot))
    return border


@numba.njit(**OPTIONS)
def _insertion_sort(records, start, stop, axis):  # type: ignore[no-untyped-def]
    for i in range(start + 1, stop):
        key = records[i, axis]
        if not key < records[i - 1, axis]:
            continue
        x, y, z, row = records[i, 0], records[i, 1], records[i, 2], records[i, 3]
        j = i
        while j > start and key < records[j - 1, axis]:
            for c in range(4):
                records[j, c] = records[j - 1, c]
            j -= 1
        records[j, 0], records[j, 1], records[j, 2], records[j, 3] = x, y, z, row


@numba.njit(**OPTIONS)
def _sort_keys(keys, count):  # type: ignore[no-untyped-def]
    """Shell's sort: short code, for a sample of a few dozen to a thousand keys."""
    gap = 1
    while gap < count // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, count):
            key, j = keys[i], i
            while j >= gap and key < keys[j - gap]:
                keys[j] = keys[j - gap]
                j -= gap
            keys[j] = key
        gap //= 3


@numba.njit(**OPTIONS)
def _take_sample(records, start, stop, axis, sample):  # type: ignore[no-untyped-def]
    """Sorted keys from all over a range into `sample`; returns how many."""
    count = stop - start
    size = min(_SAMPLE, max(5, int(np.cbrt(count) ** 2) // 2))
    for i in range(size):
        sample[i] = records[start + (2 * i + 1) * count // (2 * size), axis]
    _sort_keys(sample, size)
    return size


@numba.njit(**OPTIONS)
def _select(records, start, stop, target, axis, sample):  # type: ignore[no-untyped-def]
    """No key before `target` is above a key from `target` on."""
    single = False
    while stop - start > _SHORT:
        size = _take_sample(records, start, stop, axis, sample)
        middle = (target - start) * size // (stop - start)
        # many equal keys: one of them is settled each time
        slack = 0 if single or size < 64 else int(np.sqrt(size))
        low, high = sample[max(0, middle - slack)], sample[min(size - 1, middle + slack)]
        first = _partition(records, start, stop, axis, low, False)
        if target < first:
            single = first - start > (stop - start) * 3 // 4
            stop = first
            continue
        second = _partition(records, first, stop, axis, high, True)
        if target >= second:
            single = stop - second > (stop - start) * 3 // 4
            start = second
            continue
        if low == high:
            return
        single = second - first > (stop - start) * 3 // 4
        start, stop = first, second
    _insertion_sort(records, start, stop, axis)


@numba.njit(**OPTIONS)
def _widest(records, start, stop, step):  # type: ignore[no-untyped-def]
    """The axis on which every `step`-th center of a range spreads most, and how far."""
    best, spread = 0, -1.0
    for axis in range(3):
        low = high = records[start, axis]
        for i in range(start + step, stop, step):
            key = records[i, axis]
            low, high = min(low, key), max(high, key)
        if high - low > spread:
            best, spread = axis, high - low
    return best, spread


@numba.njit(**OPTIONS)
def order(records, leaf_size):  # type: ignore[no-untyped-def]
    """Reorder float64[N, 4] records so that every `leaf_size` of them are a leaf, and every
    FAN_OUT leaves, and every FAN_OUT of those, lie close together."""
    total = len(records)
    leaves = (total + leaf_size - 1) // leaf_size
    sample = np.empty(_SAMPLE, np.float64)
    firsts, lasts = np.empty(_STACK, np.int64), np.empty(_STACK, np.int64)
    blocks = np.empty(_STACK, np.int64)
    block = 1
    while block < leaves:
        block *= FAN_OUT
    firsts[0], lasts[0], blocks[0], depth = 0, leaves, block, 1
    while depth:
        depth -= 1
        first, last, block = firsts[depth], lasts[depth], blocks[depth]
        if last - first <= 1:
            continue
        while last - first <= block // FAN_OUT:
            block //= FAN_OUT
        child = block // FAN_OUT
        children = (last - first + child - 1) // child
        middle = first + (children + 1) // 2 * child
        start, stop = first * leaf_size, min(last * leaf_size, total)
        axis, spread = _widest(records, start, stop, max(1, (stop - start) // _PROBES))
        if spread == 0.0 and stop - start > _PROBES:
            axis, spread = _widest(records, start, stop, np.int64(1))
        if spread > 0.0:
            _select(records, start, stop, middle * leaf_size, axis, sample)
        firsts[depth], lasts[depth], blocks[depth] = middle, last, block
        firsts[depth + 1], lasts[depth + 1], blocks[depth + 1] = first, middle, block
        depth += 2


@numba.njit(**OPTIONS)
def fill(boxes, width, records, leaves, rows, low, high):  # type: ignore[no-untyped-def]
    """Entries into their leaves, in the order of the records: the first S numbers of each row of
    float64[N, width] at address `boxes` into float64[M, S, L] leaves, their numbers into int32[M,
    L] rows; float64[M, 3] low and high take the leaves' own boxes."""
    count, sides, size = leaves.shape
    for leaf in range(count):
        for axis in range(3):
            low[leaf, axis], high[leaf, axis] = np.inf, -np.inf
        for lane in range(size):
            place = leaf * size + lane
            if place >= len(records):
                rows[leaf, lane] = -1
                for side in range(sides):
                    leaves[leaf, side, lane] = np.nan
                continue
            row = np.int64(records[place, 3])
            rows[leaf, lane] = row
            for side in range(sides):
                leaves[leaf, side, lane] = read_float64(boxes, row * width + side)
            for axis in range(3):
                low[leaf, axis] = min(low[leaf, axis], leaves[leaf, axis, lane])
                high[leaf, axis] = max(high[leaf, axis], leaves[leaf, sides - 3 + axis, lane])

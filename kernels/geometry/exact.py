"""What convex hulls decide exactly: signs of determinants, order of points.

A determinant of three rows of whole numbers of up to 53 bits and a sign: they are cut into 4 limbs
of 14 bits; a coefficient of the product of three such, summed over the determinant's 6 terms, stays
below 2**49, so int64 holds it.
"""

from __future__ import annotations

import numpy as np

from hartonomous.kernels.geometry.compiling import entry, inner

_BITS, _LIMBS = 14, 4
_MASK = 2**_BITS - 1
#: coefficients of a product of two and of three numbers
_TWO, _THREE = 2 * _LIMBS - 1, 3 * _LIMBS - 2


@entry
def determinant_sign(rows):  # type: ignore[no-untyped-def]
    """int64[3,3] of magnitude up to 2**53 -> -1, 0 or 1."""
    limbs = np.empty((3, 3, _LIMBS), np.int64)
    for i in range(3):
        for j in range(3):
            value = rows[i, j]
            for k in range(_LIMBS - 1):
                limbs[i, j, k] = value & _MASK
                value >>= _BITS
            limbs[i, j, _LIMBS - 1] = value  # carries the sign
    total = np.zeros(_THREE, np.int64)
    for j in range(3):
        u, v = (j + 1) % 3, (j + 2) % 3
        for a in range(_LIMBS):
            for b in range(_LIMBS):
                minor = limbs[1, u, a] * limbs[2, v, b] - limbs[1, v, a] * limbs[2, u, b]
                for c in range(_LIMBS):
                    total[a + b + c] += limbs[0, j, c] * minor
    rest = np.int64(0)
    for i in range(_THREE - 1):
        rest |= total[i] & _MASK
        total[i + 1] += total[i] >> _BITS
    top = total[_THREE - 1]
    if top != 0:
        return 1 if top > 0 else -1
    return 1 if rest != 0 else 0


@inner
def is_before(points, a, b):  # type: ignore[no-untyped-def]
    """Whether row a comes before row b in the order of x, then y, then z; -0 equals 0."""
    for i in range(3):
        if points[a, i] != points[b, i]:
            return points[a, i] < points[b, i]
    return False


@inner
def sort(points, order):  # type: ignore[no-untyped-def]
    """Puts rows of points into their order, in place: heapsort, as numba's own sorts take seconds
    to compile."""
    size = len(order)
    build = size // 2
    while size > 1:
        if build > 0:
            build -= 1
            moved = order[build]
            hole = build
        else:
            size -= 1
            moved = order[size]
            order[size] = order[0]
            hole = 0
        child = 2 * hole + 1
        while child < size:
            if child + 1 < size and is_before(points, order[child], order[child + 1]):
                child += 1
            if not is_before(points, moved, order[child]):
                break
            order[hole] = order[child]
            hole = child
            child = 2 * hole + 1
        order[hole] = moved

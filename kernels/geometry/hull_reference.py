"""What the compiled convex hulls are judged by, in NumPy: the definition, at any cost.

A point is extreme if the supporting planes through it meet in it alone. Every supporting plane that
matters goes through three of the points: all triples are tried, O(n**4). Exact for whole numbers
below 2**15.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from hartonomous.kernels.geometry.layout import Flags, Numbers, Offsets


def extreme_reference(points: Numbers) -> tuple[int, Flags]:
    """float64[n,3] of whole numbers -> (dimension of their hull, bool[n] which are extreme)."""
    whole = points.astype(np.int64)
    assert (whole == points).all(), "the definition is exact for whole numbers only"
    dimension, solid = 3, whole
    while True:
        rank = int(np.linalg.matrix_rank(solid[1:] - solid[0])) if len(solid) > 1 else 0
        if rank == 3:
            break
        # a pyramid over what is flat has the same extreme points, and its apex
        dimension -= 1
        solid = np.vstack((solid, solid[0] + _across(solid - solid[0])))
    return dimension, _extreme_of_solid(solid)[: len(points)]


def _across(steps: Offsets) -> Offsets:
    """A direction in which the span of `steps` (rank 2 at most) does not go."""
    crossed = np.cross(steps[:, None], steps[None]).reshape(-1, 3)
    if crossed.any():
        return np.asarray(crossed[np.abs(crossed).sum(axis=1).argmax()])
    along = steps[np.abs(steps).sum(axis=1).argmax()]
    return np.asarray(np.eye(3, dtype=np.int64)[np.abs(along).argmin()])


def _extreme_of_solid(points: Offsets) -> Flags:
    triples = np.array(list(combinations(range(len(points)), 3)))
    a, b, c = (points[triples[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    heights = normals @ points.T - (normals * a).sum(axis=1)[:, None]
    supporting = normals.any(axis=1) & ((heights <= 0).all(axis=1) | (heights >= 0).all(axis=1))
    normals, touched = normals[supporting], heights[supporting] == 0
    return np.array(
        [np.linalg.matrix_rank(normals[touched[:, p]]) == 3 for p in range(len(points))]
    )

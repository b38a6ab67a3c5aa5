"""What the compiled distances are judged by, in NumPy: definitions, at any cost.

The distance of two convex hulls is the distance of the origin to the hull of all differences of
their corners. The nearest point of that lies in a simplex of at most three of them, or the origin
lies in one of four (Carathéodory): all are tried. Cores are taken apart as pieces.py does;
tests compare what it makes of polygons with another library.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from hartonomous.kernels.geometry.layout import HULL, LINESTRING, POINT, POLYGON, Numbers, Shapes


def pieces_reference(shapes: Shapes, i: int) -> list[Numbers]:
    """float64[K,3] of each convex piece of value i, not for POLYGON."""
    points, kind = shapes.points(i), int(shapes.kind[i])
    assert kind != POLYGON, "triangulated by the kernel alone"
    if len(points) == 0:
        return []
    if kind in (HULL, POINT) or len(points) == 1:
        return [points]
    if kind == LINESTRING:
        return [points[k : k + 2] for k in range(len(points) - 1)]
    return [points[k : k + 1] for k in range(len(points))]


def core_distance_reference(a: list[Numbers], b: list[Numbers]) -> float:
    """The least distance of two lists of convex pieces; NaN if one is empty."""
    if not a or not b:
        return float("nan")
    return min(convex_distance_reference(p, q) for p in a for q in b)


def convex_distance_reference(p: Numbers, q: Numbers) -> float:
    """Distance of the convex hulls of float64[P,3] and float64[Q,3]."""
    scale = max(np.abs(p).max(), np.abs(q).max()) or 1.0
    differences = ((p / scale)[:, None, :] - (q / scale)[None, :, :]).reshape(-1, 3)
    differences = np.unique(differences, axis=0)
    best = np.inf
    for size in range(1, min(4, len(differences)) + 1):
        chosen = np.array(list(combinations(range(len(differences)), size)))
        best = min(best, _nearest_of_simplices(differences[chosen]))
    return float(best * scale)


def _nearest_of_simplices(corners: Numbers) -> float:
    """corners: float64[S,K,3]. The least distance of the origin to the planes through the corners
    of those simplices in which its foot lies; the feet by orthogonal bases, degenerate ones left
    out, as smaller simplices cover them."""
    first, edges = corners[:, 0], corners[:, 1:] - corners[:, :1]
    if edges.shape[1] == 0:
        return float(np.linalg.norm(first, axis=1).min())
    weights = np.linalg.pinv(edges.transpose(0, 2, 1), rcond=1e-12) @ -first[:, :, None]
    weights = weights[:, :, 0]
    is_inside = (weights >= -1e-15).all(axis=1) & (weights.sum(axis=1) <= 1 + 1e-15)
    if not is_inside.any():
        return np.inf
    feet = first + np.einsum("sk,ski->si", weights, edges)
    return float(np.linalg.norm(feet[is_inside], axis=1).min())

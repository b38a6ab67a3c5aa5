"""What an R-tree's searches answer, defined by looking at every box.

    boxes: float64[N, 6] (min x, y, z, max x, y, z) or float64[N, 3] points

A row with NaN is no box and never found. The distance to a box is that to its nearest point, from
inside 0: sqrt((dx² + dy²) + dz²), each step rounded to float64, where dx is how far x lies outside
min x to max x. So squares overflow beyond 1e154 and vanish below 1e-162, here as in the searches.
Nothing is near a center that is not finite; boxes may be infinite. Between points these are the
distances of geometry/distance.py, which takes care to scale coordinates beyond 1e100, too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.rtree_layout import Floats, Integers


def box_distances(boxes: Floats, center: Floats) -> Floats:
    """float64[N]: NaN for rows that are no boxes, and from a center that is not finite."""
    if not np.isfinite(center).all():
        return np.full(len(boxes), np.nan)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        gaps = np.maximum(np.maximum(boxes[:, :3] - center, center - boxes[:, -3:]), 0.0)
        squares = gaps * gaps
        return np.asarray(np.sqrt(squares[:, 0] + squares[:, 1] + squares[:, 2]))


def search_box_reference(boxes: Floats, box: Floats) -> Integers:
    """Rows of the boxes that share a point with `box`, ascending."""
    meets = (boxes[:, :3] <= box[3:]) & (boxes[:, -3:] >= box[:3])
    return np.flatnonzero(meets.all(axis=1) & ~np.isnan(boxes).any(axis=1))


def search_ball_reference(boxes: Floats, center: Floats, radius: float) -> Integers:
    """Rows of the boxes no farther than `radius` from `center`, ascending."""
    return np.flatnonzero(box_distances(boxes, center) <= radius)


def nearest_reference(
    boxes: Floats,
    center: Floats,
    k: int,
    radius_limit: float = np.inf,
    keep: npt.NDArray[np.bool_] | None = None,
) -> tuple[Floats, Integers]:
    """Distances and rows of the k nearest boxes, by (distance, row)."""
    distances = box_distances(boxes, center)
    counts = distances <= radius_limit
    rows = np.flatnonzero(counts if keep is None else counts & keep)
    order = np.lexsort((rows, distances[rows]))[:k]
    return distances[rows[order]], rows[order]

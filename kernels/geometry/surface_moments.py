"""Areas of polygons that are not flat, over their triangulation."""

from __future__ import annotations

import math

import numpy as np

from hartonomous.kernels.geometry.compiling import entry, fixed, run
from hartonomous.kernels.geometry.layout import Numbers, Offsets, Shapes
from hartonomous.kernels.geometry.triangulate import estimate, triangulate


@entry
def _surface_moments(coords, coord_starts, rings, ring_starts, rows, moments, areas):  # type: ignore[no-untyped-def]
    corner = np.empty((3, 3))
    for k in range(len(rows)):
        row = rows[k]
        first, last = coord_starts[row], coord_starts[row + 1]
        low, high = ring_starts[row], ring_starts[row + 1]
        triangles = np.empty((last - first + 2 * (high - low), 3), np.int64)
        count = triangulate(coords, first, last, rings, low, high, triangles)
        for t in range(count):
            for c in range(3):
                for i in range(3):
                    corner[c, i] = coords[triangles[t, c], i]
            square = 0.0
            for i in range(3):
                u, v = (i + 1) % 3, (i + 2) % 3
                normal = (corner[1, u] - corner[0, u]) * (corner[2, v] - corner[0, v])
                normal -= (corner[1, v] - corner[0, v]) * (corner[2, u] - corner[0, u])
                square += normal * normal
            area = math.sqrt(square)
            areas[k] += area
            for i in range(3):
                moments[k, i] += area * (corner[0, i] + corner[1, i] + corner[2, i]) / 3.0


def surface_moments(shapes: Shapes, local: Numbers, rows: Offsets) -> tuple[Numbers, Numbers]:
    """(float64[K,3] area times centre, float64[K] area doubled) of the triangulated polygons at
    `rows`, their points taken from `local` in the place of shapes.coords."""
    moments, areas = np.zeros((len(rows), 3)), np.zeros(len(rows))
    given = (local, shapes.coord_starts, shapes.rings, shapes.ring_starts, rows)
    seconds = 2.0 * estimate(shapes.num_points[rows])
    run(_surface_moments, seconds, *(fixed(x) for x in given), moments, areas)
    return moments, areas

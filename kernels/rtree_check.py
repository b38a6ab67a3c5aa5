"""Whether an R-tree is what rtree_layout.py says, and over which boxes: looked at whole.

How it was built does not matter, only that every search in it finds what it should.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hartonomous.kernels import rtree_layout as layout
from hartonomous.kernels.rtree_layout import Floats

if TYPE_CHECKING:
    from hartonomous.kernels.rtree import Tree


def fault(tree: Tree) -> str | None:
    """What is wrong with a tree, None if nothing is."""
    flat = tree.rows.reshape(-1)
    rows, rest = flat[: tree.entries], flat[tree.entries :]
    if (rest != -1).any():
        return "a free place of the last leaf has a row"
    if len(rows) and (rows.min() < 0 or rows.max() >= tree.row_count):
        return f"a row is outside 0 to {tree.row_count - 1}"
    if len(np.unique(rows)) != len(rows):
        return "a row occurs twice"
    places = _places(tree)
    if np.isnan(places[: tree.entries]).any() or not np.isnan(places[tree.entries :]).all():
        return "an entry is NaN, or a free place is not"
    if (places[: tree.entries, :3] > places[: tree.entries, -3:]).any():
        return "a box ends before it begins"
    return _loose_node(tree)


def difference(tree: Tree, boxes: Floats) -> str | None:
    """In what a tree without a fault differs from one over float64[N, 6] `boxes`."""
    rows = tree.rows.reshape(-1)[: tree.entries]
    filled = np.flatnonzero(~np.isnan(boxes).any(axis=1))
    if tree.row_count != len(boxes) or not np.array_equal(np.sort(rows), filled):
        return f"{tree.entries} of {tree.row_count} rows instead of {len(filled)} of {len(boxes)}"
    places = _places(tree)[: tree.entries]
    held = np.concatenate((places[:, :3], places[:, -3:]), axis=1)
    wrong = (held != boxes[rows]).any(axis=1)
    return f"another box for row {rows[wrong].min()}" if wrong.any() else None


def _places(tree: Tree) -> Floats:
    """float64[places, 3 or 6]: what each place of the leaves holds."""
    return tree.leaves.transpose(0, 2, 1).reshape(-1, tree.leaves.shape[1])


def _loose_node(tree: Tree) -> str | None:
    """Every child's box holds what the child holds."""
    low = np.fmin.reduce(tree.leaves[:, :3], axis=2)
    high = np.fmax.reduce(tree.leaves[:, -3:], axis=2)
    starts = layout.level_starts(len(tree.leaves))
    for level in range(1, len(starts)):
        stop = starts[level + 1] if level + 1 < len(starts) else len(tree.nodes)
        nodes = tree.nodes[starts[level] : stop]
        boxes = nodes.transpose(0, 2, 1).reshape(-1, 6)
        children, rest = boxes[: len(low)], boxes[len(low) :]
        holds = (children[:, :3] <= low).all(axis=1) & (children[:, 3:] >= high).all(axis=1)
        if not holds.all():
            return f"level {level}: the box of child {holds.argmin()} does not hold its entries"
        if not np.isnan(rest).all():
            return f"level {level}: there is a child too many"
        low = np.fmin.reduce(nodes[:, :3], axis=2).astype(np.float64)
        high = np.fmax.reduce(nodes[:, 3:], axis=2).astype(np.float64)
    return None

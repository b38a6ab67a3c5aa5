"""Whether an R-tree is what rtree_layout.py says: looked at whole, entry by entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hartonomous.kernels import rtree_layout as layout

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
    sides = tree.leaves.shape[1]
    places = tree.leaves.transpose(0, 2, 1).reshape(-1, sides)
    if np.isnan(places[: tree.entries]).any() or not np.isnan(places[tree.entries :]).all():
        return "an entry is NaN, or a free place is not"
    if (places[: tree.entries, :3] > places[: tree.entries, -3:]).any():
        return "a box ends before it begins"
    return _loose_node(tree)


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

"""What all searches in an R-tree do at a node, compiled: 16 boxes of it against a point or a box.

A node is its level and number; `first` is the place of a block's first entry in its leaf. Answers
are bits, one for each box, lowest first.
"""

from __future__ import annotations

import numba

from hartonomous.kernels.options import OPTIONS
from hartonomous.kernels.rtree_lanes_compiled import (
    first_bit,
    leaf_meets,
    leaf_near,
    node_inside,
    node_meets,
    node_near,
)
from hartonomous.kernels.rtree_layout import (
    FAN_OUT,
    HALF_NODE_BYTES,
    HIGH_BYTES,
    LANE_BYTES,
    LEAF_BYTES,
    LEAF_SIZE,
    LEAVES,
    LEVEL_BITS,
    LEVELS,
    NODE_BYTES,
    NODES,
    squared_bound,
)

bound_of = numba.njit(**OPTIONS)(squared_bound)


@numba.njit(**OPTIONS)
def _node(frame, level, index):  # type: ignore[no-untyped-def]
    """Where an inner node's boxes lie: the low corners, and the high ones HALF_NODE_BYTES on."""
    return frame[NODES] + (frame[LEVELS + level] + index) * NODE_BYTES


@numba.njit(**OPTIONS)
def _block(frame, index, first):  # type: ignore[no-untyped-def]
    """Where 16 boxes of a leaf lie: the low corners, and the high ones frame[HIGH_BYTES] on."""
    return frame[LEAVES] + index * frame[LEAF_BYTES] + first * 8


@numba.njit(**OPTIONS)
def children_near(frame, level, index, x, y, z, bound, out):  # type: ignore[no-untyped-def]
    """Children whose squared distance to (x, y, z) is at most `bound`; all 16 distances go to
    address `out`."""
    low = _node(frame, level, index)
    return node_near(low, low + HALF_NODE_BYTES, LANE_BYTES, x, y, z, bound, out)


@numba.njit(**OPTIONS)
def entries_near(frame, index, first, x, y, z, bound, out):  # type: ignore[no-untyped-def]
    """As children_near, of entries in a leaf."""
    low = _block(frame, index, first)
    return leaf_near(low, low + frame[HIGH_BYTES], frame[LEAF_SIZE] * 8, x, y, z, bound, out)


@numba.njit(**OPTIONS)
def children_meeting(frame, level, index, a, b, c, d, e, f):  # type: ignore[no-untyped-def]
    """(children that meet the box from (a, b, c) to (d, e, f), those of them that lie in it)"""
    low = _node(frame, level, index)
    high = low + HALF_NODE_BYTES
    bits = node_meets(low, high, LANE_BYTES, a, b, c, d, e, f)
    return bits, bits & node_inside(low, high, LANE_BYTES, a, b, c, d, e, f)


@numba.njit(**OPTIONS)
def entries_meeting(frame, index, first, a, b, c, d, e, f):  # type: ignore[no-untyped-def]
    """Entries in a leaf that meet the box from (a, b, c) to (d, e, f)."""
    low = _block(frame, index, first)
    return leaf_meets(low, low + frame[HIGH_BYTES], frame[LEAF_SIZE] * 8, a, b, c, d, e, f)


@numba.njit(**OPTIONS)
def put_aside(nodes, depth, level, index, bits):  # type: ignore[no-untyped-def]
    """Put the children of a node that `bits` names on the stack; returns its depth."""
    while bits:
        nodes[depth] = (level - 1) << LEVEL_BITS | (index * FAN_OUT + first_bit(bits))
        bits &= bits - 1
        depth += 1
    return depth

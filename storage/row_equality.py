"""Row-wise equality of stored values of any type: what "this row was changed" means.

NULL equals NULL. Floats are equal by their bits, but for NaN: every NaN is one, as in the canonical
encoding (docs/FORMAT.md section 5), so that -0.0 and 0.0 differ as they do in a leaf.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bool = npt.NDArray[np.bool_]


def equal_values(left: pa.Array, right: pa.Array) -> Bool:
    """Whether the values of two arrays of one type and length are equal, bool[N]."""
    assert left.type == right.type and len(left) == len(right), (left.type, right.type)
    valid = _is_valid(left)
    out: Bool = np.equal(valid, _is_valid(right))
    both = np.flatnonzero(valid & out)
    if len(both):
        if len(both) < len(left):
            picked = pa.array(both)
            left, right = left.take(picked), right.take(picked)
        out[both] = _equal(left, right)
    return out


def _is_valid(array: pa.Array) -> Bool:
    valid: Bool = array.is_valid().to_numpy(zero_copy_only=False)
    return valid


def _equal(left: pa.Array, right: pa.Array) -> Bool:
    """As `equal_values`, of arrays without NULLs."""
    type_ = left.type
    if pa.types.is_struct(type_):
        every = np.ones(len(left), np.bool_)
        for number in range(type_.num_fields):
            every &= equal_values(left.field(number), right.field(number))
        return every
    if pa.types.is_fixed_size_list(type_):
        flat = equal_values(left.flatten(), right.flatten())
        return np.asarray(flat.reshape(len(left), type_.list_size).all(axis=1))
    if pa.types.is_list(type_):
        return _equal_lists(left, right)
    if pa.types.is_floating(type_):
        return _equal_floats(left, right)
    import pyarrow.compute as pc

    same: Bool = pc.equal(left, right).to_numpy(zero_copy_only=False)
    return same


def _equal_floats(left: pa.Array, right: pa.Array) -> Bool:
    one, other = (a.to_numpy(zero_copy_only=False) for a in (left, right))
    bits = f"u{one.dtype.itemsize}"
    same: Bool = (one.view(bits) == other.view(bits)) | (np.isnan(one) & np.isnan(other))
    return same


def _equal_lists(left: pa.Array, right: pa.Array) -> Bool:
    """Lists of equal length are compared element by element, all of them at once."""
    lengths = np.diff(left.offsets.to_numpy())
    out: Bool = lengths == np.diff(right.offsets.to_numpy())
    same = np.flatnonzero(out)
    counts = lengths[same].astype(np.int64)
    if not counts.sum():
        return out
    picked = pa.array(same)
    elements = equal_values(left.take(picked).flatten(), right.take(picked).flatten())
    differing = np.repeat(np.arange(len(same)), counts)[~elements]
    out[same[differing]] = False
    return out

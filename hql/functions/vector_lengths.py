"""Vector functions over rows whose vectors are not all of one length, as those of TensorAtoms.

A kernel computes over matrices, so rows are parted by the lengths of their vectors, each part is
computed by itself, and the results are put back in order. Two vectors of one row that do not go
together are the kernel's to refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

Kernel = Callable[..., Any]


def by_length(kernel: Kernel) -> Kernel:
    """A kernel of rows, for vectors of any lengths."""

    @wraps(kernel)
    def apply(*values: Any) -> Any:
        import numpy as np

        lengths = [found for v in values if (found := _mixed(v)) is not None]
        if not lengths:
            return kernel(*values)
        _, part = np.unique(np.stack(lengths, axis=1), axis=0, return_inverse=True)
        return _in_order(part.reshape(-1), lambda rows: kernel(*(_take(v, rows) for v in values)))

    return apply


def groups_by_length(kernel: Kernel) -> Kernel:
    """A kernel of groups of vectors: `offsets` int64[G + 1] into them. Every group has to be of
    one length."""

    @wraps(kernel)
    def apply(values: Any, offsets: Any) -> Any:
        import numpy as np

        lengths = _mixed(values)
        if lengths is None or len(offsets) < 2:
            return kernel(values, offsets)
        longest = np.maximum.reduceat(np.append(lengths, 0), np.minimum(offsets[:-1], len(lengths)))
        part = np.where(np.diff(offsets) > 0, longest, 0)

        def compute(groups: Any) -> Any:
            counts = np.diff(offsets)[groups]
            starts = np.concatenate(([0], np.cumsum(counts)))
            rows = np.repeat(offsets[:-1][groups] - starts[:-1], counts) + np.arange(starts[-1])
            return kernel(_take(values, rows), starts)

        return _in_order(part, compute)

    return apply


def _mixed(value: Any) -> Any:
    """int64[N] lengths of a column of vectors, 0 for NULL, if they differ; None for any others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(value, pa.Scalar) or not pa.types.is_list(value.type):
        return None
    lengths = pc.list_value_length(value)
    if isinstance(lengths, pa.ChunkedArray):
        lengths = lengths.combine_chunks()
    least, most = pc.min_max(lengths).values()
    if least.equals(most):
        return None
    return lengths.fill_null(0).to_numpy().astype("int64")


def _take(value: Any, rows: Any) -> Any:
    import pyarrow as pa

    return value if isinstance(value, pa.Scalar) else value.take(pa.array(rows))


def _in_order(part: Any, compute: Callable[[Any], Any]) -> Any:
    """What `compute` gives for the rows of each part, put back in their order."""
    import numpy as np
    import pyarrow as pa

    order = np.argsort(part, kind="stable")
    cuts = np.flatnonzero(np.diff(part[order])) + 1
    found = [compute(rows) for rows in np.split(order, cuts)]
    if pa.types.is_fixed_size_list(found[0].type):
        found = [f.cast(pa.list_(f.type.value_type)) for f in found]
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_arrays(found).take(pa.array(back))

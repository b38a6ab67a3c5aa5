"""What follows from an atom's content: Embedding, SpatialKey, HilbertValue.

Texts and code get the vector of the default encoder. Other modalities have no encoder yet: their
Embedding and SpatialKey are what the user gives, or NULL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.atoms.adding import as_array
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.types import GEOMETRY, vector

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

#: modalities whose CanonicalText the default encoder embeds
EMBEDDED = pa.array(["text", "code"])
DIMENSIONS = 256
DERIVED = ("Embedding", "SpatialKey", "HilbertValue")


def derive(context: Context, rows: pa.Table) -> pa.Table:
    """The rows with their derived columns filled. `Embedding` and `SpatialKey` may be given, for
    rows that no encoder is for; BAD_VALUE for others."""
    is_embedded = embedded_rows(rows)
    check_given(rows, is_embedded)
    embedding = _fill(_given(rows, "Embedding", vector(DIMENSIONS).arrow), rows, is_embedded)
    columns = {
        "Embedding": embedding,
        "SpatialKey": _given(rows, "SpatialKey", GEOMETRY.arrow),
        "HilbertValue": pa.nulls(rows.num_rows, pa.int64()),
    }
    rows = rows.drop_columns([n for n in DERIVED if n in rows.column_names])
    for name, values in columns.items():
        rows = rows.append_column(name, values)
    return rows


def embedded_rows(rows: pa.Table) -> np.ndarray:
    """Which rows an encoder is for: bool[N]."""
    known = pc.and_(
        pc.is_in(rows.column("Modality"), value_set=EMBEDDED),
        rows.column("CanonicalText").is_valid(),
    )
    return np.asarray(as_array(known).to_numpy(zero_copy_only=False), np.bool_)


def check_given(rows: pa.Table, is_embedded: np.ndarray) -> None:
    """BAD_VALUE if a row has an explicit Embedding or SpatialKey, and an encoder is for it."""
    for name in ("Embedding", "SpatialKey"):
        if name not in rows.column_names:
            continue
        given = np.asarray(rows.column(name).is_valid().to_numpy(), np.bool_)
        if (given & is_embedded).any():
            raise ExecutionFault(
                f"{name} of an atom of text or code follows from its CanonicalText",
                code="BAD_VALUE",
                hint=f"leave {name} out; it may be given for other modalities",
            )


def _given(rows: pa.Table, name: str, type_: pa.DataType) -> pa.Array:
    if name in rows.column_names:
        return as_array(rows.column(name))
    return pa.nulls(rows.num_rows, type_)


def _fill(given: pa.Array, rows: pa.Table, is_embedded: np.ndarray) -> pa.Array:
    """The vectors of the rows that an encoder is for, beside those given."""
    if not is_embedded.any():
        return given
    texts = as_array(rows.column("CanonicalText").filter(pa.array(is_embedded)))
    vectors = encode(texts)
    if is_embedded.all():
        return vectors
    places = np.where(is_embedded, np.cumsum(is_embedded) - 1, len(vectors) + np.arange(len(given)))
    return pa.concat_arrays([vectors, given]).take(pa.array(places))


def encode(texts: pa.Array) -> pa.Array:
    """VECTOR(256) of each text, none of them NULL."""
    from hartonomous.hql import encoders

    vectors = encoders.get().encode(texts)
    flat = pa.array(vectors.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, type=vector(DIMENSIONS).arrow)

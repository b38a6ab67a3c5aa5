"""What follows from an atom's content: Embedding, SpatialKey, HilbertValue.

Texts get the vector of a space's encoder (the default one's, if none is named), its point in that
space, and the place of the point on the space's curve; so does code, by the words in it. Other
modalities have no encoder yet: their Embedding and SpatialKey are what the user gives, or NULL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.atoms.adding import as_array, chosen, identities
from hartonomous.hql.errors import BindFault, ExecutionFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.types import GEOMETRY, vector

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.spaces.space import Space

#: modalities whose CanonicalText the default encoder embeds
EMBEDDED = pa.array(["text", "code"])
DIMENSIONS = 256
DERIVED = ("Embedding", "SpatialKey", "HilbertValue")


@frozen
class Placed:
    """Atoms that were embedded: identities (adding.py), VECTOR(256), points in a space."""

    marks: pa.Array
    vectors: pa.Array
    points: pa.Array


def derive(
    context: Context,
    rows: pa.Table,
    space: Space | None = None,
    placed: Placed | None = None,
) -> pa.Table:
    """The rows with their derived columns filled; what is in `placed` is not embedded again.
    `Embedding` and `SpatialKey` may be given, for rows that no encoder is for."""
    from hartonomous.hql.functions.spaces import hilbert_values

    is_embedded = embedded_rows(rows)
    embedding = _given(rows, "Embedding", vector(DIMENSIONS).arrow)
    point = _given(rows, "SpatialKey", GEOMETRY.arrow)
    if is_embedded.any():
        made = _placed(context, chosen(rows, np.flatnonzero(is_embedded)), space, placed)
        embedding = _filled(embedding, made.vectors, is_embedded)
        point = _filled(point, made.points, is_embedded)
    columns = {
        "Embedding": embedding,
        "SpatialKey": point,
        "HilbertValue": hilbert_values(tuple(context.catalog.spaces()), point),
    }
    rows = rows.drop_columns([n for n in DERIVED if n in rows.column_names])
    for name, values in columns.items():
        rows = rows.append_column(name, values)
    return rows


def place_rows(context: Context, rows: pa.Table, space: Space | None) -> Placed:
    """Embeds the rows that an encoder is for."""
    return _placed(context, chosen(rows, np.flatnonzero(embedded_rows(rows))), space, None)


def _placed(context: Context, rows: pa.Table, space: Space | None, placed: Placed | None) -> Placed:
    """Vectors and points of rows that an encoder is for: those that are there, and the others
    made now."""
    from hartonomous.hql.spaces import default_space

    marks = identities(rows)
    if placed is None:
        return Placed(marks, *place(context, meanings(rows), space or default_space()))
    if marks.equals(placed.marks):
        return placed
    index = pc.index_in(marks, value_set=placed.marks)
    vectors, points = placed.vectors, placed.points
    if index.null_count:
        lacking = index.is_null()
        made = _placed(context, rows.filter(lacking), space, None)
        places = np.cumsum(lacking.to_numpy(zero_copy_only=False)) - 1 + len(vectors)
        vectors = pa.concat_arrays([vectors, made.vectors])
        points = pa.concat_arrays([points, made.points])
        index = pc.if_else(lacking, pa.array(places, index.type), index)
    return Placed(marks, vectors.take(index), points.take(index))


def meanings(rows: pa.Table) -> pa.Array:
    """What is embedded of the rows: texts as they are, of code the words in it."""
    texts = as_array(rows.column("CanonicalText"))
    is_code = as_array(pc.equal(rows.column("Modality"), "code"))
    if not pc.any(is_code).as_py():
        return texts
    from hartonomous.hql.modalities.code_words import words_of_all

    return pc.replace_with_mask(texts, is_code, words_of_all(texts.filter(is_code)))


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


def _filled(given: pa.Array, made: pa.Array, is_made: np.ndarray) -> pa.Array:
    """The values made for some rows, beside those given for the others."""
    if is_made.all():
        return made
    places = np.where(is_made, np.cumsum(is_made) - 1, len(made) + np.arange(len(given)))
    return pa.concat_arrays([made, given]).take(pa.array(places))


def place(context: Context, texts: pa.Array, space: Space) -> tuple[pa.Array, pa.Array]:
    """VECTOR(256) and point of each text, none of them NULL."""
    from hartonomous.hql import encoders
    from hartonomous.hql.models.using import Models

    models = Models(context.catalog, context.session.database)
    with context.limits.lent():
        vectors = encoders.get(space.encoders["text"], models).encode(texts)
    flat = pa.array(vectors.reshape(-1))
    embedding = pa.FixedSizeListArray.from_arrays(flat, type=vector(DIMENSIONS).arrow)
    return embedding, space.geometries(space.project(vectors))


def check_space(space: Space) -> None:
    """BIND if atoms cannot lie in the space: Embedding has so many dimensions, and no others."""
    if "text" not in space.encoders or space.dimensions != DIMENSIONS:
        raise BindFault(
            f'atoms of text cannot lie in the space "{space.name}"',
            hint=f"it needs an encoder of text with {DIMENSIONS} dimensions",
        )

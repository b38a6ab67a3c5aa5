"""The rows of `Spaces`: every space with what it is made of, and how far its points can be trusted.

NeighbourhoodPreservation says how many of a vector's ten nearest are among the ten nearest of its
point, as a mean over SampleRows rows: of a space of the catalog as measured when it was made, of
the default space over this database's atoms as they are (over the encoder's tokens where there are
none).
"""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql import spaces
from hartonomous.hql.spaces.measuring import SAMPLE_ROWS, measure
from hartonomous.hql.system_schema.writing import find

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.plan import Field
    from hartonomous.hql.spaces.space import Space


def space_rows(context: Context, fields: tuple[Field, ...]) -> pa.Table:
    """One row a space, the default one first."""
    shown = spaces.all_spaces(context.catalog)
    rows = [_row(s, context if s is spaces.default_space() else None) for s in shown]
    columns = [
        _boxes(shown) if f.name == "Box" else pa.array([r[f.name] for r in rows], f.type.arrow)
        for f in fields
    ]
    return pa.table(columns, names=[f.name for f in fields])


def _row(space: Space, measured_in: Context | None) -> dict[str, Any]:
    figures = None if measured_in is None else _over_atoms(space, measured_in)
    if figures is None:
        figures = {"preservation": space.preservation, "sample_rows": space.sample_rows}
    return {
        "SpaceName": space.name,
        "SRID": space.srid,
        "Encoders": json.dumps(space.encoders),
        "Dimensions": space.dimensions,
        "LandmarkCount": space.landmark_count,
        "Method": space.method,
        "Seed": space.seed,
        "ProjectionHash": space.content_hash,
        "NeighbourhoodPreservation": figures["preservation"],
        "SampleRows": figures["sample_rows"],
    }


def _over_atoms(space: Space, context: Context) -> dict[str, Any] | None:
    """Measured over a sample of the atoms' embeddings; None for fewer than two."""
    import numpy as np

    from hartonomous.hql.functions.vector_arrays import matrix_of
    from hartonomous.kernels.landmarks import sample_keys

    table = find(context, "Atoms")
    if table is None:
        return None
    found = context.transaction.view(table.id).scan(["Embedding"]).table.column("Embedding")
    chosen = np.sort(np.argsort(sample_keys(0, len(found), 0))[:SAMPLE_ROWS])
    sample = found.take(pa.array(chosen)).combine_chunks().drop_null()
    if len(sample) < 2:
        return None
    return measure(matrix_of(sample), space.matrix, 0)


def _boxes(shown: list[Space]) -> pa.Array:
    """Each space's box, a HULL of its 8 corners."""
    from hartonomous.hql.functions.geometry_kernels import array_of_shapes
    from hartonomous.kernels.geometry.layout import HULL, make

    hulls = [(HULL, list(product(*zip(s.box[:3], s.box[3:], strict=True)))) for s in shown]
    return array_of_shapes(make(hulls, srid=[s.srid for s in shown]))

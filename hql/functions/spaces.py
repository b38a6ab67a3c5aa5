"""Functions of spaces: vectors to points, points to places on a line.

Both need the catalog: a space is found by its name when a call is bound, and the call's function is
then one of its own, whose kernel holds the matrix (or the boxes). A plan holds for one version of
the catalog, so a space that is dropped or made anew is seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from hartonomous.hql import spaces
from hartonomous.hql.errors import BindFault, ExecutionFault
from hartonomous.hql.functions.base import Function, Resolver, Specialiser
from hartonomous.hql.functions.resolve import P, anything, exactly, scalar
from hartonomous.hql.functions.vector_arrays import plain
from hartonomous.hql.types import BIGINT, GEOMETRY, NVARCHAR, Type, vector

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.plan import Expr
    from hartonomous.hql.spaces.space import Space
    from hartonomous.storage.catalog import SpaceEntry


# --- fn_ProjectTo3D ------------------------------------------------------------------------------


def _resolve_project(
    types: Sequence[Type], constants: Sequence[Any]
) -> tuple[Type, tuple[Type, ...]]:
    if not 1 <= len(types) <= 2:
        raise BindFault(
            f"fn_ProjectTo3D takes (vector [, space]), not {len(types)} arguments", code="ARGUMENTS"
        )
    if types[0].kind not in ("VECTOR", "NVARCHAR", "NULL"):
        raise BindFault(f"fn_ProjectTo3D: {types[0]} is not a vector", code="TYPE_MISMATCH")
    given = types[0] if types[0].kind == "VECTOR" else vector(None)
    if len(types) == 2 and not isinstance(constants[1], str):
        raise BindFault(
            "fn_ProjectTo3D: the space is the constant name of one",
            code="ARGUMENTS",
            hint=f"fn_ProjectTo3D(v, '{spaces.DEFAULT}')",
        )
    return GEOMETRY, (given, NVARCHAR)[: len(types)]


def _project_in(function: Function, arguments: Sequence[Expr], context: BindContext) -> Function:
    """The function with the space that its constant names."""
    from hartonomous.hql.plan import Constant

    name = spaces.DEFAULT
    if len(arguments) == 2 and isinstance(arguments[1], Constant):
        name = str(arguments[1].value)
    space = spaces.find_space(context.catalog, name)
    given = arguments[0].type
    if given.kind == "VECTOR" and given.a not in (None, space.dimensions):
        raise BindFault(
            f'fn_ProjectTo3D: the space "{space.name}" has {space.dimensions} dimensions, the '
            f"vector {given.a}",
            code="TYPE_MISMATCH",
        )
    made_by = set(space.encoders.values())
    if given.space is not None and made_by and given.space not in made_by:
        raise BindFault(
            f'fn_ProjectTo3D: the space "{space.name}" is of {", ".join(sorted(made_by))}, the '
            f"vector of {given.space}",
            code="TYPE_MISMATCH",
        )
    return _projecting(function, space)


@lru_cache(64)
def _projecting(function: Function, space: Space) -> Function:
    return replace(function, kernel=partial(_project, space))


def _project(space: Space, vectors: Any, name: Any = None) -> pa.Array:
    """The kernel of fn_ProjectTo3D in one space."""
    import pyarrow as pa

    from hartonomous.hql.functions.vector_arrays import matrix_of, valid_rows, with_nulls

    vectors = _array(vectors)
    if vectors.null_count == len(vectors):
        return pa.nulls(len(vectors), GEOMETRY.arrow)
    valid = valid_rows(vectors)
    matrix = matrix_of(vectors if valid is None else vectors.drop_null())
    if matrix.shape[1] != space.dimensions:
        raise ExecutionFault(
            f'the space "{space.name}" has {space.dimensions} dimensions, a vector '
            f"{matrix.shape[1]}",
            code="BAD_VALUE",
        )
    points = space.project(matrix)
    _check_finite(points)
    return with_nulls(space.geometries(points), valid)


def _array(values: Any) -> pa.Array:
    """A column or one value as an array."""
    import pyarrow as pa

    if isinstance(values, pa.Scalar):
        return pa.array([values.as_py()], values.type)
    return plain(values)


def _check_finite(points: npt.NDArray[np.float64]) -> None:
    import numpy as np

    if not np.isfinite(points).all():
        raise ExecutionFault(
            "a vector with NaN or infinity has no point", code="BAD_VALUE", hint="leave it out"
        )


# --- HilbertValue --------------------------------------------------------------------------------


def _hilbert_in(function: Function, arguments: Sequence[Expr], context: BindContext) -> Function:
    """The function with the boxes of all spaces, as any geometry may carry any SRID."""
    return _in_boxes(function, tuple(context.catalog.spaces()))


@lru_cache(16)
def _in_boxes(function: Function, entries: tuple[SpaceEntry, ...]) -> Function:
    return replace(function, kernel=partial(hilbert_values, entries))


def hilbert_values(entries: tuple[SpaceEntry, ...], values: Any) -> pa.Array:
    """The kernel of HilbertValue: BIGINT of each geometry; `entries` are the catalog's spaces."""
    import numpy as np
    import pyarrow as pa

    from hartonomous.hql.functions.geometry_kernels import shapes_of
    from hartonomous.kernels.geometry.layout import POINT

    shapes, valid = shapes_of(values)
    keys = np.zeros(len(shapes), np.int64)
    filled = ~shapes.is_empty
    if filled.any():
        rows = np.flatnonzero(filled)
        shown = shapes if len(rows) == len(shapes) else shapes.take(rows)
        if not (shown.kind == POINT).all():
            from hartonomous.kernels.geometry.measures import centroid

            shown = centroid(shown)
        keys[rows] = _keys(_by_srid(entries), shown.coords[shown.coord_starts[:-1]], shown.srid)
    if valid is None:
        return pa.array(keys, mask=~filled)
    places = np.flatnonzero(valid)
    out, is_null = np.zeros(len(valid), np.int64), np.ones(len(valid), np.bool_)
    out[places], is_null[places] = keys, ~filled
    return pa.array(out, mask=is_null)


def _by_srid(entries: tuple[SpaceEntry, ...]) -> Mapping[int, Space]:
    from hartonomous.hql.spaces.space import of_entry

    known = [spaces.default_space(), *(of_entry(e) for e in entries)]
    return {s.srid: s for s in known}


def _keys(
    known: Mapping[int, Space],
    points: npt.NDArray[np.float64],
    srids: npt.NDArray[np.int32],
) -> npt.NDArray[np.int64]:
    """int64[N]: on the curve of each point's own space; without a space on that of all space."""
    import numpy as np

    from hartonomous.kernels import hilbert
    from hartonomous.kernels.cells import open_cells

    keys = np.empty(len(points), np.int64)
    for srid in np.unique(srids).tolist():
        rows = srids == srid
        if srid in known:
            keys[rows] = known[srid].keys(points[rows])
        else:
            keys[rows] = hilbert.encode(open_cells(points[rows]))
    return keys


def _unbound(*_: Any) -> Any:
    raise AssertionError("a function of spaces is bound with a catalog")


def _of_space(
    name: str,
    parameters: Sequence[P],
    result: Type,
    doc: str,
    example: str,
    in_catalog: Specialiser,
    resolve: Resolver | None = None,
) -> Function:
    made = scalar(name, parameters, result, None, doc, example, resolve=resolve, kernel=_unbound)
    return replace(made, in_catalog=in_catalog)


SPACE_FUNCTIONS: tuple[Function, ...] = (
    _of_space("fn_ProjectTo3D", (P("vector", anything), P("space", anything, optional=True)),
              GEOMETRY,
              "The vector's point in three dimensions, by the projection of a space (the default "
              "encoder's, unless one is named). Points are never farther apart than their vectors.",
              "fn_ProjectTo3D(EMBED('a cat'))", _project_in, _resolve_project),
    _of_space("HilbertValue", (P("geometry", exactly(GEOMETRY)),), BIGINT,
              "Where its centroid lies on a Hilbert curve through the box of its space: near "
              "numbers are near points. Without a space the curve runs through all there is. NULL "
              "for an empty one.",
              "geometry::Point(1, 2, 3).HilbertValue()", _hilbert_in),
)  # fmt: skip

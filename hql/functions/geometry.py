"""Functions of geometries: native, over Arrow arrays.

Each method is a function too: `a.STDistance(b)` is `STDistance(a, b)`, and `g.STX` is `STX(g)`.
Statics are found by `geometry::NAME`. What they compute is in geometry_methods.py (geometry out of
numbers and other geometry), geometry_forms.py (text and bytes); what the words mean is said in
kernels/geometry/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hartonomous.hql.functions.base import Function, Kernel
from hartonomous.hql.functions.resolve import (
    P,
    Result,
    anything,
    approximate,
    binary,
    exactly,
    resolver,
    scalar,
    whole,
)
from hartonomous.hql.types import BIT, FLOAT, GEOMETRY, INT, NVARCHAR, VARBINARY, Type

if TYPE_CHECKING:
    from hartonomous.hql import plan

geometry = exactly(GEOMETRY)

_G = P("geometry", geometry)
_ONE = (_G,)
_TWO = (_G, P("other", geometry))
_SRID = P("srid", whole, optional=True)


def _late(kernel: str) -> Kernel:
    """The kernel `methods.NAME` or `forms.NAME`, imported when it is first called: the registry is
    part of every cold start, NumPy is not."""
    module, _, name = kernel.partition(".")

    def call(*arguments: Any) -> Any:
        found = import_module(f"hartonomous.hql.functions.geometry_{module}")
        return getattr(found, name)(*arguments)

    return call


def _method(
    name: str, parameters: Sequence[P], result: Result, kernel: str, doc: str, example: str,
    is_distance: bool = False,
) -> Function:  # fmt: skip
    return scalar(
        name, parameters, result, None, doc, example, kernel=_late(kernel), is_distance=is_distance
    )


def _two(
    name: str, result: Type, kernel: str, doc: str, other: str, is_distance: bool = False
) -> Function:
    example = f"geometry::Point(1, 2).{name}({other})"
    return _method(name, _TWO, result, kernel, doc, example, is_distance)


def _one(name: str, result: Type, kernel: str, doc: str, of: str = "Parse('{}')") -> Function:
    text = "LINESTRING (0 0, 3 4)" if of == "Parse('{}')" else ""
    return _method(name, _ONE, result, kernel, doc, f"geometry::{of.format(text)}.{name}()")


_P = "geometry::Point(1, 2)"
_Q = "geometry::Point(4, 6)"
_DISC = "geometry::Point(0, 0).STBuffer(9)"

METHODS: tuple[Function, ...] = (
    _two("STDistance", FLOAT, "methods.distance",
         "The shortest distance: that of the cores less both radii, at least 0; NULL where one is "
         "empty.", _Q, is_distance=True),
    _two("STIntersects", BIT, "methods.intersects",
         "1 when the distance is 0: they touch or overlap.", _Q),
    _two("STDisjoint", BIT, "methods.disjoint", "1 when they do not intersect.", _Q),
    _two("STWithin", BIT, "methods.within",
         "1 when the first lies in the second, whose boundary belongs to it.", _DISC),
    _two("STContains", BIT, "methods.contains", "1 when the second lies in the first.", _Q),
    _two("STEquals", BIT, "methods.equals",
         "1 when each lies in the other: the same set of points, however it is stored.", _Q),
    _two("STHausdorffDistance", FLOAT, "methods.hausdorff",
         "How far a point of one is from the other at most.", _Q),
    _two("STFrechetDistance", FLOAT, "methods.frechet",
         "The Fréchet distance of two paths: the shortest leash with which both can be walked "
         "from start to end, never back.", _Q),
    _method("STBuffer", (_G, P("radius", approximate)), GEOMETRY, "methods.buffer",
            "The geometry swept by a larger ball: `radius` is added to its own. It may be "
            "negative as long as 0 or more is left.", f"{_P}.STBuffer(10)"),
    _one("STStartPoint", GEOMETRY, "methods.start_point", "The first point; NULL if it is empty."),
    _one("STEndPoint", GEOMETRY, "methods.end_point", "The last point; NULL if it is empty."),
    _method("STPointN", (_G, P("number", whole)), GEOMETRY, "methods.point_n",
            "The point of that number, counted from 1; NULL beyond the last.",
            "geometry::Parse('LINESTRING (0 0, 3 4)').STPointN(2)"),
    _one("STNumPoints", INT, "methods.num_points", "How many points are stored."),
    _one("STLength", FLOAT, "methods.length",
         "The length of a path, or of a polygon's rings; 0 of points."),
    _one("STCentroid", GEOMETRY, "methods.centroid",
         "The centre of mass of the core: of its area, else its length, else its points; NULL if "
         "it is empty."),
    _one("STEnvelope", GEOMETRY, "methods.envelope",
         "The smallest box with axes along x, y, z: a HULL of 8 points, or what it is when flat."),
    _one("STConvexHull", GEOMETRY, "methods.convex_hull",
         "The convex hull: a HULL, or a POLYGON, LINESTRING or POINT when flat; a radius stays."),
    _one("STAsText", NVARCHAR, "forms.to_text", "Well-known text."),
    _one("ToString", NVARCHAR, "forms.to_text", "Well-known text, as STAsText."),
    _one("STAsBinary", VARBINARY, "forms.to_binary",
         "Well-known binary (ISO, little-endian, with z); an error for a HULL or a radius."),
    _one("STSrid", INT, "methods.srid", "The space of its coordinates; 0 if none is stated."),
    _one("STX", FLOAT, "methods.x", "x of a POINT; NULL of anything else.", "Point(1, 2, 3)"),
    _one("STY", FLOAT, "methods.y", "y of a POINT; NULL of anything else.", "Point(1, 2, 3)"),
    _one("STZ", FLOAT, "methods.z", "z of a POINT; NULL of anything else.", "Point(1, 2, 3)"),
)  # fmt: skip

STATICS: tuple[Function, ...] = (
    _method("geometry::Point",
            (P("x", approximate), P("y", approximate), P("z", approximate, optional=True), _SRID),
            GEOMETRY, "methods.point", "The point (x, y, z); z is 0 where it is not given.",
            "geometry::Point(1, 2, 3)"),
    _method("geometry::Parse", (P("text", exactly(NVARCHAR)),), GEOMETRY, "forms.parse",
            "The geometry that STAsText wrote, or any well-known text of one.",
            "geometry::Parse('BUFFER (10, POINT Z (0 0 0))')"),
    _method("geometry::STGeomFromText", (P("text", exactly(NVARCHAR)), _SRID), GEOMETRY,
            "forms.from_text", "The geometry of a well-known text, in the space `srid`.",
            "geometry::STGeomFromText('LINESTRING Z (0 0 0, 1 1 1)', 7)"),
    _method("geometry::STGeomFromWKB", (P("bytes", binary), _SRID), GEOMETRY, "forms.from_binary",
            "The geometry of well-known bytes: ISO or EWKB, of either byte order.",
            "geometry::STGeomFromWKB(geometry::Point(1, 2).STAsBinary())"),
    scalar("geometry::STLineFromPoints", (P("point", geometry, many=True),), GEOMETRY, None,
           "The LINESTRING through the points in their order, NULLs left out; of one point it is "
           "that point twice.", f"geometry::STLineFromPoints({_P}, {_Q})",
           null_on_null=False, kernel=_late("methods.line_of")),
)  # fmt: skip

#: (value, whether a bad value is NULL): a GEOMETRY
TO_GEOMETRY = _method("__to_geometry", (P("value", anything), P("try", anything)), GEOMETRY,
                      "forms.convert", "CAST to GEOMETRY.", "")  # fmt: skip
TO_TEXT, TO_BINARY = (next(f for f in METHODS if f.name == n) for n in ("STAsText", "STAsBinary"))

GEOMETRIES: tuple[Function, ...] = (*STATICS, *METHODS, TO_GEOMETRY)

GEOMETRY_AGGREGATES: tuple[Function, ...] = (
    Function(
        name="STLineFromPoints",
        kind="aggregate",
        resolve=resolver("STLineFromPoints", (P("point", geometry),), GEOMETRY),
        kernel=_late("methods.line"),
        parameters=("point",),
        doc="The LINESTRING through the points of the group, in the order of WITHIN GROUP "
        "(without it in that of the rows); of one point it is that point twice.",
        example="STLineFromPoints(geometry::Point(n, 0)) WITHIN GROUP (ORDER BY n)",
        null_on_null=False,
    ),
)


def native_form(expr: plan.Expr) -> plan.Expr | None:
    """The native call that a Cast from or to GEOMETRY stands for, below a Cast that cuts the text
    or the bytes if they are bounded; None for anything else."""
    from hartonomous.hql import plan

    if not isinstance(expr, plan.Cast):
        return None
    if expr.type == GEOMETRY:
        lenient = plan.Constant(type=BIT, span=expr.span, value=expr.try_)
        return plan.Call(
            type=expr.type,
            span=expr.span,
            function=TO_GEOMETRY,
            arguments=(expr.operand, lenient),
        )
    if expr.operand.type != GEOMETRY:
        return None
    is_binary = expr.type.kind == "VARBINARY"
    call = plan.Call(
        type=VARBINARY if is_binary else NVARCHAR,
        span=expr.span,
        function=TO_BINARY if is_binary else TO_TEXT,
        arguments=(expr.operand,),
    )
    return call if expr.type == call.type else replace(expr, operand=call)

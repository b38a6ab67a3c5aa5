"""Functions of vectors: native, over Arrow arrays.

Kernels take arrays of equal length (pa.FixedSizeListArray of float32, or pa.ListArray where the
length is not known), constants as pa.Scalar, and give an array of as many values. Kernels of
aggregates take the values of all groups, one group after the other, and int64[G+1] offsets, and
give one value for each group; NULLs are left out.

Operators and casts on vectors are calls of the functions whose names begin with two underscores;
`native_form` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import hartonomous.hql.functions.vector_kernels as kernels
from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions.base import Function, Kernel, Resolver
from hartonomous.hql.functions.coerce import can_cast, in_one_space
from hartonomous.hql.functions.resolve import P, anything, scalar
from hartonomous.hql.types import BIT, FLOAT, INT, NVARCHAR, Type, vector

if TYPE_CHECKING:
    from hartonomous.hql import plan

METRICS = ("cosine", "euclidean", "dot")

_Resolved = tuple[Type, tuple[Type, ...]]


def _as_vector(name: str, given: Type, dimensions: int | None = None) -> Type:
    """A vector, or what turns into one; NULL takes the other side's length."""
    if given.kind == "VECTOR":
        return given
    if given.is_string or given.kind == "NULL":
        return vector(dimensions)
    raise BindFault(f"{name}: {given} is not a vector", code="TYPE_MISMATCH")


def _two(name: str, types: Sequence[Type]) -> tuple[Type, Type]:
    """Both vectors; lengths that are known must agree."""
    known = next((t.a for t in types if t.kind == "VECTOR" and t.a is not None), None)
    left, right = (_as_vector(name, t, known) for t in types)
    if left.a is not None and right.a is not None and left.a != right.a:
        raise BindFault(
            f"{name}: a vector of {left.a} and one of {right.a} dimensions", code="TYPE_MISMATCH"
        )
    try:
        return in_one_space(left, right)
    except BindFault as fault:
        fault.message = f"{name}: {fault.message}"
        raise


def _resolve_distance(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
    if len(types) != 3:
        raise BindFault("VECTOR_DISTANCE takes (metric, a, b)", code="ARGUMENTS")
    if not isinstance(constants[0], str) or constants[0] not in METRICS:
        raise BindFault(
            "VECTOR_DISTANCE: the metric is the constant 'cosine', 'euclidean' or 'dot'",
            code="ARGUMENTS",
        )
    return FLOAT, (NVARCHAR, *_two("VECTOR_DISTANCE", types[1:]))


def _one(name: str, result: Type | None) -> Resolver:
    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
        if len(types) != 1:
            raise BindFault(f"{name} takes one vector", code="ARGUMENTS")
        given = _as_vector(name, types[0])
        return result or given, (given,)

    return resolve


def _resolve_make(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
    if not types:
        raise BindFault("VECTOR takes one or more numbers", code="ARGUMENTS")
    for i, given in enumerate(types):
        if not can_cast(given, FLOAT):
            raise BindFault(
                f"VECTOR: argument {i + 1} is {given}, not a number", code="TYPE_MISMATCH"
            )
    return vector(len(types)), (FLOAT,) * len(types)


def _elementwise(sign: str) -> Resolver:
    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
        left, right = types
        if "VECTOR" in (left.kind, right.kind) and (left.is_numeric or right.is_numeric):
            given = left if left.kind == "VECTOR" else right
            return given, tuple(t if t.kind == "VECTOR" else FLOAT for t in types)
        left, right = _two(sign, types)
        return (left if left.a is not None else right), (left, right)

    return resolve


def _same(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
    return types[0], tuple(types)


def _native(
    name: str,
    resolve: Resolver,
    kernel: Kernel,
    parameters: str,
    doc: str,
    example: str = "",
    is_distance: bool = False,
) -> Function:
    named = tuple(P(p, anything) for p in parameters.split())
    return scalar(
        name, named, 0, None, doc, example, resolve=resolve, kernel=kernel, is_distance=is_distance
    )


ADD = _native("__vector_add", _elementwise("+"), kernels.add, "left right", "+ of vectors.")
SUBTRACT = _native(
    "__vector_subtract", _elementwise("-"), kernels.subtract, "left right", "- of vectors."
)
MULTIPLY = _native(
    "__vector_multiply", _elementwise("*"), kernels.multiply, "left right", "* of vectors."
)
NEGATE = _native("__vector_negate", _same, kernels.negate, "operand", "- before a vector.")
#: (value, dimensions or NULL, whether a bad value is NULL): a VECTOR
TO_VECTOR = _native(
    "__to_vector", _same, kernels.to_vector, "value dimensions try", "CAST to VECTOR."
)
FROM_VECTOR = _native(
    "__from_vector", _same, kernels.from_vector, "vector", "CAST of a vector to a string."
)
#: of a wide argument: equal values have equal handles. Known to lower.py and WideStore by name
INTERN = _native("__intern", _same, kernels.same, "value", "Equal values with equal handles.")
#: of a wide constant or parameter: its handle. Known to lower.py and WideStore by name
WIDE = _native("__wide", _same, kernels.same, "value", "The handle of a value.")

VECTORS: tuple[Function, ...] = (
    _native("VECTOR_DISTANCE", _resolve_distance, kernels.distance, "metric a b",
            "Smaller is nearer: 'cosine' is 1 - cos (NULL for a zero vector), 'euclidean' is not "
            "squared, 'dot' is the negated product.",
            "VECTOR_DISTANCE('euclidean', [0, 0], [3, 4])", is_distance=True),
    _native("VECTOR_NORM", _one("VECTOR_NORM", FLOAT), kernels.norm, "vector",
            "The Euclidean length.", "VECTOR_NORM([3, 4])"),
    _native("VECTOR_NORMALIZE", _one("VECTOR_NORMALIZE", None), kernels.normalize, "vector",
            "The vector of length 1 in the same direction; NULL for a zero vector.",
            "VECTOR_NORMALIZE([3, 4])"),
    _native("VECTOR_DIMS", _one("VECTOR_DIMS", INT), kernels.dimensions, "vector",
            "How many elements the vector has.", "VECTOR_DIMS([1, 2, 3])"),
    _native("VECTOR", _resolve_make, kernels.make, "number",
            "A vector of numbers that are no constants.", "VECTOR(1, 1 + 1)"),
    ADD, SUBTRACT, MULTIPLY, NEGATE, TO_VECTOR, FROM_VECTOR, INTERN, WIDE,
)  # fmt: skip


def _vector_aggregate(name: str, kernel: Kernel, doc: str) -> Function:
    return Function(
        name=name,
        kind="aggregate",
        resolve=_one(name, None),
        kernel=kernel,
        parameters=("vector",),
        doc=doc,
        example=f"{name}(v)",
        null_on_null=False,
    )


VECTOR_AGGREGATES: tuple[Function, ...] = (
    _vector_aggregate("VECTOR_AVG", kernels.average, "The mean of the vectors, by element."),
    _vector_aggregate("VECTOR_SUM", kernels.total, "The sum of the vectors, by element."),
)

_OPERATORS = {"+": ADD, "-": SUBTRACT, "*": MULTIPLY}


def native_form(expr: plan.Expr) -> plan.Call | None:
    """The native call that an operator or a Cast on vectors stands for; None for anything else."""
    from hartonomous.hql import plan

    if isinstance(expr, plan.Call):
        function = _OPERATORS.get(expr.function.name)
        if function is None or expr.type.kind != "VECTOR":
            return None
        if len(expr.arguments) == 1:
            function = NEGATE if expr.function.name == "-" else function
            if function is ADD:
                return None
        return plan.Call(
            type=expr.type, span=expr.span, function=function, arguments=expr.arguments
        )
    if not isinstance(expr, plan.Cast):
        return None
    if expr.type.kind == "VECTOR":
        size = plan.Constant(type=INT, span=expr.span, value=expr.type.a)
        lenient = plan.Constant(type=BIT, span=expr.span, value=expr.try_)
        arguments: tuple[plan.Expr, ...] = (expr.operand, size, lenient)
        return plan.Call(type=expr.type, span=expr.span, function=TO_VECTOR, arguments=arguments)
    if expr.operand.type.kind == "VECTOR":
        return plan.Call(
            type=expr.type, span=expr.span, function=FROM_VECTOR, arguments=(expr.operand,)
        )
    return None

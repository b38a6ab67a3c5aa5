"""What functions of models share: how a model is named, bound and found; rows by model.

The argument is a name or an id: a constant, which is looked up when the call is bound, or a
variable or a column, looked up when it has a value. Kernels are written over `Models` and the
arguments as the engine gives them: arrays of equal length, and scalars for what is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.functions.base import Function
from hartonomous.hql.models.using import Models
from hartonomous.hql.types import BIGINT, NVARCHAR, Type

if TYPE_CHECKING:
    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.models.model import Model
    from hartonomous.hql.plan import Expr

#: rows that a function of models takes at once, so that few wait for each other
BATCH_ROWS = 64


def model_name(given: Type) -> Type | None:
    """The type of an argument that names a model: a text, or an id."""
    if given.is_string or given.kind == "NULL":
        return NVARCHAR
    return BIGINT if given.is_integer else None


@frozen
class OfModels:
    """A kernel over the models of one catalog; equal for equal ones, so that calls compare."""

    compute: Callable[..., Any]
    models: Models

    def __call__(self, *arguments: Any) -> Any:
        return self.compute(self.models, *arguments)


def in_models(function: Function, arguments: Sequence[Expr], context: BindContext) -> Function:
    """The function over the models of the statement's catalog; a constant names one that is there.
    Its first argument names the model."""
    named_model(function.name, arguments[0], context)
    assert function.kernel is not None, function.name
    return replace(function, kernel=OfModels(function.kernel, models_of(context)))


def models_of(context: BindContext) -> Models:
    """The models that a statement sees."""
    assert context.database is not None, "a function of models, and no database was given"
    return Models(context.catalog, context.database)


def named_model(name: str, argument: Expr, context: BindContext) -> Model | None:
    """The model that an argument names, if it is a constant; BindFault UNKNOWN_MODEL at its
    place."""
    from hartonomous.hql.bind.context import locate
    from hartonomous.hql.plan import Constant
    from hartonomous.storage.errors import Error

    if not isinstance(argument, Constant) or argument.value is None:
        return None
    if not isinstance(argument.value, (str, int)):
        raise BindFault(f"{name}: a model is named by a text or an id", code="TYPE_MISMATCH")
    try:
        return models_of(context).find(argument.value)
    except Error as error:
        locate(error, argument.span)


def unbound(*_: Any) -> Any:
    """Stands for what a function becomes when it is bound."""
    raise AssertionError("a function of models is bound with a catalog")


# --- arguments of kernels ------------------------------------------------------------------------


def rows_of(arguments: Sequence[Any]) -> int:
    """How many rows there are; 1 if all arguments are scalars."""
    import pyarrow as pa

    return next((len(a) for a in arguments if not isinstance(a, pa.Scalar)), 1)


def values_of(argument: Any, rows: int) -> list[Any]:
    """An argument as Python's values, one a row."""
    import pyarrow as pa

    if isinstance(argument, pa.Scalar):
        return [argument.as_py()] * rows
    values: list[Any] = argument.to_pylist()
    return values


def by_model(given: Sequence[str | int | None]) -> Iterator[tuple[str | int, list[int]]]:
    """Each model that rows name, and these rows' numbers, in the order in which they come."""
    found: dict[str | int, list[int]] = {}
    for row, name in enumerate(given):
        if name is not None:
            found.setdefault(name, []).append(row)
    yield from found.items()

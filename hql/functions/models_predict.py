"""PREDICT: classes of rows of features, by a feed-forward network.

The binder makes a query of it (bind/query_arguments.py): the network runs once for each row
(`of_row`, which gives the probabilities), and the columns are read off these. A network of one
output is no classifier: its Score is that number, and its Prediction always 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault, ExecutionFault
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.models import (
    OfModels,
    by_model,
    model_name,
    models_of,
    named_model,
    rows_of,
    unbound,
    values_of,
)
from hartonomous.hql.functions.resolve import P, anything, scalar
from hartonomous.hql.functions.vector_arrays import plain
from hartonomous.hql.models.using import Models
from hartonomous.hql.types import FLOAT, INT, Type, vector

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.models.model import Model
    from hartonomous.hql.plan import Expr

#: rows that the network gets at once, between two looks at the statement's limits
ROWS = 4096


# --- probabilities -------------------------------------------------------------------------------


def _resolve(
    classes: int | None, types: Sequence[Type], constants: Sequence[Any]
) -> tuple[Type, tuple[Type, ...]]:
    """(model, a vector) or (model, numbers …) → a vector of as many numbers as there are classes;
    None: not known before it runs."""
    model = model_name(types[0]) if types else None
    if model is None or len(types) < 2:
        raise BindFault(
            "PREDICT takes (model, query), and the query's first column is a key, the others are "
            "the features: a vector, or numbers",
            code="ARGUMENTS",
            hint="PREDICT('m', (SELECT id, features FROM t))",
        )
    if len(types) == 2 and not types[1].is_numeric:
        if types[1].kind not in ("VECTOR", "NULL") and not types[1].is_string:
            raise _no_features(types[1])
        given = types[1] if types[1].kind == "VECTOR" else vector(None)
        return vector(classes), (model, given)
    for found in types[1:]:
        if not found.is_numeric and found.kind not in ("BIT", "NULL"):
            raise _no_features(found)
    return vector(classes), (model, *[FLOAT] * (len(types) - 1))


def _no_features(found: Type) -> BindFault:
    return BindFault(
        f"PREDICT: {found} is no feature: a vector or numbers are", code="TYPE_MISMATCH"
    )


def _probabilities(models: Models, model: Any, *features: Any) -> pa.Array:
    """The kernel: float32[N, classes], NULL where the model or a feature is."""
    import numpy as np
    import pyarrow as pa

    from hartonomous.hql.functions.vector_arrays import array_of, with_nulls
    from hartonomous.hql.models.inference.feed_forward import predict

    rows = rows_of([model, *features])
    matrix, is_valid = _matrix([_column(f, rows) for f in features])
    out: npt.NDArray[np.float32] | None = None
    filled = np.zeros(rows, np.bool_)
    for name, numbers in by_model(values_of(model, rows)):
        chosen = np.array(numbers)[is_valid[numbers]]
        if not len(chosen):
            continue
        with models.using(name, "PREDICT") as use:
            use.request.rows += len(chosen)
            found = predict(use.classifier("PREDICT"), matrix[chosen], use.check)
        if out is None:
            out = np.zeros((rows, found.shape[1]), np.float32)
        if out.shape[1] != found.shape[1]:
            raise ExecutionFault(
                f"PREDICT: models of {out.shape[1]} and of {found.shape[1]} classes in one column",
                code="MODEL_INPUT",
            )
        out[chosen], filled[chosen] = found, True
    if out is None:
        return pa.nulls(rows, pa.list_(pa.float32()))
    return with_nulls(array_of(out[filled]), None if filled.all() else filled)


def _column(given: Any, rows: int) -> pa.Array:
    import pyarrow as pa

    if isinstance(given, pa.Scalar):
        return pa.array([given.as_py()] * rows, given.type)
    return plain(given)


def _matrix(
    columns: Sequence[pa.Array],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """float32[N,D] (zeros where a feature is NULL), and which rows have none that is."""
    import numpy as np
    import pyarrow as pa

    from hartonomous.hql.functions.vector_arrays import matrix_of

    rows = len(columns[0])
    is_valid = np.ones(rows, np.bool_)
    for column in columns:
        is_valid &= column.is_valid().to_numpy(zero_copy_only=False)
    first = columns[0]
    if not pa.types.is_list(first.type) and not pa.types.is_fixed_size_list(first.type):
        numbers = [c.fill_null(0).to_numpy(zero_copy_only=False) for c in columns]
        return np.stack(numbers, axis=1).astype(np.float32), is_valid
    found = matrix_of(first.filter(pa.array(is_valid)))
    matrix = np.zeros((rows, found.shape[1]), np.float32)
    matrix[is_valid] = found
    return matrix, is_valid


def _in_models(function: Function, arguments: Sequence[Expr], context: BindContext) -> Function:
    """The function over the statement's models, with the type that a constant model has."""
    model = named_model("PREDICT", arguments[0], context)
    kernel = OfModels(_probabilities, models_of(context))
    if model is None:
        return replace(function, kernel=kernel)
    return replace(function, kernel=kernel, resolve=partial(_resolve, _classes(model)))


def _classes(model: Model) -> int:
    from hartonomous.hql.models.using import unfit

    sizes = model.config.get("sizes")
    if model.config.get("kind") != "mlp" or not sizes:
        found = f"is of the architecture {model.architecture}"
        raise unfit(model, found, "PREDICT", "a feed-forward network (mlp)")
    return int(sizes[-1])


# --- read off the probabilities ------------------------------------------------------------------


def _read(of_matrix: str, type_: Type, values: Any) -> pa.Array:
    """argmax or max of each vector."""
    import numpy as np
    import pyarrow as pa

    from hartonomous.hql.functions.vector_arrays import matrix_of, valid_rows, with_nulls

    values = _column(values, 1)
    if values.null_count == len(values):
        return pa.nulls(len(values), type_.arrow)
    matrix = matrix_of(values.drop_null())
    found = matrix.argmax(axis=1) if of_matrix == "argmax" else matrix.max(axis=1)
    made = pa.array(found.astype(np.float64 if type_ == FLOAT else np.int32), type_.arrow)
    return with_nulls(made, valid_rows(values))


def _part(name: str, of_matrix: str, type_: Type) -> Function:
    return scalar(
        name,
        (P("probabilities", anything),),
        type_,
        None,
        "A column of PREDICT.",
        "",
        kernel=partial(_read, of_matrix, type_),
    )


_OF_ROW = replace(
    scalar("__PREDICT", (P("model", anything),), FLOAT, None, "PREDICT of a row.", "",
           resolve=partial(_resolve, None), kernel=unbound, null_on_null=False, batch_rows=ROWS),
    in_catalog=_in_models,
)  # fmt: skip

_PREDICTION = _part("__PREDICTION", "argmax", INT)
_SCORE = _part("__SCORE", "max", FLOAT)

PREDICT = Function(
    name="PREDICT",
    kind="table",
    resolve=partial(_resolve, None),
    parameters=("model", "query"),
    doc="What a feed-forward network says of each row of a query, whose first column is a key and "
    "whose others are the features (a vector, or numbers): (the key, Prediction, Score, "
    "Probabilities).",
    example="SELECT * FROM PREDICT('digits', (SELECT n, v FROM t))",
    null_on_null=False,
    query=1,
    of_row=_OF_ROW,
    parts=(("Prediction", _PREDICTION), ("Score", _SCORE), ("Probabilities", None)),
)

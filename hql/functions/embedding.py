"""EMBED: text into vectors, by an encoder of hql/encoders.

The model is a constant, as the vector's length depends on it. Texts are encoded in batches; what
was encoded before comes from the process's cache.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql import encoders
from hartonomous.hql.errors import BindFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.coerce import can_cast
from hartonomous.hql.functions.models import OfModels, models_of
from hartonomous.hql.functions.resolve import P, exactly, scalar
from hartonomous.hql.models.using import Models
from hartonomous.hql.types import NVARCHAR, Type, vector
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.encoders.cache import VectorCache
    from hartonomous.hql.plan import Expr

#: models whose vectors are cached
CACHES_MAX: Final = 4

_caches: dict[str, VectorCache] = {}
_of_models: dict[str, VectorCache] = {}  # by content hash, the latest used last
_lock = threading.Lock()


def _resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
    if not 1 <= len(types) <= 2:
        raise BindFault(
            f"EMBED takes (text [, model]), not {len(types)} arguments", code="ARGUMENTS"
        )
    if not can_cast(types[0], NVARCHAR) or types[0].is_wide:
        raise BindFault(f"EMBED: {types[0]} is not a text", code="TYPE_MISMATCH")
    if len(types) == 1:
        name = encoders.DEFAULT
    elif isinstance(constants[1], (str, int)):
        name = str(constants[1])
    else:
        raise BindFault(
            "EMBED: the model is a constant, its name or id",
            code="ARGUMENTS",
            hint=f"EMBED(text, '{encoders.DEFAULT}')",
        )
    if name.casefold() not in encoders.ENCODERS:
        return vector(None), (NVARCHAR,) * len(types)  # known when it is found in the catalog
    entry = encoders.find(name)
    return replace(vector(entry.dimensions), space=entry.name), (NVARCHAR,) * len(types)


def _embed_in(function: Function, arguments: Sequence[Expr], context: BindContext) -> Function:
    """The function of a model of the catalog, with the type of its vectors."""
    from hartonomous.hql.bind.context import locate
    from hartonomous.hql.plan import Constant

    if len(arguments) < 2:
        return function
    argument = arguments[1]
    assert isinstance(argument, Constant), argument
    given, models = argument.value, models_of(context)
    if isinstance(given, str) and given.casefold() in encoders.ENCODERS:
        return function
    try:
        name = given if isinstance(given, str) else models.find(given).name
        entry = encoders.find(name, models)
        kernel = OfModels(EmbedBy(models.find(name).id), models)
    except Error as error:
        locate(error, argument.span)
    made = replace(vector(entry.dimensions), space=entry.name), (NVARCHAR, argument.type)
    return replace(function, kernel=kernel, resolve=Known(made))


@frozen
class Known:
    """A resolver that has its answer."""

    made: tuple[Type, tuple[Type, ...]]

    def __call__(
        self, types: Sequence[Type], constants: Sequence[Any]
    ) -> tuple[Type, tuple[Type, ...]]:
        return self.made


@frozen
class EmbedBy:
    """The kernel of EMBED by a model of the catalog; texts that were embedded before come from the
    cache of equal models."""

    model_id: int

    def __call__(self, models: Models, texts: Any, model: Any) -> pa.Array:
        from hartonomous.hql.encoders.imported import ModelEncoder

        with models.using(self.model_id, "EMBED") as use:
            encoder = ModelEncoder(use.model, models)
            cache = _cache_for(encoder.content_hash, encoder.dimensions)

            def encode(some: pa.Array) -> npt.NDArray[np.float32]:
                vectors, hits = cache.encode_with(some, partial(encoder.encode_in, use))
                use.request.rows += len(some)
                use.request.cache_hits += hits
                return vectors

            return _embedded(texts, encoder.dimensions, encode)


def _cache_for(content_hash: str, dimensions: int) -> VectorCache:
    """The process's cache over all models of that content; few are kept."""
    from hartonomous.hql.encoders.cache import VectorCache

    with _lock:
        found = _of_models.pop(content_hash, None)
        if found is None:
            found = VectorCache(None, dimensions=dimensions)
        _of_models[content_hash] = found
        while len(_of_models) > CACHES_MAX:
            _of_models.pop(next(iter(_of_models)))
        return found


def embed(texts: Any, model: Any = None) -> pa.Array:
    """The kernel of EMBED: an array of texts or one text, and the model's name as a scalar."""
    name = encoders.DEFAULT if model is None else model.as_py()
    return _embedded(texts, encoders.find(name).dimensions, lambda t: cache_of(name).encode(t))


def _embedded(
    texts: Any, dimensions: int, encode: Callable[[pa.Array], npt.NDArray[np.float32]]
) -> pa.Array:
    """`encode` applied to the texts that are not NULL."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from hartonomous.hql.functions.vector_arrays import array_of, valid_rows, with_nulls

    if isinstance(texts, pa.Scalar):
        texts = pa.array([texts.as_py()], pa.string())
    elif isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), vector(dimensions).arrow)
    valid = valid_rows(texts)
    vectors = encode(pc.cast(texts.drop_null(), pa.string()))
    return with_nulls(array_of(vectors), valid)


def cache_of(model: str = encoders.DEFAULT) -> VectorCache:
    """The process's cache over that encoder, which is loaded for it."""
    from hartonomous.hql.encoders.cache import VectorCache

    encoder = encoders.get(model)
    with _lock:
        if encoder.name not in _caches:
            _caches[encoder.name] = VectorCache(encoder)
        return _caches[encoder.name]


_EMBED_SCALAR = scalar(
    "EMBED",
    (P("text", exactly(NVARCHAR)), P("model", exactly(NVARCHAR), optional=True)),
    NVARCHAR,
    None,
    "The vector of a text: texts of like meaning have near vectors. The model is the embedded "
    "'wordllama' (VECTOR(256)) unless another is named, as an imported one.",
    "EMBED('a cat on a mat')",
    resolve=_resolve,
    kernel=embed,
    batch_rows=1024,
)
_EMBED = replace(_EMBED_SCALAR, in_catalog=_embed_in)

EMBEDDING: tuple[Function, ...] = (_EMBED,)

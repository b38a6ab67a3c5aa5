"""EMBED: text into vectors, by an encoder of hql/encoders.

The model is a constant, as the vector's length depends on it. Texts are encoded in batches; what
was encoded before comes from the process's cache.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hartonomous.hql import encoders
from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.coerce import can_cast
from hartonomous.hql.functions.resolve import P, exactly, scalar
from hartonomous.hql.types import NVARCHAR, Type, vector

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.encoders.cache import VectorCache

_caches: dict[str, VectorCache] = {}
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
    elif isinstance(constants[1], str):
        name = constants[1]
    else:
        raise BindFault(
            "EMBED: the model is the constant name of one",
            code="ARGUMENTS",
            hint=f"EMBED(text, '{encoders.DEFAULT}')",
        )
    entry = encoders.find(name)
    return replace(vector(entry.dimensions), space=entry.name), (NVARCHAR,) * len(types)


def embed(texts: Any, model: Any = None) -> pa.Array:
    """The kernel of EMBED: an array of texts or one text, and the model's name as a scalar."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from hartonomous.hql.functions.vector_kernels import array_of, valid_rows, with_nulls

    name = encoders.DEFAULT if model is None else model.as_py()
    if isinstance(texts, pa.Scalar):
        texts = pa.array([texts.as_py()], pa.string())
    elif isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), vector(encoders.find(name).dimensions).arrow)
    valid = valid_rows(texts)
    vectors = cache_of(name).encode(pc.cast(texts.drop_null(), pa.string()))
    return with_nulls(array_of(vectors), valid)


def cache_of(model: str = encoders.DEFAULT) -> VectorCache:
    """The process's cache over that encoder, which is loaded for it."""
    from hartonomous.hql.encoders.cache import VectorCache

    encoder = encoders.get(model)
    with _lock:
        if encoder.name not in _caches:
            _caches[encoder.name] = VectorCache(encoder)
        return _caches[encoder.name]


_EMBED = scalar(
    "EMBED",
    (P("text", exactly(NVARCHAR)), P("model", exactly(NVARCHAR), optional=True)),
    NVARCHAR,
    None,
    "The vector of a text: texts of like meaning have near vectors. The model is the embedded "
    "'wordllama' (VECTOR(256)) unless another is named.",
    "EMBED('a cat on a mat')",
    resolve=_resolve,
    kernel=embed,
    batch_rows=1024,
)

EMBEDDING: tuple[Function, ...] = (_EMBED,)

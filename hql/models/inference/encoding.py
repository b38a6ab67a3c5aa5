"""Texts, as tokens, to vectors: encoders with their pooling, and static embeddings.

    token lists -> float32[N,D]

A text's vector does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.models.inference.body import Check
from hartonomous.hql.models.inference.forms import COMPILED_PARAMETERS
from hartonomous.hql.models.inference.network import Network
from hartonomous.hql.models.inference.weights import Floats, Weights
from hartonomous.kernels import pooling

if TYPE_CHECKING:
    from hartonomous.hql.models.architectures.base import StaticConfig


def encode(
    network: Network | StaticNetwork, texts: Sequence[Sequence[int]], check: Check | None = None
) -> Floats:
    """float32[N,D]: a vector for each list of tokens, zeros for an empty one. ExecutionFault
    MODEL_INPUT for tokens that the model has not, a text longer than its context, or a model that
    has no vector for a text."""
    if isinstance(network, StaticNetwork):
        return network.encode(texts)
    pooling_name = network.config.pooling
    if pooling_name is None:
        raise ExecutionFault(
            "this model does not embed texts",
            code="MODEL_INPUT",
            hint="an encoder (BERT and its kin) or static embeddings do",
        )
    out = np.zeros((len(texts), network.width), np.float32)
    filled = [n for n, tokens in enumerate(texts) if len(tokens)]
    hidden = network.hidden_texts([texts[n] for n in filled], check)
    for n, rows in zip(filled, hidden, strict=True):
        out[n] = rows[0] if pooling_name == "cls" else rows.mean(axis=0, dtype=np.float64)
    return normalised(out) if network.config.normalize else out


def normalised(vectors: Floats) -> Floats:
    """Each of length 1, but for zero ones."""
    wide = vectors.astype(np.float64)
    lengths = np.sqrt(np.square(wide).sum(axis=1, keepdims=True))
    return np.asarray(wide / np.where(lengths > 0, lengths, 1.0), np.float32)


class StaticNetwork:
    """A table of token vectors (float32[V,D] in whatever form it lies); a text's is their mean."""

    def __init__(self, config: StaticConfig, weights: Weights, content_hash: str = "") -> None:
        self.config, self.content_hash = config, content_hash
        self._table = weights.matrix("embedding.token.weight")
        self._scale = weights.vector("embedding.token.scale") if config.has_scale else None
        self._mapping: npt.NDArray[np.int64] | None = None
        if config.has_mapping:
            self._mapping = weights.vector("embedding.token.mapping").astype(np.int64)

    @property
    def width(self) -> int:
        return self.config.width

    @property
    def vocabulary(self) -> int:
        return self.config.vocabulary

    @property
    def bytes(self) -> int:
        """Memory of its own; what is mapped does not count."""
        return self._table.bytes

    def encode(self, texts: Sequence[Sequence[int]]) -> Floats:
        """float32[N,D]. ExecutionFault MODEL_INPUT for a token that is not there."""
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(tokens) for tokens in texts], out=offsets[1:])
        flat = [np.asarray(tokens, np.int64) for tokens in texts if len(tokens)]
        numbers = np.concatenate(flat) if flat else np.empty(0, np.int64)
        outside = numbers[(numbers < 0) | (numbers >= self.config.vocabulary)]
        if len(outside):
            raise ExecutionFault(
                f"there is no token {outside[0]}: the model has {self.config.vocabulary:,}",
                code="MODEL_INPUT",
                hint="use the tokenizer that belongs to the model",
            )
        distinct, places = np.unique(numbers, return_inverse=True)
        rows = distinct if self._mapping is None else self._mapping[distinct]
        table = self._table.gather(rows)
        if self._scale is not None:
            table = table * self._scale[distinct][:, None]
        is_large = self.config.vocabulary * self.config.width >= COMPILED_PARAMETERS
        pool = pooling.mean_pool if is_large else pooling.mean_pool_reference
        vectors = pool(table, places.astype(np.int32), offsets)
        return normalised(vectors) if self.config.normalize else vectors

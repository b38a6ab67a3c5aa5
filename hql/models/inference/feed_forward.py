"""Feed-forward networks: features in, scores of classes out.

features: float32[N,D] -> float32[N,classes]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.models.inference.body import Check
from hartonomous.hql.models.inference.forms import forms_for
from hartonomous.hql.models.inference.weights import Floats, Weights

if TYPE_CHECKING:
    from hartonomous.hql.models.architectures.base import MlpConfig

#: rows between two looks at `check`
BATCH_ROWS: Final = 1024


class FeedForward:
    """Hidden layers, then the head: x = f(W x + b), … , scores = H x + c."""

    def __init__(self, config: MlpConfig, weights: Weights, content_hash: str = "") -> None:
        self.config, self.content_hash = config, content_hash
        pairs = zip(config.sizes, config.sizes[1:], strict=False)
        self._forms = forms_for(sum(length * rows for length, rows in pairs))
        names = [f"layer{n}.mlp.up" for n in range(config.layers)] + ["head"]
        self._matrices = [weights.matrix(f"{name}.weight") for name in names]
        self._biases = [weights.vector(f"{name}.bias") for name in names]

    @property
    def bytes(self) -> int:
        """Memory of its own; what is mapped does not count."""
        return sum(matrix.bytes for matrix in self._matrices)

    def scores(self, features: Floats, check: Check | None = None) -> Floats:
        """float32[N,outputs], as the head gives them. ExecutionFault MODEL_INPUT for rows of
        another length."""
        if features.ndim != 2 or features.shape[1] != self.config.sizes[0]:
            raise ExecutionFault(
                f"the model reads {self.config.sizes[0]} features, not {features.shape[-1]}",
                code="MODEL_INPUT",
                hint="give each row as many numbers as the model has inputs",
            )
        out = np.empty((len(features), self.config.sizes[-1]), np.float32)
        for first in range(0, len(features), BATCH_ROWS):
            if check is not None:
                check()
            out[first : first + BATCH_ROWS] = self._forward(features[first : first + BATCH_ROWS])
        return out

    def _forward(self, rows: Floats) -> Floats:
        *hidden, head = zip(self._matrices, self._biases, strict=True)
        for matrix, bias in hidden:
            rows = matrix.multiply_rows(rows)
            if self.config.activation == "none":
                rows = rows + bias if len(bias) else rows
            else:
                rows = self._forms.activate(rows, bias, self.config.activation)
        scores = head[0].multiply_rows(rows)
        return scores + head[1] if len(head[1]) else scores


def predict(network: FeedForward, features: Floats, check: Check | None = None) -> Floats:
    """float32[N,classes]: the softmax of the scores; of a network with one output, that number."""
    scores = network.scores(np.ascontiguousarray(features, np.float32), check)
    if scores.shape[1] == 1:
        return scores
    wide = scores.astype(np.float64)
    wide = np.exp(wide - wide.max(axis=1, keepdims=True))
    return np.asarray(wide / wide.sum(axis=1, keepdims=True), np.float32)

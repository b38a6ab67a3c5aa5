"""The layers of a transformer at work: rows in, rows out.

Rows come in one of three ways, which differ in how they are multiplied and what they attend to:

    Step        one new token for each of several sequences     multiplied as stored
    Chunk       the next tokens of one sequence                 in float32
    Whole       whole sequences one after the other             in float32, nothing kept
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from hartonomous.hql.models.inference.forms import Forms
from hartonomous.hql.models.inference.layers import Layer, Normaliser, make_layers, make_norm
from hartonomous.hql.models.inference.state import State
from hartonomous.hql.models.inference.weights import NOTHING, Floats, Weights
from hartonomous.kernels.attention import roomy

if TYPE_CHECKING:
    from hartonomous.hql.models.architectures.base import TransformerConfig

Check = Callable[[], None]
Offsets = npt.NDArray[np.int64]


class Way(Protocol):
    """How rows come."""

    is_step: bool

    def attend(self, body: Body, layer: Layer, number: int, projected: Floats) -> Floats:
        """What the rows saw in layer `number`: float32[R, H * D]."""


class Step:
    """Row b is the next token of state b, which has room for it."""

    is_step = True

    def __init__(self, states: Sequence[State]) -> None:
        self._states = states
        self._offsets = np.array([0, 1], np.int64)

    def attend(self, body: Body, layer: Layer, number: int, projected: Floats) -> Floats:
        """Each row for itself."""
        seen = [
            body.attend(
                layer,
                projected[b : b + 1],
                self._offsets,
                state.keys[number],
                state.values[number],
                state.length,
            )
            for b, state in enumerate(self._states)
        ]
        return seen[0] if len(seen) == 1 else np.concatenate(seen)


class Chunk:
    """The rows are the next tokens of a state, which has room for them."""

    is_step = False

    def __init__(self, state: State, rows: int) -> None:
        self._state = state
        self._offsets = np.array([0, rows], np.int64)

    def attend(self, body: Body, layer: Layer, number: int, projected: Floats) -> Floats:
        """Each row sees the state and the rows before it."""
        state = self._state
        keys, values = state.keys[number], state.values[number]
        return body.attend(layer, projected, self._offsets, keys, values, state.length)


class Whole:
    """Sequence n is rows offsets[n] … offsets[n + 1] - 1."""

    is_step = False

    def __init__(self, config: TransformerConfig, offsets: Offsets) -> None:
        self._offsets = offsets
        heads, size, places = config.kv_heads, config.head_size, roomy(int(offsets[-1]))
        self._keys = np.empty((heads, size, places), np.float32)  # of one layer at a time
        self._values = np.empty((heads, places, size), np.float32)

    def attend(self, body: Body, layer: Layer, number: int, projected: Floats) -> Floats:
        """Each row sees its sequence."""
        return body.attend(layer, projected, self._offsets, self._keys, self._values, 0)


class Body:
    """All layers, and the norm after the last."""

    def __init__(self, config: TransformerConfig, weights: Weights, forms: Forms) -> None:
        self._config, self._forms = config, forms
        self._layers = make_layers(config, weights)
        self._final_norm = make_norm(config, weights, "norm.final") if config.final_norm else None
        self.normalise = Normaliser(config, forms)

    @property
    def bytes(self) -> int:
        """Memory of its own; what is mapped does not count."""
        return sum(layer.bytes for layer in self._layers)

    def run(self, rows: Floats, way: Way, check: Check | None) -> Floats:
        """float32[R,C] -> float32[R,C]; `rows` may be written over. `check` is called before each
        layer."""
        if self._config.norm_place == "post":
            return self._run_post(rows, way, check)
        norm, layers = self.normalise, self._layers
        before = norm(rows, layers[0].attention_norm)
        for number, layer in enumerate(layers):
            if check is not None:
                check()
            part, bias = self._attention(layer, number, before, way), layer.attention_out_bias
            if layer.attention_post is not None:
                part, bias = norm(_biased(part, bias), layer.attention_post), NOTHING
            before = norm.add(rows, part, bias, layer.mlp_norm)
            part, bias = self._mlp(layer, before, way), layer.mlp_out_bias
            if layer.mlp_post is not None:
                part, bias = norm(_biased(part, bias), layer.mlp_post), NOTHING
            if number + 1 < len(layers):
                before = norm.add(rows, part, bias, layers[number + 1].attention_norm)
            elif self._final_norm is not None:
                before = norm.add(rows, part, bias, self._final_norm)
            else:
                before = rows + _biased(part, bias)
        return before

    def _run_post(self, rows: Floats, way: Way, check: Check | None) -> Floats:
        for number, layer in enumerate(self._layers):
            if check is not None:
                check()
            part, bias = self._attention(layer, number, rows, way), layer.attention_out_bias
            rows = self.normalise.add(rows, part, bias, layer.attention_norm)
            part, bias = self._mlp(layer, rows, way), layer.mlp_out_bias
            rows = self.normalise.add(rows, part, bias, layer.mlp_norm)
        return rows if self._final_norm is None else self.normalise(rows, self._final_norm)

    def _attention(self, layer: Layer, number: int, before: Floats, way: Way) -> Floats:
        inward, outward = layer.attention_in, layer.attention_out
        projected = inward.multiply(before) if way.is_step else inward.multiply_rows(before)
        seen = way.attend(self, layer, number, projected)
        return outward.multiply(seen) if way.is_step else outward.multiply_rows(seen)

    def _mlp(self, layer: Layer, before: Floats, way: Way) -> Floats:
        inward, outward = layer.mlp_in, layer.mlp_out
        wide = inward.multiply(before) if way.is_step else inward.multiply_rows(before)
        activate = self._forms.gate if self._config.gated else self._forms.activate
        wide = activate(wide, layer.mlp_in_bias, self._config.activation)
        return outward.multiply(wide) if way.is_step else outward.multiply_rows(wide)

    def attend(
        self,
        layer: Layer,
        projected: Floats,
        offsets: Offsets,
        keys: Floats,
        values: Floats,
        start: int,
    ) -> Floats:
        """kernels/attention.py with what the configuration says."""
        config = self._config
        longest = len(projected) if len(offsets) == 2 else int(np.diff(offsets).max())
        cosine, sine = layer.rotary.between(start, start + longest)
        seen: Floats = self._forms.attend(
            projected,
            offsets,
            layer.attention_in_bias,
            layer.query_norm,
            layer.key_norm,
            config.norm_epsilon,
            cosine,
            sine,
            config.attention_scale,
            keys,
            values,
            start,
            layer.window,
            config.attention_softcap or 0.0,
            config.causal,
        )
        return seen


def _biased(rows: Floats, bias: Floats) -> Floats:
    return rows + bias if len(bias) else rows

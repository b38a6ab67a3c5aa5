"""The layers of a transformer, made of a configuration and weights; body.py runs them.

A layer is attention and MLP, each added to the rows, with its norms where the configuration puts
them:

    pre        rows += part(norm(rows))
    sandwich   rows += post_norm(part(norm(rows)))
    post       rows = norm(rows + part(rows))

The norm that ends one part and the one that begins the next are one call, the addition included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.inference.forms import Forms
from hartonomous.hql.models.inference.rotary import Rotary, Unturned
from hartonomous.hql.models.inference.weights import NOTHING, Floats, Matrix, Weights

if TYPE_CHECKING:
    from hartonomous.hql.models.architectures.base import TransformerConfig

_NO_ROWS = np.empty((0, 0), np.float32)


@frozen
class Norm:
    """float32[C] each; the bias has no elements if there is none."""

    weight: Floats
    bias: Floats


@frozen
class Layer:
    """One layer's weights. `inward` of attention: query, key and value under each other; of the
    MLP: gate and up, or up alone. Absent norms are None, absent vectors have no elements."""

    attention_in: Matrix
    attention_in_bias: Floats
    attention_out: Matrix
    attention_out_bias: Floats
    query_norm: Floats
    key_norm: Floats
    mlp_in: Matrix
    mlp_in_bias: Floats
    mlp_out: Matrix
    mlp_out_bias: Floats
    attention_norm: Norm
    mlp_norm: Norm
    attention_post: Norm | None
    mlp_post: Norm | None
    #: positions that a query sees, its own included; 0: all before it
    window: int
    rotary: Rotary | Unturned

    @property
    def bytes(self) -> int:
        matrices = (self.attention_in, self.attention_out, self.mlp_in, self.mlp_out)
        return sum(matrix.bytes for matrix in matrices)


def make_layers(config: TransformerConfig, weights: Weights) -> tuple[Layer, ...]:
    """All layers; NotSupported for a scaling of positions that is not built."""
    unturned = Unturned()
    far: Rotary | Unturned = unturned
    near: Rotary | Unturned = unturned
    if config.positions == "rotary":
        far = near = Rotary(config.head_size, config.rope_base, config.rope_scaling)
        if config.rope_local_base is not None:
            near = Rotary(config.head_size, config.rope_local_base)
    layers = []
    for number in range(config.layers):
        is_local = bool(config.sliding_pattern) and config.sliding_pattern[number]
        window = (config.sliding_window or 0) if is_local else 0
        rotary = near if is_local else far
        layers.append(_make_layer(config, weights, f"layer{number}.", window, rotary))
    return tuple(layers)


def _make_layer(
    config: TransformerConfig,
    weights: Weights,
    prefix: str,
    window: int,
    rotary: Rotary | Unturned,
) -> Layer:
    def norm(name: str) -> Norm:
        return make_norm(config, weights, f"{prefix}norm.{name}")

    def offset(name: str) -> Floats:
        found = weights.vector(prefix + name)
        return found + np.float32(config.norm_offset) if len(found) else found

    attention = [f"{prefix}attention.{part}" for part in ("query", "key", "value")]
    mlp = [f"{prefix}mlp.{part}" for part in (("gate", "up") if config.gated else ("up",))]
    attention_in = [f"{name}.weight" for name in attention]
    has_post = config.norm_place == "sandwich"
    return Layer(
        attention_in=weights.matrix(*attention_in),
        attention_in_bias=_biases(weights, attention),
        attention_out=weights.matrix(f"{prefix}attention.output.weight"),
        attention_out_bias=weights.vector(f"{prefix}attention.output.bias"),
        query_norm=offset("attention.query_norm.weight"),
        key_norm=offset("attention.key_norm.weight"),
        mlp_in=weights.matrix(*(f"{name}.weight" for name in mlp)),
        mlp_in_bias=_biases(weights, mlp),
        mlp_out=weights.matrix(f"{prefix}mlp.down.weight"),
        mlp_out_bias=weights.vector(f"{prefix}mlp.down.bias"),
        attention_norm=norm("attention"),
        mlp_norm=norm("mlp"),
        attention_post=norm("attention_post") if has_post else None,
        mlp_post=norm("mlp_post") if has_post else None,
        window=window,
        rotary=rotary,
    )


def _biases(weights: Weights, names: list[str]) -> Floats:
    """The biases of matrices that are stacked; zeros for one that has none, if another has."""
    found = [weights.vector(f"{name}.bias") for name in names]
    if not any(len(bias) for bias in found):
        return NOTHING
    return np.concatenate(
        [
            bias if len(bias) else np.zeros(weights.rows(f"{name}.weight"), np.float32)
            for name, bias in zip(names, found, strict=True)
        ]
    )


def make_norm(config: TransformerConfig, weights: Weights, name: str) -> Norm:
    """A norm with the offset that its weight is stored without."""
    weight = weights.vector(f"{name}.weight") + np.float32(config.norm_offset)
    assert len(weight) == config.width, (name, len(weight), config.width)
    return Norm(weight, weights.vector(f"{name}.bias"))


class Normaliser:
    """The norms of a network, as calls."""

    def __init__(self, config: TransformerConfig, forms: Forms) -> None:
        self._kernel = forms.add_normalise
        self._epsilon, self._is_rms = config.norm_epsilon, config.norm == "rms"

    def __call__(self, rows: Floats, norm: Norm) -> Floats:
        """norm(rows), elsewhere."""
        return self.add(rows, _NO_ROWS, NOTHING, norm)

    def add(self, rows: Floats, delta: Floats, bias: Floats, norm: Norm) -> Floats:
        """rows += delta + bias, in place; then norm(rows), elsewhere."""
        done: Floats = self._kernel(
            rows, delta, bias, norm.weight, norm.bias, self._epsilon, self._is_rms
        )
        return done

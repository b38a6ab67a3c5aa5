"""What all architectures of transformers share: which tensors a configuration asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from hartonomous.hql.models.architectures.base import Config, Shape, TransformerConfig

if TYPE_CHECKING:
    from hartonomous.hql.models.architectures.names import Names, Placement
    from hartonomous.hql.models.formats.source import SourceModel


class Transformer(ABC):
    """An architecture of transformers, named by its rules alone."""

    def matches(self, source: SourceModel) -> bool:
        return False

    @abstractmethod
    def names(self, config: Config, format: str) -> Names: ...

    def place(self, source: SourceModel, config: Config) -> tuple[list[Placement], list[str]]:
        return self.names(config, source.format).place(source.tensors)

    def layout(self, config: Config) -> list[Shape]:
        assert isinstance(config, TransformerConfig)
        return transformer_layout(config)

    def gguf_tensors(self, config: Config) -> dict[str, list[float]]:
        return {}


def transformer_layout(config: TransformerConfig) -> list[Shape]:
    """Every tensor with its shape, output first, and how a new one is filled: matrices normal with
    a standard deviation of 0.02, those that write into the residual stream that over sqrt(2 layers)
    (Radford et al. 2019, section 2.3), norms the identity, biases zero."""
    width = config.width
    out = [Shape("embedding.token.weight", (config.vocabulary, width))]
    if config.positions == "learned":
        out.append(Shape("embedding.position.weight", (config.context, width)))
    if config.types:
        out.append(Shape("embedding.type.weight", (config.types, width)))
    if config.embedding_norm:
        out += _norm("norm.embedding", width, config)
    for n in range(config.layers):
        out += _layer(f"layer{n}.", config)
    if config.final_norm:
        out += _norm("norm.final", width, config)
    if config.has_head and not config.tied:
        out.append(Shape("head.weight", (config.vocabulary, width)))
    return out


def _layer(layer: str, config: TransformerConfig) -> list[Shape]:
    width, size = config.width, config.head_size
    query, key = config.heads * size, config.kv_heads * size
    small = 0.02 / (2 * config.layers) ** 0.5
    out = _norm(f"{layer}norm.attention", width, config)
    for part, rows in (("query", query), ("key", key), ("value", key)):
        out += _linear(f"{layer}attention.{part}", (rows, width), config.attention_bias)
    out += _linear(f"{layer}attention.output", (width, query), config.output_bias, small)
    if config.query_key_norm:
        for part in ("query_norm", "key_norm"):
            out += _norm(f"{layer}attention.{part}", size, config)
    if config.norm_place == "sandwich":
        out += _norm(f"{layer}norm.attention_post", width, config)
    out += _norm(f"{layer}norm.mlp", width, config)
    for part in ("gate", "up") if config.gated else ("up",):
        out += _linear(f"{layer}mlp.{part}", (config.mlp, width), config.mlp_bias)
    out += _linear(f"{layer}mlp.down", (width, config.mlp), config.mlp_bias, small)
    if config.norm_place == "sandwich":
        out += _norm(f"{layer}norm.mlp_post", width, config)
    return out


def _linear(name: str, shape: tuple[int, int], bias: bool, scale: float = 0.02) -> list[Shape]:
    out = [Shape(f"{name}.weight", shape, scale=scale)]
    return [*out, Shape(f"{name}.bias", shape[:1], "zeros")] if bias else out


def _norm(name: str, width: int, config: TransformerConfig) -> list[Shape]:
    fill = "zeros" if config.norm_offset else "ones"
    out = [Shape(f"{name}.weight", (width,), fill)]
    return [*out, Shape(f"{name}.bias", (width,), "zeros")] if config.norm == "layer" else out

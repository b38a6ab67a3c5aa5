"""What GGUF's metadata says of any transformer: `llama.block_count` and its kin."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hartonomous.hql.models.architectures.base import TransformerConfig, Unrunnable
from hartonomous.hql.models.architectures.fields import Fields, bad_config

if TYPE_CHECKING:
    from hartonomous.hql.models.formats.source import SourceModel, SourceTensor


def of(source: SourceModel) -> Fields:
    """The fields under the architecture's prefix."""
    return Fields(source.config, "metadata", prefix=source.architecture_hint + ".")


def has(source: SourceModel, name: str) -> bool:
    return any(tensor.name == name for tensor in source.tensors)


def read_shared(fields: Fields, source: SourceModel) -> dict[str, Any]:
    """Arguments of TransformerConfig that all architectures have alike."""
    for name in ("attention.head_count", "attention.head_count_kv", "feed_forward_length"):
        if isinstance(fields.get(name), list):
            raise Unrunnable(f"layers that differ in {name} are not supported yet")
    width, heads = fields.size("embedding_length"), fields.size("attention.head_count")
    kv_heads = fields.size("attention.head_count_kv", heads)
    if heads % kv_heads:
        raise bad_config(f"{heads} query heads cannot share {kv_heads} key and value heads evenly")
    head_size = fields.size("attention.key_length", width // heads)
    if fields.size("attention.value_length", head_size) != head_size:
        raise Unrunnable("values of another length than keys are not supported yet")
    tokens = next((t for t in source.tensors if t.name == "token_embd.weight"), None)
    if tokens is None or len(tokens.shape) != 2:
        raise bad_config('the tensor "token_embd.weight" is missing')
    return {
        "layers": fields.layers("block_count"),
        "width": width,
        "heads": heads,
        "kv_heads": kv_heads,
        "head_size": head_size,
        "mlp": fields.size("feed_forward_length"),
        "vocabulary": tokens.shape[0],
        "context": fields.size("context_length"),
    }


def write_shared(name: str, config: TransformerConfig) -> list[list[Any]]:
    """Entries [key, type, item type, value]."""
    out: list[list[Any]] = [
        ["general.architecture", "STRING", "", name],
        ["general.type", "STRING", "", "model"],
        [f"{name}.block_count", "UINT32", "", config.layers],
        [f"{name}.context_length", "UINT32", "", config.context],
        [f"{name}.embedding_length", "UINT32", "", config.width],
        [f"{name}.feed_forward_length", "UINT32", "", config.mlp],
        [f"{name}.attention.head_count", "UINT32", "", config.heads],
    ]
    if config.positions == "rotary":
        out += [
            [f"{name}.attention.head_count_kv", "UINT32", "", config.kv_heads],
            [f"{name}.attention.key_length", "UINT32", "", config.head_size],
            [f"{name}.attention.value_length", "UINT32", "", config.head_size],
            [f"{name}.vocab_size", "UINT32", "", config.vocabulary],
            [f"{name}.rope.freq_base", "FLOAT32", "", config.rope_base],
        ]
    if config.rope_scaling and config.rope_scaling["type"] == "linear":
        out += [
            [f"{name}.rope.scaling.type", "STRING", "", "linear"],
            [f"{name}.rope.scaling.factor", "FLOAT32", "", config.rope_scaling["factor"]],
        ]
    return out


def rope_factors(tensor: SourceTensor, head_size: int) -> dict[str, Any]:
    """The scaling of a file with one divisor for each frequency."""
    if tensor.dtype != "F32" or tensor.shape != (head_size // 2,):
        raise bad_config(f'the tensor "{tensor.name}" is not F32[{head_size // 2}]')
    return {"type": "factors", "factors": tensor.read().view("<f4").tolist()}


def frequency_factors(config: TransformerConfig) -> list[float]:
    """By what each rotary frequency is divided. Llama 3's rule: wavelengths longer than the old
    context over `low_freq_factor` by `factor`, shorter than it over `high_freq_factor` by 1, those
    between by a mean that goes over smoothly (Llama 3.1 model card's reference code)."""
    scaling = config.rope_scaling
    assert scaling is not None
    if scaling["type"] == "factors":
        return list(scaling["factors"])
    assert scaling["type"] == "llama3", scaling
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    half = np.arange(config.head_size // 2)
    lengths = 2 * math.pi * config.rope_base ** (2 * half / config.head_size)
    smooth = np.clip((scaling["original_context"] / lengths - low) / (high - low), 0.0, 1.0)
    return [float(x) for x in 1.0 / ((1.0 - smooth) / scaling["factor"] + smooth)]

"""Tiny models of each architecture, their weights drawn by NumPy's Philox: the same everywhere.

make_transformers.py runs them in transformers and writes transformers.json; default tests build
them again without torch and compare. `files` are config.json's values; tensors stand under
canonical names, `file_name` gives Hugging Face's.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hartonomous.hql.models.architectures.base import TransformerConfig

Floats = npt.NDArray[np.float32]


class Tiny(NamedTuple):
    config: TransformerConfig
    #: the class of transformers, and its configuration
    family: str
    files: dict[str, Any]


_SIZES = dict(layers=3, width=32, heads=4, kv_heads=2, head_size=8, mlp=48, vocabulary=40)
_FILE_SIZES = dict(
    num_hidden_layers=3,
    hidden_size=32,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    intermediate_size=48,
    vocab_size=40,
)

MODELS: dict[str, Tiny] = {
    "llama": Tiny(
        TransformerConfig(
            **_SIZES, context=64, norm="rms", norm_epsilon=1e-5, attention_scale=8**-0.5
        ),
        "LlamaForCausalLM",
        dict(
            **_FILE_SIZES,
            max_position_embeddings=64,
            rms_norm_eps=1e-5,
            tie_word_embeddings=False,
            rope_parameters=dict(rope_type="default", rope_theta=10000.0),
        ),
    ),
    "llama_scaled": Tiny(
        TransformerConfig(
            **_SIZES,
            context=64,
            norm="rms",
            norm_epsilon=1e-6,
            attention_scale=8**-0.5,
            tied=True,
            attention_bias=True,
            output_bias=True,
            mlp_bias=True,
            rope_base=500.0,
            rope_scaling=dict(
                type="llama3",
                factor=8.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_context=32,
            ),
        ),
        "LlamaForCausalLM",
        dict(
            **_FILE_SIZES,
            max_position_embeddings=64,
            rms_norm_eps=1e-6,
            tie_word_embeddings=True,
            attention_bias=True,
            mlp_bias=True,
            rope_parameters=dict(
                rope_type="llama3",
                rope_theta=500.0,
                factor=8.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=32,
            ),
        ),
    ),
    "mistral": Tiny(
        TransformerConfig(
            **_SIZES,
            context=64,
            norm="rms",
            norm_epsilon=1e-5,
            attention_scale=8**-0.5,
            sliding_window=5,
            sliding_pattern=(True, True, True),
        ),
        "MistralForCausalLM",
        dict(
            **_FILE_SIZES,
            max_position_embeddings=64,
            rms_norm_eps=1e-5,
            tie_word_embeddings=False,
            sliding_window=5,
            rope_parameters=dict(rope_type="default", rope_theta=10000.0),
        ),
    ),
    "gemma3": Tiny(
        TransformerConfig(
            **_SIZES,
            context=64,
            norm="rms",
            norm_epsilon=1e-6,
            norm_place="sandwich",
            norm_offset=1.0,
            activation="gelu_tanh",
            rope_base=1_000_000.0,
            rope_local_base=10_000.0,
            rope_scaling=dict(type="linear", factor=4.0),
            sliding_window=4,
            sliding_pattern=(True, False, True),
            query_key_norm=True,
            embedding_scale=float(np.float32(32**0.5)),
            tied=True,
            logit_softcap=3.0,
            attention_scale=16**-0.5,
        ),
        "Gemma3ForCausalLM",
        dict(
            **_FILE_SIZES,
            max_position_embeddings=64,
            rms_norm_eps=1e-6,
            tie_word_embeddings=True,
            hidden_activation="gelu_pytorch_tanh",
            query_pre_attn_scalar=16,
            sliding_window=4,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
            final_logit_softcapping=3.0,
            rope_parameters=dict(
                full_attention=dict(rope_type="linear", rope_theta=1_000_000.0, factor=4.0),
                sliding_attention=dict(rope_type="default", rope_theta=10_000.0),
            ),
        ),
    ),
    "bert": Tiny(
        TransformerConfig(
            **{**_SIZES, "kv_heads": 4},
            context=64,
            norm="layer",
            norm_epsilon=1e-12,
            norm_place="post",
            activation="gelu",
            gated=False,
            positions="learned",
            causal=False,
            embedding_norm=True,
            final_norm=False,
            has_head=False,
            attention_bias=True,
            output_bias=True,
            mlp_bias=True,
            attention_scale=8**-0.5,
            pooling="mean",
            normalize=True,
            types=2,
        ),
        "BertModel",
        dict(
            vocab_size=40,
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=48,
            max_position_embeddings=64,
            type_vocab_size=2,
            hidden_act="gelu",
            layer_norm_eps=1e-12,
        ),
    ),
}


def tokens(count: int, vocabulary: int = 40) -> list[int]:
    """A text, the same each time."""
    return [(7 * i * i + 3 * i + 1) % vocabulary for i in range(count)]


def shapes(config: TransformerConfig) -> dict[str, tuple[int, ...]]:
    """The tensors of a configuration."""
    width, queries = config.width, config.heads * config.head_size
    keys = config.kv_heads * config.head_size
    made: dict[str, tuple[int, ...]] = {"embedding.token.weight": (config.vocabulary, width)}
    if config.positions == "learned":
        made["embedding.position.weight"] = (config.context, width)
    if config.types:
        made["embedding.type.weight"] = (config.types, width)
    norms = [f"norm.{name}" for name in ("embedding",) if config.embedding_norm]
    norms += [f"norm.{name}" for name in ("final",) if config.final_norm]
    for n in range(config.layers):
        matrices = {
            "attention.query": (queries, width, config.attention_bias),
            "attention.key": (keys, width, config.attention_bias),
            "attention.value": (keys, width, config.attention_bias),
            "attention.output": (width, queries, config.output_bias),
            "mlp.up": (config.mlp, width, config.mlp_bias),
            "mlp.down": (width, config.mlp, config.mlp_bias),
        }
        if config.gated:
            matrices["mlp.gate"] = (config.mlp, width, config.mlp_bias)
        for name, (rows, length, has_bias) in matrices.items():
            made[f"layer{n}.{name}.weight"] = (rows, length)
            if has_bias:
                made[f"layer{n}.{name}.bias"] = (rows,)
        if config.query_key_norm:
            made[f"layer{n}.attention.query_norm.weight"] = (config.head_size,)
            made[f"layer{n}.attention.key_norm.weight"] = (config.head_size,)
        norms += [f"layer{n}.norm.attention", f"layer{n}.norm.mlp"]
        if config.norm_place == "sandwich":
            norms += [f"layer{n}.norm.attention_post", f"layer{n}.norm.mlp_post"]
    for name in norms:
        made[f"{name}.weight"] = (width,)
        if config.norm == "layer":
            made[f"{name}.bias"] = (width,)
    if config.has_head and not config.tied:
        made["head.weight"] = (config.vocabulary, width)
    return made


def arrays(config: TransformerConfig) -> dict[str, Floats]:
    """The weights, each drawn by its name: large enough that attention is no mere average."""
    made = {}
    for name, shape in shapes(config).items():
        draw = np.random.Generator(np.random.Philox(zlib.crc32(name.encode())))
        found = draw.standard_normal(shape) * (0.25 if len(shape) == 2 else 0.2)
        if "norm" in name and name.endswith("weight"):
            found += 1.0 - config.norm_offset
        made[name] = found.astype(np.float32)
    return made


_LLAMA = {
    "embedding.token": "model.embed_tokens",
    "norm.final": "model.norm",
    "head": "lm_head",
    "attention.query_norm": "self_attn.q_norm",
    "attention.key_norm": "self_attn.k_norm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "mlp.gate": "mlp.gate_proj",
    "mlp.up": "mlp.up_proj",
    "mlp.down": "mlp.down_proj",
    "norm.attention": "input_layernorm",
    "norm.mlp": "post_attention_layernorm",
}
_GEMMA = {
    **_LLAMA,
    "norm.attention_post": "post_attention_layernorm",
    "norm.mlp": "pre_feedforward_layernorm",
    "norm.mlp_post": "post_feedforward_layernorm",
}
_BERT = {
    "embedding.token": "embeddings.word_embeddings",
    "embedding.position": "embeddings.position_embeddings",
    "embedding.type": "embeddings.token_type_embeddings",
    "norm.embedding": "embeddings.LayerNorm",
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "norm.attention": "attention.output.LayerNorm",
    "mlp.up": "intermediate.dense",
    "mlp.down": "output.dense",
    "norm.mlp": "output.LayerNorm",
}


def file_name(family: str, name: str) -> str:
    """Hugging Face's name of a canonical one."""
    names = {"BertModel": _BERT, "Gemma3ForCausalLM": _GEMMA}.get(family, _LLAMA)
    layers = "encoder.layer" if family == "BertModel" else "model.layers"
    stem, _, ending = name.rpartition(".")
    prefix = ""
    if stem.startswith("layer"):
        number, _, stem = stem.partition(".")
        prefix = f"{layers}.{number.removeprefix('layer')}."
    return f"{prefix}{names[stem]}.{ending}"

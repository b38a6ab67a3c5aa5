"""Gemma 3's text model: query and key norms, sandwich norms, sliding windows in five layers of six,
scaled embeddings, tied head.

Norms multiply by 1 + weight; a GGUF holds the sum, from which the 1 is taken again (recipes.py).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.models.architectures import gguf_fields
from hartonomous.hql.models.architectures.base import Config, TransformerConfig, Unrunnable
from hartonomous.hql.models.architectures.fields import (
    ACTIVATIONS,
    HF_ACTIVATIONS,
    Fields,
    bad_config,
    write_shape,
)
from hartonomous.hql.models.architectures.llama import HEAD
from hartonomous.hql.models.architectures.names import Names, rules
from hartonomous.hql.models.architectures.rope import (
    read_gguf_rope,
    read_rope,
    write_rope,
)
from hartonomous.hql.models.architectures.transformer import Transformer

if TYPE_CHECKING:
    from hartonomous.hql.models.formats.source import SourceModel

#: every sixth layer sees all positions
_PATTERN: Final = 6
_LOCAL_BASE: Final = 10_000.0
#: layers of the one size whose attention scale is another (27B), as llama.cpp tells it
_LAYERS_27B: Final = 62

_FILES: Final = {
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.o_proj": "attention.output",
    "mlp.gate_proj": "mlp.gate",
    "mlp.up_proj": "mlp.up",
    "mlp.down_proj": "mlp.down",
    "self_attn.q_norm": "attention.query_norm",
    "self_attn.k_norm": "attention.key_norm",
    "input_layernorm": "norm.attention",
    "post_attention_layernorm": "norm.attention_post",
    "pre_feedforward_layernorm": "norm.mlp",
    "post_feedforward_layernorm": "norm.mlp_post",
}
_GGUF_FILES: Final = {
    "attn_q": "attention.query",
    "attn_k": "attention.key",
    "attn_v": "attention.value",
    "attn_output": "attention.output",
    "ffn_gate": "mlp.gate",
    "ffn_up": "mlp.up",
    "ffn_down": "mlp.down",
    "attn_q_norm": "attention.query_norm",
    "attn_k_norm": "attention.key_norm",
    "attn_norm": "norm.attention",
    "post_attention_norm": "norm.attention_post",
    "ffn_norm": "norm.mlp",
    "post_ffw_norm": "norm.mlp_post",
}


class Gemma3(Transformer):
    """See the module."""

    name = "gemma3"
    gguf_name = "gemma3"
    model_types = frozenset({"gemma3", "gemma3_text"})

    def config(self, source: SourceModel) -> TransformerConfig:
        if source.format == "gguf":
            return self._gguf_config(source)
        given = source.config.get("text_config", source.config)
        if not isinstance(given, dict):
            raise bad_config("config.json: text_config is no object")
        fields = Fields(given)
        layers = fields.layers("num_hidden_layers", 26)
        base, scaling = read_rope(fields, 1_000_000.0, "full_attention")
        local = fields.number("rope_local_base_freq", _LOCAL_BASE)
        if isinstance(given.get("rope_parameters"), dict):
            local, _ = read_rope(fields, local, "sliding_attention")
        return _config(
            layers=layers,
            width=fields.size("hidden_size", 2_304),
            heads=fields.size("num_attention_heads", 8),
            kv_heads=fields.size("num_key_value_heads", 4),
            head_size=fields.size("head_dim", 256),
            mlp=fields.size("intermediate_size", 9_216),
            vocabulary=fields.size("vocab_size", 262_208),
            context=fields.size("max_position_embeddings", 131_072),
            norm_epsilon=fields.number("rms_norm_eps", 1e-6),
            activation=fields.choice("hidden_activation", ACTIVATIONS, "gelu_tanh"),
            rope_base=base,
            rope_local_base=local,
            rope_scaling=scaling,
            sliding_window=fields.size("sliding_window", 4_096),
            sliding_pattern=_pattern(fields, layers),
            logit_softcap=fields.number("final_logit_softcapping", None),
            attention_softcap=fields.number("attn_logit_softcapping", None),
            attention_scale=fields.number("query_pre_attn_scalar", 256.0) ** -0.5,
            tied=not any(t.name.endswith("lm_head.weight") for t in source.tensors),
        )

    def _gguf_config(self, source: SourceModel) -> TransformerConfig:
        fields = gguf_fields.of(source)
        shared = gguf_fields.read_shared(fields, source)
        base, scaling = read_gguf_rope(fields)
        layers = shared["layers"]
        scaled = shared["head_size"]
        if layers == _LAYERS_27B:
            scaled = shared["width"] / shared["heads"]
        return _config(
            **shared,
            norm_epsilon=fields.number("attention.layer_norm_rms_epsilon", 1e-6),
            rope_base=base or 1_000_000.0,
            rope_local_base=fields.number("rope.freq_base_swa", _LOCAL_BASE),
            rope_scaling=scaling,
            sliding_window=fields.size("attention.sliding_window", 1_024),
            sliding_pattern=_every(layers, _PATTERN),
            logit_softcap=fields.number("final_logit_softcapping", None),
            attention_scale=scaled**-0.5,
            tied=not gguf_fields.has(source, "output.weight"),
        )

    def names(self, config: Config, format: str) -> Names:
        if format == "gguf":
            plain = {"token_embd": "embedding.token", "output_norm": "norm.final", "output": "head"}
            files = plain | {f"blk.{{n}}.{k}": f"layer{{n}}.{v}" for k, v in _GGUF_FILES.items()}
            norms = {name: {"offset": 1.0} for name in files.values() if "norm" in name}
            return Names(rules(files, recipes=norms))
        plain = {"embed_tokens": "embedding.token", "norm": "norm.final"}
        files = plain | {f"layers.{{n}}.{k}": f"layer{{n}}.{v}" for k, v in _FILES.items()}
        return Names(
            rules(files),
            ("model.", "model.language_model.", "language_model.model.", ""),
            (r"rotary_emb\.inv_freq$", r"^(model\.)?(vision_tower|multi_modal_projector)\."),
            HEAD,
        )

    def make_config(self, fields: Fields) -> TransformerConfig:
        layers, width = fields.layers("layers"), fields.size("width")
        heads = fields.size("heads")
        head_size = fields.size("head_size", max(2, width // heads))
        kv_heads = fields.size("kv_heads", heads)
        if heads % kv_heads:
            raise fields.fault(f"{heads} query heads cannot share {kv_heads} evenly")
        if head_size % 2:
            raise fields.fault(f"a head of {head_size} elements has no rotary pairs")
        return _config(
            layers=layers,
            width=width,
            heads=heads,
            kv_heads=kv_heads,
            head_size=head_size,
            mlp=fields.size("mlp", 4 * width),
            vocabulary=fields.size("vocabulary", 256),
            context=fields.size("context", 1_024),
            norm_epsilon=fields.number("norm_epsilon", 1e-6),
            rope_base=fields.number("rope_base", 1_000_000.0),
            rope_local_base=fields.number("rope_local_base", _LOCAL_BASE),
            sliding_window=fields.size("sliding_window", 512),
            sliding_pattern=_every(layers, fields.size("sliding_pattern", _PATTERN)),
            attention_scale=head_size**-0.5,
            tied=True,
        )

    def hf_config(self, config: Config) -> dict[str, Any]:
        assert isinstance(config, TransformerConfig)
        kinds = ("full_attention", "sliding_attention")
        scalar = round(config.attention_scale**-2, 6)
        return {
            "architectures": ["Gemma3ForCausalLM"],
            "model_type": "gemma3_text",
            **write_shape(config),
            "hidden_activation": HF_ACTIVATIONS[config.activation],
            "rms_norm_eps": config.norm_epsilon,
            **write_rope(config),
            "rope_local_base_freq": config.rope_local_base,
            "sliding_window": config.sliding_window,
            "layer_types": [kinds[is_local] for is_local in config.sliding_pattern],
            # transformers takes whole numbers only
            "query_pre_attn_scalar": int(scalar) if scalar.is_integer() else scalar,
            "final_logit_softcapping": config.logit_softcap,
            "attn_logit_softcapping": config.attention_softcap,
            "attention_bias": False,
            "tie_word_embeddings": config.tied,
            "bos_token_id": None,
            "eos_token_id": None,
            "pad_token_id": None,
        }

    def gguf_entries(self, config: Config) -> list[list[Any]]:
        assert isinstance(config, TransformerConfig)
        scaled = config.head_size
        if config.layers == _LAYERS_27B:
            scaled = config.width // config.heads
        if (
            config.sliding_pattern != _every(config.layers, _PATTERN)
            or not math.isclose(config.attention_scale, scaled**-0.5)
            or config.rope_local_base != _LOCAL_BASE
            or config.attention_softcap is not None
        ):
            raise Unrunnable("gemma3 with other windows or scales than llama.cpp knows")
        return [
            *gguf_fields.write_shared("gemma3", config),
            ["gemma3.attention.layer_norm_rms_epsilon", "FLOAT32", "", config.norm_epsilon],
            ["gemma3.attention.sliding_window", "UINT32", "", config.sliding_window],
        ]


def _config(**given: Any) -> TransformerConfig:
    """A configuration with what all of this architecture have alike."""
    if given["heads"] % given["kv_heads"]:
        raise bad_config(f"{given['heads']} query heads cannot share {given['kv_heads']} evenly")
    alike: dict[str, Any] = {
        "norm": "rms",
        "norm_place": "sandwich",
        "norm_offset": 1.0,
        "activation": "gelu_tanh",
        "query_key_norm": True,
        "embedding_scale": given["width"] ** 0.5,
    }
    return TransformerConfig(**{**alike, **given})


def _every(layers: int, pattern: int) -> tuple[bool, ...]:
    """All layers are local but each `pattern`-th."""
    return tuple((n + 1) % pattern != 0 for n in range(layers))


def _pattern(fields: Fields, layers: int) -> tuple[bool, ...]:
    types = fields.get("layer_types")
    if types is None:
        return _every(layers, fields.size("sliding_window_pattern", _PATTERN))
    known = ("sliding_attention", "full_attention")
    if not isinstance(types, list) or len(types) != layers or any(t not in known for t in types):
        raise bad_config(
            f"config.json: layer_types is no list of {layers} of {' and '.join(known)}"
        )
    return tuple(t == "sliding_attention" for t in types)


GEMMA3 = Gemma3()

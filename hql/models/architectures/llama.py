"""Llama and its kin: Llama, SmolLM2, Mistral.

A GGUF has the rows of query and key turned inside each head, so that neighbours are a rotary pair;
they are moved back (recipes.py).
"""

from __future__ import annotations

from dataclasses import replace
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
from hartonomous.hql.models.architectures.names import Names, Rule, rules
from hartonomous.hql.models.architectures.rope import (
    read_gguf_rope,
    read_rope,
    write_rope,
)
from hartonomous.hql.models.architectures.transformer import Transformer

if TYPE_CHECKING:
    from hartonomous.hql.models.formats.source import SourceModel

_PARTS: Final = {
    "q_proj": "query",
    "k_proj": "key",
    "v_proj": "value",
    "o_proj": "output",
}
_GGUF_PARTS: Final = {"attn_q": "query", "attn_k": "key", "attn_v": "value"} | {
    "attn_output": "output"
}
_MLP: Final = ("gate", "up", "down")
#: stands without the prefix of the others
HEAD: Final = (Rule("lm_head.weight", ("head.weight",)),)


class Llama(Transformer):
    """See the module."""

    name = "llama"
    gguf_name = "llama"
    model_types = frozenset({"llama", "mistral"})
    prefixes = ("model.", "")

    def config(self, source: SourceModel) -> TransformerConfig:
        if source.format == "gguf":
            return self._gguf_config(source)
        fields = Fields(source.config)
        width, heads = fields.size("hidden_size"), fields.size("num_attention_heads")
        base, scaling = read_rope(fields, 10_000.0)
        layers = fields.layers("num_hidden_layers")
        window = None
        if fields.get("model_type") == "mistral":
            window = 4_096 if "sliding_window" not in source.config else None
            window = fields.size("sliding_window", window)
        head_size = fields.size("head_dim", width // heads)
        has_head = any(t.name == "lm_head.weight" for t in source.tensors)
        return TransformerConfig(
            layers=layers,
            width=width,
            heads=heads,
            kv_heads=_kv_heads(fields.size("num_key_value_heads", heads), heads),
            head_size=head_size,
            mlp=fields.size("intermediate_size"),
            vocabulary=fields.size("vocab_size"),
            context=fields.size("max_position_embeddings", 2_048),
            norm="rms",
            norm_epsilon=fields.number("rms_norm_eps", 1e-6),
            activation=fields.choice("hidden_act", ACTIVATIONS, "silu"),
            rope_base=base,
            rope_scaling=scaling,
            sliding_window=window,
            sliding_pattern=(True,) * layers if window else (),
            tied=not has_head,
            attention_bias=fields.flag("attention_bias", False),
            output_bias=fields.flag("attention_bias", False),
            mlp_bias=fields.flag("mlp_bias", False),
            attention_scale=head_size**-0.5,
        )

    def _gguf_config(self, source: SourceModel) -> TransformerConfig:
        fields = gguf_fields.of(source)
        if fields.get("expert_count"):
            raise Unrunnable("mixtures of experts are not supported yet")
        shared = gguf_fields.read_shared(fields, source)
        base, scaling = read_gguf_rope(fields)
        window = fields.size("attention.sliding_window", None)
        factors = next((t for t in source.tensors if t.name == "rope_freqs.weight"), None)
        if factors is not None:
            scaling = gguf_fields.rope_factors(factors, shared["head_size"])
        made = TransformerConfig(
            **shared,
            norm="rms",
            norm_epsilon=fields.number("attention.layer_norm_rms_epsilon", 1e-5),
            rope_base=base or 10_000.0,
            rope_scaling=scaling,
            sliding_window=window,
            sliding_pattern=(True,) * shared["layers"] if window else (),
            tied=not gguf_fields.has(source, "output.weight"),
            attention_bias=gguf_fields.has(source, "blk.0.attn_q.bias"),
            output_bias=gguf_fields.has(source, "blk.0.attn_output.bias"),
            mlp_bias=gguf_fields.has(source, "blk.0.ffn_down.bias"),
            attention_scale=shared["head_size"] ** -0.5,
        )
        turned = fields.size("rope.dimension_count", made.head_size)
        if turned != made.head_size:
            raise Unrunnable(f"rotary positions of {turned} of a head's {made.head_size} elements")
        return made

    def names(self, config: Config, format: str) -> Names:
        assert isinstance(config, TransformerConfig)
        if format == "gguf":
            return _gguf_names(config)
        sizes = (
            config.heads * config.head_size,
            config.kv_heads * config.head_size,
            config.kv_heads * config.head_size,
        )
        ends = ("weight", "bias")
        layer = "layers.{n}."
        plain = {"embed_tokens": "embedding.token", "norm": "norm.final"}
        attention = {
            f"{layer}self_attn.{file}": "layer{n}.attention." + name
            for file, name in _PARTS.items()
        }
        mlp = {f"{layer}mlp.{part}_proj": "layer{n}.mlp." + part for part in _MLP}
        norms = {
            f"{layer}input_layernorm": "layer{n}.norm.attention",
            f"{layer}post_attention_layernorm": "layer{n}.norm.mlp",
        }
        fused = [
            _fused(f"{layer}self_attn.qkv_proj", "attention", ("query", "key", "value"), sizes),
            _fused(f"{layer}mlp.gate_up_proj", "mlp", ("gate", "up"), (config.mlp,) * 2),
        ]
        return Names(
            (*rules(plain), *rules(attention | mlp, ends), *rules(norms), *fused),
            self.prefixes,
            (r"rotary_emb\.inv_freq$",),
            HEAD,
        )

    def make_config(self, fields: Fields) -> TransformerConfig:
        width, heads = fields.size("width"), fields.size("heads")
        head_size = fields.size("head_size", width // heads)
        if fields.get("head_size") is None and width % heads:
            raise fields.fault(f"a width of {width} is not {heads} heads of one size")
        if head_size % 2:
            raise fields.fault(f"a head of {head_size} elements has no rotary pairs")
        return TransformerConfig(
            layers=fields.layers("layers"),
            width=width,
            heads=heads,
            kv_heads=_kv_heads(fields.size("kv_heads", heads), heads, fields.fault),
            head_size=head_size,
            mlp=fields.size("mlp", 4 * width),
            vocabulary=fields.size("vocabulary", 256),
            context=fields.size("context", 1_024),
            norm="rms",
            norm_epsilon=fields.number("norm_epsilon", 1e-5),
            rope_base=fields.number("rope_base", 10_000.0),
            tied=fields.flag("tied", True),
            attention_scale=head_size**-0.5,
        )

    def hf_config(self, config: Config) -> dict[str, Any]:
        assert isinstance(config, TransformerConfig)
        kind = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
        if config.sliding_window is not None:
            kind = {"architectures": ["MistralForCausalLM"], "model_type": "mistral"}
        return {
            **kind,
            **({"sliding_window": w} if (w := config.sliding_window) is not None else {}),
            **write_shape(config),
            "hidden_act": HF_ACTIVATIONS[config.activation],
            "rms_norm_eps": config.norm_epsilon,
            **write_rope(config),
            "attention_bias": config.attention_bias,
            "mlp_bias": config.mlp_bias,
            "tie_word_embeddings": config.tied,
            "bos_token_id": None,
            "eos_token_id": None,
        }

    def gguf_entries(self, config: Config) -> list[list[Any]]:
        assert isinstance(config, TransformerConfig)
        entries: list[list[Any]] = [
            *gguf_fields.write_shared("llama", config),
            ["llama.attention.layer_norm_rms_epsilon", "FLOAT32", "", config.norm_epsilon],
            ["llama.rope.dimension_count", "UINT32", "", config.head_size],
        ]
        if config.sliding_window is not None:
            window = ["llama.attention.sliding_window", "UINT32", "", config.sliding_window]
            entries.append(window)
        return entries

    def gguf_tensors(self, config: Config) -> dict[str, list[float]]:
        assert isinstance(config, TransformerConfig)
        scaling = config.rope_scaling
        if scaling is None or scaling["type"] == "linear":
            return {}
        return {"rope_freqs.weight": gguf_fields.frequency_factors(config)}


def _kv_heads(kv_heads: int, heads: int, fault: Any = bad_config) -> int:
    if heads % kv_heads:
        raise fault(f"{heads} query heads cannot share {kv_heads} key and value heads evenly")
    return kv_heads


def _fused(file: str, part: str, names: tuple[str, ...], sizes: tuple[int, ...]) -> Rule:
    canonical = tuple(f"layer{{n}}.{part}.{name}.weight" for name in names)
    return Rule(f"{file}.weight", canonical, {}, sizes)


def _gguf_names(config: TransformerConfig) -> Names:
    layer = "blk.{n}."
    attention = {f"{layer}{f}": f"layer{{n}}.attention.{name}" for f, name in _GGUF_PARTS.items()}
    mlp = {f"{layer}ffn_{part}": f"layer{{n}}.mlp.{part}" for part in _MLP}
    plain = {
        "token_embd": "embedding.token",
        "output_norm": "norm.final",
        "output": "head",
        f"{layer}attn_norm": "layer{n}.norm.attention",
        f"{layer}ffn_norm": "layer{n}.norm.mlp",
    }
    turned = {
        "layer{n}.attention.query": {"rotary": config.heads},
        "layer{n}.attention.key": {"rotary": config.kv_heads},
    }
    made = Names((*rules(plain), *rules(attention | mlp, ("weight", "bias"), turned)))
    return replace(made, unread=(r"^rope_freqs\.weight$",))


LLAMA = Llama()

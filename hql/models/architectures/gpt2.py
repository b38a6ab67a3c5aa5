"""GPT-2: learned positions, layer norms before, query, key and value fused; Hugging Face's files
have inputs as rows (Conv1D), which are turned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.models.architectures import gguf_fields
from hartonomous.hql.models.architectures.base import Config, TransformerConfig
from hartonomous.hql.models.architectures.fields import ACTIVATIONS, HF_ACTIVATIONS, Fields
from hartonomous.hql.models.architectures.names import Names, Rule, rules
from hartonomous.hql.models.architectures.transformer import Transformer

if TYPE_CHECKING:
    from hartonomous.hql.models.formats.source import SourceModel

_ENDS: Final = ("weight", "bias")
_QKV: Final = ("query", "key", "value")
_NORMS: Final = {"h.{n}.ln_1": "layer{n}.norm.attention", "h.{n}.ln_2": "layer{n}.norm.mlp"}
_TURNED: Final = {
    "h.{n}.attn.c_proj": "layer{n}.attention.output",
    "h.{n}.mlp.c_fc": "layer{n}.mlp.up",
    "h.{n}.mlp.c_proj": "layer{n}.mlp.down",
}
_GGUF: Final = {
    "output_norm": "norm.final",
    "blk.{n}.attn_norm": "layer{n}.norm.attention",
    "blk.{n}.ffn_norm": "layer{n}.norm.mlp",
    "blk.{n}.attn_output": "layer{n}.attention.output",
    "blk.{n}.ffn_up": "layer{n}.mlp.up",
    "blk.{n}.ffn_down": "layer{n}.mlp.down",
}


class Gpt2(Transformer):
    """See the module."""

    name = "gpt2"
    gguf_name = "gpt2"
    model_types = frozenset({"gpt2"})

    def config(self, source: SourceModel) -> TransformerConfig:
        if source.format == "gguf":
            fields = gguf_fields.of(source)
            shared = gguf_fields.read_shared(fields, source)
            epsilon = fields.number("attention.layer_norm_epsilon", 1e-5)
            tied = not gguf_fields.has(source, "output.weight")
            return _config(**shared, norm_epsilon=epsilon, tied=tied)
        fields = Fields(source.config)
        width, heads = fields.size("n_embd", 768), fields.size("n_head", 12)
        return _config(
            layers=fields.layers("n_layer", 12),
            width=width,
            heads=heads,
            kv_heads=heads,
            head_size=width // heads,
            mlp=fields.size("n_inner", 4 * width),
            vocabulary=fields.size("vocab_size", 50_257),
            context=fields.size("n_positions", 1_024),
            norm_epsilon=fields.number("layer_norm_epsilon", 1e-5),
            activation=fields.choice("activation_function", ACTIVATIONS, "gelu_tanh"),
            tied=not any(t.name == "lm_head.weight" for t in source.tensors),
        )

    def names(self, config: Config, format: str) -> Names:
        assert isinstance(config, TransformerConfig)
        if format == "gguf":
            tables = {"token_embd": "embedding.token", "position_embd": "embedding.position"}
            plain = rules({**tables, "output": "head"})
            return Names((*plain, *_qkv("blk.{n}.attn_qkv", config, {}), *rules(_GGUF, _ENDS)))
        turned = {"transposed": True}
        tables = {"wte": "embedding.token", "wpe": "embedding.position"}
        return Names(
            (
                *rules(tables),
                *rules({"ln_f": "norm.final", **_NORMS}, _ENDS),
                *_qkv("h.{n}.attn.c_attn", config, turned),
                *rules(_TURNED, _ENDS, dict.fromkeys(_TURNED.values(), turned)),
            ),
            ("transformer.", ""),
            (r"\.attn\.(masked_)?bias$",),
            (Rule("lm_head.weight", ("head.weight",)),),
        )

    def make_config(self, fields: Fields) -> TransformerConfig:
        width, heads = fields.size("width"), fields.size("heads")
        if width % heads:
            raise fields.fault(f"a width of {width} is not {heads} heads of one size")
        return _config(
            layers=fields.layers("layers"),
            width=width,
            heads=heads,
            kv_heads=heads,
            head_size=width // heads,
            mlp=fields.size("mlp", 4 * width),
            vocabulary=fields.size("vocabulary", 256),
            context=fields.size("context", 1_024),
            norm_epsilon=fields.number("norm_epsilon", 1e-5),
            tied=fields.flag("tied", True),
        )

    def hf_config(self, config: Config) -> dict[str, Any]:
        assert isinstance(config, TransformerConfig)
        is_new = config.activation == "gelu_tanh"
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "n_embd": config.width,
            "n_layer": config.layers,
            "n_head": config.heads,
            "n_inner": config.mlp,
            "vocab_size": config.vocabulary,
            "n_positions": config.context,
            "activation_function": "gelu_new" if is_new else HF_ACTIVATIONS[config.activation],
            "layer_norm_epsilon": config.norm_epsilon,
            "tie_word_embeddings": config.tied,
            "bos_token_id": None,
            "eos_token_id": None,
        }

    def gguf_entries(self, config: Config) -> list[list[Any]]:
        assert isinstance(config, TransformerConfig)
        epsilon = ["gpt2.attention.layer_norm_epsilon", "FLOAT32", "", config.norm_epsilon]
        return [*gguf_fields.write_shared("gpt2", config), epsilon]


def _qkv(file: str, config: TransformerConfig, recipe: dict[str, Any]) -> tuple[Rule, ...]:
    sizes = (config.width,) * 3
    return tuple(
        Rule(f"{file}.{end}", tuple(f"layer{{n}}.attention.{p}.{end}" for p in _QKV), recipe, sizes)
        for end in _ENDS
    )


def _config(**given: Any) -> TransformerConfig:
    """A configuration with what all of this architecture have alike."""
    alike: dict[str, Any] = {
        "norm": "layer",
        "activation": "gelu_tanh",
        "gated": False,
        "positions": "learned",
        "attention_bias": True,
        "output_bias": True,
        "mlp_bias": True,
        "attention_scale": given["head_size"] ** -0.5,
    }
    return TransformerConfig(**{**alike, **given})


GPT2 = Gpt2()

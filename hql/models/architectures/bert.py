"""BERT's family of encoders: MiniLM, BGE, E5. A text is one vector, pooled as the files beside the
tensors say (sentence-transformers' modules.json and 1_Pooling/config.json)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.models.architectures import gguf_fields
from hartonomous.hql.models.architectures.base import Config, TransformerConfig, Unrunnable
from hartonomous.hql.models.architectures.fields import (
    ACTIVATIONS,
    HF_ACTIVATIONS,
    Fields,
    bad_config,
)
from hartonomous.hql.models.architectures.names import Names, Rule, rules
from hartonomous.hql.models.architectures.transformer import Transformer

if TYPE_CHECKING:
    from hartonomous.hql.models.formats.source import SourceModel

_FILES: Final = {
    "attention.self.query": "attention.query",
    "attention.self.key": "attention.key",
    "attention.self.value": "attention.value",
    "attention.output.dense": "attention.output",
    "attention.output.LayerNorm": "norm.attention",
    "intermediate.dense": "mlp.up",
    "output.dense": "mlp.down",
    "output.LayerNorm": "norm.mlp",
}
_GGUF_FILES: Final = {
    "attn_q": "attention.query",
    "attn_k": "attention.key",
    "attn_v": "attention.value",
    "attn_output": "attention.output",
    "attn_output_norm": "norm.attention",
    "ffn_up": "mlp.up",
    "ffn_down": "mlp.down",
    "layer_output_norm": "norm.mlp",
}
#: heads for other tasks, and buffers
_UNREAD: Final = (r"position_ids$", r"^cls\.", r"^classifier\.", r"^qa_outputs\.")
#: pooling_type of a GGUF
_POOLINGS: Final = {1: "mean", 2: "cls"}


class Bert(Transformer):
    """See the module."""

    name = "bert"
    gguf_name = "bert"
    model_types = frozenset({"bert"})

    def config(self, source: SourceModel) -> TransformerConfig:
        if source.format == "gguf":
            return self._gguf_config(source)
        fields = Fields(source.config)
        if fields.get("position_embedding_type") not in (None, "absolute"):
            raise Unrunnable("positions relative to each other are not supported yet")
        if fields.flag("is_decoder", False):
            raise Unrunnable("a BERT that is a decoder is not supported yet")
        pooling, normalize, tokens = _pooling(source.metadata.get("files", {}))
        return _config(
            layers=fields.layers("num_hidden_layers"),
            width=fields.size("hidden_size"),
            heads=fields.size("num_attention_heads"),
            mlp=fields.size("intermediate_size"),
            vocabulary=fields.size("vocab_size"),
            context=fields.size("max_position_embeddings"),
            types=fields.size("type_vocab_size", 2),
            norm_epsilon=fields.number("layer_norm_eps", 1e-12),
            activation=fields.choice("hidden_act", ACTIVATIONS, "gelu"),
            pooling=pooling,
            normalize=normalize,
            text_tokens=tokens,
        )

    def _gguf_config(self, source: SourceModel) -> TransformerConfig:
        fields = gguf_fields.of(source)
        shared = gguf_fields.read_shared(fields, source)
        if shared.pop("kv_heads") != shared["heads"]:
            raise Unrunnable("a BERT with fewer key than query heads is not supported yet")
        types = next((t for t in source.tensors if t.name == "token_types.weight"), None)
        kind = fields.get("pooling_type")
        if kind not in (None, 0, *_POOLINGS):
            raise Unrunnable(f"pooling of type {str(kind)[:20]} is not supported yet")
        shared.pop("head_size")
        return _config(
            **shared,
            types=types.shape[0] if types is not None else 0,
            norm_epsilon=fields.number("attention.layer_norm_epsilon", 1e-12),
            pooling=_POOLINGS.get(kind or 1),
            normalize=True,
        )

    def names(self, config: Config, format: str) -> Names:
        ends = ("weight", "bias")
        if format == "gguf":
            tables = {
                "token_embd": "embedding.token",
                "position_embd": "embedding.position",
                "token_types": "embedding.type",
            }
            files = {"token_embd_norm": "norm.embedding"}
            files |= {f"blk.{{n}}.{k}": f"layer{{n}}.{v}" for k, v in _GGUF_FILES.items()}
            return Names((*rules(tables), *rules(files, ends)), unread=_UNREAD)
        tables = {
            "embeddings.word_embeddings": "embedding.token",
            "embeddings.position_embeddings": "embedding.position",
            "embeddings.token_type_embeddings": "embedding.type",
        }
        files = {"embeddings.LayerNorm": "norm.embedding", "pooler.dense": "pooler"}
        files |= {f"encoder.layer.{{n}}.{k}": f"layer{{n}}.{v}" for k, v in _FILES.items()}
        older = {
            f"{file}.{old}": f"{name}.{new}"
            for file, name in files.items()
            if "LayerNorm" in file
            for old, new in (("gamma", "weight"), ("beta", "bias"))
        }
        return Names(
            (*rules(tables), *rules(files, ends), *_plain(older)), ("", "bert.", "model."), _UNREAD
        )

    def make_config(self, fields: Fields) -> TransformerConfig:
        width, heads = fields.size("width"), fields.size("heads")
        if width % heads:
            raise fields.fault(f"a width of {width} is not {heads} heads of one size")
        poolings = {"mean": "mean", "cls": "cls"}
        return _config(
            layers=fields.layers("layers"),
            width=width,
            heads=heads,
            mlp=fields.size("mlp", 4 * width),
            vocabulary=fields.size("vocabulary", 256),
            context=fields.size("context", 512),
            types=fields.size("types", 2, least=0),
            norm_epsilon=fields.number("norm_epsilon", 1e-12),
            pooling=fields.choice("pooling", poolings, "mean"),
            normalize=fields.flag("normalize", True),
        )

    def hf_config(self, config: Config) -> dict[str, Any]:
        assert isinstance(config, TransformerConfig)
        return {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_size": config.width,
            "num_hidden_layers": config.layers,
            "num_attention_heads": config.heads,
            "intermediate_size": config.mlp,
            "vocab_size": config.vocabulary,
            "max_position_embeddings": config.context,
            "type_vocab_size": config.types,
            "layer_norm_eps": config.norm_epsilon,
            "hidden_act": HF_ACTIVATIONS[config.activation],
            "position_embedding_type": "absolute",
            "pad_token_id": 0,
        }

    def gguf_entries(self, config: Config) -> list[list[Any]]:
        assert isinstance(config, TransformerConfig)
        pooling = {name: number for number, name in _POOLINGS.items()}
        return [
            *gguf_fields.write_shared("bert", config),
            ["bert.attention.layer_norm_epsilon", "FLOAT32", "", config.norm_epsilon],
            ["bert.attention.causal", "BOOL", "", False],
            ["bert.pooling_type", "UINT32", "", pooling.get(config.pooling or "", 0)],
            ["tokenizer.ggml.token_type_count", "UINT32", "", config.types],
        ]


def _config(**given: Any) -> TransformerConfig:
    """A configuration with what all of this architecture have alike."""
    if given["width"] % given["heads"]:
        raise bad_config(f"a width of {given['width']} is not {given['heads']} heads of one size")
    size = given["width"] // given["heads"]
    alike: dict[str, Any] = {
        "kv_heads": given["heads"],
        "head_size": size,
        "norm": "layer",
        "norm_place": "post",
        "activation": "gelu",
        "gated": False,
        "positions": "learned",
        "causal": False,
        "embedding_norm": True,
        "final_norm": False,
        "tied": False,
        "has_head": False,
        "attention_bias": True,
        "output_bias": True,
        "mlp_bias": True,
        "attention_scale": size**-0.5,
    }
    return TransformerConfig(**{**alike, **given})


def _plain(pairs: dict[str, str]) -> tuple[Rule, ...]:
    return tuple(Rule(file, (name,)) for file, name in pairs.items())


def _pooling(files: dict[str, bytes]) -> tuple[str, bool, int | None]:
    """(pooling, normalize, tokens that are read) of sentence-transformers' files; without them the
    mean, as that library has it."""
    modules = _json(files, "modules.json", list)
    kinds = [str(m.get("type", "")).rsplit(".", 1)[-1] for m in modules if isinstance(m, dict)]
    others = set(kinds) - {"Transformer", "Pooling", "Normalize"}
    if others:
        raise Unrunnable(f"modules.json: {sorted(others)[0][:40]} is not supported yet")
    paths = [m.get("path") for m in modules if isinstance(m, dict) and "Pooling" in str(m)]
    fields = _json(files, f"{paths[0] if paths else '1_Pooling'}/config.json", dict)
    modes = [
        name.removeprefix("pooling_mode_")
        for name, value in fields.items()
        if name.startswith("pooling_mode_") and value is True
    ]
    if isinstance(fields.get("pooling_mode"), str):  # the newer form
        modes.append(fields["pooling_mode"])
    known = {"mean_tokens": "mean", "cls_token": "cls", "mean": "mean", "cls": "cls"}
    if modes and (len(modes) > 1 or modes[0] not in known):
        raise Unrunnable(f"pooling by {' and '.join(modes)[:60]} is not supported yet")
    named = Fields(_json(files, "sentence_bert_config.json", dict), "sentence_bert_config.json")
    tokens = named.size("max_seq_length", None)
    return known[modes[0]] if modes else "mean", "Normalize" in kinds, tokens


def pooling_files(config: Config) -> dict[str, bytes]:
    """The files that say so."""
    assert isinstance(config, TransformerConfig)
    kinds = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling")]
    if config.normalize:
        kinds.append(("2", "2_Normalize", "Normalize"))
    made: dict[str, Any] = {
        "modules.json": [
            {"idx": int(n), "name": n, "path": path, "type": f"sentence_transformers.models.{kind}"}
            for n, path, kind in kinds
        ],
        "sentence_bert_config.json": {"max_seq_length": config.text_tokens or config.context},
        "1_Pooling/config.json": {
            "word_embedding_dimension": config.width,
            "pooling_mode_cls_token": config.pooling == "cls",
            "pooling_mode_mean_tokens": config.pooling != "cls",
        },
    }
    return {name: (json.dumps(value, indent=2) + "\n").encode() for name, value in made.items()}


def _json(files: dict[str, bytes], name: str, kind: type) -> Any:
    if name not in files:
        return kind()
    try:
        found = json.loads(files[name])
    except (ValueError, RecursionError) as fault:
        raise bad_config(f"{name} is not JSON") from fault
    if not isinstance(found, kind):
        raise bad_config(f"{name} is no {'list' if kind is list else 'object'}")
    return found


BERT = Bert()

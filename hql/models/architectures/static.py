"""Static embeddings: one vector for each token, as wordllama and model2vec have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.models.architectures.base import Config, Shape, StaticConfig, Unrunnable
from hartonomous.hql.models.architectures.fields import Fields, bad_config
from hartonomous.hql.models.architectures.names import Names, Placement, Rule

if TYPE_CHECKING:
    from hartonomous.hql.models.formats.source import SourceModel

#: what the table is called: by model2vec, wordllama, PyTorch's EmbeddingBag
_TABLES: Final = ("embeddings", "embedding.weight", "embeddings.weight", "embedding")
_SCALE: Final = "weights"
_MAPPING: Final = "mapping"


class Static:
    """See the module."""

    name = "static"
    gguf_name = None
    model_types = frozenset({"model2vec", "static"})

    def matches(self, source: SourceModel) -> bool:
        """A table alone, or with what model2vec puts beside it."""
        tables = [t for t in source.tensors if t.name in _TABLES and len(t.shape) == 2]
        others = {t.name for t in source.tensors} - {_SCALE, _MAPPING}
        return len(tables) == 1 and len(others) == 1

    def config(self, source: SourceModel) -> StaticConfig:
        names = {t.name: t for t in source.tensors}
        table = next((names[name] for name in _TABLES if name in names), None)
        if table is None or len(table.shape) != 2:
            raise bad_config("there is no table of embeddings: " + ", ".join(_TABLES))
        rows, width = table.shape
        mapping = names.get(_MAPPING)
        return StaticConfig(
            vocabulary=rows if mapping is None else mapping.shape[0],
            width=width,
            normalize=Fields(source.config).flag("normalize", True),
            has_scale=_SCALE in names,
            has_mapping=mapping is not None,
            text_tokens=Fields(source.config).size("seq_length", None),
        )

    def place(self, source: SourceModel, config: Config) -> tuple[list[Placement], list[str]]:
        return self.names(config, source.format).place(source.tensors)

    def names(self, config: Config, format: str) -> Names:
        beside = {_SCALE: "embedding.token.scale", _MAPPING: "embedding.token.mapping"}
        return Names(
            (
                *(Rule(name, ("embedding.token.weight",)) for name in _TABLES),
                *(Rule(file, (name,)) for file, name in beside.items()),
            )
        )

    def layout(self, config: Config) -> list[Shape]:
        assert isinstance(config, StaticConfig)
        if config.has_mapping:  # the table may be shorter than the vocabulary
            return []
        out = [Shape("embedding.token.weight", (config.vocabulary, config.width), scale=1.0)]
        if config.has_scale:
            out.append(Shape("embedding.token.scale", (config.vocabulary,), "ones"))
        return out

    def make_config(self, fields: Fields) -> StaticConfig:
        return StaticConfig(
            vocabulary=fields.size("vocabulary", 256),
            width=fields.size("width"),
            normalize=fields.flag("normalize", True),
        )

    def hf_config(self, config: Config) -> dict[str, Any]:
        assert isinstance(config, StaticConfig)
        return {
            "model_type": "model2vec",
            "architectures": ["StaticModel"],
            "hidden_dim": config.width,
            "normalize": config.normalize,
        }

    def gguf_entries(self, config: Config) -> list[list[Any]]:
        raise Unrunnable("static embeddings")

    def gguf_tensors(self, config: Config) -> dict[str, list[float]]:
        return {}


STATIC = Static()

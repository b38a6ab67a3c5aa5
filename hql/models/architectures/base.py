"""What an architecture is, and the configurations that inference runs on.

An architecture says how a source's configuration reads (`config`), under which canonical names its
tensors stand and what was done to their rows (`place`), and, from a configuration, which tensors
there must be (`layout`). It has no forward pass: that is one for all of a configuration's
class (hql/models/inference).

Canonical names (HQL.md, "Names"); `N` counts layers from 0:

    embedding.token.weight  embedding.position.weight  embedding.type.weight
    norm.embedding.weight|bias                         after the embeddings (BERT)
    layerN.attention.query|key|value|output.weight|bias
    layerN.attention.query_norm|key_norm.weight
    layerN.mlp.gate|up|down.weight|bias                a feed-forward net's hidden layers: `up`
    layerN.norm.attention|mlp|attention_post|mlp_post.weight|bias
    norm.final.weight|bias  head.weight|bias  pooler.weight|bias

`norm.attention` and `norm.mlp` are the two norms of a layer, before its parts where `norm_place` is
'pre', after the residual sum where it is 'post' (BERT). 'sandwich' (Gemma) has `norm.attention` and
`norm.mlp` before, and the two `_post` after a part, before the residual sum.
"""

from __future__ import annotations

from dataclasses import asdict, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.hql.models.architectures.fields import Fields
    from hartonomous.hql.models.architectures.names import Names, Placement
    from hartonomous.hql.models.formats.source import SourceModel


@frozen(kw_only=True)
class TransformerConfig:
    """A transformer. Attention: `heads` query heads of `head_size` elements share `kv_heads` key
    and value heads, neighbours sharing one. Rotary positions turn element i of a head with
    element i + head_size / 2 (as Hugging Face has them; a GGUF's order is undone on import)."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    mlp: int
    vocabulary: int
    #: tokens it was made for
    context: int
    #: 'rms' | 'layer'
    norm: str
    norm_epsilon: float
    #: 'pre' | 'post' | 'sandwich'
    norm_place: str = "pre"
    #: added to every norm's weight when it is applied (Gemma: 1; rows are as Hugging Face has them)
    norm_offset: float = 0.0
    #: 'silu' | 'gelu' (by erf) | 'gelu_tanh' | 'relu'
    activation: str = "silu"
    #: down(activation(gate x) * up x), else down(activation(up x))
    gated: bool = True
    #: 'rotary' | 'learned' | 'none'
    positions: str = "rotary"
    rope_base: float = 10_000.0
    #: of layers with a sliding window, which are never scaled; None: as the others
    rope_local_base: float | None = None
    #: None | {'type': 'linear', 'factor'} | {'type': 'llama3', 'factor', 'low_freq_factor',
    #: 'high_freq_factor', 'original_context'} | {'type': 'factors', 'factors': [head_size / 2]},
    #: by which frequencies are divided
    rope_scaling: dict[str, Any] | None = None
    causal: bool = True
    #: positions that a local layer sees, its own included
    sliding_window: int | None = None
    #: per layer, whether it is local; empty: none is
    sliding_pattern: tuple[bool, ...] = ()
    #: RMS norm of each head's query and key before they are turned
    query_key_norm: bool = False
    #: token embeddings are multiplied by it
    embedding_scale: float = 1.0
    #: norm.embedding after the sum of embeddings
    embedding_norm: bool = False
    #: norm.final after the last layer
    final_norm: bool = True
    #: the head is the token embedding
    tied: bool = False
    #: whether there are logits at all; an encoder has none
    has_head: bool = True
    #: bias of query, key and value; of attention.output; of the MLP
    attention_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    #: x -> cap * tanh(x / cap)
    logit_softcap: float | None = None
    attention_softcap: float | None = None
    #: query · key is multiplied by it
    attention_scale: float = 1.0
    #: None | 'mean' | 'cls': one vector for a text
    pooling: str | None = None
    #: whether that vector is made length 1
    normalize: bool = False
    #: token types (segments), 0 for none
    types: int = 0
    #: tokens of a text that EMBED reads at most; None: the context
    text_tokens: int | None = None
    kind: str = field(default="transformer", init=False)


@frozen(kw_only=True)
class StaticConfig:
    """A table of token vectors; a text's is the mean of its tokens'."""

    vocabulary: int
    width: int
    #: whether the mean is made length 1
    normalize: bool = True
    #: `embedding.token.scale`: one number per token by which its vector is multiplied
    has_scale: bool = False
    #: `embedding.token.mapping`: the row of each token
    has_mapping: bool = False
    #: tokens of a text that count; None: all
    text_tokens: int | None = None
    kind: str = field(default="static", init=False)


@frozen(kw_only=True)
class MlpConfig:
    """A feed-forward net: layerN.mlp.up for each hidden layer, then head. `sizes`: inputs, hidden
    layers' widths, outputs."""

    sizes: tuple[int, ...]
    #: 'relu' | 'gelu' | 'gelu_tanh' | 'silu' | 'tanh' | 'sigmoid' | 'none', after hidden layers
    activation: str = "relu"
    bias: bool = True
    kind: str = field(default="mlp", init=False)

    @property
    def layers(self) -> int:
        return len(self.sizes) - 2


Config: TypeAlias = TransformerConfig | StaticConfig | MlpConfig

_CLASSES: dict[str, type[Any]] = {
    "transformer": TransformerConfig,
    "static": StaticConfig,
    "mlp": MlpConfig,
}
_TUPLES = ("sliding_pattern", "sizes")


def config_to_map(config: Config) -> dict[str, Any]:
    """Plain values, as Models.Config shows them and Model.config keeps them."""
    made: dict[str, Any] = {"kind": config.kind, **asdict(config)}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in made.items()}


def config_from_map(made: dict[str, Any]) -> Config:
    """The inverse. AssertionError for the configuration of a model that cannot run."""
    kind = made.get("kind")
    assert kind in _CLASSES, f"no runnable configuration: {sorted(made)}"
    fields = {k: tuple(v) if k in _TUPLES else v for k, v in made.items() if k != "kind"}
    config: Config = _CLASSES[kind](**fields)
    return config


class Unrunnable(Exception):
    """Why a model of a known architecture cannot run here: its rows are imported, and this is the
    message of the statement."""


@frozen
class Shape:
    """A tensor that a configuration asks for. `fill`: 'normal' (standard deviation `scale`), 'ones'
    or 'zeros', for a model made new."""

    name: str
    shape: tuple[int, ...]
    fill: str = "normal"
    scale: float = 0.02


class Architecture(Protocol):
    """One architecture. Stateless."""

    @property
    def name(self) -> str:
        """What Models.Architecture shows and CREATE MODEL … ARCHITECTURE takes."""

    @property
    def gguf_name(self) -> str | None:
        """`general.architecture` of its GGUF files; None: it has none."""

    @property
    def model_types(self) -> frozenset[str]:
        """`model_type` of its config.json."""

    def matches(self, source: SourceModel) -> bool:
        """Whether a source without a word about its architecture is of this one."""

    def config(self, source: SourceModel) -> Config:
        """What the source is. Raises Unrunnable; FileFault MODEL_FORMAT for nonsense."""

    def place(self, source: SourceModel, config: Config) -> tuple[list[Placement], list[str]]:
        """Every tensor of the source under its canonical name, in the source's order, and the names
        of those that this architecture does not know, which keep their own."""

    def names(self, config: Config, format: str) -> Names:
        """How the files of a format ('safetensors', 'gguf') name and store its tensors."""

    def layout(self, config: Config) -> list[Shape]:
        """The tensors that a model of this configuration has at least, in order."""

    def make_config(self, fields: Fields) -> Config:
        """The configuration that `ARCHITECTURE name(option = value …)` says."""

    def hf_config(self, config: Config) -> dict[str, Any]:
        """config.json's object, for a model that was not read from a folder."""

    def gguf_entries(self, config: Config) -> list[list[Any]]:
        """A GGUF's metadata without the tokenizer's, as write_gguf takes it, for a model that was
        not read from one. Raises Unrunnable if the format cannot say what it is."""

    def gguf_tensors(self, config: Config) -> dict[str, list[float]]:
        """Vectors that a GGUF has and the configuration holds."""

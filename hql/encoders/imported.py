"""Encoders that are models of the catalog: BERT and its kin with their pooling, static embeddings.

A text is tokenised with the tokens that the model adds, cut at what the model reads, and goes
through the network alone. Unlike the embedded encoder these stand in a database, so they are found
in a statement's catalog, under the model's name.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.encoders.base import EncoderEntry
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.models.using import Models, Use, tokenizer_of, unfit

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from hartonomous.hql.models.model import Model
    from hartonomous.hql.models.tokenizers import Tokenizer

#: tokens whose texts stand for all texts when a space is made without data
ANCHORS: Final = 1024
#: texts that are tokenised at once
BATCH_TEXTS: Final = 256


def entry_of(model: Model, models: Models) -> EncoderEntry:
    """The entry of a model; ExecutionFault MODEL_INPUT for one that embeds no text."""
    return EncoderEntry(model.name, dimensions_of(model), partial(ModelEncoder, model, models))


def dimensions_of(model: Model) -> int:
    """Elements of its vectors; why there are none, if it embeds no text."""
    kind = model.config.get("kind")
    wanted = "an encoder with pooling (BERT and its kin), or static embeddings"
    if not model.is_runnable:
        raise unfit(model, f"cannot run: its architecture is {model.architecture}", "EMBED", wanted)
    if kind == "transformer" and model.config.get("pooling") is None:
        found = "has no pooling, which makes one vector of a text's tokens"
        raise unfit(model, found, "EMBED", wanted)
    if kind not in ("transformer", "static"):
        raise unfit(model, "is a feed-forward network", "EMBED", wanted)
    return int(model.config["width"])


class ModelEncoder:
    """See Encoder."""

    def __init__(self, model: Model, models: Models) -> None:
        self._model, self._models = model, models
        self.name, self.dimensions = model.name, dimensions_of(model)
        self.content_hash = model.content_hash

    def encode(self, texts: pa.StringArray) -> npt.NDArray[np.float32]:
        """See Encoder."""
        with self._models.using(self._model.id, "EMBED") as use:
            use.request.rows += len(texts)
            return self.encode_in(use, texts)

    def encode_in(self, use: Use, texts: pa.StringArray) -> npt.NDArray[np.float32]:
        """encode() as part of a call that is accounted for."""
        import numpy as np

        from hartonomous.hql.models.inference.encoding import encode

        network: Any = use.network()
        tokenizer, tokens_max = use.tokenizer, self._tokens_max()
        out = np.empty((len(texts), self.dimensions), np.float32)
        for start in range(0, len(texts), BATCH_TEXTS):
            use.check()
            part = texts.slice(start, BATCH_TEXTS).to_pylist()
            lists = tokenizer.encode_batch(part, tokens_max=tokens_max)
            use.request.tokens_in += sum(map(len, lists))
            out[start : start + len(part)] = encode(network, lists, use.check)
        return out

    def _tokens_max(self) -> int | None:
        config = self._model.config
        found: int | None = config.get("text_tokens")
        return config.get("context") if found is None else found

    def anchors(self) -> npt.NDArray[np.float32]:
        """float32[M,D]: what it makes of ANCHORS tokens of its vocabulary, evenly chosen, each as a
        text."""
        import numpy as np
        import pyarrow as pa

        tokenizer = tokenizer_of(self._model)
        numbers = np.unique(np.linspace(0, tokenizer.size - 1, ANCHORS).astype(np.int64))
        words = [_word(tokenizer, int(n)) for n in numbers]
        return self.encode(pa.array(sorted({w for w in words if w}), pa.string()))

    def extent(self, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See Encoder. Vectors of length 1 lie in the unit ball. The last thing that is done to the
        others is a norm, w z + b with |z| at most sqrt(D): they lie in a ball around b. A static
        table holds every mean of its rows."""
        import numpy as np

        config = self._model.config
        centre: npt.NDArray[Any] = np.zeros(self.dimensions)
        radius = 1.0
        if not config.get("normalize"):
            if config["kind"] == "static":
                table = self._numbers("embedding.token.weight")
                scale = self._numbers("embedding.token.scale")
                if scale is not None and table is not None:
                    most = np.abs(scale).max(initial=0.0)
                    radius = float(np.sqrt(np.square(table).sum(axis=1)).max(initial=0.0) * most)
                else:
                    assert table is not None
                    return np.asarray(table @ matrix.T, np.float32)
            else:
                name = "norm.final"
                if self._model.tensor(f"{name}.weight") is None:
                    name = f"layer{config['layers'] - 1}.norm.mlp"
                weight, bias = (self._numbers(f"{name}.{part}") for part in ("weight", "bias"))
                assert weight is not None, f'model "{self.name}" has no last norm'
                offset = float(config.get("norm_offset") or 0.0)
                radius = float(np.abs(weight + offset).max() * np.sqrt(self.dimensions))
                centre = centre if bias is None else bias.reshape(-1)
        middle = np.asarray(matrix, np.float64) @ centre
        return np.asarray(np.stack((middle - radius, middle + radius)), np.float32)

    def _numbers(self, name: str) -> npt.NDArray[np.float32] | None:
        from hartonomous.kernels.quantize import dequantise

        tensor = self._model.tensor(name)
        if tensor is None:
            return None
        return dequantise(tensor.dtype, self._model.pack_of(tensor).data, tensor.length)


def _word(tokenizer: Tokenizer, number: int) -> str:
    """A token's text; "" for one that has none of its own."""
    if number in tokenizer.special.hidden:
        return ""
    try:
        piece = tokenizer.piece(number, True)
        return "" if piece is None else piece.decode("utf-8").strip()
    except (UnicodeDecodeError, ExecutionFault):  # a part of a character, a hole in the vocabulary
        return ""

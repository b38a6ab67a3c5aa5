"""The default encoder: WordLlama's static embeddings, run by our own kernel.

A text is tokenised (byte-pair encoding, no special tokens, never cut), its tokens' rows of a
learnt table are averaged, nothing is normalised; no token, no direction: the empty text is the zero
vector. The files come with the package `wordllama`, which is never imported; its own vectors are
equal up to the rounding of its float32 sums (tests/unit/test_encoders.py).

Source of the model: D. L. Miller, WordLlama (MIT), table l2_supercat, 32,000 tokens x 256, float16.
"""

from __future__ import annotations

import hashlib
import threading
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.encoders.base import EncoderEntry
from hartonomous.hql.errors import ResourceFault

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

NAME: Final = "wordllama"
DIMENSIONS: Final = 256
WEIGHTS: Final = "weights/l2_supercat_256.safetensors"
TOKENIZER: Final = "tokenizers/l2_supercat_tokenizer_config.json"
TENSOR: Final = "embedding.weight"

#: texts, and bytes of text, that the tokenizer gets at once: it keeps some 100 bytes per token
BATCH_TEXTS: Final = 1024
BATCH_BYTES: Final = 1 << 20


class WordLlama:
    """The loaded encoder. The table stays float16 until a batch is large enough for the compiled
    kernel, which reads float32 (32 MB)."""

    name = NAME
    dimensions = DIMENSIONS

    def __init__(self, folder: Path) -> None:
        from safetensors import safe_open
        from tokenizers import Tokenizer

        from hartonomous.hql.encoders.word_tokens import WordTokens

        self._files = folder / WEIGHTS, folder / TOKENIZER
        with safe_open(self._files[0], framework="np") as file:
            self._table: npt.NDArray[np.float16] = file.get_tensor(TENSOR)
        assert self._table.shape[1] == DIMENSIONS, self._table.shape
        tokenizer: Any = Tokenizer.from_file(str(self._files[1]))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokens = WordTokens(tokenizer, self._files[1])
        self._lock = threading.Lock()

    @cached_property
    def content_hash(self) -> str:
        digest = hashlib.sha256()
        for path in self._files:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def encode(self, texts: pa.StringArray) -> npt.NDArray[np.float32]:
        """See Encoder."""
        import numpy as np

        assert texts.null_count == 0
        out = np.empty((len(texts), DIMENSIONS), np.float32)
        start = 0
        for size in _batches(texts):
            out[start : start + size] = self._encode(texts.slice(start, size))
            start += size
        return out

    def _encode(self, texts: pa.StringArray) -> npt.NDArray[np.float32]:
        from hartonomous.kernels import pooling

        ids, offsets = self._tokens.tokenise(texts)
        if pooling.is_compiled_worth(len(ids) * DIMENSIONS):
            return pooling.mean_pool(self._wide_table(), ids, offsets)
        return pooling.mean_pool_reference(self._table, ids, offsets)

    def _wide_table(self) -> npt.NDArray[np.float32]:
        with self._lock:
            return self._widened

    @cached_property
    def _widened(self) -> npt.NDArray[np.float32]:
        import numpy as np

        return self._table.astype(np.float32)

    def anchors(self) -> npt.NDArray[np.float32]:
        """The rows of the table: a text's vector is a mean of them."""
        return self._wide_table()

    def extent(self, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The points of the anchors, whose convex hull (with zero) holds every text's vector."""
        points: npt.NDArray[np.float32] = self.anchors() @ matrix.T
        return points


def _batches(texts: pa.StringArray) -> list[int]:
    """How many texts go to the tokenizer at once, one number for each batch."""
    import numpy as np
    import pyarrow.compute as pc

    ends = np.cumsum(pc.binary_length(texts).to_numpy(zero_copy_only=False))
    sizes: list[int] = []
    start, before = 0, 0
    while start < len(texts):
        fitting = int(np.searchsorted(ends, before + BATCH_BYTES, side="right"))
        stop = min(max(fitting, start + 1), start + BATCH_TEXTS)
        sizes.append(stop - start)
        start, before = stop, int(ends[stop - 1])
    return sizes


def load() -> WordLlama:
    """The encoder from the installed package's files; ResourceFault NOT_INSTALLED without it."""
    missing = [name for name in (NAME, "tokenizers", "safetensors") if find_spec(name) is None]
    spec = None if missing else find_spec(NAME)
    folders = [] if spec is None else [Path(p) for p in spec.submodule_search_locations or ()]
    for folder in folders:
        if (folder / WEIGHTS).exists() and (folder / TOKENIZER).exists():
            return WordLlama(folder)
    what = ", ".join(missing) or f"the files of {NAME}"
    raise ResourceFault(
        f"EMBED with {NAME}: {what} cannot be found",
        code="NOT_INSTALLED",
        hint=f"pip install {' '.join(missing) or f'--force-reinstall {NAME}'}",
    )


WORDLLAMA = EncoderEntry(NAME, DIMENSIONS, load)

"""Vectors that were computed before, by the SHA-256 of their text: one bounded cache per process.

A ring of the last CACHE_TEXTS texts (32 MiB of vectors of 256), first in, first out. A batch looks
its distinct texts up, encodes those that are missing in one call, and keeps them.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from hartonomous.hql.encoders.base import Encoder

#: texts kept for each encoder
CACHE_TEXTS: Final = 1 << 15


class VectorCache:
    """The last texts of one encoder, and their vectors. Safe across threads."""

    def __init__(
        self, encoder: Encoder | None, capacity: int = CACHE_TEXTS, dimensions: int = 0
    ) -> None:
        """Without an encoder the cache is for `dimensions`, and each call brings what encodes."""
        import numpy as np

        self._encoder, self._capacity = encoder, capacity
        self._dimensions = dimensions if encoder is None else encoder.dimensions
        self._places: dict[bytes, int] = {}
        self._digests: list[bytes] = []  # by place
        self._vectors = np.empty((0, self._dimensions), np.float32)  # grows to the capacity
        self._next = 0
        self._lock = threading.Lock()

    def encode(self, texts: pa.StringArray) -> npt.NDArray[np.float32]:
        """float32[N,D], as the encoder gives them; `texts` has no NULLs."""
        assert self._encoder is not None
        return self.encode_with(texts, self._encoder.encode)[0]

    def encode_with(
        self, texts: pa.StringArray, encode: Callable[[Any], npt.NDArray[np.float32]]
    ) -> tuple[npt.NDArray[np.float32], int]:
        """float32[N,D], and how many of the texts were known."""
        import numpy as np
        import pyarrow as pa

        coded = texts.dictionary_encode()
        distinct = coded.dictionary
        digests = [hashlib.sha256(t.as_buffer() or b"").digest() for t in distinct]
        vectors = np.empty((len(distinct), self._dimensions), np.float32)
        with self._lock:
            places = np.array([self._places.get(d, -1) for d in digests], np.int64)
            known = places >= 0
            vectors[known] = self._vectors[places[known]]
        missing = np.flatnonzero(~known)
        if len(missing):
            vectors[missing] = encode(distinct.take(pa.array(missing)))
            self._keep([digests[i] for i in missing.tolist()], vectors[missing])
        rows = coded.indices.to_numpy()
        return vectors[rows], int(known[rows].sum())

    def _keep(self, digests: list[bytes], vectors: npt.NDArray[np.float32]) -> None:
        digests, vectors = digests[-self._capacity :], vectors[-self._capacity :]
        with self._lock:
            self._grow(len(digests))
            for digest, vector in zip(digests, vectors, strict=True):
                if digest in self._places:  # another thread was faster
                    continue
                place = self._next
                self._next = (place + 1) % self._capacity
                if place < len(self._digests):
                    del self._places[self._digests[place]]
                    self._digests[place] = digest
                else:
                    self._digests.append(digest)
                self._places[digest] = place
                self._vectors[place] = vector

    def _grow(self, more: int) -> None:
        """Room for `more` texts, up to the capacity; sizes double, so that it is seldom copied."""
        import numpy as np

        wanted = min(len(self._digests) + more, self._capacity)
        if wanted > len(self._vectors):
            rows = min(max(wanted, 2 * len(self._vectors)), self._capacity)
            grown = np.empty((rows, self._vectors.shape[1]), np.float32)
            grown[: len(self._vectors)] = self._vectors
            self._vectors = grown

"""What an encoder is: it gives every text a vector, the same one each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


class Encoder(Protocol):
    """A loaded encoder. Safe across threads."""

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def content_hash(self) -> str:
        """SHA-256, in hex, of everything that decides the vectors."""

    def encode(self, texts: pa.StringArray) -> npt.NDArray[np.float32]:
        """float32[N, dimensions] of N texts without NULLs; a text's vector does not depend on the
        others. ExecutionFault if it cannot be computed."""

    def anchors(self) -> npt.NDArray[np.float32]:
        """float32[M, dimensions]: vectors that stand for all. A space over this encoder is made of
        them when it is given no data."""

    def extent(self, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """float32[M,3]: points in whose box, with zero, every text's point lies; `matrix` is an
        orthonormal float32[3, dimensions]."""


@frozen
class EncoderEntry:
    """An encoder of the registry: what binding must know, and how it is loaded."""

    name: str
    dimensions: int
    load: Callable[[], Encoder]

"""Modality: how one kind of source becomes atoms. Source: the bytes it is read from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa


class Unreadable(Exception):
    """A source that cannot become atoms: a row of IngestErrors, with a stable code.

    FILE (the operating system refused), BINARY (no text), ENCODING, FORMAT (damaged), TOO_LARGE,
    DUPLICATE, NOT_INSTALLED, NOT_SUPPORTED.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(slots=True)
class Drafts:
    """Atoms to be: one block of a source's, in the source's order, as columns.

    `starts` and `ends` are byte offsets into the source. Where `exact`, the bytes between decode to
    the text; else they name the span of the element that the text was taken from. None: the
    source has no such places. `metadata` is JSON. `rows`: for modalities with a table of their own,
    one row of it for each text (Modality.table).
    """

    texts: list[str]
    starts: list[int] | None = None
    ends: list[int] | None = None
    exact: bool = True
    metadata: list[str | None] | None = None
    rows: pa.Table | None = None


@dataclass(slots=True)
class Source:
    """One source. `data` is all of it, or None for a file too large to be held: then it is read
    through `path`, and `opened` gets the number of the open file and may raise. `encoding`: how its
    text is encoded; None for sources that are no text."""

    uri: str
    size: int
    data: bytes | None = None
    path: Path | None = None
    encoding: str | None = None
    opened: Callable[[int], None] | None = None

    def pieces(self, size: int) -> Iterator[bytes]:
        """The bytes, `size` at a time. Raises Unreadable."""
        if self.data is not None:
            for start in range(0, len(self.data), size):
                yield self.data[start : start + size]
            return
        assert self.path is not None, self.uri
        try:
            with open(self.path, "rb") as file:
                if self.opened is not None:
                    self.opened(file.fileno())
                while piece := file.read(size):
                    yield piece
        except OSError as fault:
            raise Unreadable("FILE", fault.strerror or str(fault)) from None

    def whole(self, size_max: int) -> bytes:
        """All the bytes. Raises Unreadable if there are more than `size_max`."""
        if self.data is not None:
            return self.data
        if self.size > size_max:
            raise Unreadable("TOO_LARGE", f"{self.size:,} bytes; at most {size_max:,} can be read")
        return b"".join(self.pieces(size_max))


class Modality(Protocol):
    """One kind of source: a class derived from this. Stateless; called from a thread of its own."""

    #: Atoms.Modality and Atoms.Subtype of its atoms
    modality: str
    subtype: str
    #: endings of file names that it is chosen for, with their point, in lower case
    extensions: frozenset[str]
    #: whether sources are text, whose encoding is found before `read`, or bytes of a format
    is_text: bool = True
    #: what finds the encoding that a source declares, in its first KiB: a pattern with one group
    declares: re.Pattern[bytes] | None = None
    #: a stored system table that has a row for each atom met, or None. It has the columns AtomId
    #: and SourceUri, which the pipeline fills, as it does Embedding and SpatialKey if there are
    #: such; its rows of a source go when the source has changed and is read again.
    table: str | None = None

    def read(self, source: Source) -> Iterator[Drafts]:
        """The source's atoms, block by block, in order. Raises Unreadable; nothing of the source
        is kept then."""
        ...

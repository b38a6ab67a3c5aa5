"""Sources: files and the rows of a query, each with its URI and the SHA-256 of its bytes.

A file's URI is its absolute path as `file:///…`; that of a row is `table:key`. A source whose hash
is that of the last time is not read again.
"""

from __future__ import annotations

import codecs
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hartonomous.hql.errors import PermissionFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.modalities.base import Modality, Source, Unreadable
from hartonomous.hql.modalities.decoding import (
    BLOCK_BYTES,
    SAMPLE_BYTES,
    around,
    check_text,
    find_encoding,
    guess,
)

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.security.files import FileAccess

#: files up to that size are read once and held; of larger ones a block at a time is
HELD_BYTES_MAX: Final = BLOCK_BYTES
#: where a declaration of the encoding is looked for
DECLARED_BYTES: Final = 2 << 10


@frozen
class Request:
    """A source to be read: a file, or a text that is there already. `access` is asked about a file
    once it is open."""

    uri: str
    path: Path | None = None
    data: bytes | None = None
    access: FileAccess | None = None

    def open(self) -> tuple[Source, bytes]:
        """The source, its encoding not found yet, and its hash. Raises Unreadable FILE."""
        if self.data is not None:
            return Source(self.uri, len(self.data), self.data), sha256(self.data).digest()
        assert self.path is not None
        try:
            found = self.path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise Unreadable("FILE", "not a regular file")
            if found.st_size <= HELD_BYTES_MAX:
                with self.path.open("rb") as file:
                    self._check(file.fileno())
                    data = file.read()
                return Source(self.uri, len(data), data), sha256(data).digest()
        except OSError as fault:
            raise Unreadable("FILE", fault.strerror or str(fault)) from None
        source = Source(self.uri, found.st_size, path=self.path, opened=self._check)
        digest = sha256()
        for piece in source.pieces(BLOCK_BYTES):
            digest.update(piece)
        return source, digest.digest()

    def _check(self, number: int) -> None:
        """Raises Unreadable for a file that is open and may not be read."""
        if self.access is not None:
            try:
                self.access.check_open(number, str(self.path))
            except PermissionFault as fault:
                raise Unreadable("FILE", fault.message) from None


def file_requests(paths: list[Path], access: FileAccess | None) -> Iterator[Request]:
    """A request for each path, absolute."""
    for path in paths:
        yield Request(path.as_uri(), path, access=access)


def row_requests(rows: Result, name: str) -> Iterator[Request]:
    """A request for each row of (key, text); rows without a text are none."""
    for batch in rows.batches():
        keys, texts = (batch.column(i).to_pylist() for i in range(2))
        for key, text in zip(keys, texts, strict=True):
            if text is not None:
                yield Request(f"{name}:{key}", data=text.encode())


def prepare(source: Source, modality: Modality) -> None:
    """Finds the encoding of a source of text. Raises Unreadable."""
    if not modality.is_text:
        return
    head = source.data
    if head is None:
        head = next(source.pieces(SAMPLE_BYTES), b"")
    declared = None
    if modality.declares is not None:
        match = modality.declares.search(head, 0, DECLARED_BYTES)
        declared = match[1].decode("ascii", "replace") if match is not None else None
    encoding = find_encoding(head, declared, is_whole=source.data is not None)
    if source.data is None:
        misfit = _find_misfit(source, encoding)
        if misfit is not None and encoding == "utf-8":
            encoding = guess(misfit)  # what made it seem UTF-8 was all before the first accent
            misfit = _find_misfit(source, encoding)
        if misfit is not None:
            raise Unreadable("ENCODING", f"not {encoding}, as it seemed")
    source.encoding = encoding


def _find_misfit(source: Source, encoding: str) -> bytes | None:
    """The bytes about the first place of a large source that does not decode; None if all does.
    Raises Unreadable BINARY: nothing of a source is kept that is not text to its end."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    for piece in source.pieces(BLOCK_BYTES):
        if not encoding.startswith(("utf-16", "utf-32")):
            check_text(piece)
        try:
            decoder.decode(piece)
        except UnicodeDecodeError as fault:
            return around(piece, fault.start)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as fault:
        return bytes(fault.object)
    return None

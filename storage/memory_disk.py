"""A disk that is memory: where a database without a folder keeps its objects.

Files are only ever written from end to end (objects are), and mapped once they are whole; a map
begins at a multiple of 64, as that of a real file does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from hartonomous.storage.disk import Data, Disk, File
from hartonomous.storage.errors import DiskFault


class MemoryDisk(Disk):
    """As much of a disk as Objects asks for."""

    def __init__(self) -> None:
        self._open: dict[Path, pa.BufferOutputStream] = {}
        self._whole: dict[Path, pa.Buffer] = {}

    def do_make_folder(self, path: Path, *, sync: bool = True) -> None:
        """Folders are nothing but the beginnings of paths."""

    def do_create(self, path: Path) -> File:
        if self.exists(path):
            raise DiskFault(f'cannot create "{path}": it exists')
        self._open[path] = pa.BufferOutputStream()
        return File(self, path, -1)

    def do_write(self, file: File, pieces: Sequence[Data], offset: int) -> int:
        stream = self._open[file.path]
        assert stream.tell() == offset, (stream.tell(), offset)
        return sum(stream.write(piece) for piece in pieces)

    def do_sync(self, file: File) -> None:
        """Memory is as safe as it gets."""

    def do_rename(self, source: Path, target: Path) -> None:
        self._finish(source)
        self._whole[target] = self._whole.pop(source)

    def do_remove(self, path: Path) -> None:
        self._open.pop(path, None)
        self._whole.pop(path, None)

    def do_sync_folder(self, path: Path) -> None:
        """As do_sync."""

    def do_sync_many(self, files: Sequence[File], folders: Sequence[Path] = ()) -> None:
        """As do_sync."""

    def exists(self, path: Path) -> bool:
        return path in self._whole or path in self._open

    def size(self, path: Path) -> int:
        return int(self.map(path).size)

    def list_folder(self, path: Path) -> list[str]:
        depth = len(path.parts)
        inside = (p.parts[depth] for p in list(self._whole) if path in p.parents)
        return sorted(set(inside))

    def map(self, path: Path) -> pa.Buffer:
        self._finish(path)
        if path not in self._whole:
            raise DiskFault(f'cannot map "{path}": there is no such file')
        return self._whole[path]

    def _finish(self, path: Path) -> None:
        """Nothing more is written to a file that was mapped or renamed."""
        stream = self._open.pop(path, None)
        if stream is not None:
            whole = memoryview(stream.getvalue())
            self._whole[path] = pa.py_buffer(whole.toreadonly())

    def start_writeback(self, file: File, offset: int, length: int) -> None:
        """There is nowhere to write it."""

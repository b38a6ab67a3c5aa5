"""A disk that fails, tears or loses power at its n-th change. For tests.

    disk = FaultyDisk()                     counts changes (`operations`) and fails at none
    disk = FaultyDisk(at=7)                 the 7th change fails and leaves no trace
    disk = FaultyDisk(at=7, tear=True)      ... is half done and then fails, where it can be
    disk = FaultyDisk(at=7, once=True)      later changes work again
After the failure every further change fails too (unless `once`). Then, or at any moment,
    disk.cut_power(seed)                    what was not synced is lost, or partly kept
works on the real files, which a plain Disk opens afterwards. A power cut keeps of each file's
unsynced writes the first ones and a torn piece of the next (`scattered`: any 512-byte sectors),
and of the unsynced names (folders and files; created, renamed, removed) the first ones.
Syncing is only noted, not done: what it promises is acted out.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hartonomous.storage.disk import Data, Disk, File
from hartonomous.storage.errors import DiskFault

SECTOR = 512


@dataclass
class Content:
    """What is on the medium of a file, and what is only in the page cache: (offset, bytes), or
    (length, None) for a new length."""

    durable: bytes = b""
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)


@dataclass
class NameChange:
    """A change of a folder that is not synced, and how to take it back."""

    folder: Path
    undo: Callable[[], None]


class TwoStepDisk(Disk):
    """A disk on which no write syncs too: who overrides do_sync sees every sync."""

    def do_write_through(self, file: File, pieces: Sequence[Data], offset: int) -> int:
        written = self.do_write(file, pieces, offset)
        self.do_sync(file)
        return written


class FaultyDisk(TwoStepDisk):
    """See the module's head. `log` lists the changes as (what, file name)."""

    def __init__(self, at: int | None = None, *, tear: bool = False, once: bool = False) -> None:
        self.at, self.tear, self.once = at, tear, once
        self.operations = 0
        self.log: list[tuple[str, str]] = []
        self._is_broken = False
        self._contents: dict[Path, Content] = {}
        self._names: list[NameChange] = []

    def cut_power(self, seed: int, *, scattered: bool = False) -> None:
        """Leave on the real disk what a machine would find after a power cut now."""
        chance = random.Random(seed)
        for path, content in self._contents.items():
            if content.unsynced and path.exists():
                path.write_bytes(_survivors(content, chance, scattered))
        kept = chance.randint(0, len(self._names))
        for change in reversed(self._names[kept:]):
            if change.folder.is_dir():
                change.undo()
        self._is_broken, self.once = True, False

    # --- the changes ---------------------------------------------------------------------

    def do_make_folder(self, path: Path, *, sync: bool = True) -> None:
        if not path.is_dir():
            self._step("make folder", path)
            self._names.append(NameChange(path.parent, lambda: shutil.rmtree(path, True)))
        super().do_make_folder(path, sync=sync)

    def do_create(self, path: Path) -> File:
        self._step("create", path)
        file = super().do_create(path)
        self._contents[path] = Content()
        self._names.append(NameChange(path.parent, lambda: path.unlink(missing_ok=True)))
        return file

    def do_write(self, file: File, pieces: Sequence[Data], offset: int) -> int:
        data = b"".join(bytes(p) for p in pieces)
        content = self._content(file.path)
        if self._fails("write", file.path):
            if self.tear:
                part = data[: len(data) // 2]
                super().do_write(file, [part], offset)
                content.unsynced.append((offset, part))
            raise self._fault("write", file.path)
        content.unsynced.append((offset, data))
        return super().do_write(file, [data], offset)

    def do_sync(self, file: File) -> None:
        content = self._content(file.path)
        self._step("sync", file.path)
        content.durable, content.unsynced = file.path.read_bytes(), []

    def do_allocate(self, file: File, offset: int, length: int) -> None:
        content = self._content(file.path)
        self._step("allocate", file.path)
        super().do_allocate(file, offset, length)
        content.unsynced.append((max(file.size(), offset + length), None))

    def do_truncate(self, file: File, length: int) -> None:
        content = self._content(file.path)
        self._step("truncate", file.path)
        super().do_truncate(file, length)
        content.unsynced.append((length, None))

    def do_rename(self, source: Path, target: Path) -> None:
        self._step("rename", target)
        replaced = target.read_bytes() if target.exists() else None
        super().do_rename(source, target)
        if source in self._contents:
            self._contents[target] = self._contents.pop(source)

        def undo() -> None:
            if target.exists():
                os.rename(target, source)
            if replaced is not None:
                target.write_bytes(replaced)

        self._names.append(NameChange(target.parent, undo))

    def do_link(self, source: Path, target: Path) -> bool:
        self._step("link", target)
        linked = super().do_link(source, target)
        if linked:
            self._names.append(NameChange(target.parent, lambda: target.unlink(missing_ok=True)))
        return linked

    def do_remove(self, path: Path) -> None:
        if not path.exists():
            return
        self._step("remove", path)
        content = path.read_bytes()
        super().do_remove(path)
        self._contents.pop(path, None)
        self._names.append(NameChange(path.parent, lambda: _write_back(path, content)))

    def do_sync_folder(self, path: Path) -> None:
        self._step("sync folder", path)
        self._names = [n for n in self._names if n.folder != path]

    def do_sync_many(self, files: Sequence[File], folders: Sequence[Path] = ()) -> None:
        for file in files:
            self.do_sync(file)
        for folder in folders:
            self.do_sync_folder(folder)

    # --- failing -------------------------------------------------------------------------

    def _fails(self, what: str, path: Path) -> bool:
        """Count a change; whether it is to fail."""
        if self._is_broken:
            raise self._fault(what, path)
        self.operations += 1
        self.log.append((what, path.name))
        if self.operations != self.at:
            return False
        self._is_broken = not self.once
        return True

    def _step(self, what: str, path: Path) -> None:
        if self._fails(what, path):
            raise self._fault(what, path)

    def _fault(self, what: str, path: Path) -> DiskFault:
        return DiskFault(f'cannot {what} "{path}": the disk of this test failed')

    def _content(self, path: Path) -> Content:
        """What is known of a file, before it changes."""
        if path not in self._contents:
            self._contents[path] = Content(path.read_bytes())
        return self._contents[path]


def _write_back(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


def _survivors(content: Content, chance: random.Random, scattered: bool) -> bytes:
    data = bytearray(content.durable)
    if scattered:
        for offset, piece in content.unsynced:
            if piece is None:
                _resize(data, offset)
            for start in range(0, len(piece or b""), SECTOR):
                if chance.random() < 0.5:
                    _overwrite(data, offset + start, (piece or b"")[start : start + SECTOR])
        return bytes(data)
    kept = chance.randint(0, len(content.unsynced))
    for number, (offset, piece) in enumerate(content.unsynced[: kept + 1]):
        if piece is None:
            _resize(data, offset if number < kept else len(data))
        else:
            cut = len(piece) if number < kept else chance.randint(0, len(piece))
            _overwrite(data, offset, piece[:cut])
    return bytes(data)


def _resize(data: bytearray, length: int) -> None:
    del data[length:]
    data.extend(bytes(length - len(data)))


def _overwrite(data: bytearray, offset: int, piece: bytes) -> None:
    if piece:
        data.extend(bytes(max(0, offset - len(data))))
        data[offset : offset + len(piece)] = piece

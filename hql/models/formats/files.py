"""Model files on disk: opened and read within bounds, or written whole. OSError ends here.

Reading is pread from a regular file, checked against the size the file had when it was opened: a
pipe would wait forever, a device never ends, and a file that shrinks must be an error.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from hartonomous.hql.errors import FileFault
from hartonomous.hql.models.formats.source import Bytes, ReadBytes
from hartonomous.hql.security.files import check_read

#: a single pread gives at most 2 GiB
READ_MAX: Final = 1 << 30


def bad_file(path: Path, what: str, offset: int | None = None) -> FileFault:
    """MODEL_FORMAT: which file, where in it, what is wrong."""
    place = f'"{path}"' if offset is None else f'"{path}", byte {offset:,}'
    return FileFault(
        f"{place}: {what}",
        code="MODEL_FORMAT",
        hint="the file is damaged or incomplete, or not what its name says: get it again",
    )


class ModelFile:
    """A regular file open for reading; `size` is what it had then. Any thread may read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # without O_NONBLOCK, opening a pipe would wait for a writer
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
            self._descriptor = os.open(path, flags)
        except (OSError, ValueError) as fault:
            raise unreadable(path, fault) from fault
        try:
            check_read(self._descriptor, path)
        except BaseException:
            self.close()
            raise
        status = os.fstat(self._descriptor)
        self.size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise FileFault(f'"{path}" is no regular file')

    def read(self, start: int, stop: int) -> Bytes:
        """Bytes [start, stop). MODEL_FORMAT if the file has become shorter since it was opened."""
        assert 0 <= start <= stop <= self.size, (start, stop, self.size)
        data = np.empty(stop - start, np.uint8)
        view = data.data
        done = 0
        while done < len(view):
            try:
                piece = view[done : done + READ_MAX]
                count = os.preadv(self._descriptor, [piece], start + done)
            except OSError as fault:
                raise unreadable(self.path, fault) from fault
            if count == 0:
                raise bad_file(self.path, "the file was cut short while it was read", start + done)
            done += count
        return data

    def reader(self, first: int, length: int) -> ReadBytes:
        """Reads of the `length` bytes from `first` on."""

        def read(start: int = 0, stop: int | None = None, /) -> Bytes:
            stop = length if stop is None else stop
            assert 0 <= start <= stop <= length, (start, stop, length)
            return self.read(first + start, first + stop)

        return read

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def read_whole(path: Path, bytes_max: int) -> bytes:
    """A small file's content. MODEL_FORMAT if it is longer than `bytes_max`."""
    file = ModelFile(path)
    try:
        if file.size > bytes_max:
            raise bad_file(path, f"{file.size:,} bytes are more than {bytes_max:,}")
        return file.read(0, file.size).tobytes()
    finally:
        file.close()


def unreadable(path: Path, fault: Exception) -> FileFault:
    """FILE: what the operating system says of a file that it does not give."""
    return FileFault(f'"{path}" cannot be read: {getattr(fault, "strerror", None) or fault}')


# --- writing -------------------------------------------------------------------------------------


@contextmanager
def written(path: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name when the block is through and its bytes are on the disk; an
    existing one is replaced. FILE if it cannot be."""
    temporary = _temporary(path)
    try:
        with _translated(path):
            if not path.parent.is_dir():
                raise FileFault(f'"{path}": there is no folder "{path.parent}"')
            if path.is_dir():
                raise FileFault(f'"{path}" is a folder')
            with open(temporary, "wb") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            os.replace(temporary, path)
            _sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):  # what was wrong has been said
            temporary.unlink()


@contextmanager
def written_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that gets its name when the block is through. FILE if there is one that is
    not empty: files of two models must not mix."""
    path = Path(os.path.abspath(path))
    temporary = _temporary(path)
    try:
        with _translated(path):
            if not path.parent.is_dir():
                raise FileFault(f'"{path}": there is no folder "{path.parent}"')
            if path.is_dir() and any(path.iterdir()):
                raise FileFault(f'"{path}" is not empty', hint="name a folder that is not there")
            if os.path.lexists(path) and not path.is_dir():
                raise FileFault(f'"{path}" is a file, and a folder is to be written')
            temporary.mkdir()
            yield temporary
            for folder, _, _ in os.walk(temporary):
                _sync_folder(Path(folder))
            os.rename(temporary, path)
            _sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def make_folder(path: Path) -> None:
    """A folder in one that is there, unless it is there already. FILE if it cannot be made."""
    with _translated(path):
        path.mkdir(exist_ok=True)
        _sync_folder(path.parent)


def write_new(path: Path, pieces: Iterable[Any]) -> None:
    """A new file of some buffers, on the disk when this returns; for files of `written_folder`."""
    with open(path, "xb") as out:
        for piece in pieces:
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise FileFault(f'"{path}" cannot be written: {fault.strerror or fault}') from fault


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

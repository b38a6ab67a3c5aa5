"""The folders that a session's statements may read from and write to.

A server's sessions have one; in a session without one, statements read and write what the process
may. A path is followed to its end first (`..`, links, `~`), and must then lie in one of the
folders, which were followed once themselves. What is opened is asked once more: a link that was put
in the way between is found out by where the open file is (`check_open`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from hartonomous.hql.errors import PermissionFault
from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.hql.ast import Node
    from hartonomous.hql.context import Context


def followed(path: str | Path) -> str | None:
    """The path without links and `..`; None if a link on the way cannot be read (`/proc/1/cwd`)."""
    try:
        return os.path.realpath(path)
    except OSError:
        return None


@frozen
class FileAccess:
    """Absolute folders without links. Paths that are not absolute are taken from the first one."""

    reading: tuple[str, ...] = ()
    writing: tuple[str, ...] = ()

    @staticmethod
    def of(reading: Iterable[str | Path] = (), writing: Iterable[str | Path] = ()) -> FileAccess:
        """What may be written may be read too."""
        write = tuple(os.path.realpath(p) for p in writing)
        return FileAccess((*(os.path.realpath(p) for p in reading), *write), write)

    def resolve(self, path: str, *, to_write: bool = False) -> str:
        """The path without links and `..`, if it lies within reach. PERMISSION, which says nothing
        of what is there."""
        folders = self.writing if to_write else self.reading
        if folders and path.strip() and "\0" not in path:
            whole = os.path.join(folders[0], os.path.expanduser(path))
            real = followed(whole)
            if real is not None and self.holds(real, to_write=to_write) and _is_plain(real):
                return real
        raise outside(path, to_write=to_write)

    def holds(self, real: str, *, to_write: bool = False) -> bool:
        """Whether a path without links lies in one of the folders."""
        folders = self.writing if to_write else self.reading
        return any(real == f or real.startswith(f.rstrip("/") + "/") for f in folders)

    def check_open(self, number: int, path: str, *, to_write: bool = False) -> None:
        """PERMISSION if an open file is not where its path said: somebody put a link there."""
        real = os.path.realpath(f"/proc/self/fd/{number}")
        is_known = real.startswith("/proc/self/fd/")  # a system without /proc
        if not is_known and not self.holds(real.removesuffix(" (deleted)"), to_write=to_write):
            raise outside(path, to_write=to_write)


def _is_plain(real: str) -> bool:
    """Whether there is a file or a folder, or nothing: no device, pipe or socket."""
    try:
        mode = os.stat(real, follow_symlinks=False).st_mode
    except OSError:
        return True  # who opens it says what is wrong
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def outside(path: str, *, to_write: bool = False) -> PermissionFault:
    """The error for a path that is out of reach."""
    verb = "write" if to_write else "read"
    return PermissionFault(
        f"permission denied: this server may not {verb} '{path}'",
        hint=f"its setting {verb}_folders says where it may",
    )


#: what the statement that reads files in this thread may read
_current: ContextVar[FileAccess | None] = ContextVar("files", default=None)


@contextmanager
def reading(access: FileAccess | None) -> Iterator[None]:
    """Inside the block files that are opened in this thread are asked about."""
    token = _current.set(access)
    try:
        yield
    finally:
        _current.reset(token)


def check_read(number: int, path: str | Path) -> None:
    """PERMISSION if a file that was just opened lies where the statement may not read."""
    access = _current.get()
    if access is not None:
        access.check_open(number, str(path))


def within(context: Context, path: str, node: Node, *, to_write: bool = False) -> str:
    """A path that a statement names, as the session may use it."""
    access = context.session.files
    if access is None:
        return path
    try:
        return access.resolve(path, to_write=to_write)
    except PermissionFault as fault:
        fault.line, fault.column = node.span.line, node.span.column
        raise

"""A file's bytes in memory without a descriptor: models are hundreds of objects, and a process may
have no more than a thousand descriptors by default. Python's mmap keeps one for each mapping
(before 3.13 it cannot be told not to), Arrow's memory maps too; POSIX asks for none."""

from __future__ import annotations

import ctypes
import mmap
import os

import pyarrow as pa

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_FAILED = ctypes.c_void_p(-1).value


class _Mapping:
    """Pages that are given back when nothing refers to them any more."""

    __slots__ = ("_unmap", "address", "size")

    def __init__(self, descriptor: int, size: int) -> None:
        self._unmap = _libc.munmap  # at the end of a process the module may be gone before us
        self.size = 0
        address = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        if address == _FAILED:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self.address, self.size = address, size

    def __del__(self) -> None:
        if self.size:
            self._unmap(self.address, self.size)


def map_file(descriptor: int, size: int) -> pa.Buffer:
    """`size` bytes (at least one) of an open file, read-only; the descriptor may be closed at once.
    OSError if the system refuses."""
    mapping = _Mapping(descriptor, size)
    return pa.foreign_buffer(mapping.address, size, base=mapping)

"""A file's bytes in memory without a descriptor: models are hundreds of objects, and a process may
have no more than a thousand descriptors by default. Python's mmap keeps one for each mapping of a
file (before 3.13 it cannot be told not to), Arrow's memory maps too; POSIX asks for none.

So a mapping of Python's that has no file holds the place, and the file is mapped over it. It is
given back by Python's own C code when nothing refers to it any more: a finaliser in Python would
swallow a Ctrl-C that came just then.
"""

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
_FAILED = ctypes.c_void_p(-1).value
#: the same on Linux and macOS; Python 3.11's mmap does not name it
_MAP_FIXED = 0x10


def map_file(descriptor: int, size: int) -> pa.Buffer:
    """`size` bytes (at least one) of an open file, read-only; the descriptor may be closed at once.
    OSError if the system refuses."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    buffer = pa.py_buffer(mmap.mmap(-1, size, flags=flags, prot=mmap.PROT_READ))
    over = mmap.MAP_SHARED | _MAP_FIXED
    address = _libc.mmap(buffer.address, size, mmap.PROT_READ, over, descriptor, 0)
    if address == _FAILED:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    assert address == buffer.address, (address, buffer.address)
    return buffer

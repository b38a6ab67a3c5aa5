"""Packs: objects that hold named arrays (death logs, key indexes, leaves), mapped when read.

"HRTMPACK", then each array at a multiple of 64, then the directory (blocks.py) with kind, info
and for each array its dtype, shape and place. An array's blocks are checked when it is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.storage.blocks import BlockReader, BlockWriter, ObjectRef
from hartonomous.storage.decoding import decoding
from hartonomous.storage.objects import Objects

MAGIC: Final = b"HRTMPACK"
_DTYPES: Final = ("|u1", "|b1", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8")


def write_pack(
    objects: Objects,
    kind: str,
    arrays: Mapping[str, npt.NDArray[Any]],
    info: Mapping[str, Any] | None = None,
) -> ObjectRef:
    """Store arrays (of the types in _DTYPES, any shape) and a little plain data, durably."""
    writer = BlockWriter(objects)
    places: dict[str, list[Any]] = {}
    try:
        writer.write(MAGIC)
        for name, array in arrays.items():
            assert array.dtype.str in _DTYPES, array.dtype
            writer.align()
            data = pa.py_buffer(np.ascontiguousarray(array))
            places[name] = [array.dtype.str, list(array.shape), writer.size, data.size]
            writer.write(data)
        return writer.finish({"kind": kind, "info": dict(info or {}), "arrays": places})
    except BaseException:
        writer.abort()
        raise


class Pack:
    """A pack, mapped. `kind` is what it must be; `label` whose it is, for errors."""

    def __init__(self, objects: Objects, ref: ObjectRef, kind: str, label: str = "") -> None:
        self._blocks = BlockReader(objects, ref, label)
        directory = self._blocks.directory
        with decoding(f"object {ref.name}"):
            if directory["kind"] != kind:
                raise ValueError(f"it is a pack of {directory['kind']}, not {kind}")
            self.info: dict[str, Any] = directory["info"]
            self._places: dict[str, list[Any]] = directory["arrays"]

    @property
    def names(self) -> list[str]:
        return list(self._places)

    def array(self, name: str) -> npt.NDArray[Any]:
        """A read-only array over the mapping, its blocks checked; Corruption if one is damaged."""
        with decoding(f"object {self._blocks.ref.name}"):
            dtype, shape, offset, length = self._places[name]
            if dtype not in _DTYPES or math.prod(shape) * np.dtype(dtype).itemsize != length:
                raise ValueError(f"array {name} of {dtype}{shape} in {length} bytes")
            return np.frombuffer(self._blocks.slice(offset, length), dtype).reshape(shape)

    def check_all(self) -> None:
        """Re-check every block."""
        self._blocks.check_all()

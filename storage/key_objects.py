"""Key indexes as objects: packs with `hashes` uint64[M] ascending and `offsets` uint32[M]."""

from __future__ import annotations

from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.chunk import Int64
from hartonomous.storage.keyhash import UInt64
from hartonomous.storage.objects import Objects
from hartonomous.storage.packs import Pack, write_pack

KIND = "key"


def write_key_index(objects: Objects, index: tuple[UInt64, Int64]) -> ObjectRef:
    hashes, offsets = index
    arrays = {"hashes": hashes.astype("<u8", copy=False), "offsets": offsets.astype("<u4")}
    return write_pack(objects, KIND, arrays)


def read_key_index(objects: Objects, ref: ObjectRef, label: str) -> tuple[UInt64, Int64]:
    """Raises Corruption if a block is damaged."""
    pack = Pack(objects, ref, KIND, label)
    return pack.array("hashes"), pack.array("offsets")

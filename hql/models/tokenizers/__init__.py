"""Tokenizers of models. Adding a kind = NAME.py here and a line in KINDS.

A tokenizer is stored as one object, a msgpack map: `kind`, and what the kind reads: `files` (name
to bytes) of a Hugging Face folder, or `metadata` (the keys `tokenizer.*` of a GGUF file), so that
what was imported can be written again.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from hartonomous.hql.models.tokenizers import bytes as bytes_kind
from hartonomous.hql.models.tokenizers import gguf as gguf_kind
from hartonomous.hql.models.tokenizers import json as json_kind
from hartonomous.hql.models.tokenizers.base import Tokenizer as Tokenizer
from hartonomous.hql.models.tokenizers.base import model_input

KINDS: dict[str, Callable[[Mapping[str, Any], str], Tokenizer]] = {
    "bytes": bytes_kind.load,
    "gguf": gguf_kind.load,
    "json": json_kind.load,
}

#: loaded tokenizers kept per process, and the bytes of their packed forms (some 20 times that in
#: memory)
LOADED_MAX: Final = 8
LOADED_BYTES_MAX: Final = 1 << 26

_loaded: OrderedDict[str, tuple[Tokenizer, int]] = OrderedDict()
_lock = threading.Lock()


class Source(Protocol):
    """What packing needs of a model's source: `{"kind": "json", "files": {name: bytes}}`,
    `{"kind": "gguf", "metadata": {key: value}}` or `{}`."""

    @property
    def tokenizer(self) -> Mapping[str, Any]: ...


def pack_tokenizer(source: Source) -> bytes | None:
    """The stored form, the same bytes for the same tokenizer; None if the source has none. What is
    wrong with it is said when a text comes, as rows import without."""
    return pack(source.tokenizer) if source.tokenizer.get("kind") else None


def pack(tokenizer: Mapping[str, Any]) -> bytes:
    """The stored form of `{"kind": …, …}`."""
    import msgpack

    packed: bytes = msgpack.packb(_plain(tokenizer), unicode_errors="surrogateescape")
    return packed


def unpack(data: bytes | memoryview) -> dict[str, Any]:
    """What was packed, arrays as lists."""
    import msgpack

    found: dict[str, Any] = msgpack.unpackb(data, unicode_errors="surrogateescape")
    return found


def load_tokenizer(data: bytes | memoryview, name: str | None = None) -> Tokenizer:
    """The tokenizer of a stored form; `name`, the object's, spares hashing it. Kept in a bounded
    cache. ExecutionFault MODEL_INPUT if nothing can be tokenized with it."""
    digest = name or hashlib.sha256(data).hexdigest()
    return get_tokenizer(digest, lambda: data)


def get_tokenizer(name: str, read: Callable[[], bytes | memoryview]) -> Tokenizer:
    """load_tokenizer of an object that is only read if it is not loaded."""
    with _lock:
        if name in _loaded:
            _loaded.move_to_end(name)
            return _loaded[name][0]
    data = read()
    packed = unpack(data)
    kind = KINDS.get(packed["kind"])
    if kind is None:
        raise model_input(f'a tokenizer of the kind "{packed["kind"]}" is not known')
    tokenizer = kind(packed, name)
    with _lock:
        _loaded[name] = tokenizer, len(data)
        while len(_loaded) > 1 and (
            len(_loaded) > LOADED_MAX or sum(n for _, n in _loaded.values()) > LOADED_BYTES_MAX
        ):
            _loaded.popitem(last=False)
    return tokenizer


def _plain(value: Any) -> Any:
    """Maps in the order of their keys, arrays as lists."""
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy's arrays and scalars
        return value.tolist()
    return value

"""A model's manifest: all that equal models share, as one object of canonical msgpack.

It has no names of models, ids or times in it, so equal models have equal manifests. Objects are
listed once, each with what errors call it, and referred to by their place in the list.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgpack

from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.model import ModelDraft, Tensor
from hartonomous.storage.commit_path import encodable
from hartonomous.storage.decoding import decoding, unpack
from hartonomous.storage.errors import FormatFault
from hartonomous.storage.tensors import PackRef, read_object

if TYPE_CHECKING:
    from hartonomous.storage.database import Database

VERSION = 1
#: manifests kept as Python's objects
KEPT_MAX = 64


@frozen
class Contents:
    """A manifest, read."""

    architecture: str
    config: Mapping[str, Any]
    tensors: tuple[Tensor, ...]
    tokenizer: str | None
    importance: str
    is_runnable: bool
    source: Mapping[str, Any]
    projections: Mapping[int, str]
    attachments: Mapping[str, str]
    by_name: Mapping[str, Tensor]
    content_hash: str

    @property
    def row_count(self) -> int:
        return sum(t.rows for t in self.tensors)

    @property
    def parameter_count(self) -> int:
        return sum(t.parameter_count for t in self.tensors)

    @property
    def bytes(self) -> int:
        return sum(t.pack.bytes for t in self.tensors)


def contents_of(draft: ModelDraft) -> Contents:
    """What a draft's manifest says; its tensors get their first rows."""
    tensors, row = [], 0
    for tensor in draft.tensors:
        tensors.append(replace(tensor, first_row=row))
        row += tensor.rows
    by_name = {t.name: t for t in tensors}
    assert len(by_name) == len(tensors), "two tensors of one name"
    return Contents(
        draft.architecture,
        draft.config,
        tuple(tensors),
        draft.tokenizer,
        draft.importance,
        draft.is_runnable,
        draft.source,
        draft.projections,
        draft.attachments,
        by_name,
        content_hash(draft),
    )


def content_hash(draft: ModelDraft) -> str:
    """SHA-256 of all that decides what the model computes: architecture, configuration, tensors'
    names, shapes and bytes, tokenizer. Hex."""
    parts = [
        draft.architecture,
        _json(draft.config),
        [[t.name, t.layer, list(t.shape), bytes.fromhex(t.pack.name)] for t in draft.tensors],
        draft.tokenizer,
    ]
    return hashlib.sha256(_pack(parts)).hexdigest()


def pack_manifest(contents: Contents) -> bytes:
    """The manifest's bytes, the same for equal contents."""
    listed: dict[str, tuple[int, str]] = {}

    def place(name: str, label: str) -> int:
        return listed.setdefault(name, (len(listed), encodable(label)))[0]

    tensors = [
        [
            t.name,
            t.source_name,
            t.layer,
            t.dtype,
            t.rows,
            t.length,
            list(t.shape),
            place(t.pack.name, f'tensor "{t.name}"'),
            place(t.row_data, f'row data of tensor "{t.name}"'),
            t.unit_kind,
            dict(t.recipe),
        ]
        for t in contents.tensors
    ]
    data = {
        "architecture": contents.architecture,
        "attachments": [[k, place(v, k)] for k, v in sorted(contents.attachments.items())],
        "config": _json(contents.config),
        "content_hash": bytes.fromhex(contents.content_hash),
        "importance": place(contents.importance, "importance"),
        "is_runnable": contents.is_runnable,
        "projections": [
            [length, place(name, f"projection of rows of {length}")]
            for length, name in sorted(contents.projections.items())
        ],
        "source": dict(contents.source),
        "tensors": tensors,
        "tokenizer": contents.tokenizer and place(contents.tokenizer, "tokenizer"),
        "version": VERSION,
    }
    objects = [[bytes.fromhex(name), label] for name, (_, label) in listed.items()]
    return _pack({"model": _pack(data), "objects": objects})


def read_contents(database: Database, manifest: str, model: str) -> Contents:
    """What a manifest says. Corruption if it is damaged or missing, naming the model."""
    with _lock:
        found = _kept.pop(manifest, None)
    if found is None:
        packed = read_object(database, manifest, f'the manifest of model "{model}"')
        with decoding(f"model manifest {manifest}"):
            found = _unpacked(packed)
    with _lock:
        _kept[manifest] = found
        while len(_kept) > KEPT_MAX:
            _kept.pop(next(iter(_kept)))
    return found


#: by the manifest's name, which is its content: the same in every database; the oldest use first
_kept: dict[str, Contents] = {}
_lock = threading.Lock()


def _unpacked(packed: Any) -> Contents:
    whole = unpack(packed)
    data: dict[str, Any] = msgpack.unpackb(
        whole["model"], strict_map_key=False, unicode_errors="surrogatepass"
    )
    if data["version"] != VERSION:
        raise FormatFault(f"a model's manifest is of version {data['version']}")
    names = [name.hex() for name, _ in whole["objects"]]
    tensors: list[Tensor] = []
    row = 0
    for name, source, layer, dtype, rows, length, shape, pack, own, kind, recipe in data["tensors"]:
        ref = PackRef.of(names[pack], dtype, rows, length)
        tensors.append(
            Tensor(
                name,
                source,
                layer,
                dtype,
                rows,
                length,
                tuple(shape),
                ref,
                names[own],
                kind,
                recipe,
                row,
            )
        )
        row += rows
    tokenizer = data["tokenizer"]
    return Contents(
        data["architecture"],
        json.loads(data["config"]),
        tuple(tensors),
        None if tokenizer is None else names[tokenizer],
        names[data["importance"]],
        data["is_runnable"],
        data["source"],
        {length: names[i] for length, i in data["projections"]},
        {label: names[i] for label, i in data["attachments"]},
        {t.name: t for t in tensors},
        data["content_hash"].hex(),
    )


def _json(config: Mapping[str, Any]) -> str:
    """Its keys stay in their order, which export keeps; in ASCII, so that any text is UTF-8."""
    return json.dumps(config, separators=(",", ":"))


def _pack(data: Any) -> bytes:
    """Texts of files may hold halves of surrogate pairs: they come back as they were."""
    packed: bytes = msgpack.packb(data, unicode_errors="surrogatepass")
    return packed

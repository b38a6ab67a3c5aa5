"""Models as files that other tools load: a safetensors folder, or a GGUF.

With the `metadata` that `open_source` gave and the same tensors, the same files come out again;
a split GGUF comes out as one file. Nothing has its name before it is whole and on the disk.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hartonomous.hql.errors import NotSupported
from hartonomous.hql.models.formats import gguf, safetensors
from hartonomous.hql.models.formats.files import write_new, written, written_folder
from hartonomous.hql.models.formats.folder import CONFIG, INDEX, is_file_name
from hartonomous.hql.models.formats.gguf_values import Entry
from hartonomous.hql.models.formats.source import SourceTensor

SHARD_BYTES: Final = 5 << 30
#: what transformers wants to find in a file of PyTorch's row order
METADATA: Final = {"format": "pt"}


def write_safetensors(
    folder: str | Path,
    config: Mapping[str, Any],
    tensors: Sequence[SourceTensor],
    tokenizer_files: Mapping[str, bytes],
    metadata: Mapping[str, Any],
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """A folder that transformers opens. Shards, their `__metadata__` and the files beside them are
    as `metadata` has them, as far as it has; config.json too, if it says what `config` says.
    Raises FILE if the folder cannot be written or is not empty, NotSupported for quantised types.
    """
    _check_types(tensors, safetensors.DTYPES, "safetensors")
    files = {**metadata.get("files", {}), **tokenizer_files}
    if config and not _says(files.get(CONFIG), config):
        files[CONFIG] = (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    shards = _shards(tensors, metadata, shard_bytes)
    if len(shards) > 1:
        files[INDEX] = _index(tensors, shards, metadata)
    by_name = {tensor.name: tensor for tensor in tensors}
    assert len(by_name) == len(tensors), "two tensors of one name"
    with written_folder(Path(os.path.expanduser(folder))) as temporary:
        for shard in shards:
            assert is_file_name(shard["file"]), shard["file"]
            some = [by_name[name] for name in shard["tensors"]]
            pieces = safetensors.encode(some, shard["metadata"], shard["order"])
            write_new(temporary / shard["file"], pieces)
        for name, data in files.items():
            assert all(is_file_name(part) for part in name.split("/")), name
            (temporary / name).parent.mkdir(exist_ok=True)
            write_new(temporary / name, [data])


def _says(data: bytes | None, config: Mapping[str, Any]) -> bool:
    from hartonomous.hql.models.formats.json_bounded import parse_object

    return data is not None and parse_object(data, Path(CONFIG)) == config


def _shards(
    tensors: Sequence[SourceTensor], metadata: Mapping[str, Any], shard_bytes: int
) -> list[dict[str, Any]]:
    """The files to write: those of the source if they hold these tensors, else as few as go."""
    source = list(metadata.get("shards", ()))
    named = [name for shard in source for name in shard["tensors"]]
    if not source or sorted(named) != sorted(tensor.name for tensor in tensors):
        source = _new_shards(tensors, shard_bytes, source[0]["metadata"] if source else METADATA)
    if len(source) == 1:
        return [{**source[0], "file": "model.safetensors"}]
    return source


def _new_shards(
    tensors: Sequence[SourceTensor], shard_bytes: int, metadata: Mapping[str, str] | None
) -> list[dict[str, Any]]:
    groups: list[list[str]] = [[]]
    size = 0
    for tensor in tensors:
        if groups[-1] and size + tensor.bytes > shard_bytes:
            groups.append([])
            size = 0
        groups[-1].append(tensor.name)
        size += tensor.bytes
    return [
        {
            "file": f"model-{i + 1:05}-of-{len(groups):05}.safetensors",
            "tensors": names,
            "order": names,
            "metadata": metadata,
        }
        for i, names in enumerate(groups)
    ]


def _index(
    tensors: Sequence[SourceTensor],
    shards: Sequence[Mapping[str, Any]],
    metadata: Mapping[str, Any],
) -> bytes:
    """The index of some shards; the source's own if it still holds."""
    size = sum(tensor.bytes for tensor in tensors)
    if metadata.get("index") and shards == metadata["shards"] and size == metadata["bytes"]:
        index: bytes = metadata["index"]
        return index
    weights = {name: shard["file"] for shard in shards for name in shard["tensors"]}
    text = json.dumps(
        {"metadata": {"total_size": size}, "weight_map": dict(sorted(weights.items()))},
        indent=2,
        ensure_ascii=False,
    )
    return (text + "\n").encode("utf-8")


def write_gguf(
    path: str | Path, metadata: Mapping[str, Any], tensors: Sequence[SourceTensor]
) -> None:
    """A file that llama.cpp opens. `metadata["entries"]` are [key, type, item type, value] lists in
    the order to write, types as gguf_values names them. An existing file is replaced.
    Raises FILE if it cannot be written, NotSupported for types and ranks that GGUF has not."""
    _check_types(tensors, gguf.CODES, "GGUF")
    for tensor in tensors:
        if len(tensor.shape) > gguf.DIMENSIONS_MAX:
            raise NotSupported(
                f"not supported yet: tensors of {len(tensor.shape)} dimensions in GGUF "
                f'("{tensor.name}")'
            )
    entries = [Entry(*entry) for entry in metadata["entries"]]
    version = metadata.get("version", gguf.VERSIONS[-1])
    with written(Path(os.path.expanduser(path))) as out:
        for piece in gguf.encode(entries, tensors, version):
            out.write(piece)


def _check_types(tensors: Sequence[SourceTensor], known: Any, format: str) -> None:
    for tensor in tensors:
        if tensor.dtype not in known:
            raise NotSupported(
                f'not supported yet: tensors of type {tensor.dtype} in {format} ("{tensor.name}")',
                hint="EXPORT … WITH (DTYPE = 'F32') writes numbers of another type",
            )

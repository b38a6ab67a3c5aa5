"""`open_source(path)`: a model's files, opened and checked, whatever their format."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hartonomous.hql.errors import FileFault
from hartonomous.hql.models.formats import gguf, safetensors
from hartonomous.hql.models.formats.files import ModelFile, bad_file, unreadable
from hartonomous.hql.models.formats.folder import Layout, find_layout, read_side_files
from hartonomous.hql.models.formats.source import SourceModel, SourceTensor


def open_source(path: str) -> SourceModel:
    """Opens a folder, a .safetensors file or a .gguf file; of several parts or shards any.

    Headers are read and checked, tensors only when asked for. Raises FileFault: FILE if it is not
    there or cannot be read, MODEL_FORMAT with file and place if it is not what it says;
    NotSupported for formats and types that are not built.
    """
    files: list[ModelFile] = []

    def close() -> None:
        for file in files:
            file.close()

    place = Path(os.path.expanduser(path))
    try:
        if "\0" in path:
            raise FileFault(f"{path!r} is no path")
        layout = find_layout(place)
        for part in layout.paths:
            files.append(ModelFile(part))
        return _OPENERS[layout.format](layout, files, close)
    except OSError as fault:
        close()
        raise unreadable(place, fault) from fault
    except BaseException:
        close()
        raise


def _open_safetensors(layout: Layout, files: Sequence[ModelFile], close: Any) -> SourceModel:
    parts = [safetensors.read_part(file) for file in files]
    tensors = _joined(files, [part.tensors for part in parts])
    if layout.weights is not None:
        found = {t.name: f.path.name for f, p in zip(files, parts, strict=True) for t in p.tensors}
        for name, shard in layout.weights.items():
            if found.get(name) != shard:
                path = layout.paths[0].with_name(shard)
                raise bad_file(path, f'tensor "{name[:100]}" is not in it, as the index says')
    side = read_side_files(layout.paths[0].parent)
    shards = [
        {
            "file": file.path.name,
            "tensors": [tensor.name for tensor in part.tensors],
            "order": list(part.order),
            "metadata": part.metadata,
        }
        for file, part in zip(files, parts, strict=True)
    ]
    size = sum(tensor.bytes for tensor in tensors)
    metadata = {"files": side.others, "shards": shards, "index": layout.index, "bytes": size}
    hint = side.config.get("model_type")
    return SourceModel(
        format="safetensors",
        architecture_hint=hint if isinstance(hint, str) else "",
        config=side.config,
        tensors=tensors,
        tokenizer={"kind": "json", "files": side.tokenizer} if side.tokenizer else {},
        metadata=metadata,
        close=close,
    )


def _open_gguf(layout: Layout, files: Sequence[ModelFile], close: Any) -> SourceModel:
    parts = [gguf.read_part(file) for file in files]
    _check_split(files, parts)
    entries = parts[0].entries
    if len(parts) > 1:
        entries = tuple(entry for entry in entries if not entry.key.startswith("split."))
    values = {entry.key: entry.value for entry in entries}
    tokens = {key: value for key, value in values.items() if key.startswith("tokenizer.")}
    hint = values.get("general.architecture")
    return SourceModel(
        format="gguf",
        architecture_hint=hint if isinstance(hint, str) else "",
        config={key: _plain(value) for key, value in values.items() if key not in tokens},
        tensors=_joined(files, [part.tensors for part in parts]),
        tokenizer={"kind": "gguf", "metadata": tokens} if tokens else {},
        metadata={
            "version": parts[0].version,
            "entries": [[e.key, e.type, e.items, e.value] for e in entries],
        },
        close=close,
    )


def _plain(value: Any) -> Any:
    """A value that JSON can hold: NaN and infinities become words, as json_bounded makes them."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _check_split(files: Sequence[ModelFile], parts: Sequence[gguf.Part]) -> None:
    """Parts say which they are, of how many, and how many tensors all have together."""
    total = sum(len(part.tensors) for part in parts)
    for number, (file, part) in enumerate(zip(files, parts, strict=True)):
        count = part.find("split.count")
        if count is None and len(parts) == 1:
            continue
        found = part.find("split.no"), count, part.find("split.tensors.count")
        if found != (number, len(parts), total):
            what = "part {} of {}, with {} tensors in all".format(*found)
            given = f"part {number} of {len(parts)}, with {total} tensors"
            raise bad_file(file.path, f"it says that it is {what}, and it is {given}")


def _joined(
    files: Sequence[ModelFile], parts: Sequence[Sequence[SourceTensor]]
) -> tuple[SourceTensor, ...]:
    """All parts' tensors. MODEL_FORMAT if two have one name."""
    names: set[str] = set()
    for file, tensors in zip(files, parts, strict=True):
        for tensor in tensors:
            if tensor.name in names:
                raise bad_file(file.path, f'tensor "{tensor.name[:100]}" is in another part too')
            names.add(tensor.name)
    return tuple(tensor for tensors in parts for tensor in tensors)


_OPENERS = {"safetensors": _open_safetensors, "gguf": _open_gguf}

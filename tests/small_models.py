"""Small model files, made by the packages `safetensors` and `gguf`, for tests of their readers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors import TensorSpec, serialize

from hartonomous.hql.models.formats.source import data_bytes

#: type names: ours → those of safetensors' serialize
SAFETENSORS_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I8": "int8",
    "U8": "uint8",
    "I16": "int16",
    "U16": "uint16",
    "I32": "int32",
    "U32": "uint32",
    "I64": "int64",
    "U64": "uint64",
    "BOOL": "bool",
}
Tensors = dict[str, tuple[str, tuple[int, ...], bytes]]


def tensors(
    random: np.random.Generator, shapes: Sequence[tuple[str, tuple[int, ...]]], prefix: str = "t"
) -> Tensors:
    """Tensors of random bytes: name → (type, shape, data)."""
    return {
        f"{prefix}{i}.weight": (dtype, shape, random.bytes(data_bytes(dtype, shape)))
        for i, (dtype, shape) in enumerate(shapes)
    }


def safetensors_bytes(given: Tensors, metadata: dict[str, str] | None = None) -> bytes:
    """A file as the package writes it."""
    held = {name: np.frombuffer(data or b"\0", np.uint8) for name, (_, _, data) in given.items()}
    specs = {
        name: TensorSpec(
            dtype=SAFETENSORS_TYPES[dtype],
            shape=shape,
            data_ptr=held[name].ctypes.data,
            data_len=len(data),
        )
        for name, (dtype, shape, data) in given.items()
    }
    return bytes(serialize(specs, metadata=metadata))


def write_gguf_file(
    path: Path,
    given: Tensors,
    entries: Callable[[gguf.GGUFWriter], None] = lambda writer: None,
    **options: Any,
) -> None:
    """A file, or parts of one, as the package writes it; `general.architecture` is "llama"."""
    writer = gguf.GGUFWriter(path, "llama", **options)
    entries(writer)
    for name, (dtype, shape, data) in given.items():
        writer.add_tensor(
            name,
            np.frombuffer(data, np.uint8),
            raw_shape=byte_shape(dtype, shape),
            raw_dtype=gguf.GGMLQuantizationType[dtype],
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def byte_shape(dtype: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a tensor's bytes, which the package wants."""
    return (*shape[:-1], data_bytes(dtype, shape[-1:]))


def sharded_folder(
    folder: Path, shards: Sequence[Tensors], config: dict[str, Any] | None = None
) -> None:
    """A Hugging Face folder of several files with an index."""
    folder.mkdir(exist_ok=True)
    weights = {}
    for i, some in enumerate(shards):
        name = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        (folder / name).write_bytes(safetensors_bytes(some, {"format": "pt"}))
        weights |= dict.fromkeys(some, name)
    size = sum(len(data) for some in shards for _, _, data in some.values())
    index = {"metadata": {"total_size": size}, "weight_map": weights}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))
    (folder / "config.json").write_text(json.dumps(config or {"model_type": "llama"}, indent=3))
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')

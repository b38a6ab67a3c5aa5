"""EXPORT MODEL: rows become files that other tools load.

Into the format they came from, files are what they were, byte for byte: names, order, metadata and
what was done to rows are kept with the model. Into the other one, names and metadata are the
architecture's; numbers stay what they are, in a type that the format has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault, NotSupported
from hartonomous.hql.frozen import frozen
from hartonomous.hql.models import recipes
from hartonomous.hql.models.architectures import ARCHITECTURES
from hartonomous.hql.models.architectures.base import Unrunnable, config_from_map
from hartonomous.hql.models.architectures.names import FileTensor
from hartonomous.hql.models.formats.source import SourceTensor, held
from hartonomous.hql.models.formats.writing import write_gguf, write_safetensors
from hartonomous.hql.models.importing import SOURCE, unpack_source
from hartonomous.hql.models.model import Model, Tensor, find_model
from hartonomous.hql.models.options import located, named, path_at, read_options
from hartonomous.hql.models.tokenizers import unpack
from hartonomous.hql.models.tokenizers.converting import gguf_entries, json_files
from hartonomous.hql.result import Result
from hartonomous.kernels.blocks import BLOCKS
from hartonomous.kernels.quantize import QUANTISABLE, dequantise, quantise
from hartonomous.storage.errors import Error
from hartonomous.storage.tensors import read_object

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.export_model import ExportModel

FORMATS: Final = ("SAFETENSORS", "GGUF")
_FLOATS: Final = ("F64", "F32", "F16", "BF16")
_TORCH_TYPES: Final = {"F64": "float64", "F32": "float32"} | {"F16": "float16", "BF16": "bfloat16"}
_ENDS: Final = ("bos", "eos")
#: general.file_type of a GGUF whose matrices are all of one type
_FILE_TYPES: Final = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "BF16": 32}


def run_export_model(statement: ExportModel, context: Context) -> Result:
    """EXPORT MODEL."""
    try:
        given = named(statement.name, context)
        model = find_model(context.catalog, context.transaction.database, given)
        path = path_at(statement.path, context, to_write=True)
        export = _plan(model, statement, context)
        if export.format == "gguf":
            _write_gguf(export, path, context)
        else:
            _write_folder(export, path, context)
    except Error as error:
        raise located(error, statement.name) from error.__cause__
    context.messages.extend(export.messages)
    return Result()


@frozen
class Export:
    """What is to be written. `dtype`: the type asked for, or None; `source`: what the import kept,
    empty for another format; `files`: the tensors of the files in order."""

    model: Model
    format: str
    dtype: str | None
    source: dict[str, Any]
    files: list[FileTensor]
    messages: list[str]


def _plan(model: Model, statement: ExportModel, context: Context) -> Export:
    options = read_options(statement.options, context, ["DTYPE", "LAYOUT"], "an export")
    format = _format(statement, model)
    dtype = None
    if "DTYPE" in options:
        value, option = options["DTYPE"]
        known = [d for d in QUANTISABLE if format == "gguf" or d in _FLOATS]
        dtype = str(value).upper()
        if dtype not in known:
            hint = f"{format} has: " + ", ".join(known)
            raise place(BindFault(f"{value} is no type to write", hint=hint), option)
    if "LAYOUT" in options and str(options["LAYOUT"][0]).upper() != "EXACT":
        value, option = options["LAYOUT"]
        raise place(BindFault(f"{value} is no layout", hint="LAYOUT = EXACT"), option)
    if format == model.source.get("format"):
        data = read_object(model.database, model.attachments[SOURCE], SOURCE)
        return Export(model, format, dtype, unpack_source(data), _same_files(model), [])
    files, messages = _other_files(model, format)
    return Export(model, format, dtype, {}, files, messages)


def _format(statement: ExportModel, model: Model) -> str:
    if statement.format is None:
        return model.source.get("format") or "safetensors"
    if statement.format not in FORMATS:
        hint = "there are: " + ", ".join(FORMATS)
        raise BindFault(f"{statement.format} is no format of models", hint=hint)
    return statement.format.lower()


def _same_files(model: Model) -> list[FileTensor]:
    """The files' tensors, of parts as they were cut."""
    parts: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for tensor in model.tensors:
        parts.setdefault(tensor.source_name, []).append((tensor.name, dict(tensor.recipe)))
    return [FileTensor(name, tuple(some)) for name, some in parts.items()]


def _other_files(model: Model, format: str) -> tuple[list[FileTensor], list[str]]:
    """The tensors of another format's files, and notices of what has no name there."""
    architecture = ARCHITECTURES.get(model.architecture)
    if architecture is None or not model.is_runnable:
        message = f"a model that cannot run can only be written as {model.source['format']}"
        raise NotSupported(f"not supported yet: {message}")
    config = config_from_map(dict(model.config))
    names = architecture.names(config, format)
    files: list[FileTensor] = []
    left: list[FileTensor] = []
    for file in names.write([t.name for t in model.tensors]):
        is_known = names.find(file.name) is not None
        (files if is_known else left).append(file)
    if not left:
        return files, []
    needed = {shape.name for shape in architecture.layout(config)}
    assert not needed & {name for file in left for name, _ in file.parts}, left
    listed = ", ".join(file.name for file in left)
    return files, [f"tensors that {format} files of {architecture.name} do not have: {listed}"]


# --- tensors -------------------------------------------------------------------------------------


def _tensors(export: Export, context: Context) -> list[SourceTensor]:
    newest = _Newest()
    return [_tensor(export, file, newest, context) for file in export.files]


def _tensor(export: Export, file: FileTensor, newest: _Newest, context: Context) -> SourceTensor:
    """One tensor of a file; its bytes are made when they are asked for."""
    model = export.model
    parts = [(_get(model, name), recipe) for name, recipe in file.parts]
    first, recipe = parts[0]
    dtype = _stored_type(export, first)
    shape = first.shape
    if len(parts) > 1:
        shape = (sum(t.shape[0] for t, _ in parts), *shape[1:])
    if recipe.get("transposed") and len(shape) == 2:
        shape = (shape[1], shape[0])
    is_same = all(t.dtype == dtype for t, _ in parts)
    if is_same and len(parts) == 1 and not recipe:
        pack = model.pack(first.name)
        return held(file.name, dtype, shape, lambda: pack.data.reshape(-1))
    kept = recipes.original(recipe, first.pack.name) if is_same else None
    if kept is not None:
        return held(file.name, dtype, shape, lambda: kept)

    def make() -> Any:
        context.limits.check()
        made = [(_converted(model, t, dtype), r) for t, r in parts]
        return recipes.redo(made, dtype, vector=len(first.shape) < 2)

    return held(file.name, dtype, shape, lambda: newest.get(file.name, make))


class _Newest:
    """Keeps the bytes of one tensor: files are written tensor by tensor, each in pieces."""

    def __init__(self) -> None:
        self._name, self._made = "", None

    def get(self, name: str, make: Callable[[], Any]) -> Any:
        if self._name != name:
            self._made = None  # before the next one is made: two need not be in memory
            self._name, self._made = name, make()
        return self._made


def _get(model: Model, name: str) -> Tensor:
    tensor = model.tensor(name)
    assert tensor is not None, name
    return tensor


def _stored_type(export: Export, tensor: Tensor) -> str:
    """The type that a tensor is written in. Integers stay; vectors of a GGUF are F32, as llama.cpp
    wants them, unless they come from one and nothing is asked for."""
    is_float = tensor.dtype in _FLOATS or tensor.dtype in QUANTISABLE or "Q" in tensor.dtype
    if not is_float:
        return tensor.dtype
    wanted = export.dtype
    if export.format == "gguf":
        if len(tensor.shape) < 2:
            return tensor.dtype if export.source and not wanted else "F32"
        wanted = wanted or ("F32" if tensor.dtype == "F64" else tensor.dtype)
        return wanted if tensor.length % BLOCKS[wanted][0] == 0 else "F32"
    if wanted is None:
        return tensor.dtype if tensor.dtype in _FLOATS else "F32"
    return wanted


def _converted(model: Model, tensor: Tensor, dtype: str) -> Any:
    """uint8[rows, row bytes] in another type."""
    data = model.pack(tensor.name).data
    if tensor.dtype == dtype:
        return data
    values = dequantise(tensor.dtype, data, tensor.length)
    if dtype == "F32":
        return np.ascontiguousarray(values, "<f4").view(np.uint8)
    return quantise(dtype, values)


# --- files ---------------------------------------------------------------------------------------


def _write_folder(export: Export, path: str, context: Context) -> None:
    model, source = export.model, export.source
    tokenizer = _tokenizer(export)
    tensors = _tensors(export, context)
    files, messages = json_files(tokenizer)
    export.messages.extend(messages)
    if source:
        config, metadata = source["config"], source["metadata"]
    else:
        config = ARCHITECTURES[model.architecture].hf_config(config_from_map(dict(model.config)))
        config |= _token_ids(tokenizer)
        metadata = {"files": _pooling_files(model)}
    types = {t.dtype for t in tensors if t.dtype in _FLOATS}
    if len(types) == 1 and (not source or (export.dtype is not None and config)):
        config = {**config, "torch_dtype": _TORCH_TYPES[types.pop()]}
    write_safetensors(path, config, tensors, files, metadata)


def _write_gguf(export: Export, path: str, context: Context) -> None:
    model, source = export.model, export.source
    tensors = _tensors(export, context)
    tokenizer = _tokenizer(export)
    if source:
        metadata = dict(source["metadata"])
        metadata["entries"] = _own_entries(metadata["entries"], tokenizer, export.messages)
        if export.dtype is not None:
            kept = [e for e in metadata["entries"] if e[0] != "general.file_type"]
            metadata["entries"] = [*kept, *_type_entries(tensors, kept)]
    else:
        architecture = ARCHITECTURES[model.architecture]
        config = config_from_map(dict(model.config))
        try:
            entries = architecture.gguf_entries(config)
        except Unrunnable as fault:
            raise NotSupported(f"not supported yet: {fault} as a GGUF") from None
        found, messages = gguf_entries(tokenizer)
        export.messages.extend(messages)
        name = ["general.name", "STRING", "", model.name]
        known = {entry[0] for entry in found}
        entries = [e for e in entries if e[0] not in known]
        entries = [*entries, name, *_type_entries(tensors, entries), *found]
        metadata = {"entries": entries}
        for tensor_name, values in architecture.gguf_tensors(config).items():
            data = np.array(values, "<f4")
            tensors.append(held(tensor_name, "F32", (len(values),), data.copy))
    write_gguf(_gguf_path(path, model), metadata, tensors)


def _own_entries(
    entries: list[list[Any]], tokenizer: dict[str, Any] | None, messages: list[str]
) -> list[list[Any]]:
    """A GGUF's entries with its tokenizer's values, which are kept apart; another tokenizer's, if
    the import was given one."""
    if tokenizer is not None and tokenizer["kind"] == "gguf":
        own = tokenizer["metadata"]
        return [[key, kind, items, own.get(key, value)] for key, kind, items, value in entries]
    found, more = gguf_entries(tokenizer)
    messages.extend(more)
    return [*(e for e in entries if not e[0].startswith("tokenizer.")), *found]


def _gguf_path(path: str, model: Model) -> Path:
    """A file that is named, or one in the folder that is."""
    found = Path(path).expanduser()
    if found.suffix.lower() == ".gguf":
        return found
    from hartonomous.hql.models.formats.files import make_folder

    make_folder(found)
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in model.name).lstrip(".")
    return found / f"{safe or 'model'}.gguf"


def _type_entries(tensors: list[SourceTensor], entries: list[list[Any]]) -> list[list[Any]]:
    """What a GGUF says of its types: most matrices' elements', and the version of blocks."""
    counts: dict[str, int] = {}
    for tensor in tensors:
        if len(tensor.shape) >= 2:
            counts[tensor.dtype] = counts.get(tensor.dtype, 0) + math.prod(tensor.shape)
    most = max(counts, key=lambda dtype: counts[dtype], default="F32")
    out: list[list[Any]] = []
    if most in _FILE_TYPES:
        out.append(["general.file_type", "UINT32", "", _FILE_TYPES[most]])
    there = {entry[0] for entry in entries}
    if any("Q" in dtype for dtype in counts) and "general.quantization_version" not in there:
        out.append(["general.quantization_version", "UINT32", "", 2])
    return out


def _tokenizer(export: Export) -> dict[str, Any] | None:
    model = export.model
    if model.tokenizer is None:
        return None
    return unpack(memoryview(read_object(model.database, model.tokenizer, "tokenizer")))


def _token_ids(tokenizer: dict[str, Any] | None) -> dict[str, int]:
    """Tokens that begin and end a text, as config.json has them; a GGUF says which."""
    metadata = tokenizer.get("metadata", {}) if tokenizer else {}
    found = {f"{name}_token_id": metadata.get(f"tokenizer.ggml.{name}_token_id") for name in _ENDS}
    return {name: value for name, value in found.items() if isinstance(value, int)}


def _pooling_files(model: Model) -> dict[str, bytes]:
    """How a text becomes one vector, as sentence-transformers has it."""
    from hartonomous.hql.models.architectures.bert import pooling_files

    config = config_from_map(dict(model.config))
    return pooling_files(config) if model.architecture == "bert" else {}

"""What a model's folder holds: which files the tensors are in, and the files beside them.

Names that an index gives are names in its own folder, never paths. Files beside the tensors are
kept as they came, so that an export can write them again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hartonomous.hql.errors import FileFault, NotSupported
from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.formats.files import bad_file, read_whole
from hartonomous.hql.models.formats.json_bounded import JSON_BYTES_MAX, parse_object

CONFIG: Final = "config.json"
INDEX: Final = "model.safetensors.index.json"
#: files that belong to the tokenizer, its chat template or generation
TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
#: what else is kept: configuration, sentence-transformers' modules, whose the model is
OTHER_FILES: Final = (
    CONFIG,
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "preprocessor_config.json",
    "README.md",
    "LICENSE",
    "LICENSE.md",
    "LICENSE.txt",
    "NOTICE",
)
#: a folder of one of sentence-transformers' modules, as 1_Pooling
MODULE: Final = re.compile(r"[0-9]_[A-Za-z]+")
PART: Final = re.compile(
    r"(?P<stem>.*)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})(?P<ending>\.\w+)"
)
PARTS_MAX: Final = 512
PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
#: the largest known, of 262,144 tokens with merges, has 33 MB
TOKENIZER_BYTES_MAX: Final = 128 << 20


@frozen
class Layout:
    """The files that a model's tensors lie in, all of one format; an index if there is one."""

    format: str
    paths: tuple[Path, ...]
    weights: dict[str, str] | None = None
    index: bytes | None = None


def find_layout(path: Path) -> Layout:
    """Where the tensors of a file or folder lie. Raises FILE, MODEL_FORMAT, NotSupported."""
    if path.is_dir():
        return _layout_of_folder(path)
    if not path.exists():
        raise FileFault(f'"{path}" does not exist')
    ending = path.suffix.lower()
    if ending in PICKLES:
        raise _pickled(path)
    if path.name.endswith(".safetensors.index.json"):
        return _layout_of_index(path)
    if ending not in (".gguf", ".safetensors"):
        raise FileFault(
            f'"{path}": the ending does not name a model\'s format',
            hint="a folder, or a file that ends in .safetensors or .gguf",
        )
    return Layout(ending[1:], find_parts(path))


def find_parts(path: Path) -> tuple[Path, ...]:
    """All parts of a file of which one is named, in order; the file itself if it is whole."""
    match = PART.fullmatch(path.name)
    if match is None:
        return (path,)
    count, number = int(match["count"]), int(match["number"])
    if not 1 <= number <= count <= PARTS_MAX:
        raise bad_file(path, f"part {number:,} of {count:,}: there are 1 to {PARTS_MAX} parts")
    paths = tuple(
        path.with_name(f"{match['stem']}-{i + 1:05}-of-{count:05}{match['ending']}")
        for i in range(count)
    )
    for part in paths:
        if not part.exists():
            raise bad_file(part, "this part of the model is missing")
    return paths


def _layout_of_folder(folder: Path) -> Layout:
    names = _names(folder)
    if "model.safetensors" in names:
        return Layout("safetensors", (folder / "model.safetensors",))
    if INDEX in names:
        return _layout_of_index(folder / INDEX)
    for format in ("safetensors", "gguf"):
        found = [name for name in names if name.lower().endswith("." + format)]
        whole = {find_parts(folder / name) for name in found}
        if len(whole) > 1:
            listed = ", ".join(found[:5])
            raise FileFault(f'"{folder}" holds several models: {listed}', hint="name one of them")
        if whole:
            return Layout(format, whole.pop())
    if pickles := [name for name in names if name.lower().endswith(PICKLES)]:
        raise _pickled(folder / pickles[0])
    raise FileFault(
        f'"{folder}" holds no model', hint="a folder with .safetensors files or a .gguf file"
    )


def _layout_of_index(path: Path) -> Layout:
    """The shards that an index names."""
    data = read_whole(path, JSON_BYTES_MAX)
    weights = parse_object(data, path).get("weight_map")
    if not isinstance(weights, dict) or not weights:
        raise bad_file(path, "it has no weight_map")
    for name, shard in weights.items():
        if not isinstance(shard, str) or not is_file_name(shard) or not _is_shard(shard):
            raise bad_file(path, f'tensor "{name[:100]}" is in {str(shard)[:100]!r}: no file name')
    shards = sorted(set(weights.values()))
    if len(shards) > PARTS_MAX:
        raise bad_file(path, f"{len(shards):,} files, and {PARTS_MAX} is the most")
    for shard in shards:
        if not (path.parent / shard).exists():
            raise bad_file(path, f'the file "{shard}" that it names is missing')
    return Layout("safetensors", tuple(path.parent / shard for shard in shards), weights, data)


def _is_shard(name: str) -> bool:
    return name.endswith(".safetensors")


def is_file_name(name: str) -> bool:
    """A name in a folder, and nothing that leads out of it."""
    return 0 < len(name.encode("utf-8")) <= 255 and not set(name) & set("/\\\0") and name[0] != "."


def _pickled(path: Path) -> NotSupported:
    return NotSupported(
        f'not supported yet: PyTorch\'s pickled files ("{path}")',
        hint="convert it to safetensors: a pickle is a program, and programs are not run here",
    )


# --- files beside the tensors --------------------------------------------------------------------


@frozen
class SideFiles:
    """Files beside the tensors by name, as they came; `config` is config.json parsed."""

    config: dict[str, Any]
    tokenizer: dict[str, bytes]
    others: dict[str, bytes]


def read_side_files(folder: Path) -> SideFiles:
    """What lies beside a model's tensors. MODEL_FORMAT for JSON that is none."""
    tokenizer = _read_known(folder, TOKENIZER_FILES)
    others = _read_known(folder, (*OTHER_FILES, *_modules(folder)))
    parsed = {
        name: parse_object(data, folder / name)
        for name, data in {**tokenizer, **others}.items()
        # vocabularies are for the tokenizer to read, which is made for their size
        if name.endswith("config.json") or name == "special_tokens_map.json"
    }
    return SideFiles(parsed.get(CONFIG, {}), tokenizer, others)


def _modules(folder: Path) -> Sequence[str]:
    return [f"{name}/{CONFIG}" for name in _names(folder) if MODULE.fullmatch(name)]


def _names(folder: Path) -> list[str]:
    """Names in a folder, as far as they are text."""
    return sorted(os.fsdecode(n) for n in os.listdir(os.fsencode(folder)) if _is_text(n))


def _is_text(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _read_known(folder: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Those that are there. A link to nothing (a cache whose file was removed) is there, and an
    error: the model would be imported as one without configuration or tokenizer."""
    found = {}
    for name in names:
        if os.path.lexists(folder / name) and not (folder / name).is_dir():
            most = TOKENIZER_BYTES_MAX if name in TOKENIZER_FILES else JSON_BYTES_MAX
            found[name] = read_whole(folder / name, most)
    return found

"""Mutated model files: read as the packages read them, or an error with the file's name; in bounds.

Only files that were taken are shown to the packages: `gguf`'s reader hangs on counts that lie.
"""

from __future__ import annotations

import json
import random
import shutil
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import gguf
import msgpack
import numpy as np
import pytest
import safetensors
import small_models
from fuzz.mutate_bytes import mutate
from soak import TIMES

from hartonomous.hql.errors import FileFault, NotSupported
from hartonomous.hql.models.formats.opening import open_source
from hartonomous.hql.models.formats.source import SourceModel
from hartonomous.hql.models.formats.writing import write_gguf, write_safetensors

#: a mutant may take what is read ahead and this many times its size
MEMORY_TIMES = 40
READ_AHEAD = 5 << 20

Contents = dict[str, tuple[str, tuple[int, ...], bytes]]


def contents(model: SourceModel) -> Contents:
    return {
        t.name: (t.dtype, t.shape, b"".join(bytes(piece) for piece in t.pieces()))
        for t in model.tensors
    }


def tokens(writer: gguf.GGUFWriter) -> None:
    writer.add_uint32("llama.block_count", 2)
    writer.add_float32("llama.rope.freq_base", 10_000.0)
    writer.add_bool("general.flag", True)
    writer.add_array("tokenizer.ggml.tokens", [f"token{i}" for i in range(30)])
    writer.add_array("tokenizer.ggml.scores", [i / 7 for i in range(30)])
    writer.add_array("tokenizer.ggml.token_type", list(range(30)))
    writer.add_string("tokenizer.chat_template", "{{ messages }}")


def make_folder(root: Path) -> None:
    """One of each kind of file; everything that can be mutated lies in it."""
    numbers = np.random.default_rng(4)
    some = small_models.tensors(
        numbers, [("F32", (2, 3)), ("BF16", (4,)), ("I64", ()), ("U8", (0, 5)), ("F16", (2, 2, 2))]
    )
    more = small_models.tensors(numbers, [("F32", (3, 3)), ("BOOL", (5,))], "more")
    root.mkdir()
    (root / "one.safetensors").write_bytes(small_models.safetensors_bytes(some, {"format": "pt"}))
    small_models.sharded_folder(root / "shards", [some, more], {"a": [1, {"b": None}], "c": "ä"})
    blocks = small_models.tensors(
        numbers, [("F32", (5,)), ("Q4_1", (2, 64)), ("Q8_0", (3, 32)), ("F16", (2, 3, 4))]
    )
    small_models.write_gguf_file(root / "one.gguf", blocks, tokens)
    (root / "parts").mkdir()
    small_models.write_gguf_file(root / "parts" / "m.gguf", blocks, tokens, split_max_tensors=2)


#: what is mutated → what is opened
SUBJECTS = {
    "one.safetensors": "one.safetensors",
    "one.gguf": "one.gguf",
    "shards/model-00002-of-00002.safetensors": "shards",
    "shards/model.safetensors.index.json": "shards",
    "shards/config.json": "shards",
    "parts/m-00001-of-00002.gguf": "parts/m-00002-of-00002.gguf",
    "parts/m-00002-of-00002.gguf": "parts",
}
#: most of them are headers
WEIGHTS = (4, 5, 1, 1, 1, 1, 1)


def as_safetensors_reads(paths: list[Path]) -> Contents:
    return {
        name: (tensor["dtype"], tuple(tensor["shape"]), bytes(tensor["data"]))
        for path in paths
        for name, tensor in safetensors.deserialize(path.read_bytes())
    }


def as_gguf_reads(paths: list[Path]) -> Contents:
    return {
        tensor.name: (
            tensor.tensor_type.name,
            tuple(reversed(tensor.shape.tolist())),
            tensor.data.tobytes(),
        )
        for path in paths
        for tensor in gguf.GGUFReader(path).tensors
    }


READERS: dict[str, Callable[[list[Path]], Contents]] = {
    "safetensors": as_safetensors_reads,
    "gguf": as_gguf_reads,
}


def check(mutant: Path, opened: Path) -> str:
    """Opens and reads a model with one mutated file; how it ended."""
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    try:
        with open_source(str(opened)) as model:
            found = contents(model)
    except (FileFault, NotSupported) as error:
        assert str(opened.parent) in error.message, error
        return error.code
    finally:
        _, peak = tracemalloc.get_traced_memory()
        assert peak - before < READ_AHEAD + MEMORY_TIMES * mutant.stat().st_size
    folder = opened if opened.is_dir() else opened.parent
    paths = sorted(folder.glob("*." + model.format)) if folder.name != "base" else [opened]
    assert found == READERS[model.format](paths)
    json.dumps(model.config, allow_nan=False)
    stored = msgpack.unpackb(msgpack.packb(model.metadata))
    check_written_again(opened, stored, found)
    return "taken"


def check_written_again(opened: Path, stored: dict[str, object], found: Contents) -> None:
    out = opened.parents[1 if opened.parent.name == "base" else 2] / "again"
    with open_source(str(opened)) as model:
        if model.format == "gguf":
            out = out.with_suffix(".gguf")
            write_gguf(out, stored, model.tensors)
        else:
            shutil.rmtree(out, ignore_errors=True)
            files = model.tokenizer.get("files", {})
            write_safetensors(out, model.config, model.tensors, files, stored)
        with open_source(str(out)) as again:
            assert contents(again) == found
            assert again.config == model.config


@pytest.mark.parametrize("count", [500, pytest.param(5_000 * TIMES, marks=pytest.mark.slow)])
def test_mutated_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    base = tmp_path / "base"
    make_folder(base)
    originals = {name: (base / name).read_bytes() for name in SUBJECTS}
    outcomes: Counter[str] = Counter()
    tracemalloc.start()
    try:
        for seed in range(count):
            chance = random.Random(seed)
            (name,) = chance.choices(list(SUBJECTS), WEIGHTS)
            mutant = mutate(originals[name], chance)
            (base / name).write_bytes(mutant)
            try:
                outcomes[check(base / name, base / SUBJECTS[name])] += 1
            except BaseException as error:
                kept = Path(tmp_path.parent / f"mutant-{seed}")
                kept.write_bytes(mutant)
                raise AssertionError(f"mutant {seed} of {name}, kept as {kept}") from error
            finally:
                (base / name).write_bytes(originals[name])
    finally:
        tracemalloc.stop()
    # mutants that all end one way would show nothing
    assert outcomes["taken"] > count // 20
    assert outcomes["MODEL_FORMAT"] > count // 2

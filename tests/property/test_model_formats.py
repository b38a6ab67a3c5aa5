"""Model files hold what the packages read and write: any types, shapes and metadata, either way."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import msgpack
import numpy as np
import pytest
import safetensors
import small_models
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.hql.models.formats import gguf_values
from hartonomous.hql.models.formats.files import ModelFile
from hartonomous.hql.models.formats.gguf import TYPES
from hartonomous.hql.models.formats.gguf_values import Cursor, Entry
from hartonomous.hql.models.formats.opening import open_source
from hartonomous.hql.models.formats.source import SourceModel, held
from hartonomous.hql.models.formats.writing import write_gguf, write_safetensors
from hartonomous.kernels.blocks import BLOCKS

Tensors = small_models.Tensors

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        yield Path(made)


@st.composite
def any_tensors(draw: st.DrawFn, types: list[str], ranks: tuple[int, int], least: int) -> Tensors:
    found: Tensors = {}
    random = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    chosen = st.lists(names.filter(lambda n: n != "__metadata__"), max_size=6, unique=True)
    for name in draw(chosen):
        dtype = draw(st.sampled_from(types))
        shape = draw(st.lists(st.integers(least, 4), min_size=ranks[0], max_size=ranks[1]))
        if shape:
            shape[-1] *= BLOCKS[dtype][0]
        ((_, _, data),) = small_models.tensors(random, [(dtype, tuple(shape))]).values()
        found[name] = dtype, tuple(shape), data
    return found


def contents(model: SourceModel) -> Tensors:
    return {t.name: (t.dtype, t.shape, t.read().tobytes()) for t in model.tensors}


@settings(max_examples=50)
@given(
    any_tensors(list(small_models.SAFETENSORS_TYPES), (0, 4), 0),
    # the package writes broken JSON for an empty one
    st.none() | st.dictionaries(names, names, min_size=1, max_size=3),
)
def test_safetensors(folder: Path, wanted: Tensors, metadata: dict[str, str] | None) -> None:
    data = small_models.safetensors_bytes(wanted, metadata)
    path = folder / "any.safetensors"
    path.write_bytes(data)
    out = Path(tempfile.mkdtemp(dir=folder))
    with open_source(str(path)) as model:
        assert contents(model) == wanted
        stored = msgpack.unpackb(msgpack.packb(model.metadata))
        write_safetensors(out, model.config, model.tensors, {}, stored)
    assert (out / "model.safetensors").read_bytes() == data


@settings(max_examples=50)
@given(any_tensors(list(small_models.SAFETENSORS_TYPES), (0, 4), 0), st.integers(1, 100))
def test_written_safetensors(folder: Path, wanted: Tensors, shard_bytes: int) -> None:
    """Tensors that no file gave, in shards, as the package reads them."""
    out = Path(tempfile.mkdtemp(dir=folder))
    made = [held(n, d, s, lambda b=b: b) for n, (d, s, b) in wanted.items()]  # type: ignore[misc]
    write_safetensors(out, {"model_type": "x"}, made, {}, {}, shard_bytes)
    found = {}
    for path in out.glob("*.safetensors"):
        for name, tensor in safetensors.deserialize(path.read_bytes()):
            assert name not in found
            found[name] = tensor["dtype"], tuple(tensor["shape"]), bytes(tensor["data"])
    assert found == wanted
    with open_source(str(out)) as model:
        assert contents(model) == wanted
        assert model.config == {"model_type": "x"}


@settings(max_examples=50)
@given(any_tensors(list(TYPES.values()), (1, 4), 1), st.sampled_from([32, 64, 8]))
def test_gguf(folder: Path, wanted: Tensors, alignment: int) -> None:
    def entries(writer: gguf.GGUFWriter) -> None:
        writer.add_custom_alignment(alignment)
        writer.add_array("tokenizer.ggml.tokens", ["a", "ä", "\U0001f642"])

    path, out = folder / "any.gguf", folder / "again.gguf"
    small_models.write_gguf_file(path, wanted, entries)
    with open_source(str(path)) as model:
        assert contents(model) == wanted
        stored = msgpack.unpackb(msgpack.packb(model.metadata))
        write_gguf(out, stored, model.tensors)
    assert out.read_bytes() == path.read_bytes()
    read = gguf.GGUFReader(out)
    found = {
        tensor.name: (
            tensor.tensor_type.name,
            tuple(reversed(tensor.shape.tolist())),
            tensor.data.tobytes(),
        )
        for tensor in read.tensors
    }
    assert found == wanted


NUMBERS = {
    name: st.booleans()
    if name == "BOOL"
    else st.floats(width=32 if kind == "<f4" else 64)
    if "f" in kind
    else st.integers(int(np.iinfo(kind).min), int(np.iinfo(kind).max))
    for name, kind in gguf_values.NUMBERS.values()
}
SINGLE: dict[str, st.SearchStrategy[Any]] = NUMBERS | {"STRING": names}


def arrays(depth: int) -> st.SearchStrategy[tuple[str, list[Any]]]:
    flat = st.sampled_from(sorted(SINGLE)).flatmap(
        lambda kind: st.lists(SINGLE[kind], max_size=5).map(lambda values: (kind, values))
    )
    if depth == 1:
        return flat
    return flat | st.lists(arrays(depth - 1), max_size=3).map(lambda values: ("ARRAY", values))


@st.composite
def any_entry(draw: st.DrawFn, key: str, depth: int) -> Entry:
    kind = draw(st.sampled_from([*sorted(SINGLE), "ARRAY"]))
    if kind == "ARRAY":
        return Entry(key, kind, *draw(arrays(depth)))
    return Entry(key, kind, "", draw(SINGLE[kind]))


@given(any_entry("a.key", gguf_values.ARRAY_DEPTH_MAX))
def test_metadata_value(folder: Path, entry: Entry) -> None:
    path = folder / "entry"
    data = gguf_values.encode_entry(entry)
    path.write_bytes(data)
    file = ModelFile(path)
    cursor = Cursor(file)
    found = cursor.entry()
    file.close()
    assert cursor.offset == len(data)
    assert gguf_values.encode_entry(found) == data
    assert repr(found) == repr(entry)  # NaN is not equal to itself


@given(
    st.lists(names, min_size=1, max_size=8, unique=True).flatmap(
        lambda keys: st.tuples(*[any_entry(f"k.{key}", 1) for key in keys])
    )
)
def test_metadata_as_the_package_reads_it(folder: Path, entries: tuple[Entry, ...]) -> None:
    path = folder / "entries.gguf"
    write_gguf(path, {"entries": [[e.key, e.type, e.items, e.value] for e in entries]}, [])
    read = gguf.GGUFReader(path)
    fields = [f for f in read.fields.values() if not f.name.startswith("GGUF.")]
    assert [field.name for field in fields] == [entry.key for entry in entries]
    for field, entry in zip(fields, entries, strict=True):
        assert field.types[0].name == entry.type
        if entry.type != "ARRAY" or entry.value:
            assert repr(field.contents()) == repr(entry.value)

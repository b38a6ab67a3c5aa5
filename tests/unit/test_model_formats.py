"""Model files that are wrong in one way each: what is said, and that nothing else happens."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import safetensors.numpy
import small_models

from hartonomous.hql.errors import FileFault, NotSupported
from hartonomous.hql.models.formats import gguf as gguf_format
from hartonomous.hql.models.formats import gguf_values
from hartonomous.hql.models.formats.json_bounded import parse_object
from hartonomous.hql.models.formats.opening import open_source
from hartonomous.hql.models.formats.source import held
from hartonomous.hql.models.formats.writing import write_gguf, write_safetensors
from hartonomous.kernels.blocks import BLOCKS

RANDOM = np.random.default_rng(1)
TWO = small_models.tensors(RANDOM, [("F32", (2, 3)), ("F16", (4,))])


def refused(path: Path, code: str = "MODEL_FORMAT") -> str:
    """What opening says, without the folder."""
    with pytest.raises(FileFault) as caught:
        open_source(str(path)).close()
    assert caught.value.code == code
    folder = path if os.path.isdir(path) else path.parent
    return caught.value.message.replace(f"{folder}/", "")


# --- safetensors ---------------------------------------------------------------------------------


def with_header(header: str | bytes, data: bytes = b"") -> bytes:
    text = header.encode() if isinstance(header, str) else header
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: str = "U8", shape: Any = (2,), offsets: Any = (0, 2)) -> str:
    return json.dumps({"dtype": dtype, "shape": shape, "data_offsets": offsets})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes are too few for a safetensors file"),
        (b"\xff" * 8, "a header of 18,446,744,073,709,551,615 bytes is not safetensors"),
        (with_header("{}")[:-1], "the header has 2 bytes, and the file only 9"),
        (with_header("[]"), "the header does not begin with {"),
        (with_header('{"a": }'), "byte 14: not JSON: Expecting value"),
        (with_header(b'{"\xff": 1}'), "byte 10: JSON that is not UTF-8"),
        (with_header('{"a": ' + "[" * 90 + "]" * 90 + "}"), "JSON nested deeper than 64"),
        (with_header('{"a": ' + "[" * 200_000), "JSON nested deeper than 64"),
        (with_header('{"a": 1, "a": 2}'), 'two members are called "a"'),
        (with_header('{"\\ud800": 1}'), "half a surrogate pair"),
        (with_header(f'{{"a": {"9" * 5_000}}}'), "is no number of 64 bits"),
        (with_header('{"__metadata__": {"a": 1}}'), "__metadata__ is no object of texts"),
        (with_header('{"a": 1}'), 'tensor "a": it needs dtype, shape and data_offsets'),
        (with_header(f'{{"a": {entry(dtype="F33")}}}', b"ab"), 'there is no type "F33"'),
        (with_header(f'{{"a": {entry(dtype=[])}}}', b"ab"), "there is no type []"),  # type: ignore[arg-type]
        (with_header(f'{{"a": {entry(shape=[True, 2])}}}', b"ab"), "the shape is no list"),
        (with_header(f'{{"a": {entry(shape=[1] * 17)}}}', b"ab"), "the shape is no list"),
        (with_header(f'{{"a": {entry(offsets=[-1, 1])}}}', b"ab"), "data_offsets are not two"),
        (
            with_header(f'{{"a": {entry(shape=[1 << 62, 1 << 62])}}}', b"ab"),
            "has 21,267,647,932,558,653,966,460,912,964,485,513,216 bytes",
        ),
        (with_header(f'{{"a": {entry(shape=[3])}}}', b"abc"), "U8 [3] has 3 bytes, data_offsets"),
        (with_header(f'{{"": {entry()}}}', b"ab"), "names have 1 to 1,024 characters"),
        (
            with_header(f'{{"a": {entry()}, "b": {entry(offsets=[1, 3])}}}', b"abc"),
            'tensor "b" overlaps another: it begins at 1 of the data',
        ),
        (
            with_header(f'{{"a": {entry()}, "b": {entry(offsets=[3, 5])}}}', b"abcde"),
            'tensor "b" leaves a hole of 1 bytes: it begins at 3 of the data',
        ),
        (
            with_header(f'{{"a": {entry()}}}', b"abc"),
            "the header tells of 2 bytes of data, and there are 3",
        ),
        (
            with_header(f'{{"a": {entry()}}}', b"a"),
            "the header tells of 2 bytes of data, and there are 1",
        ),
    ],
)
def test_bad_safetensors(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    said = refused(path)
    assert said.startswith('"bad.safetensors"')
    assert message in said


def test_types_that_come_later(tmp_path: Path) -> None:
    path = tmp_path / "later.safetensors"
    path.write_bytes(with_header(f'{{"a": {entry(dtype="F8_E4M3")}}}', b"ab"))
    with pytest.raises(NotSupported, match="not supported yet: tensors of type F8_E4M3"):
        open_source(str(path))


def test_data_in_another_order_than_the_header(tmp_path: Path) -> None:
    header = f'{{"b":{entry(offsets=[2, 4])},"a":{entry()}}}'.replace(" ", "")
    text = header.encode() + b" " * (-len(header) % 8)
    path = tmp_path / "turned.safetensors"
    path.write_bytes(with_header(text, b"aabb"))
    with open_source(str(path)) as model:
        assert [(t.name, t.read().tobytes()) for t in model.tensors] == [("a", b"aa"), ("b", b"bb")]
        write_safetensors(tmp_path / "out", {}, model.tensors, {}, model.metadata)
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == path.read_bytes()


# --- GGUF ----------------------------------------------------------------------------------------


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def start(tensors: int = 0, entries: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries)


def value(code: int, data: bytes) -> bytes:
    return start(entries=1) + text(b"k") + struct.pack("<I", code) + data


def tensor(
    *sizes: int, name: bytes = b"t", code: int = 0, offset: int = 0, before: bytes = start(1)
) -> bytes:
    numbers = struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, code, offset)
    head = before + text(name) + numbers
    return head + b"\0" * (-len(head) % 32)


ARRAY = struct.pack("<IQ", 9, 1)
HUGE = (1 << 64) - 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a GGUF's beginning has 4 bytes, and the file only 0 more"),
        (b"GGML" + bytes(20), "byte 0: it does not begin with GGUF"),
        (start(version=1), "version 1; versions 2 and 3 are known"),
        (start(tensors=HUGE), "byte 8: 18,446,744,073,709,551,615 tensors, and there is room for"),
        (start(entries=HUGE), "byte 16: 18,446,744,073,709,551,615 entries, and there is room"),
        (start(entries=1) + bytes(14), "a key without characters"),
        (start(entries=1) + struct.pack("<Q", HUGE) + bytes(9), "byte 24: a key: a text of"),
        (value(8, struct.pack("<Q", HUGE)), '"k": a text of 18,446,744,073,709,551,615 bytes'),
        (value(8, struct.pack("<Q", 9) + b"short"), '"k" has 9 bytes, and the file only 5 more'),
        (value(8, text(b"a\xff")), 'byte 46: "k": text that is not UTF-8'),
        (value(13, bytes(8)), '"k": there is no type 13'),
        (value(7, b"\2"), '"k": a BOOL that is neither 0 nor 1'),
        (value(9, struct.pack("<IQ", 0, HUGE)), 'items in "k", and there is room for 0'),
        (value(9, struct.pack("<IQ", 8, HUGE)), 'texts in "k", and there is room for 0'),
        (value(9, struct.pack("<IQ", 13, 0)), '"k": there is no type 13'),
        (value(9, ARRAY * 4 + struct.pack("<IQ", 0, 0)), "arrays in arrays, deeper than 4"),
        (
            start(entries=2) + (text(b"k") + struct.pack("<IB", 0, 1)) * 2,
            'two entries are called "k"',
        ),
        (
            start(entries=1) + text(b"general.alignment") + struct.pack("<II", 4, 33),
            "general.alignment is no power of two",
        ),
        (
            start(entries=1) + text(b"general.alignment") + struct.pack("<IQ", 10, 32),
            "general.alignment is no power of two",
        ),
        (tensor(1, 1, 1, 1, 1), 'tensor "t" has 5 dimensions; 4 is the most'),
        (tensor(31, code=8), "rows of 31 are no multiple of a block of Q8_0"),
        (tensor(1 << 32, 1 << 32), "has more than 2**63 values"),
        (tensor(HUGE), "has more than 2**63 values"),
        (tensor(8), 'tensor "t" ends at byte 96, and the file at 64'),
        (tensor(8, code=99) + bytes(32), 'tensor "t": there is no type 99'),
        (tensor(8, offset=32) + bytes(64), 'tensor "t" begins at 32 of the data, not 0'),
        (tensor(8, name=b"") + bytes(32), "a tensor has no name"),
        (tensor(8) + bytes(33), "1 bytes follow the last tensor"),
    ],
)
def test_bad_gguf(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    said = refused(path)
    assert said.startswith('"bad.gguf"')
    assert message in said


def test_two_tensors_of_one_name(tmp_path: Path) -> None:
    one = text(b"t") + struct.pack("<IQIQ", 1, 8, 0, 0)
    (tmp_path / "bad.gguf").write_bytes(start(2) + one * 2 + bytes(96))
    assert 'two tensors are called "t"' in refused(tmp_path / "bad.gguf")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tensor(256, code=10) + bytes(96), 'tensors of type Q2_K ("'),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian GGUF files"),
    ],
)
def test_gguf_that_comes_later(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "later.gguf").write_bytes(data)
    with pytest.raises(NotSupported) as caught:
        open_source(str(tmp_path / "later.gguf"))
    assert caught.value.message.startswith("not supported yet: ")
    assert message in caught.value.message


def test_constants_are_the_packages() -> None:
    for code, name in gguf_format.TYPES.items():
        assert gguf.GGMLQuantizationType(code).name == name
        assert BLOCKS[name] == gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(code)]
    assert {n: c.value for n, c in gguf.GGUFValueType.__members__.items()} == gguf_values.CODES
    assert gguf_format.ALIGNMENT == gguf.GGUF_DEFAULT_ALIGNMENT


def test_numbers_that_json_has_not(tmp_path: Path) -> None:
    entries = [
        ["general.architecture", "STRING", "", "llama"],
        ["a", "FLOAT32", "", float("nan")],
        ["b", "ARRAY", "FLOAT64", [1.5, float("-inf")]],
        ["tokenizer.ggml.scores", "ARRAY", "FLOAT32", [float("inf")]],
    ]
    write_gguf(tmp_path / "odd.gguf", {"entries": entries}, [])
    with open_source(str(tmp_path / "odd.gguf")) as model:
        config = {"general.architecture": "llama", "a": "NaN", "b": [1.5, "-Infinity"]}
        assert model.config == config
        assert model.architecture_hint == "llama"
        scores = {"tokenizer.ggml.scores": [float("inf")]}
        assert model.tokenizer == {"kind": "gguf", "metadata": scores}
        assert repr(model.metadata["entries"]) == repr(entries)
    assert parse_object(b'{"a": NaN}', tmp_path) == {"a": "NaN"}


# --- parts, shards and folders -------------------------------------------------------------------


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A folder of a GGUF in three parts."""
    given = small_models.tensors(RANDOM, [("F32", (4,)), ("Q8_0", (2, 32)), ("F16", (3, 2))])
    small_models.write_gguf_file(tmp_path / "m.gguf", given, split_max_tensors=1)
    return tmp_path


def test_split_gguf_is_one_model(parts: Path) -> None:
    names = [f"m-0000{i}-of-00003.gguf" for i in (1, 2, 3)]
    assert sorted(os.listdir(parts)) == names
    for path in (parts, *[parts / name for name in names]):
        with open_source(str(path)) as model:
            found = [tensor.name for tensor in model.tensors]
            assert found == ["t0.weight", "t1.weight", "t2.weight"]
            write_gguf(parts / "whole.one", model.metadata, model.tensors)
    whole = gguf.GGUFReader(parts / "whole.one")
    assert [tensor.name for tensor in whole.tensors] == found
    assert not [key for key in whole.fields if key.startswith("split.")]


def test_parts_that_are_not_of_one_model(parts: Path) -> None:
    first, second, third = sorted(parts.iterdir())
    first_bytes = first.read_bytes()
    first.write_bytes(third.read_bytes())
    assert "it says that it is part 2 of 3, with 3 tensors in all, and it is" in refused(second)
    first.write_bytes(first_bytes)
    third.unlink()
    said = '"m-00003-of-00003.gguf": this part of the model is missing'
    assert refused(parts) == said
    assert refused(second) == said
    first.rename(parts / "renamed.gguf")
    assert "and it is part 0 of 1" in refused(parts / "renamed.gguf")
    (parts / "a-00000-of-00002.gguf").write_bytes(b"")
    assert "part 0 of 2" in refused(parts / "a-00000-of-00002.gguf")


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    more = small_models.tensors(RANDOM, [("BF16", (2, 2))], "more")
    small_models.sharded_folder(tmp_path / "model", [TWO, more], {"model_type": "llama", "n": 1})
    return tmp_path / "model"


def test_sharded_folder_comes_out_as_it_was(shards: Path, tmp_path: Path) -> None:
    for folder in ("1_Pooling", "other"):
        (shards / folder).mkdir()
        (shards / folder / "config.json").write_text("{}")
    (shards / "LICENSE").write_bytes(b"as you like\xff")
    (shards / "1_Pooling" / "program.py").write_text("raise SystemExit")
    with open_source(str(shards)) as model:
        assert model.architecture_hint == "llama"
        assert model.config == {"model_type": "llama", "n": 1}
        files = model.tokenizer["files"]
        write_safetensors(tmp_path / "out", model.config, model.tensors, files, model.metadata)
    found = {p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob("*")}
    kept = {p.relative_to(shards) for p in shards.rglob("*") if p.suffix != ".py"}
    assert found == {p for p in kept if p.parts[0] != "other"}
    for path in found:
        if (shards / path).is_file():
            assert (tmp_path / "out" / path).read_bytes() == (shards / path).read_bytes()


def test_index_tells_the_size_of_changed_tensors(shards: Path, tmp_path: Path) -> None:
    with open_source(str(shards)) as model:
        first, *others = model.tensors
        wider = held(first.name, "F64", first.shape, lambda: bytes(2 * first.bytes))
        write_safetensors(tmp_path / "out", {}, [wider, *others], {}, model.metadata)
    before, after = (
        json.loads((folder / "model.safetensors.index.json").read_text())
        for folder in (shards, tmp_path / "out")
    )
    assert after["weight_map"] == before["weight_map"]
    grown = after["metadata"]["total_size"] - before["metadata"]["total_size"]
    assert grown == first.bytes


def test_changed_model_gets_a_layout_of_its_own(shards: Path, tmp_path: Path) -> None:
    with open_source(str(shards)) as model:
        fewer = [t for t in model.tensors if t.name != "t0.weight"]
        write_safetensors(tmp_path / "out", {"n": 2}, fewer, {}, model.metadata)
    assert sorted(os.listdir(tmp_path / "out")) == ["config.json", "model.safetensors"]
    assert json.loads((tmp_path / "out" / "config.json").read_text()) == {"n": 2}
    with safetensors.safe_open(tmp_path / "out" / "model.safetensors", "numpy") as opened:
        assert sorted(opened.keys()) == ["more0.weight", "t1.weight"]
        assert opened.metadata() == {"format": "pt"}


def change_index(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    change(index["weight_map"])
    path.write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.clear(), '"model.safetensors.index.json": it has no weight_map'),
        (lambda m: m.update(x="/etc/passwd"), "is in '/etc/passwd': no file name"),
        (lambda m: m.update(x="../m.safetensors"), "is in '../m.safetensors': no file name"),
        (lambda m: m.update(x="config.json"), "is in 'config.json': no file name"),
        (lambda m: m.update(x=["m"]), "no file name"),
        (
            lambda m: m.update(x="y.safetensors"),
            'the file "y.safetensors" that it names is missing',
        ),
        (
            lambda m: m.update(x="model-00001-of-00002.safetensors"),
            '"model-00001-of-00002.safetensors": tensor "x" is not in it, as the index says',
        ),
    ],
)
def test_index_that_lies(
    shards: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    change_index(shards, change)
    assert message in refused(shards)


def test_a_tensor_in_two_shards(shards: Path) -> None:
    first, second = sorted(shards.glob("*.safetensors"))
    second.write_bytes(first.read_bytes())
    assert 'tensor "t0.weight" is in another part too' in refused(shards)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "holds no model"),
        (["README.md"], "holds no model"),
        (["a.gguf", "b.gguf"], "holds several models: a.gguf, b.gguf"),
    ],
)
def test_folder_without_one_model(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert message in refused(tmp_path, "FILE")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "m.pth", "m.pt"])
def test_pickles_are_not_run(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(NotSupported, match="not supported yet: PyTorch's pickled files"):
            open_source(str(path))


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "none.gguf", "FILE")
    assert "File name too long" in refused(tmp_path / ("x" * 300), "FILE")
    assert "is no path" in refused(Path(f"{tmp_path}/a\0.gguf"), "FILE")
    (tmp_path / "model.onnx").touch()
    assert "does not name a model's format" in refused(tmp_path / "model.onnx", "FILE")
    assert "does not exist" in refused(Path("~nobody-of-this-name/m.gguf"), "FILE")
    os.mkfifo(tmp_path / "pipe.gguf")
    assert "is no regular file" in refused(tmp_path / "pipe.gguf", "FILE")
    (tmp_path / "model.safetensors").mkdir()
    assert "is no regular file" in refused(tmp_path, "FILE")


# --- bounds --------------------------------------------------------------------------------------


MEGABYTE = 1 << 20
#: files whose text is cheap and whose values would be dear; zeros follow in GGUF files
HOSTILE: dict[str, Callable[[], bytes]] = {
    "objects.safetensors": lambda: with_header('{"a":[' + "{}," * MEGABYTE + "{}]}"),
    "numbers.safetensors": lambda: with_header('{"a":[' + "1," * (3 * MEGABYTE) + "1]}"),
    "names.safetensors": lambda: with_header("{" + '"a":[],' * (MEGABYTE // 2) + '"a":1}'),
    "texts.gguf": lambda: value(9, struct.pack("<IQ", 8, 5_000_000)),
    "numbers.gguf": lambda: value(9, struct.pack("<IQ", 0, 5_000_000)),
    "arrays.gguf": lambda: value(9, struct.pack("<IQ", 9, 1_000_000)),
    "entries.gguf": lambda: start(entries=MEGABYTE),
    "tensors.gguf": lambda: start(tensors=MEGABYTE),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_memory_is_bounded(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(HOSTILE[name]())
    if path.suffix == ".gguf":
        os.truncate(path, 48 * MEGABYTE)
    tracemalloc.start()
    try:
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < 40 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_headers_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each entry may be short and all of them long."""
    monkeypatch.setattr(gguf_values, "HEADER_BYTES_MAX", 200)
    entries = [[f"key{i}", "STRING", "", "x" * 20] for i in range(10)]
    write_gguf(tmp_path / "long.gguf", {"entries": entries}, [])
    assert "the header is longer than 200 bytes" in refused(tmp_path / "long.gguf")


def test_sparse_files_are_not_read_whole(tmp_path: Path) -> None:
    """A length that the file does have, but nobody should read at once."""
    terabyte = 1 << 40
    for name, data in (
        ("a.safetensors", with_header(b"{}")[:8].replace(b"\2", b"\xff", 1)),
        ("b.gguf", value(8, struct.pack("<Q", terabyte // 2))),
        ("c.gguf", value(9, struct.pack("<IQ", 0, terabyte // 2))),
        ("d.safetensors.index.json", b'{"weight_map": {}}'),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        os.truncate(path, terabyte)
        tracemalloc.start()
        try:
            refused(path)
            assert tracemalloc.get_traced_memory()[1] < 20 << 20
        finally:
            tracemalloc.stop()

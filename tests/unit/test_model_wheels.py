"""Real models in and out: the same bytes, one copy of equal ones, the size of it all."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from model_files import FRACAST, MINILM, MINILM_AGAIN, SMOLLM, model_file, model_folder

from hartonomous import hql
from hartonomous.hql.models.model import Model, find_model
from hartonomous.hql.models.row_data import read_row_data
from hartonomous.kernels.quantize import dequantise


def find(connection: hql.Connection, name: str) -> Model:
    database = connection.session.database
    return find_model(database.snapshot().catalog, database, name)


def size_of(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


@pytest.mark.slow
def test_smollm2(tmp_path: Path) -> None:
    file = model_file(*SMOLLM)
    folder = tmp_path / "a.hdb"
    with hql.connect(folder) as connection:
        connection.execute(f"CREATE MODEL smollm FROM '{file}'")
        connection.execute("CHECKPOINT")
        model = find(connection, "smollm")
        assert (model.architecture, model.is_runnable) == ("llama", True)
        assert (len(model.tensors), model.parameter_count) == (272, 134_515_008)
        assert sum(t.pack.bytes for t in model.tensors) == model.bytes
        assert size_of(folder) <= 1.4 * model.bytes
        first = size_of(folder)
        connection.execute(f"CREATE MODEL again FROM '{file}'")
        connection.execute("CHECKPOINT")
        assert size_of(folder) - first < 1 << 20
        connection.execute(f"EXPORT MODEL smollm TO '{tmp_path}/out.gguf'")
        assert (tmp_path / "out.gguf").read_bytes() == file.read_bytes()
        check_rows(model)
        check_order(model, file)
        connection.execute(f"EXPORT MODEL smollm TO '{tmp_path}/hf' FORMAT SAFETENSORS")
        connection.execute(f"CREATE MODEL hf FROM '{tmp_path}/hf'")
        check_same_numbers(model, find(connection, "hf"))


def check_rows(model: Model) -> None:
    """Norms, points and shared scores of a tensor's rows, against NumPy."""
    tensor = model.tensor("layer3.mlp.down.weight")
    assert tensor is not None and (tensor.rows, tensor.length) == (576, 1536)
    rows = dequantise(tensor.dtype, model.pack(tensor.name).data, tensor.length)
    data = read_row_data(model, tensor)
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    np.testing.assert_allclose(data.norms, lengths, rtol=1e-12)
    assert data.points is not None
    apart = np.linalg.norm(data.points[:100, None] - data.points[None, :100], axis=2)
    distances = np.linalg.norm(rows[:100, None] - rows[None, :100], axis=2)
    assert (apart <= distances + 1e-6).all() and apart.max() > 0


def check_order(model: Model, file: Path) -> None:
    """Row 2i + p of a head in the file is row i + 32p of it here."""
    from gguf import GGUFReader

    found = {t.name: np.asarray(t.data) for t in GGUFReader(file).tensors}
    query = model.pack("layer5.attention.query.weight").data.reshape(9, 2, 32, -1)
    stored = found["blk.5.attn_q.weight"].reshape(9, 32, 2, -1)
    assert np.array_equal(query, stored.swapaxes(1, 2))


def check_same_numbers(model: Model, other: Model) -> None:
    assert {t.name for t in model.tensors} == {t.name for t in other.tensors}
    for tensor in model.tensors:
        if tensor.name.startswith(("layer0.", "layer29.", "norm.")):
            twin = other.tensor(tensor.name)
            assert twin is not None and twin.dtype == "F32"
            a = dequantise(tensor.dtype, model.pack(tensor.name).data, tensor.length)
            b = dequantise("F32", other.pack(tensor.name).data, twin.length)
            assert np.array_equal(a, b), tensor.name


@pytest.mark.slow
def test_two_wheels_with_one_minilm_cost_one_copy(tmp_path: Path) -> None:
    folder, source = tmp_path / "a.hdb", model_folder(*MINILM)
    with hql.connect(folder) as connection:
        connection.execute(f"CREATE MODEL minilm FROM '{source}'")
        connection.execute("CHECKPOINT")
        first = size_of(folder)
        connection.execute(f"CREATE MODEL again FROM '{model_folder(*MINILM_AGAIN)}'")
        connection.execute("CHECKPOINT")
        assert size_of(folder) - first < 1 << 20
        model = find(connection, "minilm")
        assert (model.architecture, model.is_runnable) == ("bert", True)
        assert (model.config["pooling"], model.config["normalize"]) == ("mean", True)
        connection.execute(f"EXPORT MODEL minilm TO '{tmp_path}/out'")
    for file in sorted((tmp_path / "out").rglob("*")):
        if file.is_file():
            assert file.read_bytes() == (source / file.relative_to(tmp_path / "out")).read_bytes()


def test_fracast_is_rows_of_an_unknown_architecture(tmp_path: Path) -> None:
    """A real file of 344 kB, and its int8 twin, which keeps scales beside."""
    source = model_folder(*FRACAST)
    for name in ("model", "model.int8"):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(source / f"{name}.safetensors", folder / "model.safetensors")
        with hql.connect() as connection:
            cursor = connection.execute(f"CREATE MODEL f FROM '{folder}'")
            assert "cannot run: the files do not say what they are" in cursor.messages[0]
            cursor.execute("SELECT COUNT(*), SUM(CASE WHEN Norm >= 0 THEN 1 END) FROM TensorAtoms")
            ((rows, measured),) = cursor.fetchall()
            assert rows == measured > 1000
            connection.execute(f"EXPORT MODEL f TO '{tmp_path}/{name}.out'")
        out = tmp_path / f"{name}.out" / "model.safetensors"
        assert out.read_bytes() == (folder / "model.safetensors").read_bytes()

"""Models from files and back: names, moved rows, fused and turned tensors, what is refused; every
architecture through every format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hartonomous import hql
from hartonomous.hql.errors import BindFault, ExecutionFault, FileFault
from hartonomous.hql.models import measuring
from hartonomous.hql.models.architectures import ARCHITECTURES
from hartonomous.hql.models.formats.opening import open_source
from hartonomous.hql.models.formats.source import SourceTensor, held
from hartonomous.hql.models.formats.writing import write_gguf, write_safetensors
from hartonomous.hql.models.model import Model, find_model
from hartonomous.hql.models.row_data import read_row_data
from hartonomous.hql.syntax.parse import parse_batch
from hartonomous.kernels.quantize import dequantise, quantise
from hartonomous.storage.database import Database
from hartonomous.storage.errors import Cancelled, Error

LLAMA = "llama(layers = 2, width = 32, heads = 4, kv_heads = 2, mlp = 64, context = 16)"
MADE = {
    "llama": LLAMA,
    "gemma3": "gemma3(layers = 7, width = 16, heads = 4, kv_heads = 2, mlp = 24)",
    "bert": "bert(layers = 2, width = 16, heads = 4, mlp = 24, context = 16)",
    "gpt2": "gpt2(layers = 2, width = 16, heads = 4, context = 16, tied = 0)",
    "static": "static(width = 16)",
    "mlp": "mlp(inputs = 5, hidden = [7, 6], outputs = 3)",
}
CONFIG = {
    "model_type": "llama",
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 12,
    "vocab_size": 10,
}


@pytest.fixture
def connection() -> Iterator[hql.Connection]:
    with hql.connect() as made:
        yield made


def run(connection: hql.Connection, text: str) -> list[str]:
    """The messages of a statement."""
    cursor = connection.cursor()
    cursor.execute(text)
    return list(cursor.messages)


def find(connection: hql.Connection, name: str) -> Model:
    database = connection.session.database
    return find_model(database.snapshot().catalog, database, name)


def values(model: Model, name: str) -> np.ndarray:
    """float32 of a tensor's shape."""
    tensor = model.tensor(name)
    assert tensor is not None, (name, [t.name for t in model.tensors])
    data = dequantise(tensor.dtype, model.pack(name).data, tensor.length)
    return data.reshape(tensor.shape)


def tensors_of(arrays: dict[str, np.ndarray]) -> list[SourceTensor]:
    return [held(k, "F32", v.shape, v.astype("<f4").tobytes) for k, v in arrays.items()]


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32)


def small_llama() -> dict[str, np.ndarray]:
    layer = "model.layers.0."
    shapes = {
        "model.embed_tokens.weight": (10, 8),
        f"{layer}self_attn.q_proj.weight": (8, 8),
        f"{layer}self_attn.k_proj.weight": (4, 8),
        f"{layer}self_attn.v_proj.weight": (4, 8),
        f"{layer}self_attn.o_proj.weight": (8, 8),
        f"{layer}mlp.gate_proj.weight": (12, 8),
        f"{layer}mlp.up_proj.weight": (12, 8),
        f"{layer}mlp.down_proj.weight": (8, 12),
        f"{layer}input_layernorm.weight": (8,),
        f"{layer}post_attention_layernorm.weight": (8,),
        "model.norm.weight": (8,),
    }
    return {name: draw(*shape, seed=i) for i, (name, shape) in enumerate(shapes.items())}


@pytest.mark.parametrize("format", ["safetensors", "gguf"])
@pytest.mark.parametrize("name", sorted(MADE))
def test_what_is_written_is_read_back(
    connection: hql.Connection, tmp_path: Path, name: str, format: str
) -> None:
    tokenizer = "" if name == "mlp" else " WITH (SEED = 3, TOKENIZER = 'bytes')"
    run(connection, f"CREATE MODEL a ARCHITECTURE {MADE[name]}{tokenizer}")
    path = tmp_path / ("a.gguf" if format == "gguf" else "a")
    export = f"EXPORT MODEL a TO '{path}' FORMAT {format}"
    if format == "gguf" and ARCHITECTURES[name].gguf_name is None:
        with pytest.raises(Error, match=r"not supported yet: .* as a GGUF"):
            run(connection, export)
        return
    assert run(connection, export) == []
    assert run(connection, f"CREATE MODEL b FROM '{path}'") == []
    a, b = find(connection, "a"), find(connection, "b")
    assert {t.name for t in a.tensors} == {t.name for t in b.tensors}
    for tensor in a.tensors:
        found = b.tensor(tensor.name)
        assert found is not None and (found.shape, found.dtype) == (tensor.shape, "F32")
        exact = name != "gemma3" or format != "gguf" or "norm" not in tensor.name
        assert (found.pack == tensor.pack) or not exact, tensor.name
        np.testing.assert_allclose(values(b, tensor.name), values(a, tensor.name), atol=1e-7)
    same = {k for k in a.config if a.config[k] == b.config[k]}
    # a GGUF's numbers are 32 bits wide, and some defaults have no place in one
    assert set(a.config) - same <= {"norm_epsilon", "rope_base", "text_tokens", "vocabulary"}
    assert b.is_runnable and a.config["kind"] == b.config["kind"]
    again = tmp_path / ("b.gguf" if format == "gguf" else "b")
    run(connection, f"EXPORT MODEL b TO '{again}'")
    for file in [path] if path.is_file() else sorted(path.rglob("*.*")):
        copy = again if path.is_file() else again / file.relative_to(path)
        assert copy.is_dir() or copy.read_bytes() == file.read_bytes(), file


def test_a_gguf_has_the_rows_where_llama_cpp_wants_them(
    connection: hql.Connection, tmp_path: Path
) -> None:
    run(connection, f"CREATE MODEL a ARCHITECTURE {LLAMA}")
    run(connection, f"EXPORT MODEL a TO '{tmp_path}/a.gguf' FORMAT GGUF WITH (DTYPE = Q8_0)")
    from gguf import GGUFReader

    tensors = {t.name: t for t in GGUFReader(tmp_path / "a.gguf").tensors}
    model = find(connection, "a")
    for part, heads in (("query", 4), ("key", 2)):
        rows = values(model, f"layer1.attention.{part}.weight")
        moved = rows.reshape(heads, 2, 4, 32).swapaxes(1, 2).reshape(-1, 32)
        name = {"query": "q", "key": "k"}[part]
        data = np.asarray(tensors[f"blk.1.attn_{name}.weight"].data)
        assert np.array_equal(data, quantise("Q8_0", np.ascontiguousarray(moved)))
    # and quantised rows are moved back without being decoded
    run(connection, f"CREATE MODEL b FROM '{tmp_path}/a.gguf'")
    back = find(connection, "b").pack("layer1.attention.query.weight").data
    wanted = quantise("Q8_0", values(model, "layer1.attention.query.weight"))
    assert np.array_equal(back, wanted)


def test_fused_tensors_are_cut_and_joined(connection: hql.Connection, tmp_path: Path) -> None:
    arrays = small_llama()
    layer = "model.layers.0."
    parts = [f"{layer}self_attn.{p}_proj.weight" for p in "qkv"]
    gate_up = [f"{layer}mlp.{p}_proj.weight" for p in ("gate", "up")]
    fused = {k: v for k, v in arrays.items() if k not in (*parts, *gate_up)}
    fused[f"{layer}self_attn.qkv_proj.weight"] = np.concatenate([arrays[p] for p in parts])
    fused[f"{layer}mlp.gate_up_proj.weight"] = np.concatenate([arrays[p] for p in gate_up])
    write_safetensors(tmp_path / "plain", CONFIG, tensors_of(arrays), {}, {})
    write_safetensors(tmp_path / "fused", CONFIG, tensors_of(fused), {}, {})
    for name in ("plain", "fused"):
        assert run(connection, f"CREATE MODEL {name} FROM '{tmp_path}/{name}'") == []
    plain, joined = find(connection, "plain"), find(connection, "fused")
    assert {t.name: t.pack for t in plain.tensors} == {t.name: t.pack for t in joined.tensors}
    run(connection, f"EXPORT MODEL fused TO '{tmp_path}/again'")
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "fused" / file).read_bytes()


def test_turned_tensors_have_outputs_as_rows(connection: hql.Connection, tmp_path: Path) -> None:
    run(connection, f"CREATE MODEL a ARCHITECTURE {MADE['gpt2']}")
    run(connection, f"EXPORT MODEL a TO '{tmp_path}/a'")
    with open_source(str(tmp_path / "a")) as source:
        found = {t.name: t for t in source.tensors}
        fused = found["transformer.h.1.attn.c_attn.weight"]
        assert fused.shape == (16, 48)
        data = fused.read().view("<f4").reshape(16, 48)
    model = find(connection, "a")
    for i, part in enumerate(("query", "key", "value")):
        rows = values(model, f"layer1.attention.{part}.weight")
        assert np.array_equal(rows, data.T[16 * i : 16 * i + 16])


def test_what_rounding_loses_of_a_norm_is_kept(connection: hql.Connection, tmp_path: Path) -> None:
    """A Gemma's GGUF has its norms plus 1; taking 1 from a small number and adding it again does
    not give the number back."""
    run(connection, f"CREATE MODEL a ARCHITECTURE {MADE['gemma3']}")
    run(connection, f"EXPORT MODEL a TO '{tmp_path}/a.gguf' FORMAT GGUF")
    tiny = np.array([1e-6, 0.3, -0.7, 1.5] * 4, np.float32)
    assert not np.array_equal((tiny - np.float32(1)) + np.float32(1), tiny)
    with open_source(str(tmp_path / "a.gguf")) as source:
        tensors = [
            held(t.name, "F32", t.shape, tiny.tobytes) if t.name == "output_norm.weight" else t
            for t in source.tensors
        ]
        write_gguf(tmp_path / "b.gguf", source.metadata, tensors)
    run(connection, f"CREATE MODEL b FROM '{tmp_path}/b.gguf'")
    assert np.array_equal(values(find(connection, "b"), "norm.final.weight"), tiny - np.float32(1))
    run(connection, f"EXPORT MODEL b TO '{tmp_path}/c.gguf'")
    assert (tmp_path / "c.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_nets_are_known_by_their_names(connection: hql.Connection, tmp_path: Path) -> None:
    """Numbers are counted as numbers, words for the output come last."""
    sizes = [3, *range(4, 15), 2]
    arrays = {}
    for i, (a, b) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        name = f"net.{i}" if i < len(sizes) - 2 else "net.out"
        arrays |= {f"{name}.weight": draw(b, a), f"{name}.bias": draw(b)}
    write_safetensors(tmp_path / "net", {}, tensors_of(arrays), {}, {})
    assert run(connection, f"CREATE MODEL net FROM '{tmp_path}/net'") == []
    model = find(connection, "net")
    assert (model.architecture, model.config["sizes"]) == ("mlp", sizes)
    assert np.array_equal(values(model, "layer10.mlp.up.weight"), arrays["net.10.weight"])
    assert np.array_equal(values(model, "head.weight"), arrays["net.out.weight"])


def test_an_unknown_architecture_is_rows(connection: hql.Connection, tmp_path: Path) -> None:
    arrays = {"strange.block.0.w": draw(3, 2, 2), "scalar": draw(1)[0].reshape(())}
    arrays["empty"] = np.zeros((0, 4), np.float32)
    write_safetensors(tmp_path / "a", {"model_type": "strange"}, tensors_of(arrays), {}, {})
    (message,) = run(connection, f"CREATE MODEL a FROM '{tmp_path}/a'")
    assert 'cannot run: the architecture "strange" is not known here' in message
    model = find(connection, "a")
    assert not model.is_runnable and model.architecture == "strange"
    shapes = {t.name: (t.rows, t.length, t.unit_kind) for t in model.tensors}
    assert shapes["strange.block.0.w"] == (3, 4, "residual")
    assert shapes["scalar"] == (1, 1, "vector") and shapes["empty"] == (0, 4, "residual")
    run(connection, f"EXPORT MODEL a TO '{tmp_path}/b'")
    first, second = (tmp_path / x / "model.safetensors" for x in "ab")
    assert first.read_bytes() == second.read_bytes()
    with pytest.raises(Error, match="can only be written as safetensors"):
        run(connection, f"EXPORT MODEL a TO '{tmp_path}/c' FORMAT GGUF")


def test_tensors_that_an_architecture_has_not(connection: hql.Connection, tmp_path: Path) -> None:
    arrays = small_llama() | {"model.layers.0.lora.weight": draw(2, 8)}
    write_safetensors(tmp_path / "a", CONFIG, tensors_of(arrays), {}, {})
    (message,) = run(connection, f"CREATE MODEL a FROM '{tmp_path}/a'")
    assert 'llama has no tensors "model.layers.0.lora.weight"' in message
    assert not find(connection, "a").is_runnable


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{}", 'tokenizer.json is not as it must be: "model" is missing'),
        ('{"model": []}', "tokenizer.json is not as it must be: a field is of another kind"),
        ('{"model": {', "tokenizer.json is no JSON"),
        ("[" * 100_000, "tokenizer.json is nested too deep"),
        ('{"model": {"type": "None"}}', "the tokenizer cannot be read"),
    ],
)
def test_a_tokenizer_that_cannot_be_read_is_told(
    connection: hql.Connection, tmp_path: Path, content: str, why: str
) -> None:
    """Rows import; a text is the same error, in words of ours."""
    write_safetensors(tmp_path / "a", CONFIG, tensors_of(small_llama()), {}, {})
    (tmp_path / "a" / "tokenizer.json").write_text(content)
    (message,) = run(connection, f"CREATE MODEL a FROM '{tmp_path}/a'")
    assert message.startswith(f'the tokenizer of model "a" cannot be read: {why}')
    assert find(connection, "a").is_runnable
    with pytest.raises(ExecutionFault, match=why) as caught:
        connection.execute("SELECT LOGPROB('a', 'text')").fetchall()
    assert caught.value.code == "MODEL_INPUT" and "Error(" not in caught.value.message


def test_layers_that_the_configuration_leaves_out(
    connection: hql.Connection, tmp_path: Path
) -> None:
    arrays = small_llama() | {"model.layers.1.mlp.up_proj.weight": draw(12, 8)}
    write_safetensors(tmp_path / "a", CONFIG, tensors_of(arrays), {}, {})
    (message,) = run(connection, f"CREATE MODEL a FROM '{tmp_path}/a'")
    assert 'leaves out the layer of the tensor "model.layers.1.mlp.up_proj.weight"' in message
    assert not find(connection, "a").is_runnable


def settings_in(hint: str | None) -> set[str]:
    assert hint is not None and " has: " in hint
    return set(hint.partition(" has: ")[2].split(", "))


@pytest.mark.parametrize("name", MADE)
def test_a_setting_that_is_misspelt_is_named(connection: hql.Connection, name: str) -> None:
    """Before the one that is missing instead, and with the nearest of those that there are."""
    with pytest.raises(BindFault, match=f"^{name} has no nothing") as caught:
        connection.execute(
            f"CREATE MODEL m ARCHITECTURE {MADE[name].replace('(', '(nothing = 1, ')}"
        )
    known = settings_in(caught.value.hint)
    with pytest.raises(BindFault, match=f"^{name} has no nothing") as caught:
        connection.execute(f"CREATE MODEL m ARCHITECTURE {name}(nothing = 1)")
    assert known <= settings_in(caught.value.hint)  # found without a configuration
    wanted = "outputs" if name == "mlp" else "width"
    text = f"CREATE MODEL m ARCHITECTURE {MADE[name].replace(wanted, wanted[:-2])}"
    with pytest.raises(BindFault, match=f"^{name} has no {wanted[:-2]}") as caught:
        connection.execute(text)
    assert caught.value.hint and caught.value.hint.startswith(f"did you mean {wanted}?")
    assert caught.value.column == text.index(wanted[:-2] + " =") + 1


def test_the_tokenizer_of_a_model_that_an_id_names(connection: hql.Connection) -> None:
    run(connection, f"CREATE MODEL n ARCHITECTURE {LLAMA} WITH (TOKENIZER = 'bytes')")
    number = find(connection, "n").id
    text = f"CREATE MODEL m ARCHITECTURE {LLAMA} WITH (TOKENIZER = FROM MODEL {number})"
    (statement,) = parse_batch(text)
    assert f"TOKENIZER = FROM MODEL {number}" in str(statement)
    assert parse_batch(str(statement)) == (statement,)
    run(connection, text)
    assert find(connection, "m").tokenizer == find(connection, "n").tokenizer is not None


@pytest.mark.parametrize("path", ["", "  ", "a\0b"])
@pytest.mark.parametrize(
    "text",
    ["CREATE MODEL m FROM {0}", "EXPORT MODEL n TO {0}", "EXPORT MODEL n TO {0} FORMAT GGUF"],
)
def test_a_path_that_is_none_is_an_error_at_its_place(
    connection: hql.Connection, text: str, path: str
) -> None:
    """An empty one would be the current folder."""
    run(connection, f"CREATE MODEL n ARCHITECTURE {LLAMA}")
    with pytest.raises(FileFault, match="the path is empty|is no path") as caught:
        run(connection, text.format(f"'{path}'"))
    assert (caught.value.code, caught.value.column) == ("FILE", text.index("{") + 1)
    with pytest.raises(FileFault, match="the path is empty|is no path") as caught:
        connection.execute(text.format("?"), [path])
    assert caught.value.column == text.index("{") + 1


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "1_Pooling/config.json"])
def test_a_link_to_nothing_is_an_error(
    connection: hql.Connection, tmp_path: Path, name: str
) -> None:
    write_safetensors(tmp_path / "a", CONFIG, tensors_of(small_llama()), {}, {})
    link = tmp_path / "a" / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "nothing")
    with pytest.raises(FileFault, match=name):
        run(connection, f"CREATE MODEL a FROM '{tmp_path}/a'")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_hidden_layers": 2}, 'the tensor for "layer1.norm.attention.weight" is missing'),
        ({"num_hidden_layers": 2**31}, "num_hidden_layers is 2147483648"),
        ({"vocab_size": 11}, r'"embedding.token.weight" is \[10, 8\], and the .* \[11, 8\]'),
        ({"num_attention_heads": 3}, "3 query heads|is .*, and the configuration says"),
        ({"num_key_value_heads": 3}, "2 query heads cannot share 3"),
        ({"hidden_size": "8"}, "hidden_size is '8', no whole number"),
        ({"rms_norm_eps": -1}, "rms_norm_eps is -1, no number above 0"),
        ({"rope_scaling": 3}, "rope_scaling is no object"),
    ],
)
def test_a_configuration_that_lies_is_an_error(
    connection: hql.Connection, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write_safetensors(tmp_path / "a", CONFIG | change, tensors_of(small_llama()), {}, {})
    with pytest.raises(FileFault, match=message) as caught:
        run(connection, f"CREATE MODEL a FROM '{tmp_path}/a'")
    assert caught.value.code == "MODEL_FORMAT"
    assert not connection.session.database.snapshot().catalog.models()


def test_what_fails_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects too: the statement's are gone with it, those of others stay."""
    folder = tmp_path / "a.hdb"
    with hql.connect(folder) as connection:
        run(connection, f"CREATE MODEL a ARCHITECTURE {LLAMA}")
        connection.session.database.checkpoint()
        before = objects_of(folder)

        def fail(*_: Any) -> Any:
            raise Cancelled("the statement was cancelled")

        monkeypatch.setattr(measuring, "hash_rows", fail)
        with pytest.raises(Cancelled):
            run(connection, f"CREATE MODEL b ARCHITECTURE {LLAMA} WITH (SEED = 9)")
    Database.open(folder).close()
    with hql.connect(folder) as connection:
        connection.session.database.checkpoint()
        assert [m.name for m in connection.session.database.snapshot().catalog.models()] == ["a"]
    assert objects_of(folder) <= before | manifests_since(folder, before)


def objects_of(folder: Path) -> set[str]:
    return {f.parent.name + f.name for f in (folder / "objects").rglob("*") if f.is_file()}


def manifests_since(folder: Path, before: set[str]) -> set[str]:
    """Objects that checkpoints wrote: none of them is a tensor of 4 KiB or more."""
    new = objects_of(folder) - before
    return {n for n in new if (folder / "objects" / n[:2] / n[2:]).stat().st_size < 4096}


def test_rows_that_are_not_finite_have_no_say_in_the_projection(
    connection: hql.Connection, tmp_path: Path
) -> None:
    arrays = small_llama()
    arrays["model.embed_tokens.weight"][3] = np.nan
    arrays["model.embed_tokens.weight"][5, 2] = np.inf
    write_safetensors(tmp_path / "a", CONFIG, tensors_of(arrays), {}, {})
    assert run(connection, f"CREATE MODEL a FROM '{tmp_path}/a'") == []
    model = find(connection, "a")
    tensor = model.tensor("embedding.token.weight")
    assert tensor is not None
    data = read_row_data(model, tensor)
    finite = [i for i in range(10) if i not in (3, 5)]
    assert data.points is not None and np.isfinite(data.points[finite]).all()
    assert np.isnan(data.norms[3]) and np.isinf(data.norms[5])
    rows = values(model, "embedding.token.weight")[finite]
    lengths = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(data.norms[finite], lengths, rtol=1e-6)
    assert (np.linalg.norm(data.points[finite], axis=1) <= lengths).all()


def test_importance_is_the_rank_of_norms_of_rows_and_columns(connection: hql.Connection) -> None:
    """The definition, unit by unit."""
    run(connection, f"CREATE MODEL a ARCHITECTURE {LLAMA} WITH (SEED = 5)")
    model = find(connection, "a")
    raw: dict[tuple[str, int, int], float] = {}

    def over_mean(part: np.ndarray, whole: np.ndarray) -> float:
        mean = np.sqrt((whole.astype(float) ** 2).mean())
        return float(np.sqrt((part.astype(float) ** 2).sum()) / mean)

    for n in range(2):
        query, key, value, output, gate, up, down = (
            values(model, f"layer{n}.{name}.weight")
            for name in (
                *(f"attention.{p}" for p in ("query", "key", "value", "output")),
                *(f"mlp.{p}" for p in ("gate", "up", "down")),
            )
        )
        for h in range(4):
            rows = slice(8 * h, 8 * h + 8)
            raw["head:q", n, h] = over_mean(query[rows], query) * over_mean(output[:, rows], output)
        for h in range(2):
            rows, used = slice(8 * h, 8 * h + 8), slice(16 * h, 16 * h + 16)
            raw["head:kv", n, h] = (
                over_mean(key[rows], key)
                * over_mean(value[rows], value)
                * over_mean(output[:, used], output)
            )
        for i in range(64):
            raw["neuron", n, i] = (
                over_mean(gate[i], gate) * over_mean(up[i], up) * over_mean(down[:, i], down)
            )
    cursor = connection.cursor()
    cursor.execute("SELECT UnitKind, LayerIdx, UnitId, RowIdx, ImportanceScore FROM TensorAtoms")
    seen = set()
    for kind, layer, unit, _, score in cursor.fetchall():
        if kind not in ("head:q", "head:kv", "neuron"):
            assert score == 1
            continue
        seen.add((kind, layer, unit))
        others = [v for (k, _, _), v in raw.items() if k == kind]
        less = sum(v < raw[kind, layer, unit] for v in others)
        assert abs(score - less / (len(others) - 1)) < 1e-6, (kind, layer, unit)
    assert seen == set(raw)


def test_mutated_models_are_errors_and_leave_nothing(
    connection: hql.Connection, tmp_path: Path
) -> None:
    """Whatever a file says: a model that fits together, or one of our errors."""
    config = json.dumps(CONFIG).encode()
    write_safetensors(tmp_path / "a", CONFIG, tensors_of(small_llama()), {}, {})
    header = (tmp_path / "a" / "model.safetensors").read_bytes()[8:]
    header = header[: header.index(b"}}") + 2]
    random = np.random.default_rng(7)
    made = 0
    for i in range(150):
        file = ("config.json", "model.safetensors")[i % 2]
        path = tmp_path / "a" / file
        whole = bytearray(path.read_bytes())
        kept = bytes(whole)
        for _ in range(random.integers(1, 4)):
            last = len(config) if file == "config.json" else 8 + len(header)
            place = int(random.integers(0, min(last, len(whole))))
            whole[place] = int(random.choice(list(b'0123456789"{}[],:nulltrue-.e')))
        path.write_bytes(whole)
        try:
            run(connection, f"CREATE MODEL a FROM '{tmp_path}/a'")
            run(connection, "DROP MODEL a")
            made += 1
        except Error as error:
            assert error.code not in ("INTERNAL", "ERROR"), error
        path.write_bytes(kept)
    assert 0 < made < 150
    assert not connection.session.database.snapshot().catalog.models()

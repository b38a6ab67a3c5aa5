"""What EXPORT MODEL writes is opened by transformers, sentence-transformers and llama.cpp, and
computes there what it computes here. Each of them in a process of its own (tests/peers); where one
is not installed its tests are skipped and say so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from model_files import MINILM, SMOLLM, model_file, model_folder
from peers.process import Absent, Peer, start

from hartonomous import hql
from hartonomous.hql.models.inference.encoding import encode
from hartonomous.hql.models.inference.loading import load
from hartonomous.hql.models.model import Model, find_model
from hartonomous.hql.models.using import tokenizer_of

pytestmark = pytest.mark.slow

#: |Δ logit| by the largest |logit| of a position
TOLERANCE = 1e-3
#: llama.cpp multiplies stored blocks by activations of 8 bits
TOLERANCE_8_BITS = 0.05
#: it keeps keys, values and some sums in 16 bits even where the weights are float32
TOLERANCE_16_BITS = 5e-3

TEXTS = (
    "The capital of France is",
    "def fibonacci(n):\n    ",
    "<|im_start|>user\nName a fruit.<|im_end|>\n<|im_start|>assistant\n",
    "東京は日本の首都です。 Zürich liegt am See; 3.14159, 'it''s' …",
    "It was the best of times, it was the worst of times. " * 8,
)
SENTENCES = (
    "a cat",
    "How do I reset my password?",
    "東京は日本の首都です",
    "The mitochondrion is the powerhouse of the cell. " * 40,
)
MADE = {
    "llama": "llama(layers = 2, width = 32, heads = 4, kv_heads = 2, mlp = 64, context = 64)",
    "gemma3": "gemma3(layers = 7, width = 16, heads = 4, kv_heads = 2, mlp = 24)",
    "gpt2": "gpt2(layers = 2, width = 16, heads = 4, context = 64, tied = 0)",
}


def started(script: str, *modules: str) -> Iterator[Peer]:
    try:
        peer = start(script, *modules)
    except Absent as absent:
        pytest.skip(str(absent))
    with peer:
        yield peer


@pytest.fixture(scope="module")
def torch() -> Iterator[Peer]:
    yield from started("torch_models.py", "torch", "transformers")


@pytest.fixture(scope="module")
def sentence_transformers() -> Iterator[Peer]:
    yield from started("torch_models.py", "torch", "transformers", "sentence_transformers")


@pytest.fixture
def llama_cpp() -> Iterator[Peer]:
    yield from started("llama_cpp_models.py", "llama_cpp")


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hql.Connection]:
    with hql.connect(tmp_path_factory.mktemp("exports") / "a.hdb") as made:
        made.execute(f"CREATE MODEL smollm FROM '{model_file(*SMOLLM)}'")
        made.execute(f"CREATE MODEL minilm FROM '{model_folder(*MINILM)}'")
        yield made


def find(connection: hql.Connection, name: str) -> Model:
    database = connection.session.database
    return find_model(database.snapshot().catalog, database, name)


def ours(model: Model) -> Any:
    return load(model)


def assert_equal(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Logits, in the last axis."""
    largest = np.abs(expected).max(axis=-1)
    assert (np.abs(found - expected).max(axis=-1) <= tolerance * largest).all()


def test_transformers_opens_an_exported_llama(
    connection: hql.Connection, torch: Peer, tmp_path: Path
) -> None:
    connection.execute(f"EXPORT MODEL smollm TO '{tmp_path}' FORMAT SAFETENSORS")
    model = find(connection, "smollm")
    assert torch.ask("open_causal", str(tmp_path)) == model.parameter_count
    network, tokenizer = ours(model), tokenizer_of(model)
    for text in TEXTS:
        tokens = tokenizer.encode(text)
        assert torch.ask("tokens_of", str(tmp_path), text) == tokens
        assert_equal(network.logits(tokens), torch.ask("logits", tokens), TOLERANCE)


@pytest.mark.parametrize("name", MADE)
def test_transformers_opens_models_made_here(name: str, torch: Peer, tmp_path: Path) -> None:
    with hql.connect() as connection:
        connection.execute(
            f"CREATE MODEL m ARCHITECTURE {MADE[name]} WITH (SEED = 3, TOKENIZER = 'bytes')"
        )
        connection.execute(f"EXPORT MODEL m TO '{tmp_path}' FORMAT SAFETENSORS")
        model = find(connection, "m")
        torch.ask("open_causal", str(tmp_path))
        tokens = [int(t) for t in np.random.default_rng(1).integers(0, 256, 40)]
        assert_equal(ours(model).logits(tokens), torch.ask("logits", tokens), TOLERANCE)


def test_sentence_transformers_opens_an_exported_encoder(
    connection: hql.Connection, sentence_transformers: Peer, tmp_path: Path
) -> None:
    connection.execute(f"EXPORT MODEL minilm TO '{tmp_path}'")
    expected = sentence_transformers.ask("sentence_vectors", str(tmp_path), SENTENCES)
    assert np.abs(vectors(connection) - expected).max() <= 1e-5


def vectors(connection: hql.Connection) -> np.ndarray:
    model = find(connection, "minilm")
    limit = model.config["text_tokens"]
    found = [tokenizer_of(model).encode(s) for s in SENTENCES]
    assert limit == 256 and max(map(len, found)) > limit
    cut = [
        tokens if len(tokens) <= limit else [*tokens[: limit - 1], tokens[-1]] for tokens in found
    ]
    return encode(ours(model), cut)


def test_the_package_gguf_reads_the_same_bytes_per_tensor(
    connection: hql.Connection, tmp_path: Path
) -> None:
    """Of a model that came in as safetensors; as a GGUF it would be the same file."""
    connection.execute(f"EXPORT MODEL minilm TO '{tmp_path}/out.gguf' FORMAT GGUF")
    model = find(connection, "minilm")
    stored = {t.name: (model.pack_of(t).data.tobytes(), t.shape) for t in model.tensors}
    read = gguf.GGUFReader(tmp_path / "out.gguf").tensors
    found = {t.name: (t.data.tobytes(), tuple(t.shape.tolist()[::-1])) for t in read}
    left = [name for name, pair in stored.items() if pair not in found.values()]
    assert left == ["embeddings.position_ids", "pooler.bias", "pooler.weight"]
    assert len(found) == 101 == len(stored) - len(left)
    assert found["blk.3.ffn_down.weight"] == stored["layer3.mlp.down.weight"]


def test_llama_cpp_opens_an_exported_gguf(
    connection: hql.Connection, llama_cpp: Peer, tmp_path: Path
) -> None:
    connection.execute(f"EXPORT MODEL smollm TO '{tmp_path}/out.gguf'")
    assert_llama_cpp_agrees(connection, llama_cpp, tmp_path / "out.gguf", TOLERANCE_8_BITS)


def test_llama_cpp_opens_a_gguf_of_a_folder_in_float32(
    connection: hql.Connection, llama_cpp: Peer, tmp_path: Path
) -> None:
    """Names, metadata and tokenizer are all ours: the model came in as a folder."""
    connection.execute(f"EXPORT MODEL smollm TO '{tmp_path}/folder' FORMAT SAFETENSORS")
    connection.execute(f"CREATE MODEL wide FROM '{tmp_path}/folder'")
    connection.execute(f"EXPORT MODEL wide TO '{tmp_path}/out.gguf' FORMAT GGUF")
    connection.execute("DROP MODEL wide")
    assert_llama_cpp_agrees(connection, llama_cpp, tmp_path / "out.gguf", TOLERANCE_16_BITS)


def assert_llama_cpp_agrees(
    connection: hql.Connection, llama_cpp: Peer, path: Path, tolerance: float
) -> None:
    model = find(connection, "smollm")
    network, tokenizer = ours(model), tokenizer_of(model)
    llama_cpp.ask("open_model", str(path), 2, 512, False)
    for text in TEXTS:
        tokens = tokenizer.encode(text)
        assert llama_cpp.ask("tokens_of", text) == tokens
        assert_equal(llama_cpp.ask("prefill", tokens)[1], network.logits(tokens)[-1], tolerance)


def test_llama_cpp_opens_an_encoder_as_gguf(
    connection: hql.Connection, llama_cpp: Peer, tmp_path: Path
) -> None:
    connection.execute(f"EXPORT MODEL minilm TO '{tmp_path}/out.gguf' FORMAT GGUF")
    llama_cpp.ask("open_model", str(tmp_path / "out.gguf"), 2, 512, True)
    found = llama_cpp.ask("sentence_vectors", SENTENCES[:3])
    assert np.abs(found - vectors(connection)[:3]).max() <= TOLERANCE_16_BITS

"""The default encoder gives the wordllama package's own vectors; the cache changes none of them."""

import sys
from importlib import util
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.hql import encoders
from hartonomous.hql.encoders import wordllama
from hartonomous.hql.encoders.cache import VectorCache
from hartonomous.hql.errors import BindFault, ResourceFault
from hartonomous.kernels import pooling

TEXTS = [
    "",
    " ",
    "a cat on a mat",
    "A  cat,   with spaces\tand\ttabs\n\n\n",
    "naïve café – 東京 🐈 \u0000 \ufffd",
    "<s>special</s> <unk> ▁ already marked",
    "def f(x):\n    return x ** 2  # code\n" * 40,
    "0123456789" * 200,
    "word " * 3000,
]


@pytest.fixture(scope="module")
def package() -> object:
    """The package's own encoder over its own files (its loader looks for the tokenizer in a folder
    that the wheel does not have, and then asks the network)."""
    import wordllama as theirs
    from safetensors.numpy import load_file

    folder = Path(theirs.__file__).parent
    table = load_file(folder / wordllama.WEIGHTS)[wordllama.TENSOR]
    tokenizer = theirs.WordLlama.load_tokenizer(folder / wordllama.TOKENIZER)
    return theirs.WordLlamaInference(table, tokenizer)


def own(texts: list[str]) -> npt.NDArray[np.float32]:
    return encoders.get().encode(pa.array(texts, pa.string()))


def assert_same(found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> None:
    """Equal up to the package's float32 sums; a cosine is then 1 up to 1e-11."""
    assert found.dtype == np.float32 and found.shape == expected.shape
    lengths = np.linalg.norm(expected.astype(np.float64), axis=1)
    differences = np.linalg.norm(found.astype(np.float64) - expected, axis=1)
    assert (differences <= 4e-6 * lengths).all(), differences


def test_vectors_are_those_of_the_package(package: object) -> None:
    assert_same(own(TEXTS), package.embed(TEXTS))  # type: ignore[attr-defined]
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    assert_same(own(lines), package.embed(lines))  # type: ignore[attr-defined]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_vectors_of_any_text_are_those_of_the_package(package: object, texts: list[str]) -> None:
    texts = [t.encode("utf-8", "replace").decode() for t in texts]
    assert_same(own(texts), package.embed(texts))  # type: ignore[attr-defined]


def test_a_vector_does_not_depend_on_its_neighbours_or_on_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together = own(TEXTS)
    alone = np.concatenate([own([t]) for t in TEXTS])
    assert together.tobytes() == alone.tobytes()
    monkeypatch.setattr(wordllama, "BATCH_BYTES", 7)
    assert own(TEXTS).tobytes() == alone.tobytes()
    for worth in (True, False):
        monkeypatch.setattr(pooling, "is_compiled_worth", lambda _, worth=worth: worth)
        assert own(TEXTS).tobytes() == alone.tobytes()


def test_the_empty_text_is_zero_and_anchors_hold_every_vector() -> None:
    encoder = encoders.get("WordLlama")
    assert not own([""]).any()
    anchors = encoder.anchors()
    assert anchors.shape == (32_000, encoder.dimensions)
    vectors = own(TEXTS)
    assert (vectors <= anchors.max(axis=0)).all() and (vectors >= anchors.min(axis=0)).all()
    assert len(encoder.content_hash) == 64


def test_batches_are_bounded_by_texts_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordllama, "BATCH_BYTES", 10)
    monkeypatch.setattr(wordllama, "BATCH_TEXTS", 3)
    texts = pa.array(["", "abcdefghijklm", "ab", "cdefgh", "ij", "k", "l", "m", "n"])
    assert wordllama._batches(texts) == [1, 1, 3, 3, 1]


class Counting:
    """An encoder that counts what it is asked."""

    name, dimensions, content_hash = "counting", 2, ""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: pa.StringArray) -> npt.NDArray[np.float32]:
        self.asked += texts.to_pylist()
        return np.array([[len(t), ord(t[0])] for t in texts.to_pylist()], np.float32).reshape(-1, 2)

    def anchors(self) -> npt.NDArray[np.float32]:
        return np.zeros((0, 2), np.float32)

    def extent(self, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.zeros((0, 3), np.float32)


def test_the_cache_asks_once_for_what_it_holds_and_forgets_the_oldest() -> None:
    encoder = Counting()
    cache = VectorCache(encoder, capacity=3)
    texts = ["a", "bb", "a", "a", "bb"]
    assert cache.encode(pa.array(texts))[:, 0].tolist() == [1, 2, 1, 1, 2]
    assert cache.encode(pa.array(["bb", "ccc"]))[:, 0].tolist() == [2, 3]
    assert encoder.asked == ["a", "bb", "ccc"]
    assert cache.encode(pa.array(["dddd"]))[:, 0].tolist() == [4]  # in place of "a"
    assert cache.encode(pa.array(["bb", "a"])).tolist() == [[2, ord("b")], [1, ord("a")]]
    assert encoder.asked == ["a", "bb", "ccc", "dddd", "a"]
    many = [chr(97 + i) * (i + 1) for i in range(20)]
    assert cache.encode(pa.array(many))[:, 0].tolist() == list(range(1, 21))
    before = len(encoder.asked)
    assert cache.encode(pa.array(many[-3:]))[:, 0].tolist() == [18, 19, 20]
    assert len(encoder.asked) == before
    assert cache.encode(pa.array([], pa.string())).shape == (0, 2)


def test_a_missing_package_is_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = util.find_spec
    monkeypatch.setattr(wordllama, "find_spec", lambda n: None if n == "wordllama" else find(n))
    with pytest.raises(ResourceFault) as caught:
        wordllama.load()
    assert caught.value.code == "NOT_INSTALLED" and caught.value.hint == "pip install wordllama"
    with pytest.raises(BindFault, match="there is no model"):
        encoders.get("nothing")


def test_the_package_itself_is_never_imported(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys, pyarrow as pa; from hartonomous.hql import encoders;"
        "encoders.get().encode(pa.array(['a cat'])); print('wordllama' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"

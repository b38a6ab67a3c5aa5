"""Looked-up tokens are the library's own, for any text, vocabulary, history and thread.

The definition is `tokenise_whole`. Texts are made of what could go wrong: every kind of space,
marks whole and cut off, the normaliser's own marker, byte fallback, tokens in any order.
"""

import json
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hartonomous.hql import encoders
from hartonomous.hql.encoders import word_tokens, wordllama
from hartonomous.hql.encoders.word_tokens import WordTokens, rule_of
from hartonomous.kernels import words as kernel

is_compiled_worth = kernel.is_compiled_worth

SPACES = [" ", "  ", " " * 17, "\t", "\n", "\r\n", "\x0b\x0c", "\x85", "\xa0", "\u2003", "\u2028"]
SPACES += ["\u3000", "\u200b", "\ufeff", "▁", "▁▁", " ▁ ", "\x00", "\x1b", "\x7f"]
MARKS = ["<s>", "</s>", "<unk>", "<s", "</s", "s>", "<", "<<s>>", "< s>", "<▁s>", "<0x0A>", "<S>"]
OTHERS = [
    "naïve",
    "e\u0301\u0323",
    "東京都",
    "ภาษาไทย",
    "한국어",
    "العربية",
    "👩‍👩‍👧",
    "🇩🇪",
    "\ufffd",
]
OTHERS += [
    "\U000e0001",
    "\U0010ffff",
    "𝒳",
    "self.foo(bar)",
    "i.e.",
    "=" * 79,
    "0x1F",
    "don't",
    "#!",
]
OTHERS += ["a" * 700, "http://example.org/a?b=c&d=%20"]

pieces_of_text = st.one_of(
    st.sampled_from(SPACES + MARKS + OTHERS),
    st.text(max_size=6),
    st.text(alphabet="abc ▁\n<s/>.", max_size=12),
)
texts = st.lists(pieces_of_text, max_size=14).map("".join)


def column(values: list[str]) -> pa.StringArray:
    return pa.array([v.encode("utf-8", "replace").decode() for v in values], pa.string())


@pytest.fixture(autouse=True)
def always_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "is_compiled_worth", lambda *_: True)


@pytest.fixture(scope="module")
def files() -> tuple[Path, Path]:
    encoder = wordllama.load()
    return encoder._files


@pytest.fixture(scope="module")
def config(files: tuple[Path, Path]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files[1].read_bytes())
    return loaded


@pytest.fixture(scope="module")
def tokens(files: tuple[Path, Path]) -> WordTokens:
    return made(files[1])


def made(file: Path) -> WordTokens:
    from tokenizers import Tokenizer

    return WordTokens(Tokenizer.from_file(str(file)), file)


def assert_exact(tokens: WordTokens, given: pa.StringArray) -> None:
    found, expected = tokens.tokenise(given), tokens.tokenise_whole(given)
    assert [x.dtype for x in found] == [x.dtype for x in expected] == [np.int32, np.int64]
    assert found[1].tolist() == expected[1].tolist()
    assert found[0].tolist() == expected[0].tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(texts, max_size=5))
def test_any_text(tokens: WordTokens, values: list[str]) -> None:
    assert tokens._rule is not None
    assert_exact(tokens, column(values))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_tokens_of_the_vocabulary_in_any_order(
    tokens: WordTokens, config: dict[str, Any], data: st.DataObject
) -> None:
    """They nearly join: the hardest texts to cut."""
    several = st.lists(st.integers(0, len(config["model"]["vocab"]) - 1), min_size=1, max_size=30)
    names = list(config["model"]["vocab"])
    parts = [names[i] for i in data.draw(several)]
    joined = "".join(parts)
    assert_exact(tokens, column([joined, joined.replace("▁", " "), " ".join(parts), joined[1:]]))


def test_every_pair_of_characters_that_tokens_have(
    config: dict[str, Any], tokens: WordTokens
) -> None:
    """Every token behind and before others' ends and beginnings, twenty thousand texts at once."""
    names = [n.replace("▁", " ") for n in config["model"]["vocab"]]
    random = np.random.default_rng(7)
    left, right = random.permutation(len(names))[:20_000], random.permutation(len(names))[:20_000]
    assert_exact(tokens, column([names[a] + names[b] for a, b in zip(left, right, strict=True)]))


def real_texts() -> pa.StringArray:
    paths = [Path(np.__file__), *sorted(Path(__file__).parents[2].glob("docs/*.md"))]
    paths += [Path(str(sys.modules[name].__file__)) for name in ("typing", "argparse", "inspect")]
    whole = "".join(path.read_text(encoding="utf-8") for path in paths)
    return column([whole[i : i + 1000] for i in range(0, len(whole), 1000)])


def test_real_text_has_equal_ids_and_vectors(
    tokens: WordTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = real_texts()
    assert_exact(tokens, given)
    encoder = encoders.get()
    fast = encoder.encode(given)
    monkeypatch.setattr(kernel, "is_compiled_worth", lambda *_: False)
    assert encoder.encode(given).tobytes() == fast.tobytes()


def test_what_was_seen_is_not_asked_again(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = made(files[1])
    asked: list[str] = []
    ask = tokens._ask
    monkeypatch.setattr(tokens, "_ask", lambda strings: (asked.extend(strings), ask(strings))[1])
    tokens.tokenise(column(["one two  two\nthree", "two one"]))
    assert asked == ["\n", "\n one\n two\n  two\nthree\n"]
    tokens.tokenise(column(["two  two\n one\n", "", " two one"]))
    assert asked[2:] == []
    tokens.tokenise(column(["one two", "one <s> four", "\n five"]))
    assert asked[2:] == ["\n \n five\n", "one <s> four"]


def test_the_compiled_form_is_loaded_after_enough_bytes(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "is_compiled_worth", is_compiled_worth)
    monkeypatch.setattr(kernel, "COMPILE_BYTES", 150)
    monkeypatch.delitem(sys.modules, "hartonomous.kernels.words_compiled", raising=False)
    tokens, given = made(files[1]), column(["a cat on " * 8])
    assert_exact(tokens, given)
    assert_exact(tokens, given)
    assert tokens._known is None
    assert_exact(tokens, given)
    assert tokens._known is not None


def test_slices_and_nothing(tokens: WordTokens) -> None:
    given = column(["", "a cat", "", "on <s> a", "mat ", " ", "東京"])
    for start in range(len(given) + 1):
        for length in range(len(given) + 1 - start):
            assert_exact(tokens, given.slice(start, length))
    assert_exact(tokens, pa.array([], pa.string()))
    assert_exact(tokens, pa.array(["", ""], pa.string()))


@settings(max_examples=60, deadline=None)
@given(texts)
def test_pieces_are_those_of_the_definition(tokens: WordTokens, text: str) -> None:
    given = column([text])
    rule = tokens._rule
    assert rule is not None
    data = given[0].as_buffer().to_pybytes()
    pieces = kernel.cut(
        np.frombuffer(data, np.uint8),
        np.array([0, len(data)], np.int64),
        rule,
        kernel.new(13),
    )
    spans = zip(pieces.starts.tolist(), pieces.ends.tolist(), strict=True)
    expected = kernel.cut_reference(data, rule)
    assert [pieces.data[a:b].tobytes() for a, b in spans] == (expected or [])
    assert pieces.is_plain.tolist() == [expected is None]
    assert expected is None or b"".join(expected) == (b" " + data if data else b"")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(texts, max_size=3), max_size=4))
def test_tables_grow_from_next_to_nothing(
    files: tuple[Path, Path], shared: WordTokens, batches: list[list[str]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "new", partial(kernel.new, slots=4, key_bytes=2))
        shared._known = None
        for values in batches:
            assert_exact(shared, column(values))
            if shared._known is not None:
                table = shared._known.words
                assert np.count_nonzero(table.slots) == table.total <= len(table.slots) // 2


@pytest.fixture(scope="module")
def shared(files: tuple[Path, Path]) -> WordTokens:
    return made(files[1])


def test_the_table_is_bounded(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_tokens, "WORDS_MAX", 500)
    tokens = made(files[1])
    given = real_texts()
    for start in range(0, 60, 3):
        assert_exact(tokens, given.slice(start, 3))
        assert tokens._known is not None and tokens._known.words.total <= 500
    assert tokens._known is not None and tokens._known.generation > 3
    monkeypatch.setattr(word_tokens, "WORDS_MAX", 1 << 20)
    monkeypatch.setattr(word_tokens, "KEY_BYTES_MAX", 50)
    before = tokens._known.generation
    assert_exact(tokens, given.slice(60, 3))
    assert tokens._known.generation == before + 1


def test_threads_share_a_table_that_grows_and_is_left(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four threads, each over the same texts in another order, past several generations."""
    monkeypatch.setattr(word_tokens, "WORDS_MAX", 3000)
    monkeypatch.setattr(kernel, "new", partial(kernel.new, slots=4, key_bytes=2))
    tokens, given = made(files[1]), real_texts().slice(0, 300)
    starts = [int(i) for i in range(0, len(given), 10)]
    expected = {start: tokens.tokenise_whole(given.slice(start, 10))[0] for start in starts}
    wrong: list[object] = []

    def run(seed: int) -> None:
        try:
            for start in np.random.default_rng(seed).permutation(starts * 2).tolist():
                found, _ = tokens.tokenise(given.slice(start, 10))
                if found.tolist() != expected[start].tolist():
                    wrong.append((seed, start))
        except BaseException as error:
            wrong.append(error)
            raise

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert tokens._known is not None and tokens._known.generation > 1


def test_an_interrupted_lesson_leaves_nothing_behind(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = made(files[1])
    assert_exact(tokens, column(["one two"]))

    def interrupt(_: object) -> object:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tokens, "_ask", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tokens.tokenise(column(["one two three"]))
    assert tokens._known is not None
    table = tokens._known.words
    assert np.count_nonzero(table.slots) == table.total
    assert_exact(tokens, column(["one two three four"]))


def test_words_of_one_hash_and_length_are_told_apart() -> None:
    """Birthdays: among half a million words there are two with one slot and one half of a hash."""
    letters = np.random.default_rng(0).integers(97, 123, (1 << 19, 12), np.uint8)
    hashes = np.full(len(letters), 0xCBF29CE484222325, np.uint64)
    for column_of in letters.T:
        hashes = (hashes ^ column_of) * np.uint64(0x100000001B3)
    hashes *= np.uint64(0x9E3779B97F4A7C15)
    marks = hashes & np.uint64(0x7FFFFFFFF)  # the half that is kept, and which of 8 slots
    order = np.argsort(marks)
    twins = np.flatnonzero(np.diff(marks[order]) == 0)
    assert len(twins)
    a, b = letters[order[twins[0]]], letters[order[twins[0] + 1]]
    data = np.concatenate([a, b, a])
    ends = np.array([12, 24, 36])
    numbers_found = np.full(3, -1, np.int32)
    plain, starts = np.zeros(1, np.bool_), ends - 12
    pieces = kernel.Pieces(data, numbers_found, np.array([0, 3]), plain, starts, ends)
    words = kernel.add(pieces, kernel.new(13, slots=8))
    assert numbers_found.tolist() == [1, 2, 1]
    where = np.flatnonzero(words.slots)
    assert len({int(words.slots[i]) >> 32 for i in where}) == 2, "the hash is another one now"


def changes() -> Iterator[tuple[str, Any]]:
    yield "normalizer", None
    yield "pre_tokenizer", {"type": "Whitespace"}
    for name, value in (("dropout", 0.1), ("ignore_merges", True), ("byte_fallback", False)):
        yield f"model.{name}", value
    yield "model.end_of_word_suffix", "</w>"
    yield "model.merges", ["\n a"]
    yield "model.merges", ["<0xE2> a"]
    yield "model.merges", [["<0x0", "A>"]]
    yield "added_tokens.normalized", True
    yield "added_tokens.content", "a b"
    yield "added_tokens.content", "a"


@pytest.mark.parametrize(("path", "value"), list(changes()), ids=str)
def test_a_tokenizer_that_proves_nothing_is_used_whole(
    config: dict[str, Any], path: str, value: object
) -> None:
    changed = {**config, "model": dict(config["model"])}
    room, _, name = path.rpartition(".")
    if room == "added_tokens":
        changed[room] = [{**config[room][0], name: value}]
    else:
        (changed[room] if room else changed)[name] = value
    assert rule_of(config) is not None
    assert rule_of(changed) is None


CHARACTERS = ["a", "b", ".", "▁", "é", "東"]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_vocabulary(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Random merges over few characters, some of them without a token: what may be cut follows from
    the merges, whatever they are."""
    names = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    known = data.draw(st.lists(st.sampled_from(CHARACTERS), unique=True, min_size=2))
    names += known
    merges: list[str] = []
    for _ in range(data.draw(st.integers(0, 12))):
        pair = data.draw(st.sampled_from(known)), data.draw(st.sampled_from(known))
        if "".join(pair) not in names:
            merges.append(" ".join(pair))
            known = [*known, "".join(pair)]
            names.append("".join(pair))
    mark = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    written = {
        "version": "1.0",
        "added_tokens": [{"id": 1, "content": "<s>", "special": True, **mark}],
        "normalizer": word_tokens.NORMALIZER,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {name: i for i, name in enumerate(names)},
            "merges": merges,
        },
    }
    file = tmp_path_factory.mktemp("vocabulary") / "tokenizer.json"
    file.write_text(json.dumps(written), encoding="utf-8")
    tokens = made(file)
    assert tokens._rule is not None
    alphabet = [*CHARACTERS, " ", "\n", "<s>", "🐈"]
    text = st.lists(st.sampled_from(alphabet), max_size=40).map("".join)
    assert_exact(tokens, column(data.draw(st.lists(text, min_size=1, max_size=4))))

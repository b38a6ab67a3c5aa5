"""The tokenizers of real models: SmolLM2's against transformers and a byte-level BPE in plain
Python, MiniLM's WordPiece against its tokenizer.json. Slow: they need the models' files."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import tokenizer_texts as samples
from model_files import MINILM, SMOLLM, model_file, model_folder
from tokenizers import Tokenizer as Library

from hartonomous.hql.models.formats.opening import open_source
from hartonomous.hql.models.tokenizers import load_tokenizer, pack_tokenizer
from hartonomous.hql.models.tokenizers.base import Tokenizer

ORACLE = Path(__file__).parents[1] / "oracle" / "tokens.json"
#: control characters that SmolLM2 has no byte for
DROPPED = "\x04\x06\x13\x14\x16\x1d"

pytestmark = pytest.mark.slow


def imported(path: Path) -> tuple[Tokenizer, dict[str, Any]]:
    with open_source(str(path)) as source:
        packed = pack_tokenizer(source)
        assert packed is not None and packed == pack_tokenizer(source)
        return load_tokenizer(packed), source.tokenizer


@pytest.fixture(scope="module")
def smollm() -> tuple[Tokenizer, dict[str, Any]]:
    return imported(model_file(*SMOLLM))


def test_smollm_is_what_transformers_makes_of_it(smollm: tuple[Tokenizer, Any]) -> None:
    tokenizer, _ = smollm
    oracle = json.loads(ORACLE.read_text(encoding="utf-8"))
    ids = tokenizer.encode_batch(samples.texts())
    assert ids[: len(oracle["ids"])] == oracle["ids"]
    assert hashlib.sha256(json.dumps(ids).encode()).hexdigest() == oracle["digest"]
    for chat in oracle["chats"]:
        found = tokenizer.chat(chat["messages"], chat["add_generation_prompt"])
        assert found == chat["prompt"]
    begin, end = tokenizer.begin, tokenizer.end
    assert begin is not None and end is not None
    assert (tokenizer.token(begin), tokenizer.token(end)) == ("<|im_start|>", "<|im_end|>")
    assert {tokenizer.token(i) for i in tokenizer.end_tokens} == {"<|im_end|>", "<|endoftext|>"}


def test_smollm_is_byte_level_bpe(smollm: tuple[Tokenizer, dict[str, Any]]) -> None:
    tokenizer, source = smollm
    tokens = {t: i for i, t in enumerate(source["metadata"]["tokenizer.ggml.tokens"])}
    merges = source["metadata"]["tokenizer.ggml.merges"]
    for text in samples.texts():
        ids = tokenizer.encode(text)
        assert ids == samples.reference_bpe(text, tokens, merges, single_digits=True), text
        kept = "".join(c for c in text if c not in DROPPED and not "\U00040000" <= c < "\U000c0000")
        assert tokenizer.decode(ids) == kept
        stream = tokenizer.stream()
        assert "".join(map(stream.push, ids)) + stream.finish() == kept


def test_minilm_is_its_tokenizer_json() -> None:
    folder = model_folder(*MINILM)
    tokenizer, _ = imported(folder)
    library = Library.from_file(str(folder / "tokenizer.json"))
    library.no_truncation()
    library.no_padding()
    texts = samples.texts()
    expected = [encoding.ids for encoding in library.encode_batch(texts)]
    assert tokenizer.encode_batch(texts) == expected
    definition = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    as_gguf = samples.of_gguf(samples.word_piece_metadata(definition))
    assert as_gguf.encode_batch(texts) == expected
    for ids in expected[:200]:
        assert tokenizer.decode(ids) == as_gguf.decode(ids) == library.decode(ids)

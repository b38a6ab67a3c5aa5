"""Tokenizers in the other format's form, for export: tokenizer.json from a GGUF's metadata, and
metadata from tokenizer.json.

What has no counterpart (SentencePiece's scores are not in tokenizer.json, a pattern that no name
stands for) is left out, and a message says so: the tensors are whole without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hartonomous.hql.models.tokenizers import gguf, pre_tokenizers, vocabulary
from hartonomous.hql.models.tokenizers.pieces import byte_alphabet
from hartonomous.hql.models.tokenizers.sentencepiece import MARK
from hartonomous.hql.models.tokenizers.vocabulary import CONTROL, NORMAL, USER_DEFINED
from hartonomous.hql.models.tokenizers.wordpiece import CONTINUING
from hartonomous.storage.errors import Error

Entries = list[list[Any]]

#: role of tokenizer_config.json -> key of a GGUF
_ROLES: Final = {
    "bos_token": "bos",
    "eos_token": "eos",
    "unk_token": "unknown",
    "pad_token": "padding",
    "sep_token": "seperator",  # the key is spelt so
    "cls_token": "cls",
    "mask_token": "mask",
}
#: what transformers reads a tokenizer.json with
_CLASS: Final = "PreTrainedTokenizerFast"
_GPT2: Final = pre_tokenizers.PRE_TOKENIZERS["gpt-2"]


def json_files(tokenizer: Mapping[str, Any] | None) -> tuple[dict[str, bytes], list[str]]:
    """(files of a folder, messages) of a stored tokenizer."""
    if tokenizer is None:
        return {}, []
    if tokenizer["kind"] == "json":
        return dict(tokenizer["files"]), []
    if tokenizer["kind"] == "bytes":
        return _files(_byte_definition(), {"tokenizer_class": _CLASS}), []
    try:
        words = vocabulary.read(tokenizer["metadata"])
        made, _ = gguf.define(words)
        config: dict[str, Any] = {"tokenizer_class": _CLASS, "clean_up_tokenization_spaces": False}
        for role, key in _ROLES.items():
            if (token := words.id(key)) is not None:
                config[role] = words.tokens[token]
    except Error as error:
        return {}, [f"the tokenizer is left out: {error.message}"]
    template = tokenizer["metadata"].get("tokenizer.chat_template")
    if isinstance(template, str):
        config["chat_template"] = template
    return _files(made, config), []


def _files(made: dict[str, Any], config: dict[str, Any]) -> dict[str, bytes]:
    named = {"tokenizer.json": made, "tokenizer_config.json": config}
    return {
        name: json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8")
        for name, value in named.items()
    }


def _byte_definition() -> dict[str, Any]:
    """A byte-level BPE without merges: token i is byte i."""
    alphabet = byte_alphabet()
    words = vocabulary.read({"tokenizer.ggml.tokens": [alphabet[b] for b in range(256)]})
    made, _ = gguf.define(
        vocabulary.Vocabulary(
            {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2"},
            words.tokens,
            words.kinds,
            words.ids,
        )
    )
    return made


def gguf_entries(tokenizer: Mapping[str, Any] | None) -> tuple[Entries, list[str]]:
    """(entries [key, type, item type, value], messages) of a stored tokenizer."""
    if tokenizer is None:
        return [], []
    if tokenizer["kind"] == "gguf":
        return [_typed(key, value) for key, value in tokenizer["metadata"].items()], []
    if tokenizer["kind"] == "bytes":
        alphabet = byte_alphabet()
        return _bpe_entries([alphabet[b] for b in range(256)], [NORMAL] * 256, [], "gpt-2"), []
    try:
        return _from_json(tokenizer["files"]), []
    except _Unknown as reason:
        return [], [f"the tokenizer is left out: {reason}"]


class _Unknown(Exception):
    """Why a tokenizer.json has no form as metadata."""


def _from_json(files: Mapping[str, bytes]) -> Entries:
    made = _object(files, "tokenizer.json")
    model = made.get("model") or {}
    config = _object(files, "tokenizer_config.json")
    tokens, kinds = _tokens(model.get("vocab"), made.get("added_tokens") or [])
    kind = model.get("type")
    if kind == "WordPiece":
        entries = _word_piece_entries(tokens, kinds, made)
    elif kind == "BPE" and _is_byte_level(made.get("decoder")):
        merges = [m if isinstance(m, str) else " ".join(m) for m in model.get("merges") or []]
        entries = _bpe_entries(tokens, kinds, merges, _pre_name(made))
        entries.append(_typed("tokenizer.ggml.add_bos_token", _begins(made, config)))
    else:
        raise _Unknown(f"{str(kind)[:40]} tokenizers cannot be written as GGUF yet")
    ids = {token: i for i, token in enumerate(tokens)}
    for role, key in _ROLES.items():
        given = config.get(role)
        token = given.get("content") if isinstance(given, dict) else given
        found = ids.get(token, ids.get(MARK + token)) if isinstance(token, str) else None
        if found is not None:
            entries.append(_typed(f"tokenizer.ggml.{key}_token_id", found))
    template = config.get("chat_template")
    if "chat_template.jinja" in files:
        template = files["chat_template.jinja"].decode("utf-8", "replace")
    if isinstance(template, str):
        entries.append(_typed("tokenizer.chat_template", template))
    return entries


def _object(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        found = json.loads(files.get(name, b"{}"))
    except (ValueError, RecursionError) as fault:
        raise _Unknown(f"{name} is not JSON") from fault
    if not isinstance(found, dict):
        raise _Unknown(f"{name} is no object")
    return found


def _tokens(vocab: Any, added: list[Any]) -> tuple[list[str], list[int]]:
    """Tokens in order of their ids, and their kinds; holes are filled with unused ones."""
    if not isinstance(vocab, dict):
        raise _Unknown("its vocabulary is no map")
    by_id = {i: (token, NORMAL) for token, i in vocab.items()}
    for one in added:
        by_id[one["id"]] = one["content"], CONTROL if one.get("special") else USER_DEFINED
    if not by_id or not all(isinstance(i, int) and 0 <= i < 1 << 24 for i in by_id):
        raise _Unknown("its tokens have no ids")
    size = max(by_id) + 1
    found = [by_id.get(i, (f"[PAD{i}]", vocabulary.UNUSED)) for i in range(size)]
    return [token for token, _ in found], [kind for _, kind in found]


def _bpe_entries(tokens: list[str], kinds: list[int], merges: list[str], pre: str) -> Entries:
    return [
        _typed("tokenizer.ggml.model", "gpt2"),
        _typed("tokenizer.ggml.pre", pre),
        _typed("tokenizer.ggml.tokens", tokens),
        _typed("tokenizer.ggml.token_type", kinds),
        _typed("tokenizer.ggml.merges", merges),
    ]


def _word_piece_entries(tokens: list[str], kinds: list[int], made: dict[str, Any]) -> Entries:
    """Beginnings of words get a mark before them, what continues one loses its own."""
    written = [
        _marked(token) if kind == NORMAL else token
        for token, kind in zip(tokens, kinds, strict=True)
    ]
    lowers = (made.get("normalizer") or {}).get("lowercase", True)
    return [
        _typed("tokenizer.ggml.model", "bert"),
        _typed("tokenizer.ggml.tokens", written),
        _typed("tokenizer.ggml.token_type", kinds),
        _typed("tokenizer.ggml.normalizer.lowercase", bool(lowers)),
    ]


def _marked(token: str) -> str:
    if token.startswith("[") and token.endswith("]"):
        return token
    return token.removeprefix(CONTINUING) if token.startswith(CONTINUING) else MARK + token


def _is_byte_level(decoder: Any) -> bool:
    return isinstance(decoder, dict) and decoder.get("type") == "ByteLevel"


def _begins(made: dict[str, Any], config: dict[str, Any]) -> bool:
    """Whether texts get a beginning."""
    if isinstance(config.get("add_bos_token"), bool):
        return bool(config["add_bos_token"])
    from hartonomous.hql.models.tokenizers.library import added_around

    try:
        return bool(added_around(made.get("post_processor"))[0])
    except Error as fault:
        raise _Unknown(fault.message) from fault


def _pre_name(made: dict[str, Any]) -> str:
    """The name that stands for how the text is cut."""
    normalizer = (made.get("normalizer") or {}).get("type")
    pre = made.get("pre_tokenizer") or {}
    steps = pre.get("pretokenizers") if pre.get("type") == "Sequence" else [pre]
    patterns: list[str] = []
    for step in steps or []:
        kind = step.get("type")
        if kind == "Digits" and step.get("individual_digits"):
            patterns.append(r"\p{N}")
        elif kind == "ByteLevel" and not step.get("add_prefix_space", True):
            patterns += _GPT2.patterns if step.get("use_regex", True) else ()
        elif kind == "Split" and step.get("behavior") == "Isolated" and not step.get("invert"):
            pattern = step.get("pattern") or {}
            patterns.append(str(pattern.get("Regex", pattern.get("String"))))
        else:
            raise _Unknown(f"no GGUF name stands for its pre-tokenizer {str(kind)[:40]}")
    for name, known in pre_tokenizers.PRE_TOKENIZERS.items():
        if known.patterns == tuple(patterns) and known.normalizer == normalizer:
            return name
    raise _Unknown("no GGUF name stands for how it cuts a text")


def _typed(key: str, value: Any) -> list[Any]:
    """An entry, its type by its value."""
    if isinstance(value, list):
        if value and isinstance(value[0], str) or key.endswith((".tokens", ".merges")):
            return [key, "ARRAY", "STRING", value]
        if key.endswith("scores"):
            return [key, "ARRAY", "FLOAT32", value]
        return [key, "ARRAY", "INT32", value]
    if isinstance(value, bool):
        return [key, "BOOL", "", value]
    if isinstance(value, str):
        return [key, "STRING", "", value]
    if isinstance(value, float):
        return [key, "FLOAT32", "", value]
    return [key, "UINT32", "", value]

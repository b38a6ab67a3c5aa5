"""Tokenizers of GGUF files: the metadata under `tokenizer.` becomes what a tokenizer.json holds.

`tokenizer.ggml.model` says the kind. What it does not say is as in llama.cpp (llama-vocab.cpp):
SentencePiece begins every text, WordPiece puts it between [CLS] and [SEP], byte-level BPE does what
its pre-tokenizer's name says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hartonomous.hql.models.tokenizers import (
    byte_level,
    pre_tokenizers,
    sentencepiece,
    vocabulary,
    wordpiece,
)
from hartonomous.hql.models.tokenizers.base import SpecialTokens, Tokenizer, model_input
from hartonomous.hql.models.tokenizers.json import END_TEXTS
from hartonomous.hql.models.tokenizers.library import LibraryTokenizer
from hartonomous.hql.models.tokenizers.vocabulary import CONTROL, UNKNOWN, Vocabulary, template

MODELS: dict[str, Callable[[Vocabulary], dict[str, Any]]] = {
    "gpt2": byte_level.definition,
    "llama": sentencepiece.definition,
    "gemma": sentencepiece.definition,
    "bert": wordpiece.definition,
}

#: keys of tokens that end what a model says
_END_ROLES: Final = ("eos", "eot", "eom")


def load(packed: Mapping[str, Any], digest: str) -> Tokenizer:
    """The registry's door. ExecutionFault MODEL_INPUT."""
    metadata: Mapping[str, Any] = packed["metadata"]
    words = vocabulary.read(metadata)
    made, special = define(words)
    chat = metadata.get("tokenizer.chat_template")
    return LibraryTokenizer(made, None, digest, special, chat if isinstance(chat, str) else None)


def define(words: Vocabulary) -> tuple[dict[str, Any], SpecialTokens]:
    """What the tokenizer.json of a vocabulary would hold, and the tokens with a role."""
    model = words.get("model", str, "")
    if model not in MODELS:
        raise model_input(
            f'the model\'s tokenizer is of a kind "{model:.60}", which is not known here',
            hint="its rows can be read all the same; known are " + ", ".join(MODELS),
        )
    made = MODELS[model](words)
    special = _special(words, model)
    written = tuple(token for token, _ in sorted(made["model"]["vocab"].items(), key=_by_id))
    made["post_processor"] = template(written, special.prefix, special.suffix)
    return made, special


def _by_id(entry: tuple[str, int]) -> int:
    return entry[1]


def _special(words: Vocabulary, model: str) -> SpecialTokens:
    is_sentencepiece = model in ("llama", "gemma")
    begin = words.id("bos", 1 if is_sentencepiece else None)
    end = words.id("eos", 2 if is_sentencepiece else None)
    prefix, suffix = _around(words, model, begin, end)
    ends = {words.ids[text] for text in END_TEXTS if text in words.ids}
    ends |= {i for name in _END_ROLES if (i := words.id(name)) is not None}
    ends |= set() if end is None else {end}
    hidden = {i for i, kind in enumerate(words.kinds) if kind in (CONTROL, UNKNOWN)}
    return SpecialTokens(
        begin=begin,
        end=end,
        unknown=words.id("unknown", 0 if is_sentencepiece else None),
        padding=words.id("padding"),
        prefix=prefix,
        suffix=suffix,
        ends=frozenset(ends),
        hidden=frozenset(hidden),
    )


def _around(
    words: Vocabulary, model: str, begin: int | None, end: int | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What is added before and after a text."""
    adds_begin, adds_end, separates = model in ("llama", "gemma"), False, False
    if model == "bert":
        adds_begin = separates = True
        begin = begin if begin is not None else wordpiece.role(words, "cls", "[CLS]")
    if model == "gpt2":
        pre = pre_tokenizers.find(words.get("pre", str, "default"))
        adds_begin, separates = pre.adds_begin or pre.separates, pre.separates
    adds_begin = words.get("add_bos_token", bool, adds_begin)
    adds_end = words.get("add_eos_token", bool, adds_end)
    separates = words.get("add_sep_token", bool, separates)
    if model == "bert" and separates:
        adds_end, end = True, wordpiece.role(words, "seperator", "[SEP]")  # the key is spelt so
    elif separates and not adds_end:
        adds_end, end = True, end if words.id("seperator") is None else words.id("seperator")
    if adds_begin and begin is None or adds_end and end is None:
        raise model_input("the file adds a token to every text and does not say which")
    return (begin,) if adds_begin and begin is not None else (), (
        (end,) if adds_end and end is not None else ()
    )

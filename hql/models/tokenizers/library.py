"""Tokenizers that the library `tokenizers` runs: the one place that calls it for models.

A definition is the map that a tokenizer.json holds. Whatever the library does with a hostile one,
its panics included, comes out as ExecutionFault MODEL_INPUT.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from hartonomous.hql.errors import NotSupported
from hartonomous.hql.models.tokenizers.base import SpecialTokens, Tokenizer, model_input
from hartonomous.hql.models.tokenizers.pieces import rule_of

#: what an error of the library may say about itself
MESSAGE_MAX: Final = 200


class LibraryTokenizer(Tokenizer):
    """A tokenizer.json, parsed (`definition`) and as `text`, or built of its parts if there is no
    text, which takes half the time."""

    def __init__(
        self,
        definition: Mapping[str, Any],
        text: str | None,
        digest: str,
        special: SpecialTokens,
        chat_template: str | None,
    ) -> None:
        from tokenizers import Tokenizer as Library

        with _errors("the tokenizer cannot be read"):
            self._library = _build(definition) if text is None else Library.from_str(text)
            self._library.no_truncation()
            self._library.no_padding()
            if getattr(self._library.model, "dropout", None) is not None:
                self._library.model.dropout = None  # equal texts have equal tokens
            ids = definition["model"]["vocab"] if text is None else self._library.get_vocab(True)
            size = max(ids.values(), default=-1) + 1
        super().__init__(digest, size, special, chat_template)
        self.definition = definition
        self._rule = rule_of(definition.get("decoder"))
        self._pieces: tuple[dict[int, bytes | None], dict[int, bytes | None]] = ({}, {})

    def encode_plain(self, texts: Sequence[str]) -> list[list[int]]:
        texts = [text.encode("utf-8", "replace").decode() for text in texts]  # no lone surrogates
        with _errors("the text cannot be tokenized"):
            if len(texts) == 1:
                return [self._library.encode(texts[0], add_special_tokens=False).ids]
            found = self._library.encode_batch_fast(texts, add_special_tokens=False)
            return [encoding.ids for encoding in found]

    def piece(self, token: int, is_first: bool = False) -> bytes | None:
        known = self._pieces[is_first]
        if token not in known:
            if not 0 <= token < self.size:
                return None
            written = self._library.id_to_token(token)
            known[token] = None if written is None else self._rule(written, is_first)
        return known[token]

    def token(self, token: int) -> str:
        written: str | None = None
        if 0 <= token < self.size:
            written = self._library.id_to_token(token)
        if written is None:
            raise model_input(f"the model has no token {token}")
        return written

    def find(self, token: str) -> int | None:
        found: int | None = self._library.token_to_id(token)
        return found


def _build(definition: Mapping[str, Any]) -> Any:
    """The library's tokenizer; all added tokens are in the vocabulary."""
    from tokenizers import AddedToken, models
    from tokenizers import Tokenizer as Library

    model = {key: value for key, value in definition["model"].items() if value is not None}
    made = {"BPE": models.BPE, "WordPiece": models.WordPiece}[model.pop("type")](**model)
    added = [
        AddedToken(**{key: value for key, value in token.items() if key != "id"})
        for token in definition["added_tokens"]
    ]
    empty = {"type": "WordPiece", "vocab": {}, "unk_token": "", "max_input_chars_per_word": 0}
    empty["continuing_subword_prefix"] = ""
    library = Library.from_str(json.dumps({**definition, "model": empty, "added_tokens": []}))
    library.model = made
    library.add_tokens(added)
    return library


@contextmanager
def _errors(what: str) -> Iterator[None]:
    """The library raises bare Exceptions, and its panics are BaseExceptions."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, NotSupported):
        raise
    except BaseException as error:
        raise model_input(f"{what}: {str(error)[:MESSAGE_MAX]}") from error


def added_around(processor: Mapping[str, Any] | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that a tokenizer.json's `post_processor` puts before and after a single text."""
    if processor is None or processor.get("type") == "ByteLevel":
        return (), ()
    kind = processor.get("type")
    if kind == "Sequence":
        before: tuple[int, ...] = ()
        after: tuple[int, ...] = ()
        for step in processor.get("processors") or []:
            outer_before, outer_after = added_around(step)
            before, after = outer_before + before, after + outer_after
        return before, after
    if kind in ("BertProcessing", "RobertaProcessing"):
        return (int(processor["cls"][1]),), (int(processor["sep"][1]),)
    if kind == "TemplateProcessing":
        return _template(processor)
    raise NotSupported(f"not supported yet: tokenizers with the post-processor {kind}")


def _template(processor: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    sides: list[list[int]] = [[]]
    for item in processor["single"]:
        if "Sequence" in item:
            sides.append([])
        else:
            sides[-1] += processor["special_tokens"][item["SpecialToken"]["id"]]["ids"]
    if len(sides) != 2:
        raise model_input("the tokenizer's template does not hold the text once")
    return tuple(sides[0]), tuple(sides[1])

"""Tokenizers of Hugging Face folders: tokenizer.json, and what the files beside it say.

`files` of the stored form: tokenizer.json (needed), and if there are such tokenizer_config.json,
special_tokens_map.json, generation_config.json, config.json, chat_template.jinja. Sizes are
bounded before the library sees the file, and so is what its normalizer can make of a text, as
chained replacements could grow it without end.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hartonomous.hql.models.tokenizers.base import SpecialTokens, Tokenizer, model_input
from hartonomous.hql.models.tokenizers.library import LibraryTokenizer, added_around

#: bytes of tokenizer.json (Gemma's has 33 MB), and of the other files
FILE_BYTES_MAX: Final = 1 << 27
SMALL_FILE_BYTES_MAX: Final = 1 << 22
#: nodes of a chain of normalizers and the like; length of a pattern; how much longer a text may get
STEPS_MAX: Final = 64
PATTERN_MAX: Final = 4096
GROWTH_MAX: Final = 64
#: ids of tokens are below
ID_MAX: Final = 1 << 24
#: characters of a word that WordPiece tries, which costs their square
WORD_CHARACTERS_MAX: Final = 1000

#: tokens that end a turn or a text, whatever the model's files say of them
END_TEXTS: Final = (
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<end_of_turn>",
    "<turn|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<｜end▁of▁sentence｜>",
)


def load(packed: Mapping[str, Any], digest: str) -> Tokenizer:
    """The registry's door. ExecutionFault MODEL_INPUT, NotSupported."""
    files: Mapping[str, bytes] = packed["files"]
    if "tokenizer.json" not in files:
        raise model_input("the model has no tokenizer.json", hint="import a folder that has one")
    definition = _parse("tokenizer.json", files["tokenizer.json"], FILE_BYTES_MAX)
    try:
        _check(definition)
        prefix, suffix = added_around(definition.get("post_processor"))
        added = definition.get("added_tokens") or []
        ids: dict[str, int] = {str(token["content"]): int(token["id"]) for token in added}
        hidden = frozenset(int(token["id"]) for token in added if token.get("special"))
        vocabulary = definition["model"].get("vocab")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, struct.error) as error:
        raise model_input(f"tokenizer.json is not as it must be: {_wrong(error)}") from error
    if isinstance(vocabulary, dict):
        ids = {**vocabulary, **ids}
    special = _special(files, ids, prefix, suffix, hidden)
    text = bytes(files["tokenizer.json"]).decode()
    return LibraryTokenizer(definition, text, digest, special, _chat_template(files))


def _wrong(error: Exception) -> str:
    """What an error met while walking through a definition says of it."""
    if isinstance(error, KeyError):
        return f'"{str(error.args[0])[:60]}" is missing'
    if isinstance(error, IndexError):
        return "a list is too short"
    if isinstance(error, (ValueError, struct.error)):
        return "a number or a table in it cannot be read"
    return "a field is of another kind than it must be"


def _parse(name: str, data: bytes, bytes_max: int) -> dict[str, Any]:
    if len(data) > bytes_max:
        raise model_input(f"{name} has {len(data):,} bytes; more than {bytes_max:,} are not read")
    try:
        found = json.loads(data)
    except RecursionError as error:
        raise model_input(f"{name} is nested too deep") from error
    except ValueError as error:
        raise model_input(f"{name} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise model_input(f"{name} holds no map")
    return found


def _check(definition: Mapping[str, Any]) -> None:
    """Bounds on what a text can cost. KeyError, TypeError and their kin for a wrong shape."""
    growth = 1
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        steps = list(_steps(definition.get(part)))
        for step in steps:
            pattern = step.get("pattern") or {}
            given = pattern if isinstance(pattern, str) else next(iter(pattern.values()), "")
            if len(given) > PATTERN_MAX or len(str(step.get("content", ""))) > PATTERN_MAX:
                raise model_input(f"a pattern in the tokenizer's {part} is too long")
            growth *= _growth(step) if part in ("normalizer", "pre_tokenizer") else 1
        if len(steps) > STEPS_MAX:
            raise model_input(f"the tokenizer's {part} has more than {STEPS_MAX} steps")
    if growth > GROWTH_MAX:
        raise model_input("the tokenizer's normalizer may grow a text beyond any bound")
    _check_merges(definition["model"])
    vocabulary = definition["model"].get("vocab")
    ids = set(vocabulary.values()) if isinstance(vocabulary, dict) else set()
    if isinstance(vocabulary, dict) and len(ids) != len(vocabulary):
        raise model_input("the tokenizer's vocabulary has an id twice")
    ids |= {int(token["id"]) for token in definition.get("added_tokens") or ()}
    if max(ids, default=0) >= ID_MAX or min(ids, default=0) < 0:
        raise model_input(f"the tokenizer's vocabulary has an id that is not below {ID_MAX:,}")
    if int(definition["model"].get("max_input_chars_per_word") or 0) > WORD_CHARACTERS_MAX:
        raise model_input("the tokenizer's words are too long")


def _check_merges(model: Mapping[str, Any]) -> None:
    """The library cuts the prefix off what continues a word without looking; where there is none it
    panics, and ends the process."""
    prefix = model.get("continuing_subword_prefix") or ""
    if model.get("type") != "BPE" or not prefix:
        return
    for merge in model["merges"]:
        right = merge.split(" ")[1] if isinstance(merge, str) else merge[1]
        if not right.startswith(prefix):
            raise model_input(f"the tokenizer's merge {str(merge)!r:.60} continues no word")


def _steps(part: Any) -> Iterator[Mapping[str, Any]]:
    """The steps of a chain, chains in chains too; json bounds how deep they are."""
    if part is None:
        return
    yield part
    for name in ("normalizers", "pretokenizers", "processors", "decoders"):
        for step in part.get(name) or ():
            yield from _steps(step)


def _growth(step: Mapping[str, Any]) -> int:
    """How many times longer a step can make a text."""
    if step.get("type") == "Replace":
        content, pattern = str(step["content"]), step["pattern"]
        if "String" in pattern:
            return max(1, -(-len(content) // max(len(pattern["String"]), 1)))
        return len(content) + 1  # a pattern may match nothing
    if step.get("type") == "Prepend":
        return max(1, len(str(step["prepend"])))
    if step.get("type") == "Precompiled":
        data = base64.b64decode(step["precompiled_charsmap"] or "")
        (trie_bytes,) = struct.unpack_from("<I", data) if data else (0,)
        longest = max(map(len, data[4 + trie_bytes :].split(b"\0")), default=0)
        return 1 if longest <= GROWTH_MAX else longest
    return 1


def _special(
    files: Mapping[str, bytes],
    ids: Mapping[str, int],
    prefix: tuple[int, ...],
    suffix: tuple[int, ...],
    hidden: frozenset[int],
) -> SpecialTokens:
    said: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if name in files:
            said |= _parse(name, files[name], SMALL_FILE_BYTES_MAX)

    def named(role: str) -> int | None:
        token = said.get(role)
        token = token.get("content") if isinstance(token, dict) else token
        return ids.get(token) if isinstance(token, str) else None

    end = named("eos_token")
    ends = {ids[text] for text in END_TEXTS if text in ids}
    ends |= set() if end is None else {end}
    for name in ("generation_config.json", "config.json"):
        if name in files:
            ends |= _listed(_parse(name, files[name], SMALL_FILE_BYTES_MAX).get("eos_token_id"))
    return SpecialTokens(
        begin=named("bos_token"),
        end=end,
        unknown=named("unk_token"),
        padding=named("pad_token"),
        prefix=prefix,
        suffix=suffix,
        ends=frozenset(ends),
        hidden=hidden,
    )


def _listed(ids: Any) -> set[int]:
    given: Iterable[Any] = ids if isinstance(ids, list) else (ids,)
    return {i for i in given if isinstance(i, int) and not isinstance(i, bool)}


def _chat_template(files: Mapping[str, bytes]) -> str | None:
    """chat_template.jinja, else the configuration's: one text, or a list of which "default"."""
    if "chat_template.jinja" in files:
        return bytes(files["chat_template.jinja"]).decode("utf-8", "replace")
    if "tokenizer_config.json" not in files:
        return None
    said = _parse("tokenizer_config.json", files["tokenizer_config.json"], SMALL_FILE_BYTES_MAX)
    found = said.get("chat_template")
    if isinstance(found, list):
        named = {t.get("name"): t.get("template") for t in found if isinstance(t, dict)}
        found = named.get("default")
    return found if isinstance(found, str) else None

r"""How byte-level BPE cuts a text into words, by the name that GGUF files give it.

`tokenizer.ggml.pre` names a row of the table in llama.cpp (src/llama-vocab.cpp); here a row is what
the original tokenizer.json of such models has, as ids must be those. Patterns are tried one after
another, each cutting what the ones before left; `\p{N}` alone makes every digit a word. Names whose
cutting is not known for certain are left out: their models are imported, and refuse texts.
"""

from __future__ import annotations

from typing import Any, Final

from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.tokenizers.base import model_input


@frozen
class PreTokenizer:
    """`ignore_merges`: a word that is a token is one, whatever its merges say. `adds_begin` and
    `separates`: whether texts get a beginning, or [CLS] and [SEP], if the file does not say."""

    patterns: tuple[str, ...]
    ignore_merges: bool = False
    adds_begin: bool = False
    separates: bool = False
    normalizer: str | None = None


_ENGLISH: Final = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_WORD: Final = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_SIGNS: Final = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_SPACES: Final = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER: Final = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"
_LOWER: Final = r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_CASED: Final = rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+"
_CASED_UPPER: Final = rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*"
_PATHS: Final = r" ?[^\s\p{L}\p{N}]+[\r\n/]*"

_GPT2: Final = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3: Final = rf"{_ENGLISH}|{_WORD}|\p{{N}}{{1,3}}|{_SIGNS}|{_SPACES}"
_QWEN2: Final = rf"{_ENGLISH}|{_WORD}|\p{{N}}|{_SIGNS}|{_SPACES}"
_TEKKEN: Final = rf"{_CASED}|{_CASED_UPPER}|\p{{N}}|{_PATHS}|{_SPACES}"
_GPT4O: Final = rf"{_CASED}{_ENGLISH}?|{_CASED_UPPER}{_ENGLISH}?|\p{{N}}{{1,3}}|{_PATHS}|{_SPACES}"
_DEEPSEEK3: Final = (
    r"\p{N}{1,3}",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|" + _SPACES,
)
_DEEPSEEK_CODER: Final = (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+", r"\p{N}")
_BLOOM: Final = r" ?[^(\s|[.,!?…。，、।۔،])]+"
_FALCON: Final = (r"[\p{P}\$\+<=>\^~\|`]+", _GPT2, "[0-9][0-9][0-9]")
_BAILING: Final = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
_SEED: Final = (
    rf"{_ENGLISH}|{_WORD}|\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"
)

_DIGITS_GPT2: Final = PreTokenizer((r"\p{N}", _GPT2))
_PLAIN_GPT2: Final = PreTokenizer((_GPT2,))
_LLAMA3_BEGUN: Final = PreTokenizer((_LLAMA3,), ignore_merges=True, adds_begin=True)
_LLAMA3_PLAIN: Final = PreTokenizer((_LLAMA3,))
_QWEN2_NFC: Final = PreTokenizer((_QWEN2,), normalizer="NFC")
_QWEN2_PLAIN: Final = PreTokenizer((_QWEN2,))
_SEPARATED: Final = PreTokenizer((_GPT2,), separates=True)
_BLOOM_LIKE: Final = PreTokenizer((_BLOOM,))

PRE_TOKENIZERS: dict[str, PreTokenizer] = {
    # what llama.cpp does with files of before these names
    "default": PreTokenizer(
        (r"[\p{P}\$\+<=>\^~\|]+", _GPT2.removesuffix(r"|\s+"), r"\p{N}+", "[0-9][0-9][0-9]")
    ),
    **dict.fromkeys(
        ("gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling"),
        _PLAIN_GPT2,
    ),
    **dict.fromkeys(("jina-es", "jina-de", "jina-v2-es", "jina-v2-de"), _PLAIN_GPT2),
    **dict.fromkeys(("gigachat", "a.x-4.0", "mellum", "modern-bert", "exaone4"), _PLAIN_GPT2),
    **dict.fromkeys(("jina-v1-en", "jina-v2-code", "roberta-bpe"), _SEPARATED),
    **dict.fromkeys(("smollm", "starcoder", "refact", "command-r"), _DIGITS_GPT2),
    **dict.fromkeys(("codeshell", "exaone", "minerva-7b"), _DIGITS_GPT2),
    **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"), _LLAMA3_BEGUN),
    **dict.fromkeys(("falcon-h1", "midm-2.0", "lfm2"), _LLAMA3_BEGUN),
    **dict.fromkeys(("dbrx", "smaug-bpe", "chatglm-bpe", "glm4"), _LLAMA3_PLAIN),
    "qwen2": _QWEN2_NFC,
    **dict.fromkeys(("deepseek-r1-qwen", "megrez", "stablelm2"), _QWEN2_PLAIN),
    **dict.fromkeys(("hunyuan", "grok-2"), _QWEN2_PLAIN),
    "tekken": PreTokenizer((_TEKKEN,), ignore_merges=True, adds_begin=True),
    **dict.fromkeys(("gpt-4o", "llama4", "kanana2", "minimax-m2"), PreTokenizer((_GPT4O,))),
    "deepseek-coder": PreTokenizer(_DEEPSEEK_CODER),
    **dict.fromkeys(("deepseek-v3", "hunyuan-dense", "joyai-llm"), PreTokenizer(_DEEPSEEK3)),
    "falcon": PreTokenizer(_FALCON),
    **dict.fromkeys(("bloom", "poro-chat", "gpt3-finnish"), _BLOOM_LIKE),
    "viking": PreTokenizer((_BLOOM, r"\p{N}")),
    **dict.fromkeys(("bailingmoe", "bailingmoe2", "llada-moe"), PreTokenizer((_BAILING,))),
    "seed-coder": PreTokenizer((_SEED,)),
}


def find(name: str) -> PreTokenizer:
    """The row of that name. ExecutionFault MODEL_INPUT if the table has none."""
    found = PRE_TOKENIZERS.get(name)
    if found is None:
        raise model_input(
            f'the model cuts texts in a way named "{name:.60}", which is not known here',
            hint="its rows can be read all the same; a Hugging Face folder of the model has a "
            "tokenizer.json that says how",
        )
    return found


def as_json(found: PreTokenizer) -> dict[str, Any]:
    """What a tokenizer.json has for it."""
    splits: list[dict[str, Any]] = [
        {"type": "Split", "pattern": {"Regex": p}, "behavior": "Isolated", "invert": False}
        for p in found.patterns
    ]
    to_bytes = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": False,
    }
    return {"type": "Sequence", "pretokenizers": [*splits, to_bytes]}

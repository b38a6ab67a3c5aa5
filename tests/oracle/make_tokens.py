"""Writes tokens.json: what transformers makes of SmolLM2-135M-Instruct's tokenizer and template.

    python tests/oracle/make_tokens.py SmolLM2-135M-Instruct.Q4_1.gguf     with transformers, gguf

Ids of the first 40 of the texts in tests/tokenizer_texts.py, a digest of the ids of all 1,000, and
prompts that the chat template makes. What transformers reads from a GGUF lacks that digits are
words of their own, which the model's tokenizer.json has; it is put back.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import transformers
from tokenizer_samples import texts
from tokenizers import pre_tokenizers

HERE = Path(__file__).parent
SHOWN = 40
CHATS: list[list[dict[str, str]]] = [
    [{"role": "user", "content": "What is 2 + 2?"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi\n"}],
    [
        {"role": "user", "content": " <b>&amp;</b> "},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "東京?"},
    ],
]


def digest(ids: list[list[int]]) -> str:
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()


def tokenizer_of(path: Path) -> Any:
    """SmolLM2's, of its GGUF file."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    digits = pre_tokenizers.Digits(individual_digits=True)
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, words])
    return tokenizer


def main(path: Path) -> None:
    tokenizer = tokenizer_of(path)
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts()]
    made: dict[str, Any] = {
        "made by": f"transformers {transformers.__version__}",
        "ids": ids[:SHOWN],
        "digest": digest(ids),
        "chats": [
            {
                "messages": chat,
                "prompt": tokenizer.apply_chat_template(
                    chat, tokenize=False, add_generation_prompt=generates
                ),
                "add_generation_prompt": generates,
            }
            for chat in CHATS
            for generates in (True, False)
        ],
    }
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    (HERE / "tokens.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Writes minilm.json: what sentence-transformers makes of all-MiniLM-L6-v2, in float32 on a CPU.

    python tests/oracle/make_minilm.py FOLDER      with torch, sentence-transformers

For each sentence: token ids, vector.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import sentence_transformers
import torch

SENTENCES = (
    "a cat",
    "A dog runs across the field.",
    "How do I reset my password?",
    "The mitochondrion is the powerhouse of the cell, as every student of biology is told.",
    "Zürich liegt am See.",
    "東京は日本の首都です",
    "SELECT name FROM customers WHERE city = 'Oslo';",
    "",
    "!!!",
    "one two three four five six seven eight nine ten " * 12,
)


def main() -> None:
    model = sentence_transformers.SentenceTransformer(sys.argv[1], device="cpu")
    made = []
    for sentence in SENTENCES:
        vector = model.encode(sentence, convert_to_numpy=True)
        made.append(
            {
                "text": sentence,
                "tokens": model.tokenizer(sentence, truncation=True, max_length=256)["input_ids"],
                "vector": [float(f"{x:.8g}") for x in vector],
            }
        )
    versions = {
        "torch": torch.__version__,
        "sentence-transformers": sentence_transformers.__version__,
    }
    text = json.dumps(
        {"made with": versions, "sentences": made}, ensure_ascii=False, separators=(",", ":")
    )
    Path(__file__).with_name("minilm.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Writes perplexity.json: transformers' perplexity of texts/ under SmolLM2-135M-Instruct, its
weights dequantised.

    python tests/oracle/make_perplexity.py SmolLM2-135M-Instruct.Q4_1.gguf     with torch

Each text is cut into windows of 512 tokens without overlap, each of which gives up its first token;
the perplexity is exp of the mean negative log-probability of all the others.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import torch
import transformers
from make_smollm import load
from make_tokens import tokenizer_of

WINDOW = 512
TEXTS = Path(__file__).with_name("texts")


def main() -> None:
    model = load(sys.argv[1])
    tokenizer = tokenizer_of(Path(sys.argv[1]))
    texts = {}
    for text in sorted(TEXTS.glob("*.txt")):
        tokens = tokenizer.encode(text.read_text(encoding="utf-8"), add_special_tokens=False)
        total, count = 0.0, 0
        for start in range(0, len(tokens), WINDOW):
            window = torch.tensor([tokens[start : start + WINDOW]])
            with torch.no_grad():
                chances = torch.log_softmax(model(window).logits[0].double(), -1)[:-1]
            total += float(chances.gather(1, window[0, 1:, None]).sum())
            count += window.shape[1] - 1
        texts[text.name] = {"tokens": len(tokens), "perplexity": math.exp(-total / count)}
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    made = {"made with": versions, "window": WINDOW, "texts": texts}
    out = Path(__file__).with_name("perplexity.json")
    out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

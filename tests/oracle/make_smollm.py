"""Writes smollm.json: what transformers makes of SmolLM2-135M-Instruct, its weights dequantised.

    python tests/oracle/make_smollm.py SmolLM2-135M-Instruct.Q4_1.gguf      with torch, transformers

For each of 20 prompts: token ids; for each position the largest |logit|, the logits of the 5 best
tokens and of 24 fixed ones; the sum of log-probabilities; a greedy continuation of 64 tokens, with
the best two logits at each step. Float32 on a CPU, attention as written (eager).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
import transformers

PROMPTS = (
    "The capital of France is",
    "Once upon a time, in a village by the sea,",
    "def fibonacci(n):\n    ",
    "SELECT name, price FROM products WHERE",
    "Water boils at a temperature of",
    "To be, or not to be, that is",
    "import numpy as np\n\nx = np.zeros(",
    "The three primary colours are red,",
    "Dear Sir or Madam,\n\nI am writing to",
    "1, 1, 2, 3, 5, 8, 13,",
    "Die Hauptstadt von Deutschland ist",
    "A database is a collection of",
    "Q: What is the largest planet?\nA:",
    "The quick brown fox jumps over the lazy dog. " * 4,
    "In 1969, Neil Armstrong",
    "# Recipe for pancakes\n\nIngredients:\n- 2 eggs\n- ",
    "<html>\n<head>\n<title>",
    "It was the best of times, it was the worst of times, it was the age of wisdom,",
    "日本の首都は",
    "<|im_start|>user\nName a fruit.<|im_end|>\n<|im_start|>assistant\n",
)
CONTINUED = 64
FIXED = [(i * 2047 + 11) % 49152 for i in range(24)]

_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def turned_back(rows: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp pairs neighbouring numbers of a head, Hugging Face those half a head apart."""
    pairs = rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def load(path: str) -> Any:
    reader = gguf.GGUFReader(path)
    state = {}
    for tensor in reader.tensors:
        array = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        name = tensor.name
        if name.startswith("blk."):
            _, number, part, ending = name.split(".")
            if part in ("attn_q", "attn_k"):
                array = turned_back(array, 9 if part == "attn_q" else 3)
            name = f"model.layers.{number}.{_LAYER[part]}.{ending}"
        else:
            name = {"token_embd.weight": "model.embed_tokens.weight"}.get(name, "model.norm.weight")
        state[name] = torch.from_numpy(np.array(array, np.float32))
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    config = transformers.LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        attn_implementation="eager",
    )
    model = transformers.LlamaForCausalLM(config).float().eval()
    model.load_state_dict(state)
    return model


def short(values: Any) -> list[float]:
    return [float(f"{float(x):.7g}") for x in values]


def figures(model: Any, tokens: list[int]) -> dict[str, Any]:
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0]
        chosen = torch.log_softmax(logits.double(), -1)[:-1].gather(
            1, torch.tensor(tokens[1:])[:, None]
        )
        best = [logits[t].topk(5) for t in range(len(tokens))]
        made: dict[str, Any] = {
            "tokens": tokens,
            "largest": short(logits.abs().amax(1)),
            "best": [b.indices.tolist() for b in best],
            "best_logits": [short(b.values) for b in best],
            "fixed_logits": [short(row[FIXED]) for row in logits],
            "logprob": float(chosen.sum()),
        }
        kept, step = None, torch.tensor([tokens])
        continued, first_two = [], []
        for _ in range(CONTINUED):
            out = model(step, past_key_values=kept, use_cache=True)
            kept, two = out.past_key_values, out.logits[0, -1].topk(2)
            continued.append(int(two.indices[0]))
            first_two.append(short(two.values))
            step = two.indices[:1][None]
    return {**made, "continued": continued, "continued_best_two": first_two}


def main() -> None:
    path = Path(sys.argv[1])
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = load(str(path))
    prompts = [
        {"prompt": p, **figures(model, tokenizer.encode(p, add_special_tokens=False))}
        for p in PROMPTS
    ]
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    made = {"made with": versions, "fixed": FIXED, "prompts": prompts}
    text = json.dumps(made, separators=(",", ":"), ensure_ascii=False)
    Path(__file__).with_name("smollm.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

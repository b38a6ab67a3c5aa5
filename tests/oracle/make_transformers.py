"""Writes transformers.json: what transformers makes of the tiny models, in float32 on a CPU.

    PYTHONPATH=tests/oracle python tests/oracle/make_transformers.py      with torch, transformers

For a language model: logits float32[T,V] of T tokens. For an encoder: hidden rows float32[T,C].
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tiny_models
import torch
import transformers

TOKENS = 24


def figures(name: str) -> dict[str, object]:
    tiny = tiny_models.MODELS[name]
    model_class = getattr(transformers, tiny.family)
    config = model_class.config_class(**tiny.files, attn_implementation="eager")
    extra = {"add_pooling_layer": False} if tiny.family == "BertModel" else {}
    model = model_class(config, **extra).float().eval()
    state = {
        tiny_models.file_name(tiny.family, n): torch.from_numpy(array)
        for n, array in tiny_models.arrays(tiny.config).items()
    }
    if tiny.config.tied:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    missing, unexpected = model.load_state_dict(state, strict=False)
    buffers = [m for m in missing if "inv_freq" not in m and "position_ids" not in m]
    assert not unexpected and not buffers, (name, unexpected, buffers)
    tokens = tiny_models.tokens(TOKENS)
    with torch.no_grad():
        out = model(torch.tensor([tokens]))
    found = out.last_hidden_state if tiny.family == "BertModel" else out.logits
    rows = found[0].numpy().astype(np.float64)
    return {"tokens": tokens, "rows": [[float(f"{x:.8g}") for x in row] for row in rows]}


def main() -> None:
    made = {name: figures(name) for name in tiny_models.MODELS}
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    path = Path(__file__).with_name("transformers.json")
    path.write_text(json.dumps({"made with": versions, "models": made}, separators=(",", ":")))


if __name__ == "__main__":
    main()

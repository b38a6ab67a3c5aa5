"""Units: the structural parts of a model that rows belong to (HQL.md, "Units").

A unit is named by the rows that produce it. Rows of a tensor belong to units in runs of equal
length: `head_size` rows of a query tensor are one `head:q`, one row of `mlp.up` is one `neuron`.

    kind      rows of                                        UnitId
    head:q    layerN.attention.query.weight                  query head
    head:kv   layerN.attention.key|value.weight              key-value head
    neuron    layerN.mlp.gate|up.weight                      row
    token     embedding.token.weight, a transformer's head   token
    residual  other matrices: what they write is no unit     row
    vector    tensors of rank 0 or 1                         0
"""

from __future__ import annotations

import re
from typing import Any, Final

HEAD_Q: Final = "head:q"
HEAD_KV: Final = "head:kv"
NEURON: Final = "neuron"
TOKEN: Final = "token"
RESIDUAL: Final = "residual"
VECTOR: Final = "vector"

#: kinds whose units are ranked by importance; the others' rows carry 1
RANKED: Final = (HEAD_Q, HEAD_KV, NEURON)

_KINDS: Final = (
    (re.compile(r"layer\d+\.attention\.query\.weight"), HEAD_Q),
    (re.compile(r"layer\d+\.attention\.(key|value)\.weight"), HEAD_KV),
    (re.compile(r"layer\d+\.mlp\.(gate|up)\.weight"), NEURON),
    (re.compile(r"embedding\.token\.weight"), TOKEN),
)


def unit_kind(name: str, rank: int, config: dict[str, Any]) -> str:
    """The kind of a tensor's rows; `config`: Model.config."""
    if rank < 2:
        return VECTOR
    if name == "head.weight" and config.get("kind") == "transformer":
        return TOKEN
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(name)), RESIDUAL)


def rows_per_unit(kind: str, config: dict[str, Any]) -> int:
    """How many neighbouring rows are one unit: UnitId is RowIdx // that."""
    return int(config["head_size"]) if kind in (HEAD_Q, HEAD_KV) else 1

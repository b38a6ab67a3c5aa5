"""ImportanceScore of a model's rows, from the norms of its weights (HQL.md, "ImportanceScore").

A structural unit's raw score is the product of the Euclidean norms of the rows that produce it and
of the columns that consume it, each over its tensor's root mean square:

    unit      produced by rows of        consumed by columns of
    head:q    attention.query            attention.output
    head:kv   attention.key, .value      attention.output: those of the query heads that share it
    neuron    mlp.gate, mlp.up           mlp.down; in a feed-forward net the next layer

The score is the raw score's percentile rank among all units of the kind in the model, 0 to 1, equal
ones sharing the mean of their ranks; rows of other kinds carry 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hartonomous.hql.frozen import frozen
from hartonomous.hql.models import units

if TYPE_CHECKING:
    from hartonomous.hql.models.model import Tensor

Numbers = npt.NDArray[np.float64]


@frozen
class Squares:
    """Sums of a tensor's squared elements: by row float64[rows], and by column float64[length] for
    the tensors that `consumers` names."""

    rows: Numbers
    columns: Numbers | None = None


@frozen
class _Group:
    """Units of one kind in one layer: `count` of them."""

    kind: str
    count: int
    produced: tuple[str, ...]
    consumed: str


def groups(names: Iterable[str], config: Mapping[str, Any]) -> list[_Group]:
    """The units of a model of these tensors, layer by layer."""
    there = set(names)
    if config.get("kind") == "mlp":
        return _net_groups(there, list(config["sizes"]))
    if config.get("kind") != "transformer":
        return []
    out = []
    for n in range(config["layers"]):
        attention, mlp = f"layer{n}.attention.", f"layer{n}.mlp."
        output, down = f"{attention}output.weight", f"{mlp}down.weight"
        query = (f"{attention}query.weight",)
        key = tuple(f"{attention}{part}.weight" for part in ("key", "value"))
        inner = tuple(
            f"{mlp}{part}.weight" for part in ("gate", "up") if config["gated"] or part == "up"
        )
        out += [
            _Group(units.HEAD_Q, config["heads"], query, output),
            _Group(units.HEAD_KV, config["kv_heads"], key, output),
            _Group(units.NEURON, config["mlp"], inner, down),
        ]
    return [g for g in out if there.issuperset((*g.produced, g.consumed))]


def _net_groups(there: set[str], sizes: list[int]) -> list[_Group]:
    layers = [f"layer{n}.mlp.up.weight" for n in range(len(sizes) - 2)]
    following = [*layers, "head.weight"][1:]
    return [
        _Group(units.NEURON, sizes[n + 1], (name,), after)
        for n, (name, after) in enumerate(zip(layers, following, strict=True))
        if {name, after} <= there
    ]


def consumers(names: Iterable[str], config: Mapping[str, Any]) -> set[str]:
    """The tensors whose columns are wanted."""
    return {group.consumed for group in groups(names, config)}


def importance(
    tensors: Sequence[Tensor], squares: Mapping[str, Squares], config: Mapping[str, Any]
) -> npt.NDArray[np.float32]:
    """float32[all rows], in the tensors' order."""
    found = groups([t.name for t in tensors], config)
    elements = {t.name: t.parameter_count for t in tensors}
    raw = [_raw_scores(group, squares, elements) for group in found]
    scores = {t.name: np.ones(t.rows, np.float32) for t in tensors}
    for kind in units.RANKED:
        mine = [i for i, group in enumerate(found) if group.kind == kind]
        if not mine:
            continue
        ranks = percentile_ranks(np.concatenate([raw[i] for i in mine]))
        start = 0
        for i in mine:
            part = ranks[start : start + found[i].count].astype(np.float32)
            start += found[i].count
            for name in found[i].produced:
                scores[name] = np.repeat(part, len(scores[name]) // len(part))
    return np.concatenate(list(scores.values())) if scores else np.empty(0, np.float32)


def percentile_ranks(values: Numbers) -> Numbers:
    """float64[N], 0 to 1: how many values are smaller, and half of the other equal ones, over
    N - 1. One value alone has 1."""
    if len(values) < 2:
        return np.ones(len(values))
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    smaller = np.cumsum(counts) - counts
    ranks: Numbers = (smaller + (counts - 1) / 2)[places] / (len(values) - 1)
    return ranks


def _raw_scores(
    group: _Group, squares: Mapping[str, Squares], elements: Mapping[str, int]
) -> Numbers:
    """float64[count]; 0 where a norm is not finite or a tensor is all zeros."""
    out = np.ones(group.count)
    columns = squares[group.consumed].columns
    assert columns is not None, group.consumed
    parts = [(squares[name].rows, elements[name]) for name in group.produced]
    parts.append((columns, elements[group.consumed]))
    with np.errstate(all="ignore"):
        for sums, count in parts:
            mean = sums.sum() / count
            out *= np.sqrt(sums.reshape(group.count, -1).sum(axis=1) / mean)
    return np.nan_to_num(out, nan=0.0, posinf=0.0)

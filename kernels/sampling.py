"""Choosing the next token from logits, and the log-probabilities of tokens.

    logits: float32[V] -> a token number

Greedy takes the largest logit, of equal ones the lowest number. Otherwise, in this order: the
repetition penalty divides the positive logits of tokens that occurred by it and multiplies the
negative ones (Keskar et al. 2019); the temperature divides; top-k keeps the k largest (of equal
ones the lowest numbers); top-p keeps the smallest set of largest probabilities whose sum reaches p
(Holtzman et al. 2020); and the token is where a uniform number falls in the cumulated
probabilities. That number is Philox's (Salmon et al. 2011) with key (seed, row) and counter step,
so it depends on nothing else: neither on a batch nor on what was drawn before. float64 throughout.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]
Tokens = npt.NDArray[np.int64]

_WORD: Final = (1 << 64) - 1


def uniform(seed: int, row: int, step: int) -> float:
    """A number of [0, 1), the same on every machine."""
    philox = np.random.Philox(key=((row & _WORD) << 64) | (seed & _WORD), counter=step)
    return (int(philox.random_raw()) >> 11) * 2.0**-53


def penalise(logits: Floats, occurred: Tokens, penalty: float) -> Floats:
    """float32[V]: the repetition penalty, on a copy; 1.0 changes nothing."""
    if penalty == 1.0 or not len(occurred):
        return logits
    changed = logits.copy()
    found = changed[occurred]
    changed[occurred] = np.where(found > 0, found / penalty, found * penalty)
    return changed


def draw(logits: Floats, temperature: float, top_k: int, top_p: float, chance: float) -> int:
    """The token; temperature 0 is greedy; top_k 0 and top_p 1 keep all; `chance` is in [0, 1)."""
    if temperature == 0.0 or top_k == 1:
        return int(np.argmax(logits))
    wide = logits.astype(np.float64)
    wide = np.exp((wide - wide.max()) / temperature)
    kept = _largest(wide, top_k) if 0 < top_k < len(wide) else np.flatnonzero(wide)
    probabilities = wide[kept] / wide[kept].sum()
    if top_p < 1.0:
        inside = _nucleus(probabilities, top_p)
        kept, probabilities = kept[inside], probabilities[inside]
    cumulated = np.cumsum(probabilities)
    place = int(np.searchsorted(cumulated, chance * cumulated[-1], side="right"))
    return int(kept[min(place, len(kept) - 1)])


def _largest(weights: Wide, count: int) -> Tokens:
    """The numbers of the `count` largest, ascending; of equal ones the lowest numbers."""
    limit = np.partition(weights, -count)[-count]
    above = np.flatnonzero(weights > limit)
    ties = np.flatnonzero(weights == limit)[: count - len(above)]
    return np.sort(np.concatenate([above, ties]))


def _nucleus(probabilities: Wide, top_p: float) -> Tokens:
    """Places of the smallest set that reaches top_p, ascending.

    Those below (1 - top_p) / V are together less than 1 - top_p, so none of them is in it.
    """
    likely = np.flatnonzero(probabilities >= (1.0 - top_p) / len(probabilities))
    order = likely[np.argsort(-probabilities[likely], kind="stable")]
    reached = np.searchsorted(np.cumsum(probabilities[order]), top_p, side="left")
    return np.sort(order[: int(reached) + 1])


def log_sum_exp_reference(logits: Floats) -> Wide:
    """float32[N,V] -> float64[N], the natural logarithm of the sum of exponentials."""
    wide = logits.astype(np.float64)
    largest = wide.max(axis=1)
    return np.asarray(largest + np.log(np.exp(wide - largest[:, None]).sum(axis=1)))

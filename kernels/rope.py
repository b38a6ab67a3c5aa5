"""Rotary positions: the angles by which pairs of a head's numbers are turned (Su et al. 2021).

    frequencies(D, base, scaling) -> float32[D/2];  angles(frequencies, first, count)
    -> (cos, sin) float32[count, D/2] each

Number i of a head is paired with number i + D/2, as Hugging Face's row order has it. Angles are
rounded to float32 as every model was trained with them: position times frequency, both float32.

Scalings by type: `linear` divides positions by `factor`; `llama3` divides low frequencies by it,
leaves the high ones, and blends between (Llama 3.1's); `factors` divides each by its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def frequencies(size: int, base: float, scaling: Mapping[str, Any] | None = None) -> Floats:
    """float32[size / 2]: radians per position. ValueError names a scaling that is not known."""
    exponents = np.arange(0, size, 2, dtype=np.float32) / np.float32(size)
    found: Floats = np.divide(1, np.power(np.float32(base), exponents), dtype=np.float32)
    if scaling is None:
        return found
    if scaling["type"] == "linear":
        return np.asarray(found / np.float32(scaling["factor"]))
    if scaling["type"] == "llama3":
        return _llama3(found, scaling)
    if scaling["type"] == "factors":
        return np.asarray(found / np.asarray(scaling["factors"], np.float32))
    raise ValueError(str(scaling["type"]))


def _llama3(found: Floats, scaling: Mapping[str, Any]) -> Floats:
    """A frequency that turns fewer than `low` times in the original context is divided, one that
    turns more than `high` times is left, between them it is a mixture."""
    low, high = float(scaling["low_freq_factor"]), float(scaling["high_freq_factor"])
    turns = found.astype(np.float64) * float(scaling["original_context"]) / (2 * math.pi)
    kept = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return np.asarray(found * (kept + (1 - kept) / float(scaling["factor"])), np.float32)


def angles(found: Floats, first: int, count: int) -> tuple[Floats, Floats]:
    """(cos, sin) of positions first … first + count - 1."""
    positions = np.arange(first, first + count, dtype=np.float32)
    turned = (positions[:, None] * found[None, :]).astype(np.float64)
    return np.cos(turned).astype(np.float32), np.sin(turned).astype(np.float32)


def rotate_reference(heads: Floats, cosine: Floats, sine: Floats) -> Floats:
    """float32[T,H,D], turned by angles float32[T,D/2]: the definition, in NumPy."""
    half = heads.shape[-1] // 2
    left, right = heads[..., :half], heads[..., half:]
    cosine, sine = cosine[:, None, :], sine[:, None, :]
    return np.concatenate([left * cosine - right * sine, right * cosine + left * sine], axis=-1)

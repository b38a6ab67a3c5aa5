"""Rotary positions: the angles by which pairs of a head's numbers are turned (Su et al. 2021).

    frequencies(D, base, scaling) -> float32[D/2];  angles(frequencies, first, count)
    -> (cos, sin) float32[count, D/2] each

Number i of a head is paired with number i + D/2, as Hugging Face's row order has it. Angles are
rounded to float32 as every model was trained with them: position times frequency, both float32.

Scalings by name: `linear` divides positions by a factor; `llama3` divides the low frequencies,
leaves the high ones, and blends between (Llama 3.1's).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SCALINGS = ("default", "linear", "llama3")


def frequencies(size: int, base: float, scaling: Mapping[str, Any] | None = None) -> Floats:
    """float32[size / 2]: radians per position. ValueError names a scaling that is not known."""
    exponents = np.arange(0, size, 2, dtype=np.float32) / np.float32(size)
    found = (np.float32(1) / np.float32(base) ** exponents).astype(np.float32)
    kind = str((scaling or {}).get("rope_type", (scaling or {}).get("type", "default")))
    if scaling is None or kind == "default":
        return found
    if kind == "linear":
        return found / np.float32(scaling["factor"])
    if kind == "llama3":
        return _llama3(found, scaling)
    raise ValueError(kind)


def _llama3(found: Floats, scaling: Mapping[str, Any]) -> Floats:
    factor = np.float32(scaling["factor"])
    low, high = float(scaling["low_freq_factor"]), float(scaling["high_freq_factor"])
    context = float(scaling["original_max_position_embeddings"])
    lengths = 2 * math.pi / found.astype(np.float64)
    blend = np.clip((context / lengths - low) / (high - low), 0.0, 1.0)
    return np.asarray((1 - blend) * (found / factor) + blend * found, np.float32)


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

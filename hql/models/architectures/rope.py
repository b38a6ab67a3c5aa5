"""Rotary positions in configurations: how config.json and GGUF say them."""

from __future__ import annotations

from typing import Any

from hartonomous.hql.models.architectures.base import TransformerConfig, Unrunnable
from hartonomous.hql.models.architectures.fields import Fields, bad_config


def read_rope(fields: Fields, base: float, kind: str | None = None) -> tuple[float, Any]:
    """(base, scaling as TransformerConfig has it) of a config.json, in the form with `rope_theta`
    and `rope_scaling` or with `rope_parameters` (of layers of a `kind`, if it tells them apart)."""
    parameters = fields.get("rope_parameters")
    if isinstance(parameters, dict):
        if kind is not None and isinstance(parameters.get(kind), dict):
            parameters = parameters[kind]
        found = Fields(parameters, f"{fields.what}: rope_parameters")
        return found.number("rope_theta", base), _scaling(found)
    scaling = fields.get("rope_scaling")
    if scaling is not None and not isinstance(scaling, dict):
        raise bad_config(f"{fields.what}: rope_scaling is no object")
    theta = fields.number("rope_theta", base)
    return theta, _scaling(Fields(scaling, f"{fields.what}: rope_scaling")) if scaling else None


def _scaling(fields: Fields) -> dict[str, Any] | None:
    kind = fields.get("rope_type") or fields.get("type") or "default"
    if kind == "default":
        return None
    if kind == "linear":
        return {"type": "linear", "factor": fields.number("factor")}
    if kind == "llama3":
        return {
            "type": "llama3",
            "factor": fields.number("factor"),
            "low_freq_factor": fields.number("low_freq_factor"),
            "high_freq_factor": fields.number("high_freq_factor"),
            "original_context": fields.size("original_max_position_embeddings"),
        }
    if kind == "longrope" and fields.get("attention_factor") == 1.0:
        factors = fields.get("long_factor")
        if factors == fields.get("short_factor") and _are_numbers(factors):
            return {"type": "factors", "factors": factors}
    raise Unrunnable(f"rotary positions scaled by {str(kind)[:40]!r} are not supported yet")


def _are_numbers(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(x, float) and x > 0 for x in given)


def write_rope(config: TransformerConfig) -> dict[str, Any]:
    """The fields of config.json. Divisors of their own are LongRoPE's, which has them for texts
    within and beyond the first context: the same ones here."""
    scaling = config.rope_scaling
    out: dict[str, Any] = {"rope_theta": config.rope_base}
    if scaling is not None and scaling["type"] == "factors":
        out["rope_scaling"] = {
            "rope_type": "longrope",
            "long_factor": scaling["factors"],
            "short_factor": scaling["factors"],
            "attention_factor": 1.0,
            "factor": 1.0,
            "original_max_position_embeddings": config.context,
        }
    elif scaling is not None:
        renamed = {"type": "rope_type", "original_context": "original_max_position_embeddings"}
        out["rope_scaling"] = {renamed.get(k, k): v for k, v in scaling.items()}
    return out


def read_gguf_rope(fields: Fields) -> tuple[float | None, Any]:
    """(base, scaling) of a GGUF's metadata."""
    base = fields.number("rope.freq_base", None)
    kind = fields.get("rope.scaling.type")
    if kind in (None, "none"):
        factor = fields.number("rope.scale_linear", None)
        return base, {"type": "linear", "factor": factor} if factor not in (None, 1.0) else None
    if kind == "linear":
        return base, {"type": "linear", "factor": fields.number("rope.scaling.factor")}
    raise Unrunnable(f"rotary positions scaled by {str(kind)[:40]!r} are not supported yet")

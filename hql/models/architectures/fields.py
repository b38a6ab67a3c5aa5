"""Fields of a configuration, read with their kinds and bounds, a wrong one
named; and those that config.json shares among transformers, written."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.errors import FileFault

if TYPE_CHECKING:
    from hartonomous.hql.models.architectures.base import TransformerConfig

#: sizes beyond this are no model's
SIZE_MAX: Final = 1 << 31
LAYERS_MAX: Final = 4_096

#: names of activations in config.json -> ours
ACTIVATIONS: Final = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_tanh": "gelu_tanh",
    "relu": "relu",
}
#: and back
HF_ACTIVATIONS: Final = {"silu": "silu", "gelu": "gelu", "relu": "relu"} | {
    "gelu_tanh": "gelu_pytorch_tanh"
}

_UNSET: Final = object()


def bad_config(message: str) -> FileFault:
    """The error of a file's configuration that cannot be true."""
    hint = "the configuration does not fit the tensors, or is damaged"
    return FileFault(message, code="MODEL_FORMAT", hint=hint)


class Fields:
    """A map's fields. `what` names it in errors; `fault` makes them from a message. A field that is
    missing, or null, has the default, or is an error without one."""

    def __init__(
        self,
        given: Mapping[str, Any],
        what: str = "config.json",
        fault: Callable[[str], Exception] = bad_config,
        prefix: str = "",
    ) -> None:
        self.given, self.what, self.fault, self.prefix = given, what, fault, prefix
        self.read: set[str] = set()

    def get(self, name: str) -> Any:
        self.read.add(name)
        return self.given.get(self.prefix + name)

    def size(
        self, name: str, default: Any = _UNSET, least: int = 1, most: int = SIZE_MAX - 1
    ) -> Any:
        """A whole number from `least` to `most`."""
        value = self.get(name)
        if value is None:
            return self._default(name, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            shown = f"{name} is {_shown(value)}, no whole number from {least} to {most:,}"
            raise self.fault(f"{self.what}: {shown}")
        return value

    def layers(self, name: str, default: Any = _UNSET) -> int:
        """A number of layers: bounded, as lists of them are made before their tensors are seen."""
        count: int = self.size(name, default, most=LAYERS_MAX)
        return count

    def number(self, name: str, default: Any = _UNSET) -> Any:
        """A finite number above 0."""
        value = self.get(name)
        if value is None:
            return self._default(name, default)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value <= 0:
            raise self.fault(f"{self.what}: {name} is {_shown(value)}, no number above 0")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self.get(name)
        if value is None:
            return default
        if value not in (False, True, 0, 1):
            raise self.fault(f"{self.what}: {name} is {_shown(value)}, not true or false")
        return bool(value)

    def choice(self, name: str, choices: Mapping[str, str], default: Any = _UNSET) -> Any:
        """One of some words, as what it stands for."""
        value = self.get(name)
        if value is None:
            return self._default(name, default)
        if not isinstance(value, str) or value not in choices:
            known = ", ".join(choices)
            raise self.fault(f"{self.what}: {name} is {_shown(value)}, not one of {known}")
        return choices[value]

    def _default(self, name: str, default: Any) -> Any:
        if default is _UNSET:
            raise self.fault(f"{self.what}: {self.prefix}{name} is missing")
        return default


class Survey(Fields):
    """Fields that are not given, each answered with what is likely to be right, so that a reader
    goes through to its end and `read` says which there are."""

    def __init__(self) -> None:
        super().__init__({})

    def size(
        self, name: str, default: Any = _UNSET, least: int = 1, most: int = SIZE_MAX - 1
    ) -> Any:
        """2: heads of 2 elements have rotary pairs, and 2 heads divide a width of 2."""
        self.get(name)
        return min(max(2, least), most)

    def number(self, name: str, default: Any = _UNSET) -> Any:
        """1.0"""
        self.get(name)
        return 1.0

    def choice(self, name: str, choices: Mapping[str, str], default: Any = _UNSET) -> Any:
        """The first one."""
        self.get(name)
        return next(iter(choices.values()))


def _shown(value: Any) -> str:
    return repr(value)[:60]


def write_shape(config: TransformerConfig) -> dict[str, Any]:
    """The keys of config.json that say how large a transformer is."""
    return {
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "intermediate_size": config.mlp,
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.context,
    }

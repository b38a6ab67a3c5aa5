"""Feed-forward nets: linear layers with one activation between them, named as PyTorch's modules are
(`0.weight`, `2.weight`; `fc1.weight`, `fc2.weight`; `layers.0.weight` …).

Layers follow each other in the order of their names, numbers counted as numbers; each one's inputs
are the outputs of the one before. What stands between them no file says: ReLU, unless config.json
has an `activation`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.models.architectures.base import Config, MlpConfig, Shape, Unrunnable
from hartonomous.hql.models.architectures.fields import ACTIVATIONS, LAYERS_MAX, Fields, bad_config
from hartonomous.hql.models.architectures.names import Names, Placement, Rule, layer_of

if TYPE_CHECKING:
    from hartonomous.hql.models.formats.source import SourceModel, SourceTensor

_ACTIVATIONS: Final = ACTIVATIONS | {"tanh": "tanh", "sigmoid": "sigmoid", "none": "none"}
#: a layer's module: its last part is numbered or says that it is a linear layer or the output
_MODULE: Final = re.compile(
    r"(?:.*\.)?(?:\d+|(?:fc|linear|lin|layer|dense|hidden)_?\d*|out|output|head|classifier)"
)
#: words for the last layer, which has no number
_LAST: Final = ("out", "output", "head", "classifier")
_FLOATS: Final = ("F64", "F32", "F16", "BF16")


class Mlp:
    """See the module."""

    name = "mlp"
    gguf_name = None
    model_types = frozenset({"mlp"})

    def matches(self, source: SourceModel) -> bool:
        return bool(source.tensors) and _modules(source) is not None

    def config(self, source: SourceModel) -> MlpConfig:
        modules = _modules(source)
        if modules is None:
            raise bad_config("the tensors are no chain of linear layers")
        weights = [weight for _, weight, _ in modules]
        biases = {bias is not None for _, _, bias in modules}
        if len(biases) > 1:
            raise Unrunnable("layers with and without bias in one net are not supported yet")
        fields = Fields(source.config)
        return MlpConfig(
            sizes=(weights[0].shape[1], *(w.shape[0] for w in weights)),
            activation=fields.choice("activation", _ACTIVATIONS, "relu"),
            bias=biases.pop(),
        )

    def place(self, source: SourceModel, config: Config) -> tuple[list[Placement], list[str]]:
        modules = _modules(source)
        assert modules is not None, [t.name for t in source.tensors]
        canonical = {}
        for index, (_, weight, bias) in enumerate(modules):
            name = _layer_name(index, len(modules))
            canonical[weight.name] = f"{name}.weight"
            if bias is not None:
                canonical[bias.name] = f"{name}.bias"
        placed = []
        for tensor in source.tensors:
            name = canonical[tensor.name]
            placed.append(Placement(tensor, name, layer_of(name)))
        return placed, []

    def names(self, config: Config, format: str) -> Names:
        """As torch.nn.Sequential has them, with an activation between two layers."""
        assert isinstance(config, MlpConfig)
        count = len(config.sizes) - 1
        names = {f"{2 * index}": _layer_name(index, count) for index in range(count)}
        return Names(
            (),
            bare=tuple(
                Rule(f"{file}.{end}", (f"{name}.{end}",))
                for file, name in names.items()
                for end in ("weight", "bias")
            ),
        )

    def layout(self, config: Config) -> list[Shape]:
        """New weights are normal with variance 2 / inputs (He et al. 2015)."""
        assert isinstance(config, MlpConfig)
        count = len(config.sizes) - 1
        out = []
        for index, (inputs, outputs) in enumerate(
            zip(config.sizes[:-1], config.sizes[1:], strict=True)
        ):
            name = _layer_name(index, count)
            out.append(Shape(f"{name}.weight", (outputs, inputs), scale=(2 / inputs) ** 0.5))
            if config.bias:
                out.append(Shape(f"{name}.bias", (outputs,), "zeros"))
        return out

    def make_config(self, fields: Fields) -> MlpConfig:
        hidden = fields.get("hidden")
        if not isinstance(hidden, (list, tuple)):
            hidden = [fields.size("hidden")] * fields.layers("layers", 1)
        sizes = (fields.size("inputs"), *hidden, fields.size("outputs"))
        if any(not float(size).is_integer() or size < 1 for size in sizes):
            raise fields.fault(f"{fields.what}: hidden is {list(hidden)}, no list of sizes")
        return MlpConfig(
            sizes=tuple(int(size) for size in sizes),
            activation=fields.choice("activation", _ACTIVATIONS, "relu"),
            bias=fields.flag("bias", True),
        )

    def hf_config(self, config: Config) -> dict[str, Any]:
        assert isinstance(config, MlpConfig)
        return {
            "model_type": "mlp",
            "sizes": list(config.sizes),
            "activation": config.activation,
        }

    def gguf_entries(self, config: Config) -> list[list[Any]]:
        raise Unrunnable("feed-forward nets")

    def gguf_tensors(self, config: Config) -> dict[str, list[float]]:
        return {}


def _layer_name(index: int, count: int) -> str:
    return "head" if index == count - 1 else f"layer{index}.mlp.up"


def _modules(
    source: SourceModel,
) -> list[tuple[str, SourceTensor, SourceTensor | None]] | None:
    """(module, weight, bias) of each layer in order; None if the tensors are no chain of them."""
    tensors = {t.name: t for t in source.tensors}
    modules = sorted({name.rpartition(".")[0] for name in tensors}, key=_order)
    found: list[tuple[str, SourceTensor, SourceTensor | None]] = []
    for module in modules:
        weight, bias = tensors.pop(f"{module}.weight", None), tensors.pop(f"{module}.bias", None)
        if weight is None or len(weight.shape) != 2 or not _MODULE.fullmatch(module):
            return None
        if bias is not None and bias.shape != weight.shape[:1]:
            return None
        if any(t.dtype not in _FLOATS for t in (weight, bias) if t is not None):
            return None
        if found and found[-1][1].shape[0] != weight.shape[1]:
            return None
        found.append((module, weight, bias))
    return found if found and not tensors and len(found) <= LAYERS_MAX else None


def _order(module: str) -> list[tuple[int, int, str]]:
    """A key that counts numbers as numbers and puts the output last."""
    parts = re.split(r"(\d+)", module)
    key = [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts if part]
    is_last = module.rpartition(".")[2] in _LAST
    return [(2, 0, ""), *key] if is_last else key


MLP = Mlp()

"""From a model in the store to a network that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.models.inference.cache import CACHE
from hartonomous.hql.models.inference.encoding import StaticNetwork
from hartonomous.hql.models.inference.feed_forward import FeedForward
from hartonomous.hql.models.inference.forms import COMPILED_PARAMETERS
from hartonomous.hql.models.inference.network import Network
from hartonomous.hql.models.inference.weights import NOTHING, Dense, Floats, Matrix, Stack
from hartonomous.kernels.quantize import dequantise

if TYPE_CHECKING:
    from hartonomous.hql.models.model import Model, Tensor

Runnable: TypeAlias = Network | StaticNetwork | FeedForward


def load(model: Model) -> Runnable:
    """The model's network: from the cache if equal weights ran before. ExecutionFault MODEL_INPUT
    if it cannot run; NotSupported for what is not built."""
    return load_noting(model)[0]


def load_noting(model: Model) -> tuple[Runnable, bool]:
    """As load, and whether it was in the cache."""
    if not model.is_runnable:
        raise ExecutionFault(
            f'the model "{model.name}" cannot run: its architecture, {model.architecture}, is not '
            "one of those that are built in",
            code="MODEL_INPUT",
            hint="its rows can be read in TensorAtoms; SELECT * FROM Models shows which can run",
        )

    def make() -> tuple[Runnable, int]:
        network = make_network(model)
        return network, network.bytes + model.bytes

    network, is_hit = CACHE.get(model.content_hash, make)
    return network, is_hit


def make_network(model: Model) -> Runnable:
    """The network, made anew."""
    from hartonomous.hql.models.architectures.base import (
        MlpConfig,
        StaticConfig,
        config_from_map,
    )

    config = config_from_map(dict(model.config))
    weights = ModelWeights(model)
    if isinstance(config, StaticConfig):
        return StaticNetwork(config, weights, model.content_hash)
    if isinstance(config, MlpConfig):
        return FeedForward(config, weights, model.content_hash)
    return Network(config, weights, model.content_hash)


class ModelWeights:
    """A model's tensors as they lie in the store, mapped; those of a small model widened, so that
    it runs without compiled kernels."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._is_small = model.parameter_count < COMPILED_PARAMETERS

    def has(self, name: str) -> bool:
        return self._model.tensor(name) is not None

    def rows(self, name: str) -> int:
        return self._tensor(name).rows

    def matrix(self, *names: str) -> Matrix:
        tensors = [self._tensor(name) for name in names]
        if self._is_small:
            parts = [Dense(self._widened(tensor)) for tensor in tensors]
            return parts[0] if len(parts) == 1 else Stack(parts)
        from hartonomous.kernels.matvec import prepare, stack

        packs = [self._model.pack_of(tensor).data for tensor in tensors]
        pairs = zip(tensors, packs, strict=True)
        return stack([prepare(tensor.dtype, data, tensor.length) for tensor, data in pairs])

    def vector(self, name: str) -> Floats:
        tensor = self._model.tensor(name)
        return NOTHING if tensor is None else self._widened(tensor).reshape(-1)

    def _widened(self, tensor: Tensor) -> Floats:
        """float32[rows, length], our own."""
        return dequantise(tensor.dtype, self._model.pack_of(tensor).data, tensor.length)

    def _tensor(self, name: str) -> Tensor:
        found = self._model.tensor(name)
        assert found is not None, f'model "{self._model.name}" has no tensor {name}'
        return found

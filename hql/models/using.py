"""Using a model in a statement: found in the statement's catalog, loaded, accounted for.

A function that uses models is bound with `Models`, the catalog of the statement's snapshot and the
database it stands in. A plan holds for one version of the catalog, so a statement runs on the
version of a model that it saw at its start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import ExecutionFault

if TYPE_CHECKING:
    from hartonomous.hql.limits import Limits
    from hartonomous.hql.models.inference.feed_forward import FeedForward
    from hartonomous.hql.models.inference.network import Network
    from hartonomous.hql.models.model import Model
    from hartonomous.hql.models.requests import Request
    from hartonomous.hql.models.tokenizers import Tokenizer
    from hartonomous.storage.catalog import Catalog
    from hartonomous.storage.database import Database

#: tokens whose logits are made at once (inference/network.py), bytes of a number
CHUNK_TOKENS = 128
FLOAT_BYTES = 4


class Models:
    """The models of one catalog. Equal to another of the same catalog and database."""

    __slots__ = ("catalog", "database")

    def __init__(self, catalog: Catalog, database: Database) -> None:
        self.catalog, self.database = catalog, database

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Models)
            and self.catalog is other.catalog
            and self.database is other.database
        )

    def __hash__(self) -> int:
        return hash((id(self.catalog), id(self.database)))

    def find(self, given: str | int) -> Model:
        """By name or id; BindFault UNKNOWN_MODEL."""
        from hartonomous.hql.models.model import find_model

        return find_model(self.catalog, self.database, given)

    @contextmanager
    def using(self, given: str | int, kind: str) -> Iterator[Use]:
        """The model for one call of the function `kind`, whose figures are kept."""
        from hartonomous.hql.models.requests import noted

        model = self.find(given)
        with noted(self.database, model, kind) as request:
            yield Use(model, request)


class Use:
    """A model in use. `request` takes the figures of the call."""

    def __init__(self, model: Model, request: Request) -> None:
        self.model, self.request = model, request

    @property
    def check(self) -> Callable[[], None]:
        """What long work calls now and then; raises Cancelled when the statement is to stop."""
        current = _limits()
        return _never if current is None else current.check

    @property
    def tokenizer(self) -> Tokenizer:
        """ExecutionFault MODEL_INPUT for a model without one."""
        return tokenizer_of(self.model)

    def network(self) -> Any:
        """The loaded network; why it cannot run, if it cannot."""
        from hartonomous.hql.models.inference.loading import load_noting

        network, is_hit = load_noting(self.model)
        self.request.was_loaded = is_hit
        return network

    def language(self, what: str) -> Network:
        """The network of a model that says how likely tokens are."""
        from hartonomous.hql.models.inference.network import Network

        network = self.network()
        if not isinstance(network, Network) or not network.config.has_head:
            raise self.unfit(f"is {_kind(network)}", what, "a language model, as Llama is one")
        if not network.config.causal:
            raise self.unfit("reads texts in both directions", what, "a causal language model")
        return network

    def classifier(self, what: str) -> FeedForward:
        """The network of a model that reads features."""
        from hartonomous.hql.models.inference.feed_forward import FeedForward

        network = self.network()
        if not isinstance(network, FeedForward):
            raise self.unfit(f"is {_kind(network)}", what, "a feed-forward network (mlp)")
        return network

    def hold(self, network: Network, tokens: int, sequences: int = 1) -> None:
        """Count what so many sequences of so many tokens need at once against the statement's
        memory limit: keys, values, and the logits of a chunk. ResourceFault MEMORY."""
        current = _limits()
        if current is None or current.memory_bytes is None:
            return
        config = network.config
        of_token = 2 * config.layers * config.kv_heads * config.head_size
        chunk = min(tokens, CHUNK_TOKENS) * config.vocabulary if config.has_head else 0
        current.account(FLOAT_BYTES * (sequences * tokens * of_token + chunk))

    def unfit(self, found: str, what: str, wanted: str) -> ExecutionFault:
        return unfit(self.model, found, what, wanted)


def unfit(model: Model, found: str, what: str, wanted: str) -> ExecutionFault:
    """The error of a function that another kind of model is for."""
    return ExecutionFault(
        f'{what}: the model "{model.name}" {found}',
        code="MODEL_INPUT",
        hint=f"{what} needs {wanted}",
    )


def tokenizer_of(model: Model) -> Tokenizer:
    """The tokenizer of a model, from the cache if it was used before."""
    from hartonomous.hql.models.tokenizers import get_tokenizer
    from hartonomous.storage.tensors import read_object

    name = model.tokenizer
    if name is None:
        raise ExecutionFault(
            f'the model "{model.name}" has no tokenizer',
            code="MODEL_INPUT",
            hint="import it with its tokenizer, or make one WITH (TOKENIZER = 'bytes')",
        )
    label = f'the tokenizer of model "{model.name}"'
    return get_tokenizer(name, lambda: memoryview(read_object(model.database, name, label)))


def _kind(network: Any) -> str:
    from hartonomous.hql.models.inference.feed_forward import FeedForward
    from hartonomous.hql.models.inference.network import Network

    if isinstance(network, Network):
        return "a language model" if network.config.has_head else "an encoder"
    return "a feed-forward network" if isinstance(network, FeedForward) else "a table of vectors"


def _limits() -> Limits | None:
    from hartonomous.hql import limits

    return limits.current()


def _never() -> None:
    """Outside statements there is nothing that could stop the work."""

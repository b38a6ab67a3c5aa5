"""Models, ModelLayers, ModelVersions: what models there are, their layers, what made them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hartonomous.hql.system_tables.base import Row, of_tuples
from hartonomous.hql.types import BIGINT, BIT, INT, JSON, NVARCHAR, VARBINARY

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.models.model import Model, Tensor

#: LayerIdx of embeddings
EMBEDDING_LAYER = -1


def _all(context: Context) -> tuple[Model, ...]:
    from hartonomous.hql.models.model import all_models

    return all_models(context.catalog, context.session.database)


def _models(context: Context) -> list[Row]:
    return [
        (
            m.id,
            m.name,
            m.architecture,
            m.version,
            m.parameter_count,
            m.bytes,
            None if m.tokenizer is None else bytes.fromhex(m.tokenizer),
            m.parent,
            m.is_protected,
            m.is_runnable,
            json.dumps(m.config),
        )
        for m in _all(context)
    ]


def _layers(context: Context) -> Iterator[Row]:
    for model in _all(context):
        layers: dict[int, list[Tensor]] = defaultdict(list)
        count = 1 + max((t.layer for t in model.tensors if t.layer is not None), default=-1)
        for tensor in model.tensors:
            layers[_layer_of(tensor, count)].append(tensor)
        for number, tensors in sorted(layers.items()):
            yield (
                model.id,
                number,
                _kind_of(tensors),
                sum(t.parameter_count for t in tensors),
                sum(t.pack.bytes for t in tensors),
                json.dumps({t.name: list(t.shape) for t in tensors}),
            )


def _layer_of(tensor: Tensor, layers: int) -> int:
    """What stands outside layers comes before them (embeddings) or after them."""
    if tensor.layer is not None:
        return tensor.layer
    return EMBEDDING_LAYER if _begins(tensor, "embedding") else layers


def _kind_of(tensors: list[Tensor]) -> str:
    """`layer`, `embedding`, `head` (final norm, head, pooler) or, where names are not canonical,
    `other`."""
    if tensors[0].layer is not None:
        return "layer"
    for kind, names in (("embedding", ["embedding"]), ("head", ["norm", "head", "pooler"])):
        if any(_begins(t, name) for t in tensors for name in names):
            return kind
    return "other"


def _begins(tensor: Tensor, word: str) -> bool:
    return tensor.name.startswith(f"{word}.")


def _versions(context: Context) -> Iterator[Row]:
    models = _all(context)
    if not models:
        return
    made_by = _Commits(context)
    for model in models:
        for version in model.versions:
            commit, statement = made_by.commit(version.sequence)
            yield (
                model.id,
                version.number,
                bytes.fromhex(version.content_hash),
                commit,
                statement,
                json.dumps(version.parents),
                json.dumps(version.figures),
            )


class _Commits:
    """Hashes and statements of commits by sequence. Sequences are 1, 2, 3 …, the newest first."""

    def __init__(self, context: Context) -> None:
        self._table = context.session.database.commits()

    def commit(self, sequence: int) -> tuple[bytes | None, str | None]:
        """(None, None) for what is not committed yet: the transaction's own."""
        if not sequence:
            return None, None
        row = self._table.num_rows - sequence
        assert self._table["Sequence"][row].as_py() == sequence, sequence
        return self._table["Hash"][row].as_py(), self._table["Statement"][row].as_py()


MODELS = of_tuples(
    _models,
    ModelId=INT,
    ModelName=NVARCHAR,
    Architecture=NVARCHAR,
    Version=INT,
    ParameterCount=BIGINT,
    Bytes=BIGINT,
    TokenizerHash=VARBINARY,
    ParentModelId=INT,
    Protected=BIT,
    Runnable=BIT,
    Config=JSON,
)

LAYERS = of_tuples(
    _layers,
    ModelId=INT,
    LayerIdx=INT,
    LayerKind=NVARCHAR,
    ParameterCount=BIGINT,
    Bytes=BIGINT,
    TensorShape=JSON,
)

VERSIONS = of_tuples(
    _versions,
    ModelId=INT,
    Version=INT,
    ContentHash=VARBINARY,
    CommitHash=VARBINARY,
    Statement=NVARCHAR,
    Parents=JSON,
    Figures=JSON,
)

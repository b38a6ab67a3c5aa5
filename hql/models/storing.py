"""Storing a model: tensors that stream from files or are made here become packs, row data, and an
entry of the catalog. All of it belongs to the statement's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hartonomous.hql.copying.progress import Progress
from hartonomous.hql.frozen import frozen
from hartonomous.hql.models import importance, recipes, units
from hartonomous.hql.models.architectures.fields import bad_config
from hartonomous.hql.models.measuring import Measured, measure_all, projections
from hartonomous.hql.models.model import Model, ModelDraft, Tensor, add_model
from hartonomous.hql.models.row_data import write_row_data
from hartonomous.storage.tensors import PackRef, open_pack, put_object, write_pack

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.models.architectures.names import Placement


@frozen
class Incoming:
    """A model to be stored. `config`: config_to_map, or what the source says of itself."""

    name: str
    architecture: str
    config: dict[str, Any]
    placements: Sequence[Placement]
    is_runnable: bool
    #: the packed tokenizer, or the name of its object, or None
    tokenizer: bytes | str | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)


def store_model(incoming: Incoming, context: Context) -> Model:
    """Raises FileFault, AlreadyExists, Cancelled; the transaction then leaves nothing behind."""
    transaction = context.transaction
    progress = Progress(f'model "{incoming.name}"')
    try:
        tensors = list(_packed(incoming, context, progress))
        names = [t.name for t in tensors]
        packs = [(t, open_pack(transaction.database, t.pack)) for t in tensors]
        matrices = projections(packs, context.limits.check)
        consumed = importance.consumers(names, incoming.config)
        squares, stored = {}, []
        measured: Iterable[Measured] = measure_all(packs, matrices, consumed, context.limits.check)
        for tensor, found in zip(tensors, measured, strict=True):
            squares[tensor.name] = found.squares
            stored.append(replace(tensor, row_data=write_row_data(transaction, found.data)))
            progress.update(sum(t.rows for t in stored), 0.5 + 0.5 * len(stored) / len(tensors))
        scores = importance.importance(stored, squares, incoming.config)
    finally:
        progress.close()
    tokenizer = incoming.tokenizer
    if isinstance(tokenizer, bytes):
        tokenizer = put_object(transaction, tokenizer)
    draft = ModelDraft(
        name=incoming.name,
        architecture=incoming.architecture,
        config=incoming.config,
        tensors=tuple(stored),
        importance=put_object(transaction, scores.astype("<f4").tobytes()),
        is_runnable=incoming.is_runnable,
        tokenizer=tokenizer,
        source=incoming.source,
        projections={
            length: put_object(transaction, matrix.astype("<f4").tobytes())
            for length, matrix in matrices.items()
        },
        attachments={k: put_object(transaction, v) for k, v in incoming.attachments.items()},
        figures=incoming.figures,
    )
    return add_model(transaction, draft)


def _packed(incoming: Incoming, context: Context, progress: Progress) -> Iterable[Tensor]:
    """The tensors, their rows stored, without row data."""
    fused: tuple[str, Any] = ("", None)  # the tensor that several parts are cut from, read once
    total = max(1, sum(p.source.bytes for p in incoming.placements))
    done = rows_done = 0
    for placement in incoming.placements:
        context.limits.check()
        source, recipe = placement.source, placement.recipe
        try:
            shape = recipes.canonical_shape(source.shape, recipe)
            rows, length = recipes.matrix_shape(shape)
            if recipe:
                if fused[0] != source.name:
                    fused = source.name, source.read()
                ref, recipe = _pack_changed(placement, fused[1], rows, length, context)
            else:
                pieces = source.pieces()
                ref = write_pack(context.transaction, source.dtype, rows, length, pieces)
        except recipes.Unfit as fault:
            raise bad_config(f'tensor "{source.name}": {fault}') from None
        done += ref.bytes
        rows_done += rows
        progress.update(rows_done, 0.5 * done / total)
        kind = units.unit_kind(placement.name, len(shape), incoming.config)
        yield Tensor(
            name=placement.name,
            source_name=source.name,
            layer=placement.layer,
            dtype=source.dtype,
            rows=rows,
            length=length,
            shape=shape,
            pack=ref,
            row_data="",
            unit_kind=kind,
            recipe=recipe,
        )


def _pack_changed(
    placement: Placement, data: Any, rows: int, length: int, context: Context
) -> tuple[PackRef, dict[str, Any]]:
    """The pack of a tensor that the file holds otherwise, and its recipe."""
    source, recipe = placement.source, placement.recipe
    made = recipes.undo(data, source.dtype, source.shape, recipe)
    assert len(made) == rows, (placement.name, made.shape, rows)
    flat = np.ascontiguousarray(made).reshape(-1)
    ref = write_pack(context.transaction, source.dtype, rows, length, [flat])
    return ref, recipes.keep_original(made, data, source.dtype, recipe, ref.name)

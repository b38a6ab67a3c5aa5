"""CREATE MODEL … FROM: a real model's files become rows.

Tensors stream through; nothing in the files is executed. A model of an architecture that is not
known here, or with parts that are not, is stored all the same: its rows can be read and exported,
and a message says why it cannot run; another, why its tokenizer cannot be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgpack

from hartonomous.hql.errors import ExecutionFault, NotSupported
from hartonomous.hql.frozen import frozen
from hartonomous.hql.models import recipes
from hartonomous.hql.models.architectures import UNKNOWN, find_architecture
from hartonomous.hql.models.architectures.base import Config, Unrunnable, config_to_map
from hartonomous.hql.models.architectures.fields import bad_config
from hartonomous.hql.models.architectures.names import Placement, layer_of
from hartonomous.hql.models.formats.opening import open_source
from hartonomous.hql.models.storing import Incoming, store_model
from hartonomous.hql.models.tokenizers import load_tokenizer, pack_tokenizer

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.models.architectures.base import Architecture
    from hartonomous.hql.models.formats.source import SourceModel
    from hartonomous.hql.models.model import Model

#: the attachment that holds what export needs of the files
SOURCE = "source"
#: names of tensors that a message lists
_LISTED_MAX = 3


@frozen
class Reading:
    """What a source was found to be; `why`: the reason why it cannot run."""

    architecture: str
    config: dict[str, Any]
    placements: list[Placement]
    why: str | None = None


def import_model(name: str, path: str, tokenizer: bytes | str | None, context: Context) -> Model:
    """The model of a folder or file. `tokenizer`: to be used instead of the files'.
    Raises FileFault FILE, MODEL_FORMAT; NotSupported for a format or type that is not built."""
    with open_source(path) as source:
        reading = read_source(source)
        tokenizer = tokenizer or pack_tokenizer(source)
        incoming = Incoming(
            name,
            reading.architecture,
            reading.config,
            reading.placements,
            reading.why is None,
            tokenizer,
            {"format": source.format},
            {SOURCE: pack_source(source)},
        )
        model = store_model(incoming, context)
    if reading.why is not None:
        shown = f'model "{name}" cannot run: {reading.why}; its rows can be queried and exported'
        context.messages.append(shown)
    if isinstance(tokenizer, bytes):
        try:
            load_tokenizer(tokenizer)
        except (ExecutionFault, NotSupported) as fault:
            shown = f'the tokenizer of model "{name}" cannot be read: {fault.message}'
            context.messages.append(f"{shown}; its rows can be queried and exported, texts cannot")
    return model


def read_source(source: SourceModel) -> Reading:
    """Its architecture, configuration and tensors by canonical name."""
    architecture = find_architecture(source)
    hint = source.architecture_hint
    if architecture is None:
        if hint:
            return _rows_only(source, hint, f'the architecture "{hint[:100]}" is not known here')
        return _rows_only(source, UNKNOWN, "the files do not say what they are a model of")
    try:
        config = architecture.config(source)
    except Unrunnable as fault:
        return _rows_only(source, architecture.name, str(fault))
    placements, strangers = architecture.place(source, config)
    _check(architecture, config, placements)
    why: str | None
    if strangers:
        listed = ", ".join(f'"{name[:100]}"' for name in strangers[:_LISTED_MAX])
        more = f" and {len(strangers) - _LISTED_MAX} more" if len(strangers) > _LISTED_MAX else ""
        why = f"{architecture.name} has no tensors {listed}{more}"
    else:
        why = _more_layers(architecture, config, placements)
    return Reading(architecture.name, config_to_map(config), placements, why)


def _rows_only(source: SourceModel, architecture: str, why: str) -> Reading:
    placements = [Placement(tensor, tensor.name) for tensor in source.tensors]
    return Reading(architecture[:100], dict(source.config), placements, why)


def _check(architecture: Architecture, config: Config, placements: list[Placement]) -> None:
    """Every tensor that the configuration asks for is there, once, in its shape."""
    found: dict[str, tuple[int, ...]] = {}
    for placement in placements:
        source = placement.source
        if placement.name in found:
            raise bad_config(f'the tensor "{source.name}" is there under two names')
        try:
            found[placement.name] = recipes.canonical_shape(source.shape, placement.recipe)
        except recipes.Unfit as fault:
            raise bad_config(f'tensor "{source.name}": {fault}') from None
    for wanted in architecture.layout(config):
        shape = found.get(wanted.name)
        if shape is None:
            raise bad_config(f'the tensor for "{wanted.name}" is missing')
        if shape != wanted.shape:
            given, asked = _shape(shape), _shape(wanted.shape)
            raise bad_config(f'"{wanted.name}" is {given}, and the configuration says {asked}')


def _more_layers(
    architecture: Architecture, config: Config, placements: list[Placement]
) -> str | None:
    """Why a model does not run whose files have layers that its configuration leaves out."""
    wanted = {layer_of(shape.name) for shape in architecture.layout(config)}
    for placement in placements:
        if placement.layer is not None and placement.layer not in wanted:
            name = placement.source.name[:100]
            return f'its configuration leaves out the layer of the tensor "{name}"'
    return None


def _shape(shape: tuple[int, ...]) -> str:
    return "[" + ", ".join(f"{size:,}" for size in shape) + "]"


# --- what export needs ---------------------------------------------------------------------------


def pack_source(source: SourceModel) -> bytes:
    """What is needed to write the same files again; a GGUF's tokenizer has its own object."""
    metadata = dict(source.metadata)
    if source.format == "gguf":
        metadata["entries"] = [
            [key, kind, items, None if key.startswith("tokenizer.") else value]
            for key, kind, items, value in metadata["entries"]
        ]
    packed: bytes = msgpack.packb({"config": source.config, "metadata": metadata})
    return packed


def unpack_source(data: Any) -> dict[str, Any]:
    """{"config", "metadata"} as packed."""
    found: dict[str, Any] = msgpack.unpackb(data, strict_map_key=False)
    return found

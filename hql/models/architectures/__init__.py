"""Architectures. Adding one = NAME.py here and a line in ARCHITECTURES."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hartonomous.hql.models.architectures.base import Architecture as Architecture
from hartonomous.hql.models.architectures.bert import BERT
from hartonomous.hql.models.architectures.gemma3 import GEMMA3
from hartonomous.hql.models.architectures.gpt2 import GPT2
from hartonomous.hql.models.architectures.llama import LLAMA
from hartonomous.hql.models.architectures.mlp import MLP
from hartonomous.hql.models.architectures.static import STATIC

if TYPE_CHECKING:
    from hartonomous.hql.models.formats.source import SourceModel

#: those that recognise a source by its tensors are asked in this order
ARCHITECTURES: Final[dict[str, Architecture]] = {
    architecture.name: architecture for architecture in (LLAMA, GEMMA3, BERT, GPT2, STATIC, MLP)
}

#: what Models.Architecture shows for a source of none of them, if it says nothing itself
UNKNOWN: Final = "unknown"


def find_architecture(source: SourceModel) -> Architecture | None:
    """The architecture that a source names, or, if it names none, that its tensors show."""
    hint = source.architecture_hint
    for architecture in ARCHITECTURES.values():
        if source.format == "gguf" and hint == architecture.gguf_name:
            return architecture
        if source.format != "gguf" and hint in architecture.model_types:
            return architecture
    if hint:
        return None
    return next((a for a in ARCHITECTURES.values() if a.matches(source)), None)

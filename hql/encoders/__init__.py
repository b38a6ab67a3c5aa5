"""Encoders of text. Adding one = NAME.py here and a line in ENCODERS.

Models of a catalog that embed texts are encoders too (imported.py), under names of their own; the
name of one that is built in means that.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hartonomous.hql.encoders.base import Encoder, EncoderEntry
from hartonomous.hql.encoders.wordllama import WORDLLAMA
from hartonomous.hql.errors import BindFault

if TYPE_CHECKING:
    from hartonomous.hql.models.using import Models

ENCODERS: dict[str, EncoderEntry] = {e.name: e for e in (WORDLLAMA,)}

#: what EMBED uses when no model is named
DEFAULT = WORDLLAMA.name

_loaded: dict[str, Encoder] = {}
_lock = threading.Lock()


def find(name: str, models: Models | None = None) -> EncoderEntry:
    """The entry of that name, in any case, also among the models of a catalog. BindFault
    UNKNOWN_MODEL with what there is; ExecutionFault MODEL_INPUT for a model that embeds no text."""
    entry = ENCODERS.get(name.casefold())
    if entry is None and models is not None:
        entry = _imported(name, models)
    if entry is None:
        raise BindFault(
            f'there is no model "{name}" that embeds text',
            code="UNKNOWN_MODEL",
            hint=_known(name, models),
        )
    return entry


def _imported(name: str, models: Models) -> EncoderEntry | None:
    from hartonomous.storage.catalog import fold

    if all(fold(m.name) != fold(name) for m in models.catalog.models()):
        return None
    from hartonomous.hql.encoders.imported import entry_of

    return entry_of(models.find(name), models)


def _known(name: str, models: Models | None) -> str:
    from hartonomous.hql.bind.context import nearest

    known = [*ENCODERS, *(m.name for m in (models.catalog.models() if models else ()))]
    return nearest(name, known) or "there are: " + ", ".join(known)


def get(name: str = DEFAULT, models: Models | None = None) -> Encoder:
    """The encoder of that name; one that is built in is loaded once per process. ExecutionFault
    NOT_INSTALLED, with the command that installs it, if its files are not there."""
    entry = find(name, models)
    if entry.name not in ENCODERS:
        return entry.load()
    with _lock:
        if entry.name not in _loaded:
            _loaded[entry.name] = entry.load()
        return _loaded[entry.name]

"""Encoders of text. Adding one = NAME.py here and a line in ENCODERS."""

from __future__ import annotations

import threading

from hartonomous.hql.encoders.base import Encoder, EncoderEntry
from hartonomous.hql.encoders.wordllama import WORDLLAMA
from hartonomous.hql.errors import BindFault

ENCODERS: dict[str, EncoderEntry] = {e.name: e for e in (WORDLLAMA,)}

#: what EMBED uses when no model is named
DEFAULT = WORDLLAMA.name

_loaded: dict[str, Encoder] = {}
_lock = threading.Lock()


def find(name: str) -> EncoderEntry:
    """The entry of that name, in any case; BindFault UNKNOWN_MODEL with what there is."""
    entry = ENCODERS.get(name.casefold())
    if entry is None:
        raise BindFault(
            f'there is no model "{name}" that embeds text',
            code="UNKNOWN_MODEL",
            hint="there are: " + ", ".join(ENCODERS),
        )
    return entry


def get(name: str = DEFAULT) -> Encoder:
    """The encoder of that name, loaded once per process. ExecutionFault NOT_INSTALLED, with the
    command that installs it, if its files are not there."""
    entry = find(name)
    with _lock:
        if entry.name not in _loaded:
            _loaded[entry.name] = entry.load()
        return _loaded[entry.name]

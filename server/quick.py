"""Texts of a session that are the work of a row or so, whatever the values of their parameters.

That a text is one is known from when it ran last (Play.is_bounded), and holds for the same types of
parameters, the same definitions, branch and rights. A type decides because what is compared with a
key may need a cast of the column, and then the key is of no use.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hartonomous.hql.values import Typed

if TYPE_CHECKING:
    from hartonomous.hql.session import Session
    from hartonomous.server.engine import Engine

#: texts that are known, and how long one may be
TEXTS_MAX, CHARACTERS_MAX = 256, 2_000
#: parameters of one
PARAMETERS_MAX = 32

Parameters = Mapping[str, Any] | Sequence[Any] | None


class QuickTexts:
    """Those of one session; the oldest go first."""

    def __init__(self, engine: Engine, session: Session) -> None:
        self._engine, self._session = engine, session
        self._known: dict[Hashable, Hashable] = {}

    def knows(self, text: str, parameters: Parameters) -> bool:
        """Whether the text may be run where it is asked for."""
        if not self._known or (parameters and len(parameters) > PARAMETERS_MAX):
            return False
        known = self._known.get((text, _kinds(parameters)))
        return known is not None and known == self._circumstances()

    def note(self, text: str, parameters: Parameters, is_quick: bool) -> None:
        """What a text turned out to be."""
        if len(text) > CHARACTERS_MAX or (parameters and len(parameters) > PARAMETERS_MAX):
            return
        key = text, _kinds(parameters)
        circumstances = self._circumstances() if is_quick else None
        if circumstances is None:
            self._known.pop(key, None)
            return
        self._known[key] = circumstances
        if len(self._known) > TEXTS_MAX:
            del self._known[next(iter(self._known))]

    def _circumstances(self) -> Hashable:
        """What a plan depends on beside its text and types; None where too much may change: tables
        of the session's own, and a reader, which has a log to follow before each statement."""
        session, accounts = self._session, self._engine.accounts
        if session.has_temporary or session.read_only:
            return None
        rights = None if accounts is None else accounts.version
        return session.catalog_version, session.branch, rights


def _kinds(parameters: Parameters) -> Hashable:
    """The types of parameters, as far as plans tell them apart."""
    if not parameters:
        return None
    if isinstance(parameters, Mapping):
        return tuple([(name, _kind(value)) for name, value in parameters.items()])
    return tuple([_kind(value) for value in parameters])


def _kind(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        return kind, value.bit_length() // 32
    if kind is Typed:
        return value.type
    if kind is Decimal:
        digits = value.as_tuple()
        return kind, len(digits.digits), digits.exponent
    return kind

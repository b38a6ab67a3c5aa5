"""The texts that a session was given last, with the statements that they were read as: what was
worked out for a statement is kept with it, so a text that comes again is neither read nor planned.
"""

from __future__ import annotations

from collections import OrderedDict

from hartonomous.hql.run import Prepared

#: texts whose statements and plans are kept
TEXTS_MAX = 512
#: a text longer than this is not kept
TEXT_CHARACTERS_MAX = 100_000


class Texts:
    """Statements by text, those asked for last."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Prepared, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, text: str) -> bool:
        return text in self._known

    def prepare(self, text: str, *, is_routine: bool) -> tuple[Prepared, ...]:
        """The statements of a text; those of a routine's are kept however long it is. Raises
        SyntaxFault."""
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            return known
        from hartonomous.hql.syntax.parse import parse_batch

        statements = parse_batch(text)
        if any(s.usual_effect == "scripts" for s in statements):
            from hartonomous.hql.scripts.checking import check_places

            check_places(statements)
        prepared = tuple(Prepared(s, text[s.span.start : s.span.end].strip()) for s in statements)
        if is_routine or len(text) <= TEXT_CHARACTERS_MAX:
            self._known[text] = prepared
            if len(self._known) > TEXTS_MAX:
                self._known.popitem(last=False)
        return prepared

    def clear(self) -> None:
        """Forgets all."""
        self._known.clear()

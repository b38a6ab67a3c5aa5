"""RemoteNames: what a server's session can name, for completion. Every list is asked for when a
place in a text needs it, and once for a text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hartonomous.hql.shell.completion_names import Name, columns_named, query_of

if TYPE_CHECKING:
    from hartonomous.hql.shell.completion_scope import Reach, Relation
    from hartonomous.server.client import RemoteFrame, RemoteSession
    from hartonomous.server.wire import Frame


class RemoteNames:
    """See completion_names.NamesInterface."""

    def __init__(self, session: RemoteSession, frame: RemoteFrame | None) -> None:
        self._session, self._frame = session, frame
        self._known: dict[tuple[Any, ...], list[Name]] = {}

    def _ask(self, what: str, *arguments: Any) -> Iterator[Name]:
        key = (what, *arguments)
        if key not in self._known:
            asked: Frame = {"about": "names", "of": what, "with": arguments}
            if self._frame is not None:
                asked["frame"] = self._frame.number
            self._known[key] = [Name(*each) for each in self._session.ask(asked)]
        return iter(self._known[key])

    def entries(self, *kinds: str, schema: str | None = None) -> Iterator[Name]:
        return self._ask("entries", schema, *kinds)

    def relations(self, schema: str | None = None) -> Iterator[Name]:
        return self._ask("relations", schema)

    def schemas(self) -> Iterator[Name]:
        return self._ask("schemas")

    def indexes(self) -> Iterator[Name]:
        return self._ask("indexes")

    def constraints(self, table: str) -> Iterator[Name]:
        return self._ask("constraints", table)

    def columns(self, relation: Relation, reach: Reach) -> list[Name]:
        found = self._ask("fields", query_of(relation, reach))
        return columns_named([(name.text, name.what) for name in found], relation)

    def all_columns(self) -> Iterator[Name]:
        return self._ask("all_columns")

    def variables(self) -> Iterator[Name]:
        return self._ask("variables")

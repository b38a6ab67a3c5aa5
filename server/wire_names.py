"""What a client's completion asks: the names of its session, as those of the shell's own database
are found (completion_names.Names). `of` is the kind of list, `with` what it is asked with.

    entries        schema or nil, kinds …          tables, views, routines …
    relations      schema or nil                   what can stand in FROM
    constraints    a table
    fields         a query                         its columns, none if it cannot be bound
    schemas, indexes, all_columns, variables
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import WireFault
from hartonomous.hql.shell.completion_names import Name
from hartonomous.server.wire import Frame, take

if TYPE_CHECKING:
    from hartonomous.hql.scripts.frame import Frame as ScriptFrame
    from hartonomous.hql.session import Session

#: names of one list that are sent
NAMES_MAX = 10_000


def names(
    session: Session, frames: Mapping[int, ScriptFrame], asked: Frame
) -> list[tuple[str, str, int]]:
    """The names of one kind: text, what it is, and its order, each."""
    given = take(asked, "with", list, [])
    if not all(value is None or isinstance(value, str) for value in given):
        raise WireFault("ask: names are asked with texts")
    found = _find(session, frames.get(take(asked, "frame", int, 0)), take(asked, "of", str), given)
    return [(name.text, name.what, name.order) for name in islice(found, NAMES_MAX)]


def _find(
    session: Session, frame: ScriptFrame | None, kind: str, given: list[Any]
) -> Iterable[Name]:
    known = session.names(frame)
    match kind, given:
        case "entries", [schema, *kinds]:
            return known.entries(*kinds, schema=schema)
        case "relations", [schema]:
            return known.relations(schema)
        case "constraints", [str(table)]:
            return known.constraints(table)
        case "fields", [str(text)]:
            return [Name(name, type_) for name, type_ in known.fields(text)]
        case "schemas" | "indexes" | "all_columns" | "variables", []:
            found: Iterable[Name] = getattr(known, kind)()
            return found
    raise WireFault(f"ask: there are no names of {kind[:20]!r} with {len(given)} values")

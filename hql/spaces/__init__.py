"""Spaces: found by name or SRID in a catalog; there is always the default one, named `text`.

The default space is that of the default encoder. It needs no data and is the same in every
database, so it stands in none: its matrix is part of the program (default.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.errors import BindFault

if TYPE_CHECKING:
    from hartonomous.hql.spaces.space import Space
    from hartonomous.storage.catalog import Catalog

DEFAULT = "text"


def default_space() -> Space:
    """The space of the default encoder."""
    from hartonomous.hql.spaces.default import entry
    from hartonomous.hql.spaces.space import of_entry

    return of_entry(entry())


def find_space(catalog: Catalog, name: str) -> Space:
    """The space of that name, in any case; BindFault UNKNOWN_SPACE with the nearest."""
    from hartonomous.hql.spaces.space import of_entry
    from hartonomous.storage.catalog import SPACES, SpaceEntry, fold

    if fold(name) == DEFAULT:
        return default_space()
    entry = catalog.find(SPACES, name)
    if isinstance(entry, SpaceEntry):
        return of_entry(entry)
    from hartonomous.hql.bind.context import nearest

    known = [DEFAULT, *(e.name for e in catalog.spaces())]
    raise BindFault(
        f'there is no space "{name}"',
        code="UNKNOWN_SPACE",
        hint=nearest(name, known) or "there are: " + ", ".join(known),
    )


def all_spaces(catalog: Catalog) -> list[Space]:
    """Every space, the default one first."""
    from hartonomous.hql.spaces.space import of_entry

    return [default_space(), *(of_entry(e) for e in catalog.spaces())]

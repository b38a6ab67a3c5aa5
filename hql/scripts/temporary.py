"""#temp tables: whose they are, and for how long.

Those of a client's own texts stay to the session's end. Those that a routine or a text of EXEC
makes end with it; until then it sees them, and so does what it calls. They hide tables of the same
name that callers made: such a table has a name of its own in the catalog, `#t (2)`, which the
frames translate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.storage.catalog import Catalog, Entry, TableEntry, fold

if TYPE_CHECKING:
    from hartonomous.hql.scripts.frame import Frame
    from hartonomous.hql.session import Session

SCHEMA = "dbo"


def find_temporary(frame: Frame, catalog: Catalog, name: str) -> Entry | None:
    """The table that `#name` means in a frame: its own, else that of the nearest caller."""
    owner: Frame | None = frame
    while owner is not None:
        found = find_own(owner, catalog, name)
        if found is not None:
            return found
        owner = owner.caller
    return catalog.find(SCHEMA, name)


def find_own(frame: Frame, catalog: Catalog, name: str) -> Entry | None:
    """The table of that name that the frame's own text made."""
    if frame.routine is None:
        return catalog.find(SCHEMA, name)
    kept = frame.temporary.get(fold(name))
    return None if kept is None else catalog.find(SCHEMA, kept)


def take_name(frame: Frame, catalog: Catalog, name: str) -> str:
    """The name in the catalog of a new table of a frame, which has none of that name."""
    if frame.routine is None:
        return name
    kept, number = name, 2
    while catalog.find(SCHEMA, kept) is not None:
        kept, number = f"{name} ({number})", number + 1
    frame.temporary[fold(name)] = kept
    return kept


def drop_temporary(frame: Frame, session: Session) -> None:
    """The text is over: its tables go, in the open transaction if there is one."""
    names, frame.temporary = frame.temporary, {}
    if not names or session.is_closed:
        return
    is_own = not session.in_transaction
    transaction = session.open_transaction() if is_own else session.transaction
    for name in names.values():
        entry = transaction.catalog.find(SCHEMA, name)
        if isinstance(entry, TableEntry) and entry.temporary:
            transaction.drop(entry)
    if is_own:
        transaction.commit(statement="", author=session.author)

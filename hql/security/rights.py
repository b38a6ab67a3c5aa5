"""The rights that there are.

A right is given on the database, a schema, or one thing in it, to a user or a role, and holds for
all that lies below. CONTROL is every right, and that to give rights on.
"""

from __future__ import annotations

from typing import Final

#: rights that mean something on a table, view, routine or model, or on what contains them
OBJECT_RIGHTS: Final = (
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "EXECUTE",
    "ALTER",
    "CONTROL",
)
#: and those on the database alone, but CREATE, which a schema has too
DATABASE_RIGHTS: Final = (
    *OBJECT_RIGHTS,
    "CREATE",
    "INGEST",
    "COPY FILES",
    "BRANCH",
    "VIEW HISTORY",
    "VIEW STATE",
)
#: what each kind of thing has rights for
RIGHTS_OF: Final[dict[str, tuple[str, ...]]] = {
    "DATABASE": DATABASE_RIGHTS,
    "SCHEMA": (*OBJECT_RIGHTS, "CREATE"),
    "TABLE": ("SELECT", "INSERT", "UPDATE", "DELETE", "ALTER", "CONTROL"),
    "VIEW": ("SELECT", "ALTER", "CONTROL"),
    "MODEL": ("SELECT", "EXECUTE", "ALTER", "CONTROL"),
    "PROCEDURE": ("EXECUTE", "ALTER", "CONTROL"),
    "FUNCTION": ("SELECT", "EXECUTE", "ALTER", "CONTROL"),
}
#: any of these lets somebody see that a thing is there
CONTROL: Final = "CONTROL"

OWNER: Final = "owner"
READER: Final = "reader"
WRITER: Final = "writer"
#: everybody is a member
PUBLIC: Final = "public"

#: roles that are always there, and what they may on the database
BUILT_IN: Final[dict[str, frozenset[str]]] = {
    OWNER: frozenset(DATABASE_RIGHTS),
    READER: frozenset({"SELECT"}),
    WRITER: frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "INGEST"}),
    PUBLIC: frozenset(),
}

"""The catalog that an account sees: what it has no right on is not there, so a name that one may
not know and a name that nothing has give the same error, the same hints, the same rows of sys.*.

`tables_by_id` stays whole: storage's own ways (foreign keys, rows by table) go by numbers.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import field
from typing import TYPE_CHECKING, Final

from hartonomous.hql.frozen import frozen
from hartonomous.storage.catalog import (
    Catalog,
    Entry,
    ModelEntry,
    RoutineEntry,
    SchemaEntry,
    SpaceEntry,
    TableEntry,
    fold,
    next_version,
)

if TYPE_CHECKING:
    from hartonomous.hql.security.accounts import Account

#: restricted catalogs that are kept
KEPT_MAX: Final = 64

_kept: OrderedDict[tuple[int, str, int, bool], VisibleCatalog] = OrderedDict()
_lock = threading.Lock()


@frozen
class VisibleCatalog(Catalog):
    """What an account sees of `whole`."""

    whole: Catalog = field(default_factory=Catalog)


def whole_of(catalog: Catalog) -> Catalog:
    """The catalog as it is."""
    return catalog.whole if isinstance(catalog, VisibleCatalog) else catalog


def visible(catalog: Catalog, account: Account | None, *, readable: bool = False) -> Catalog:
    """What an account sees of a catalog; the same object as long as neither changes. `readable`
    leaves out models whose weights it may not read."""
    whole = whole_of(catalog)
    if account is None or account.is_owner:
        return whole
    key = (whole.version, account.name, account.version, readable)
    with _lock:
        found = _kept.get(key)
        if found is None or found.whole is not whole:
            found = _kept[key] = _restricted(whole, account, readable)
            if len(_kept) > KEPT_MAX:
                _kept.popitem(last=False)
        _kept.move_to_end(key)
        return found


def _restricted(whole: Catalog, account: Account, readable: bool) -> VisibleCatalog:
    entries: dict[tuple[str, str], Entry] = {
        key: entry
        for key, entry in whole.entries.items()
        if not isinstance(entry, SchemaEntry) and _is_seen(entry, whole, account, readable)
    }
    used = {fold(entry.schema) for entry in entries.values()}
    for key, entry in whole.entries.items():
        if isinstance(entry, SchemaEntry) and _is_seen_schema(entry, account, used):
            entries[key] = entry
    return VisibleCatalog(next_version(), entries, whole.tables_by_id, whole)


def _is_seen(entry: Entry, whole: Catalog, account: Account, readable: bool) -> bool:
    if isinstance(entry, TableEntry) and entry.temporary:
        return True  # the session's own
    if isinstance(entry, SpaceEntry):
        return True  # a way to place vectors; it has no rows
    if readable and isinstance(entry, ModelEntry):
        return account.may("SELECT", *where_of(entry, whole))
    return account.may_any(*where_of(entry, whole))


def _is_seen_schema(entry: SchemaEntry, account: Account, used: set[str]) -> bool:
    is_known = entry.name == "dbo" or fold(entry.name) in used
    where = (key_of(entry), *_makers(entry))
    return is_known or account.may_any(*where) or account.may("CREATE", *where)


def key_of(entry: Entry) -> str:
    """Where rights on an entry are kept: under its number, which nothing else ever has, so what is
    made again under a name begins without. System tables are made when their first row comes, and
    are known by name."""
    from hartonomous.hql.system_schema import definition_of

    if isinstance(entry, TableEntry) and definition_of(entry) is not None:
        return system_key(entry.name)
    return str(entry.id)


def system_key(name: str) -> str:
    """Where rights on a system table are kept."""
    return f"system:{fold(name)}"


def where_of(entry: Entry, catalog: Catalog) -> tuple[str, ...]:
    """The keys under which a right on an entry may have been given: its own, its schema's, and
    those of who made them."""
    own = (key_of(entry), *_makers(entry))
    if isinstance(entry, (SchemaEntry, ModelEntry, SpaceEntry)):
        return own
    schema = catalog.entries.get(("", fold(entry.schema)))
    return own if schema is None else (*own, str(schema.id), *_makers(schema))


def _makers(entry: Entry) -> tuple[str, ...]:
    definer = getattr(entry, "definer", "")
    return (maker_key(definer),) if definer else ()


def maker_of(name: str, made_us: int) -> str:
    """What entries keep of who made them: a user, not whoever has the name later."""
    return f"{name}/{made_us}"


def maker_key(definer: str) -> str:
    """Where somebody has every right: on what they made."""
    return f"by:{fold(definer)}"


def noun_of(entry: Entry) -> str:
    """What people call it."""
    if isinstance(entry, RoutineEntry):
        return "procedure" if entry.routine == "PROCEDURE" else "function"
    return entry.kind

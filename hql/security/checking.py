"""What a statement asks before it runs, and what names ask when they are found.

A Statement says which right on the database it needs as a whole (`Statement.right`, empty for
none). What it names is asked for where the name is found: `allow` for an entry of the catalog,
`allow_in` for what is to be made in a schema, `allow_system` for system tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hartonomous.hql.errors import PermissionFault
from hartonomous.hql.security.accounts import Account, Accounts
from hartonomous.hql.security.visible import (
    maker_of,
    noun_of,
    system_key,
    visible,
    where_of,
    whole_of,
)
from hartonomous.storage.catalog import Catalog, Entry, TableEntry
from hartonomous.storage.errors import ConstraintFault

if TYPE_CHECKING:
    from hartonomous.hql.ast import Node, Span
    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.context import Context
    from hartonomous.hql.session import Session
    from hartonomous.hql.statements.base import Statement

#: what rights let somebody use a function or a model
USE = ("EXECUTE", "SELECT")


def denied(what: str, place: Node | Span | None = None, hint: str | None = None) -> PermissionFault:
    """The error for a right that is missing."""
    fault = PermissionFault(f"permission denied: {what}", hint=hint)
    if place is not None:
        span = place if isinstance(place, tuple) else place.span
        fault.line, fault.column = span.line, span.column
    return fault


def begin(context: Context, statement: Statement) -> None:
    """Before a statement of a session with an account runs: the account as it is now, the
    statement's own right, and what is asked about rows that it brings."""
    from hartonomous.hql.security.rows import row_check

    session = context.session
    assert session.account is not None
    session.account = Accounts.of(session.database).current(session.account)
    require(context, statement.right, statement.title, statement)
    context.transaction.row_check = row_check(context)
    context.transaction.definer = _definer(context)


@contextmanager
def watched(session: Session, statement: Statement) -> Iterator[None]:
    """Around the run of a statement of a session with an account: what was denied goes to the
    audit, and errors name no tables that the account does not see."""
    try:
        yield
    except PermissionFault as error:
        note_denied(session, error, statement.title)
        raise
    except ConstraintFault as error:
        _hide_tables(session, error)
        raise


def note_denied(session: Session, error: PermissionFault, title: str = "") -> None:
    """A right was missing: for the audit, once for each error."""
    from hartonomous.hql.security.audit import note

    if not error.is_noted:
        error.is_noted = True
        note(session, "DENIED", f"{title}: {error.message}".removeprefix(": "), succeeded=False)


def _hide_tables(session: Session, error: ConstraintFault) -> None:
    """A foreign key of a table that the account does not see is one of "another table"."""
    account, transaction = session.account, session.database.snapshot(session.branch)
    if account is None or account.is_owner or not error.tables:
        return
    catalog = transaction.catalog
    for number in error.tables:
        entry = catalog.tables_by_id.get(number)
        if entry is not None and not account.may_any(*where_of(entry, catalog)):
            error.message = "a FOREIGN KEY of another table, or to one, forbids this"
            error.hint, error.args = None, (error.message,)


def require(context: Context, right: str, what: str, place: Node | None = None) -> None:
    """PERMISSION without a right on the database; `right` may be empty."""
    account = context.rights
    if right and account is not None and not account.may(right):
        raise denied(f"{what} needs the right {right} on the database", place)


def allow(
    account: Account | None,
    catalog: Catalog,
    entry: Entry,
    rights: tuple[str, ...],
    place: Node | Span | None = None,
) -> None:
    """PERMISSION if an account has none of `rights` on an entry that it sees."""
    if account is None or (isinstance(entry, TableEntry) and (entry.temporary or entry.id < 0)):
        return
    where = where_of(entry, whole_of(catalog))
    if not any(account.may(right, *where) for right in rights):
        raise denied(f'{rights[0]} on {noun_of(entry)} "{entry.name}"', place)


def allow_in(context: Context, schema: str, place: Node | None = None) -> None:
    """PERMISSION if nothing may be made in a schema."""
    account = context.rights
    if account is None:
        return
    entry = whole_of(context.catalog).find("", schema)
    where = () if entry is None else where_of(entry, whole_of(context.catalog))
    if not account.may("CREATE", *where):
        raise denied(f'CREATE in schema "{schema}"', place)


def allow_stored(account: Account | None, name: str, right: str, place: Node | Span | None) -> None:
    """PERMISSION on a stored system table, whether it was made yet or not."""
    if account is not None and not account.may(right, system_key(name)):
        raise denied(f'{right} on table "{name}"', place)


def allow_system(account: Account | None, key: str, place: Node | Span | None) -> None:
    """PERMISSION to read a system table, by its key."""
    if account is None:
        return
    from hartonomous.hql.system_schema import TABLES
    from hartonomous.hql.system_tables import SYSTEM_TABLES

    system = SYSTEM_TABLES.get(key)
    if system is None:
        if key in TABLES:
            allow_stored(account, TABLES[key].name, "SELECT", place)
        return
    if system.right and not account.may(system.right):
        raise denied(f"{key} needs the right {system.right} on the database", place)


# --- bodies that run with the rights of who made them --------------------------------------------


def account_of_definer(accounts: Accounts, definer: str) -> Account | None:
    """Whose rights a view's or routine's body has: None, all of them, if the database's owner made
    it; nobody's if who made it is gone."""
    if not definer:
        return None
    name, _, made = definer.partition("/")
    found = accounts.find(name)
    if found is not None and str(found.made_us) == made:
        return None if found.is_owner else found
    return Account(definer, frozenset(), {}, {}, accounts.version)


def _definer(context: Context) -> str:
    """What is made now keeps as its definer."""
    account = context.rights
    if account is None or account.is_owner:
        return ""
    return maker_of(account.name, account.made_us)


def as_definer(bound: BindContext, definer: str) -> BindContext:
    """What names mean in a body that somebody made."""
    from dataclasses import replace

    if bound.accounts is None:
        return bound
    rights = account_of_definer(bound.accounts, definer)
    return replace(bound, rights=rights, catalog=visible(bound.catalog, rights))

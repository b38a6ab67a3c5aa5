"""sys.users, sys.roles, sys.role_members, sys.permissions, sys.policies, sys.tokens, sys.audit: who
may do what, and what was tried. Without secrets. Who may not do everything sees themselves: their
own account, their roles, what these were granted and the policies that are for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hartonomous.hql.system_tables.base import Row, needing, of_tuples
from hartonomous.hql.types import BIT, DATETIMEOFFSET, NVARCHAR
from hartonomous.storage.catalog import fold
from hartonomous.storage.state import moment

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.security.directory import Directory
    from hartonomous.storage.catalog import Catalog


def _directory(context: Context) -> Directory:
    from hartonomous.hql.security.accounts import Accounts

    return Accounts.of(context.session.database).directory


def _may_see(context: Context, name: str) -> bool:
    """Whether a user or role is the session's own, or it may see all."""
    account = context.rights
    if account is None or account.is_owner:
        return True
    return fold(name) == fold(account.name) or fold(name) in account.roles


def _named(directory: Directory) -> dict[str, str]:
    """Users and roles by folded name, as they are written."""
    users = {key: user.name for key, user in directory.users.items()}
    return users | {key: role.name for key, role in directory.roles.items()}


def _users(context: Context) -> list[Row]:
    return [
        (
            u.name,
            u.is_enabled,
            u.password is not None,
            u.scram is not None,
            moment(u.at_us),
        )
        for u in _directory(context).users.values()
        if _may_see(context, u.name)
    ]


def _roles(context: Context) -> list[Row]:
    from hartonomous.hql.security.rights import BUILT_IN

    roles = _directory(context).roles
    return [(r.name, key in BUILT_IN) for key, r in sorted(roles.items())]


def _members(context: Context) -> list[Row]:
    directory = _directory(context)
    named = _named(directory)
    return [
        (role.name, named[member])
        for _, role in sorted(directory.roles.items())
        for member in sorted(role.members)
        if member in named and _may_see(context, member)
    ]


def _permissions(context: Context) -> Iterator[Row]:
    from hartonomous.hql.security.changing import granted

    directory = _directory(context)
    named = _named(directory)
    places = _places(context.transaction.catalog)
    for who, where, right in sorted(granted(directory)):
        if who in named and _may_see(context, who):
            kind, schema, name = places.get(where, ("GONE", None, where))
            yield named[who], right, kind, schema, name


def _places(catalog: Catalog) -> dict[str, tuple[str, str | None, str | None]]:
    """Kind, schema and name of what rights are kept for, by its key."""
    from hartonomous.hql.security.visible import key_of, noun_of, system_key
    from hartonomous.hql.system_schema import TABLES

    found: dict[str, tuple[str, str | None, str | None]] = {"": ("DATABASE", None, None)}
    for table in TABLES.values():
        found[system_key(table.name)] = "TABLE", "dbo", table.name
    for entry in catalog.entries.values():
        schema = entry.schema if entry.kind in ("table", "view", "routine") else None
        found[key_of(entry)] = noun_of(entry).upper(), schema, entry.name
    return found


def _policies(context: Context) -> list[Row]:
    places = _places(context.transaction.catalog)
    return [
        (p.name, *places.get(p.table, ("", None, p.table))[1:], p.role, p.using, p.check)
        for p in _directory(context).policies
        if _may_see(context, p.role)
    ]


def _tokens(context: Context) -> list[Row]:
    return [
        (t.name, t.user, moment(t.at_us), None if t.expires_us is None else moment(t.expires_us))
        for t in _directory(context).tokens.values()
        if _may_see(context, t.user)
    ]


def _audit(context: Context) -> list[Row]:
    from hartonomous.hql.security.audit import records_of

    return [
        (moment(r.at_us), r.event, r.account or None, r.door, r.peer or None, r.detail, r.succeeded)
        for r in records_of(context.session.database)
    ]


USERS = of_tuples(
    _users,
    name=NVARCHAR,
    is_enabled=BIT,
    has_password=BIT,
    has_scram=BIT,
    created_at=DATETIMEOFFSET,
)
ROLES = of_tuples(_roles, name=NVARCHAR, is_built_in=BIT)
ROLE_MEMBERS = of_tuples(_members, role_name=NVARCHAR, member_name=NVARCHAR)
PERMISSIONS = of_tuples(
    _permissions,
    grantee=NVARCHAR,
    permission=NVARCHAR,
    kind=NVARCHAR,
    schema_name=NVARCHAR,
    object_name=NVARCHAR,
)
POLICIES = of_tuples(
    _policies,
    name=NVARCHAR,
    schema_name=NVARCHAR,
    table_name=NVARCHAR,
    role_name=NVARCHAR,
    using_predicate=NVARCHAR,
    check_predicate=NVARCHAR,
)
TOKENS = of_tuples(
    _tokens,
    name=NVARCHAR,
    user_name=NVARCHAR,
    created_at=DATETIMEOFFSET,
    expires_at=DATETIMEOFFSET,
)
AUDIT = needing(
    "CONTROL",
    of_tuples(
        _audit,
        at=DATETIMEOFFSET,
        event=NVARCHAR,
        account=NVARCHAR,
        door=NVARCHAR,
        peer=NVARCHAR,
        detail=NVARCHAR,
        succeeded=BIT,
    ),
)

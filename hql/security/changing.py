"""What CREATE USER, CREATE ROLE, GRANT and their kin do. Each is durable when it returns, holds on
all branches and for every session from its next statement on, and stands outside transactions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.ast import Identifier, Node, Option
from hartonomous.hql.changes.targets import describe_kind, find_entry, place
from hartonomous.hql.errors import BindFault
from hartonomous.hql.history.branches import refuse_inside
from hartonomous.hql.result import Result
from hartonomous.hql.security.accounts import Accounts
from hartonomous.hql.security.audit import note
from hartonomous.hql.security.checking import denied
from hartonomous.hql.security.directory import (
    Directory,
    Role,
    User,
    grant_text,
    role_text,
    user_text,
)
from hartonomous.hql.security.redaction import redact
from hartonomous.hql.security.rights import BUILT_IN, CONTROL, OWNER, PUBLIC, RIGHTS_OF
from hartonomous.hql.security.visible import key_of, noun_of, where_of, whole_of
from hartonomous.storage.catalog import MODELS, SchemaEntry, fold
from hartonomous.storage.errors import AlreadyExists, NotFound

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.security.accounts import Account
    from hartonomous.hql.statements.alter_role import AlterRole
    from hartonomous.hql.statements.alter_user import AlterUser
    from hartonomous.hql.statements.base import Statement
    from hartonomous.hql.statements.create_role import CreateRole
    from hartonomous.hql.statements.create_user import CreateUser
    from hartonomous.hql.statements.drop_role import DropRole
    from hartonomous.hql.statements.drop_user import DropUser
    from hartonomous.hql.statements.grant import Grant
    from hartonomous.hql.statements.parts import Securable
    from hartonomous.hql.statements.revoke import Revoke

Change = Mapping[str, str | None]

#: users and roles that a database has
NAMES_MAX: Final = 100_000
PASSWORD_SETTINGS: Final = ("PASSWORD", "PASSWORD_HASH", "SCRAM", "ENABLED")


# --- users ---------------------------------------------------------------------------------------


def run_create_user(statement: CreateUser, context: Context) -> Result:
    """CREATE USER. The first user is an owner: from then on everybody is asked who they are, and
    somebody must be able to let others in."""
    name = _new_name(statement.name)
    options = _options(statement.options, context)
    database = context.session.database
    user = _with_options(User(name, at_us=database.clock.now_us()), options, statement.options)
    first: list[bool] = []

    def change(directory: Directory) -> Change:
        if fold(name) in directory.users and statement.if_not_exists:
            return {}
        _refuse_taken(directory, statement.name)
        changes = {f"user/{fold(name)}": user_text(user)}
        if not directory.users:
            first.append(True)
            owners = directory.roles[OWNER]
            owners = replace(owners, members=owners.members | {fold(name)})
            changes[f"role/{OWNER}"] = role_text(owners)
        return changes

    _change(context, statement, change)
    if first:
        context.messages.append(f'"{name}" is the first user, and an owner')
    return Result()


def run_alter_user(statement: AlterUser, context: Context) -> Result:
    """ALTER USER: everybody may change their own password, all else needs CONTROL."""
    options = _options(statement.options, context)
    key = fold(statement.name.text)
    account = context.rights
    is_own = account is not None and fold(account.name) == key and set(options) <= {"PASSWORD"}
    if account is not None and not account.is_owner and not is_own:
        raise denied("ALTER USER needs the right CONTROL on the database", statement)

    def change(directory: Directory) -> Change:
        user = directory.users.get(key)
        if user is None:
            raise place(NotFound(f'there is no user "{statement.name.text}"'), statement.name)
        changed = _with_options(user, options, statement.options)
        if not changed.is_enabled:
            _keep_an_owner(directory, account, {key}, statement)
        return {f"user/{key}": user_text(changed)}

    _change(context, statement, change)
    return Result()


def run_drop_user(statement: DropUser, context: Context) -> Result:
    """DROP USER: with their rights, memberships and tokens."""
    key = fold(statement.name.text)

    def change(directory: Directory) -> Change:
        if key not in directory.users:
            if statement.if_exists:
                return {}
            raise place(NotFound(f'there is no user "{statement.name.text}"'), statement.name)
        _keep_an_owner(directory, context.rights, {key}, statement)
        tokens = {f"token/{t.id}": None for t in directory.tokens.values() if fold(t.user) == key}
        return {f"user/{key}": None, **tokens, **_without(directory, key)}

    _change(context, statement, change)
    return Result()


def _options(options: tuple[Option, ...], context: Context) -> dict[str, Any]:
    from hartonomous.hql.models.options import read_options

    read = read_options(options, context, PASSWORD_SETTINGS, "users")
    return {name: value for name, (value, _) in read.items()}


def _with_options(user: User, given: Mapping[str, Any], options: tuple[Option, ...]) -> User:
    """The user with what WITH says."""
    from hartonomous.hql.security import passwords

    by_name = {o.name.upper(): o for o in options}
    if "PASSWORD" in given and "PASSWORD_HASH" in given:
        raise place(BindFault("a password, or its hash"), by_name["PASSWORD_HASH"])
    wants_scram = _switch(given, by_name, "SCRAM", user.scram is not None)
    enabled = _switch(given, by_name, "ENABLED", user.is_enabled)
    password, scram = user.password, user.scram
    if "PASSWORD" in given:
        text = given["PASSWORD"]
        if not isinstance(text, str) or not text:
            raise place(BindFault("a password is a text that is not empty"), by_name["PASSWORD"])
        if len(text) > passwords.PASSWORD_CHARACTERS_MAX:
            most = f"a password has at most {passwords.PASSWORD_CHARACTERS_MAX:,} characters"
            raise place(BindFault(most), by_name["PASSWORD"])
        password = passwords.hash_password(text)
        scram = passwords.make_scram(text).to_text() if wants_scram else None
    elif "PASSWORD_HASH" in given:
        password, scram = str(given["PASSWORD_HASH"]), None
        if not passwords.is_hash(password):
            fault = BindFault("PASSWORD_HASH is no hash of ours", hint="scrypt$15$8$3$salt$hash")
            raise place(fault, by_name["PASSWORD_HASH"])
    elif not wants_scram:
        scram = None
    if wants_scram and scram is None:
        raise place(BindFault("SCRAM = ON needs the password beside it"), by_name["SCRAM"])
    return replace(user, password=password, scram=scram, is_enabled=enabled)


def _switch(
    given: Mapping[str, Any], options: Mapping[str, Option], name: str, default: bool
) -> bool:
    if name not in given:
        return default
    word = str(given[name]).upper()
    if word not in ("ON", "OFF", "TRUE", "FALSE", "1", "0"):
        raise place(BindFault(f"{name} is ON or OFF"), options[name])
    return word in ("ON", "TRUE", "1")


def _keep_an_owner(
    directory: Directory, account: Account | None, gone: set[str], node: Node
) -> None:
    """A session with an account may not leave the database without an owner: nobody could help.
    One that has the folder open itself may."""
    if account is not None and not set(directory.owners()) - gone:
        hint = f"ALTER ROLE {OWNER} ADD MEMBER another first"
        raise place(BindFault("no owner would be left", hint=hint), node)


# --- roles ---------------------------------------------------------------------------------------


def run_create_role(statement: CreateRole, context: Context) -> Result:
    """CREATE ROLE."""
    name = _new_name(statement.name)

    def change(directory: Directory) -> Change:
        if fold(name) in directory.roles and statement.if_not_exists:
            return {}
        _refuse_taken(directory, statement.name)
        return {f"role/{fold(name)}": role_text(Role(name))}

    _change(context, statement, change)
    return Result()


def run_drop_role(statement: DropRole, context: Context) -> Result:
    """DROP ROLE: with its rights, memberships and policies. Built-in ones stay, and so does one
    that policies are for: without it a table would show its members nothing, or all."""
    key = fold(statement.name.text)

    def change(directory: Directory) -> Change:
        if key in BUILT_IN:
            raise place(BindFault(f'the role "{key}" is built in, and stays'), statement)
        if key not in directory.roles:
            if statement.if_exists:
                return {}
            raise place(NotFound(f'there is no role "{statement.name.text}"'), statement.name)
        return {f"role/{key}": None, **_without(directory, key)}

    _change(context, statement, change)
    return Result()


def run_alter_role(statement: AlterRole, context: Context) -> Result:
    """ALTER ROLE r ADD | DROP MEMBER u."""
    key, member = fold(statement.name.text), fold(statement.member.text)

    def change(directory: Directory) -> Change:
        role = directory.roles.get(key)
        if role is None:
            raise place(NotFound(f'there is no role "{statement.name.text}"'), statement.name)
        _check_there(directory, statement.member)
        if key == PUBLIC or member == PUBLIC:
            raise place(BindFault(f"everybody is a member of {PUBLIC}, and it of none"), statement)
        if statement.verb == "ADD":
            if key == member or member in _above(directory, key):
                message = f'"{statement.member.text}" would be a member of itself'
                raise place(BindFault(message), statement.member)
            members = role.members | {member}
        else:
            members = role.members - {member}
            after = replace(directory, roles={**directory.roles, key: Role(role.name, members)})
            lost = set(directory.owners()) - set(after.owners())
            if lost:
                _keep_an_owner(directory, context.rights, lost, statement)
        return {f"role/{key}": role_text(Role(role.name, members))}

    _change(context, statement, change)
    return Result()


def _above(directory: Directory, role: str) -> frozenset[str]:
    """The roles that a role is in."""
    return directory.roles_of(role)


def _without(directory: Directory, key: str) -> dict[str, str | None]:
    """What goes with a user or role: memberships, rights, policies."""
    gone: dict[str, str | None] = {
        f"grant/{key}/{where}": None for where in directory.grants.get(key, {})
    }
    for name, role in directory.roles.items():
        if key in role.members:
            gone[f"role/{name}"] = role_text(Role(role.name, role.members - {key}))
    return gone


# --- GRANT, REVOKE -------------------------------------------------------------------------------


def run_grant(statement: Grant, context: Context) -> Result:
    """GRANT: by who has CONTROL there."""
    return _give(statement, context, is_given=True)


def run_revoke(statement: Revoke, context: Context) -> Result:
    """REVOKE: what was granted there; what comes from a role or from above stays."""
    return _give(statement, context, is_given=False)


def _give(statement: Grant | Revoke, context: Context, *, is_given: bool) -> Result:
    kind, where = _securable(statement.on, statement, context)
    known = RIGHTS_OF[kind]
    rights: set[str] = set()
    for right in statement.rights:
        if right != "ALL" and right not in known:
            hint = f"a {kind.lower()} has {', '.join(known)}"
            raise place(BindFault(f"{right} is no right on a {kind.lower()}", hint=hint), statement)
        rights |= set(known) if right == "ALL" else {right}

    def change(directory: Directory) -> Change:
        changes: dict[str, str | None] = {}
        for name in statement.names:
            _check_there(directory, name)
            who = fold(name.text)
            if who == OWNER:
                raise place(BindFault(f"the role {OWNER} has every right, and keeps it"), name)
            held = directory.grants.get(who, {}).get(where, frozenset())
            if not where and who in BUILT_IN and not is_given and rights & BUILT_IN[who]:
                message = f"the role {who} keeps {', '.join(sorted(rights & BUILT_IN[who]))}"
                raise place(BindFault(message, hint="make a role of your own"), name)
            now = held | rights if is_given else held - rights
            changes[f"grant/{who}/{where}"] = grant_text(now) if now else None
        return changes

    _change(context, statement, change)
    return Result()


def _securable(
    on: Securable | None, statement: Grant | Revoke, context: Context
) -> tuple[str, str]:
    """The kind of what rights are given on, and its key; PERMISSION without CONTROL there."""
    account = context.rights
    if on is None or on.kind == "DATABASE":
        if account is not None and not account.is_owner:
            raise denied("this needs the right CONTROL on the database", statement)
        return "DATABASE", ""
    assert on.name is not None
    kind, key, keys = _find(on, context)
    if account is not None and not account.may(CONTROL, *keys):
        raise denied(f'CONTROL on {kind.lower()} "{on.name}"', on)
    return kind, key


def _find(on: Securable, context: Context) -> tuple[str, str, tuple[str, ...]]:
    """Kind, key, and the keys of what contains it. NOT_FOUND."""
    from hartonomous.hql.security.visible import system_key
    from hartonomous.hql.system_schema import find_stored

    name = on.name
    if on.kind in ("SCHEMA", "MODEL"):
        assert isinstance(name, Identifier)
        found = context.catalog.find(MODELS if on.kind == "MODEL" else "", name.text)
        if found is None:
            raise place(NotFound(f'there is no {on.kind.lower()} "{name.text}"'), on)
        return on.kind, key_of(found), (key_of(found),)
    assert name is not None and not isinstance(name, Identifier)
    stored = find_stored(*_split(name))
    if stored is not None and on.kind in ("", "TABLE"):
        return "TABLE", system_key(stored.name), (system_key(stored.name),)
    entry = find_entry(context, name)
    if entry is None or isinstance(entry, SchemaEntry) or getattr(entry, "temporary", False):
        raise place(NotFound(f'there is no {on.kind.lower() or "table"} "{name}"'), on)
    kind = noun_of(entry).upper()
    if on.kind not in ("", kind):
        raise place(BindFault(f'"{name}" is a {describe_kind(entry)}'), on)
    return kind, key_of(entry), where_of(entry, whole_of(context.catalog))


def _split(name: Any) -> tuple[str, str]:
    from hartonomous.hql.changes.targets import split_name

    return split_name(name)


# --- what they share -----------------------------------------------------------------------------


def _change(context: Context, statement: Statement, change: Any) -> None:
    """Makes a change durable, and keeps it in the audit."""
    refuse_inside(context, statement.title)
    Accounts.of(context.session.database).change(change)
    note(context.session, statement.title, redact(context.text))


def _new_name(name: Identifier) -> str:
    from hartonomous.hql.changes.new_names import check_word

    check_word(name)
    if "/" in name.text or not name.text.isprintable():
        raise place(BindFault("a name of a user or role has no / and no control characters"), name)
    return name.text


def _refuse_taken(directory: Directory, name: Identifier) -> None:
    if fold(name.text) in directory.users or fold(name.text) in directory.roles:
        message = f'there is a user or role "{name.text}" already'
        raise place(AlreadyExists(message), name)
    if len(directory.users) + len(directory.roles) >= NAMES_MAX:
        raise place(BindFault(f"a database has at most {NAMES_MAX:,} users and roles"), name)


def _check_there(directory: Directory, name: Identifier) -> None:
    if fold(name.text) not in directory.users and fold(name.text) not in directory.roles:
        raise place(NotFound(f'there is no user or role "{name.text}"'), name)


def granted(directory: Directory) -> Iterator[tuple[str, str, str]]:
    """Who, where, right: all that was granted, and what built-in roles have."""
    for who, places in directory.grants.items():
        for where, rights in places.items():
            for right in sorted(rights):
                yield who, where, right

"""Users, roles, grants, policies and tokens as the database keeps them: texts by name (JSON).

    user/NAME        {"name", "password", "scram", "enabled", "at"}
    role/NAME        {"name", "members": [folded names of users and roles]}
    grant/WHO/WHERE  {"rights": […]}    WHO is a folded name; WHERE see Securable
    policy/TABLE/NAME  {"name", "table", "role", "using", "check", "operations"}
    token/ID         {"id", "name", "user", "hash", "at", "expires"}

Users and roles share one namespace. NAME is folded, TABLE the key of a Securable; "at" and
"expires" are microseconds since 1970 UTC.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any

from hartonomous.hql.frozen import frozen
from hartonomous.hql.security.rights import BUILT_IN, OWNER, PUBLIC
from hartonomous.storage.catalog import fold


@frozen
class User:
    name: str
    password: str | None = None  # passwords.hash_password's text
    scram: str | None = None
    is_enabled: bool = True
    at_us: int = 0


@frozen
class Role:
    name: str
    members: frozenset[str] = frozenset()


@frozen
class Policy:
    """Rows of a table that members of a role see and change: those for which `using` holds; new
    rows must fulfil `check`. Both are HQL over the table's columns."""

    name: str
    table: str
    role: str
    using: str
    check: str | None = None

    @property
    def key(self) -> str:
        return f"policy/{self.table}/{fold(self.name)}"


@frozen
class Token:
    id: str
    name: str
    user: str
    hash: str
    at_us: int
    expires_us: int | None = None


@frozen
class Directory:
    """All of it at one moment; `texts` is what it was read from."""

    texts: Mapping[str, str]
    users: Mapping[str, User] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    #: who (folded) -> where -> rights
    grants: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()
    tokens: Mapping[str, Token] = field(default_factory=dict)

    def roles_of(self, name: str) -> frozenset[str]:
        """The folded names of the roles that somebody is in, by way of others too, and `public`."""
        found, waiting = {PUBLIC}, [fold(name)]
        while waiting:
            member = waiting.pop()
            for role, entry in self.roles.items():
                if member in entry.members and role not in found:
                    found.add(role)
                    waiting.append(role)
        return frozenset(found)

    def rights_of(self, names: Iterable[str]) -> dict[str, frozenset[str]]:
        """What users and roles of these folded names may, by where."""
        found: dict[str, frozenset[str]] = {}
        for name in names:
            for where, rights in self.grants.get(name, {}).items():
                found[where] = found.get(where, frozenset()) | rights
        return found

    def members_of(self, role: str) -> Iterator[str]:
        """The folded names of users in a role, by way of others too."""
        return (name for name in self.users if fold(role) in self.roles_of(name))

    def owners(self) -> list[str]:
        """The folded names of the users who may do everything, and can come in."""
        return [n for n in self.members_of(OWNER) if self.users[n].is_enabled]


def read_directory(texts: Mapping[str, str]) -> Directory:
    """What the texts say."""
    users: dict[str, User] = {}
    roles = {name: Role(name) for name in BUILT_IN}
    grants: dict[str, dict[str, frozenset[str]]] = {}
    policies: list[Policy] = []
    tokens: dict[str, Token] = {}
    for name, text in sorted(texts.items()):
        kind, _, rest = name.partition("/")
        data = json.loads(text)
        if kind == "user":
            users[rest] = _user(data)
        elif kind == "role":
            roles[rest] = Role(data["name"], frozenset(data["members"]))
        elif kind == "grant":
            who, _, where = rest.partition("/")
            grants.setdefault(who, {})[where] = frozenset(data["rights"])
        elif kind == "policy":
            policies.append(Policy(**data))
        elif kind == "token":
            tokens[rest] = _token(data)
    for name, rights in BUILT_IN.items():
        own = grants.setdefault(name, {})
        own[""] = own.get("", frozenset()) | rights
    return Directory(texts, users, roles, grants, tuple(policies), tokens)


def user_text(user: User) -> str:
    return _text(
        name=user.name,
        password=user.password,
        scram=user.scram,
        enabled=user.is_enabled,
        at=user.at_us,
    )


def role_text(role: Role) -> str:
    return _text(name=role.name, members=sorted(role.members))


def grant_text(rights: Iterable[str]) -> str:
    return _text(rights=sorted(rights))


def policy_text(policy: Policy) -> str:
    return _text(
        name=policy.name,
        table=policy.table,
        role=policy.role,
        using=policy.using,
        check=policy.check,
    )


def token_text(token: Token) -> str:
    return _text(
        id=token.id,
        name=token.name,
        user=token.user,
        hash=token.hash,
        at=token.at_us,
        expires=token.expires_us,
    )


def _text(**values: Any) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _user(data: Mapping[str, Any]) -> User:
    return User(data["name"], data["password"], data["scram"], data["enabled"], data["at"])


def _token(data: Mapping[str, Any]) -> Token:
    return Token(data["id"], data["name"], data["user"], data["hash"], data["at"], data["expires"])

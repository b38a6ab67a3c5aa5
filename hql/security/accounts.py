"""Accounts: who proves to be whom, and Account: what somebody may, as it is now.

    accounts = Accounts.of(database)
    account = accounts.authenticate("anna", "…")      AuthFault, the same for every cause
    session.account = account                         hql asks it before everything
    accounts.on_change(callback)                      who came in while all were let in goes

An Account is what was true when it was made; sessions exchange theirs by `current` before each
statement, so a right that was taken away is gone at the next one.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hartonomous.hql.errors import AuthFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.security.directory import Directory, Policy, Token, User, read_directory
from hartonomous.hql.security.rights import CONTROL, OBJECT_RIGHTS, OWNER
from hartonomous.hql.security.visible import maker_key, maker_of
from hartonomous.storage.catalog import fold

if TYPE_CHECKING:
    from hartonomous.hql.security.passwords import ScramVerifier
    from hartonomous.storage.database import Database

#: how a token begins, so that people and scanners of leaked secrets know it
TOKEN_PREFIX: Final = "hqlt_"

_OF_THINGS: Final = frozenset(OBJECT_RIGHTS)
_REFUSED: Final = "the name, password or token is not right"
_accounts: weakref.WeakKeyDictionary[Database, Accounts] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


@frozen
class Account:
    """A user, and what they may. `roles` are folded names; `rights` go by where they hold: "" is
    the database, others see changing.py. `is_open` is nobody's account, which may everything until
    there is a user."""

    name: str
    roles: frozenset[str]
    rights: Mapping[str, frozenset[str]]
    policies: Mapping[str, tuple[Policy, ...]]  # all of a table's, by its key
    version: int
    is_open: bool = False
    made_us: int = 0  # when the user was: another of the same name is another
    token: str = ""  # the id of the token that let them in, and lets them stay

    @property
    def is_owner(self) -> bool:
        """Whether they may everything."""
        return CONTROL in self.rights.get("", ())

    def is_as(self, other: Account) -> bool:
        """Whether it is the same user, who may and sees the same."""
        of = (self.name, self.made_us, self.is_open, self.roles, self.rights, self.policies)
        return of == (
            *(other.name, other.made_us, other.is_open),
            *(other.roles, other.rights, other.policies),
        )

    def may(self, right: str, *where: str) -> bool:
        """Whether they have a right on the database, or on one of `where`: keys of a thing and of
        what contains it."""
        for key in ("", *where):
            held = self.rights.get(key)
            if held is not None and (right in held or CONTROL in held):
                return True
        return False

    def may_any(self, *where: str) -> bool:
        """Whether they may know that a thing is there: they have some right that things have, on
        it, on what contains it (`where`) or on the database."""
        return any(
            not _OF_THINGS.isdisjoint(self.rights[key])
            for key in ("", *where)
            if key in self.rights
        )


class Accounts:
    """The accounts of one database. For any number of threads."""

    def __init__(self, database: Database) -> None:
        self._database = weakref.ref(database)
        self._lock = threading.Lock()
        self._directory = read_directory({})
        self._version = 0
        self._kept: dict[str, Account] = {}
        self._callbacks: list[Callable[[], None]] = []

    @staticmethod
    def of(database: Database) -> Accounts:
        """Those of a database; everybody who asks gets the same object."""
        with _lock:
            found = _accounts.get(database)
            if found is None:
                found = _accounts[database] = Accounts(database)
            return found

    # --- what there is

    @property
    def directory(self) -> Directory:
        """Users, roles and rights as they are now."""
        self._read_new()
        return self._directory

    def _read_new(self) -> None:
        """Reads what changed since it was read last."""
        database = self._database()
        assert database is not None
        texts = database.security
        if texts is not self._directory.texts:
            with self._lock:
                if texts is not self._directory.texts:
                    same = texts == self._directory.texts
                    directory = read_directory(texts)
                    if not same:
                        self._version += 1
                        self._kept.clear()
                    self._directory = directory

    @property
    def version(self) -> int:
        """Another number whenever anything changed."""
        self._read_new()
        return self._version

    @property
    def has_users(self) -> bool:
        """Whether anybody is asked who they are."""
        return bool(self.directory.users)

    # --- who somebody is

    def find(self, name: str) -> Account | None:
        """The account of a user who exists and is enabled. Proves nothing."""
        self._read_new()
        with self._lock:  # an account with the rights of one version and the number of another
            directory = self._directory  # would be taken for current
            user = directory.users.get(fold(name))
            if user is None or not user.is_enabled:
                return None
            kept = self._kept.get(fold(name))
            if kept is None:
                kept = self._kept[fold(name)] = self._make(user, directory)
            return kept

    def _make(self, user: User, directory: Directory) -> Account:
        roles = directory.roles_of(user.name)
        rights = directory.rights_of((fold(user.name), *roles))
        rights[maker_key(maker_of(user.name, user.at_us))] = frozenset({CONTROL})
        return Account(
            user.name, roles, rights, _by_table(directory), self._version, False, user.at_us
        )

    def open_account(self) -> Account:
        """The account of whoever comes in while there are no users."""
        return Account("", frozenset({OWNER}), {"": frozenset({CONTROL})}, {}, 0, True)

    def current(self, account: Account) -> Account:
        """The account as it is now; the same object if nothing changed. AuthFault if the user is
        gone or disabled, the token that let them in too, or if it was nobody's and there are users
        now."""
        if account.is_open:
            if self.has_users:
                raise AuthFault("this database has users now", hint="connect again as one of them")
            return account
        if account.token:
            token = self.directory.tokens.get(account.token)
            if token is None or self._is_expired(token):
                raise AuthFault("the token is gone, or its time is over", hint="connect again")
        if account.version == self.version:
            return account
        found = self.find(account.name)
        if found is None or found.made_us != account.made_us:
            raise AuthFault("the account is gone", hint="connect again")
        return replace(found, token=account.token) if account.token else found

    def authenticate(self, name: str, password: str) -> Account:
        """The account of that name and password. AuthFault, which says and takes the same whatever
        is wrong; about a quarter of a second of computing: not for an event loop."""
        from hartonomous.hql.security.passwords import PASSWORD_CHARACTERS_MAX, check_password

        user = self.directory.users.get(fold(name))
        kept = user.password if user is not None else None
        is_right = check_password(password[:PASSWORD_CHARACTERS_MAX], kept)
        account = self.find(name)
        if not is_right or account is None or len(password) > PASSWORD_CHARACTERS_MAX:
            raise AuthFault(_REFUSED)
        return account

    def authenticate_token(self, token: str) -> Account:
        """The account of a token. AuthFault, as above; also once it has expired."""
        from hartonomous.hql.security.passwords import hash_token

        identity, secret = _parts(token)
        kept = self.directory.tokens.get(identity)
        wanted = kept.hash if kept is not None else hash_token(b"")
        is_right = hmac.compare_digest(hash_token(secret), wanted)
        if not is_right or kept is None or self._is_expired(kept):
            raise AuthFault(_REFUSED)
        account = self.find(kept.user)
        if account is None:
            raise AuthFault(_REFUSED)
        return replace(account, token=identity)

    def _is_expired(self, token: Token) -> bool:
        database = self._database()
        assert database is not None
        return token.expires_us is not None and database.clock.now_us() >= token.expires_us

    def scram_verifier(self, name: str) -> ScramVerifier | None:
        """What SCRAM-SHA-256 needs of a user who was made WITH SCRAM = ON. A doorway that gets
        None must go through the motions with a verifier of its own making (for a name that is
        not there, always the same salt), or ask for the password and call `authenticate`."""
        from hartonomous.hql.security.passwords import ScramVerifier

        user = self.directory.users.get(fold(name))
        if user is None or user.scram is None or not user.is_enabled:
            return None
        return ScramVerifier.of_text(user.scram)

    # --- changes

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """`callback` is called after each change that this process makes, in the thread that made
        it; it must be quick. (A reader process finds changes by `version`.) The answer ends it."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def change(self, values_of: Callable[[Directory], Mapping[str, str | None]]) -> None:
        """Change what is kept, durably and all or none: `values_of` gives new texts by name (None
        takes one away) of what there is. Raises what it raises, and ReadOnly."""
        database = self._database()
        assert database is not None
        database.set_security(lambda texts: values_of(read_directory(texts)))
        for callback in list(self._callbacks):
            callback()


def _by_table(directory: Directory) -> dict[str, tuple[Policy, ...]]:
    found: dict[str, tuple[Policy, ...]] = {}
    for policy in directory.policies:
        found[policy.table] = (*found.get(policy.table, ()), policy)
    return found


def token_text_of(identity: str, secret: bytes) -> str:
    """A token as its user writes it."""
    return f"{TOKEN_PREFIX}{identity}_{base64.urlsafe_b64encode(secret).decode().rstrip('=')}"


def _parts(token: str) -> tuple[str, bytes]:
    """A token's id and secret; of what is no token, ones that nobody has."""
    identity, _, secret = token[:256].removeprefix(TOKEN_PREFIX).partition("_")
    try:
        data = base64.b64decode(secret + "=" * (-len(secret) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return "", b"\0"
    is_as_written = token == token_text_of(identity, data)  # base64 has spare bits at its end
    return (identity, data) if is_as_written else ("", b"\0")

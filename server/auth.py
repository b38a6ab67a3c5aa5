"""Who a client is: passwords, tokens, and open access while there are no users.

    authenticator = Authenticator(Accounts.of(database), failures_max=10)
    account = authenticator.open_account(peer)                  nobody is asked
    account = await authenticator.by_password(peer, name, password)
    account = authenticator.by_token(peer, token)
    with authenticator.attempt(peer, name): …                   another proof (SCRAM), counted too

Open access needs two things: a database without users, and a peer on this machine that no proxy
stands before. It ends with the first CREATE USER, as sessions ask `Accounts.current` before each
statement. An error says and takes the same whatever was wrong.

A password costs a quarter of a second and 32 MiB (scrypt), so passwords are looked at on two
threads of their own and at most PENDING_MAX wait. HTTP sends the password with every request: one
that was right is known again by a keyed hash, until anything about accounts changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hartonomous.hql.errors import AuthFault, Busy, ConfigurationFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.security.passwords import PASSWORD_CHARACTERS_MAX
from hartonomous.server.attempts import Attempts, Rate, whole_seconds

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from hartonomous.hql.security.accounts import Account, Accounts

#: passwords that are looked at together
THREADS = 2
#: passwords that wait to be looked at; more are refused as BUSY
PENDING_MAX = 64
#: log-ins that are known again
KNOWN_MAX = 1_000
#: seconds for which they are
KNOWN_SECONDS = 300.0
#: longest names that there are, in characters
NAME_CHARACTERS_MAX = 256


@frozen
class Peer:
    """The other end of a connection. `host` is an address, None for a Unix socket. `is_forwarded`:
    a proxy speaks for somebody else."""

    host: str | None
    port: int = 0
    is_forwarded: bool = False

    @property
    def is_local(self) -> bool:
        """Whether whoever asks is on this machine."""
        return not self.is_forwarded and (self.host is None or is_loopback(self.host))

    @property
    def place(self) -> str:
        """What failures are counted by."""
        return self.host if self.host is not None else "unix"

    def __str__(self) -> str:
        if self.host is None:
            return "unix"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def peer_of(transport: asyncio.BaseTransport | None, *, is_forwarded: bool = False) -> Peer:
    """The peer of a connection."""
    name = transport.get_extra_info("peername") if transport is not None else None
    if isinstance(name, tuple):
        return Peer(str(name[0]), int(name[1]), is_forwarded)
    return Peer(None, 0, is_forwarded)


def is_loopback(host: str) -> bool:
    """Whether an address is one of this machine's own."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


class Authenticator:
    """Finds out who clients are. On the event loop only."""

    def __init__(
        self,
        accounts: Accounts,
        *,
        failures_max: int = 10,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`failures_max`: failed log-ins of a name within a minute; an address has twice as many,
        as several people may sit behind it."""
        name = Rate(burst=max(1, failures_max), seconds=60.0 / max(1, failures_max))
        peer = Rate(burst=2 * name.burst, seconds=name.seconds / 2)
        self.accounts = accounts
        self.attempts = Attempts(peer=peer, name=name, clock=clock)
        #: what to tell a client that failed too often, in seconds
        self.retry_seconds = whole_seconds(name.seconds)
        self._clock = clock
        self._secret = os.urandom(32)
        self._known: OrderedDict[bytes, tuple[int, float, Account]] = OrderedDict()
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._threads: ThreadPoolExecutor | None = None
        self._pending = 0

    def close(self) -> None:
        """Ends the threads; passwords that wait are not looked at any more."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self._known.clear()

    # --- ways to come in ---

    def open_account(self, peer: Peer) -> Account:
        """Nobody's account, for whoever says nothing of themselves. Raises AuthFault if there are
        users, or if the peer is not on this machine."""
        if self.accounts.has_users or not peer.is_local:
            raise AuthFault(
                "a name and password or a token are asked for",
                hint="hql://NAME:PASSWORD@HOST:PORT/, or connect(url, token=…)",
            )
        return self.accounts.open_account()

    async def by_password(self, peer: Peer, name: str, password: str) -> Account:
        """The account of a name and its password. Raises AuthFault, and Busy."""
        name, password = name[: NAME_CHARACTERS_MAX + 1], password[: PASSWORD_CHARACTERS_MAX + 1]
        version = self.accounts.version
        key = self._key_of(name, password)
        known = self._find_known(key, version)
        if known is not None:
            return known
        with self.attempt(peer, name):
            account = await self._on_thread(name, password)
        self._keep_known(key, version, account)
        return account

    def by_token(self, peer: Peer, token: str) -> Account:
        """The account of a token. Raises AuthFault."""
        with self.attempt(peer, None):
            return self.accounts.authenticate_token(token)

    def is_new(self, peer: Peer, account: Account) -> bool:
        """Whether nobody came in as this account from there lately; somebody has now. For doors
        where each request is a log-in, so that one is noted and not each."""
        now, key = self._clock(), (peer.place, account.name)
        until = self._seen.pop(key, 0.0)
        self._seen[key] = now + KNOWN_SECONDS
        if len(self._seen) > KNOWN_MAX:
            self._seen.popitem(last=False)
        return until < now

    @contextlib.contextmanager
    def attempt(self, peer: Peer, name: str | None) -> Iterator[None]:
        """Around the look at a proof: counts it, and raises AuthFault (LOGIN_LIMIT) if too many
        failed before. What leaves the block by AuthFault was a failure; whatever else goes wrong
        is not counted."""
        folded = name[:NAME_CHARACTERS_MAX].casefold() if name is not None else None
        wait = self.attempts.charge(peer.place, folded)
        if wait > 0:
            raise AuthFault(
                "too many log-ins failed",
                code="LOGIN_LIMIT",
                hint=f"wait {whole_seconds(wait)} seconds",
            )
        try:
            yield
        except AuthFault:
            raise
        except BaseException:
            self.attempts.give_back(peer.place, folded)
            raise
        self.attempts.note_success(peer.place, folded)

    # --- passwords ---

    async def _on_thread(self, name: str, password: str) -> Account:
        if self._pending >= PENDING_MAX:
            raise Busy("too many clients log in at once", hint="try again in a few seconds")
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(THREADS, "hql-login")
        self._pending += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(
                self._threads, self.accounts.authenticate, name, password
            )
        finally:
            self._pending -= 1

    def _key_of(self, name: str, password: str) -> bytes:
        """What a right password is known by: of no use without the secret of this process."""
        parts = (text.encode("utf-8", "surrogatepass") for text in (name, password))
        text = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._secret, text, hashlib.sha256)

    def _find_known(self, key: bytes, version: int) -> Account | None:
        kept = self._known.get(key)
        if kept is None:
            return None
        then, until, account = kept
        if then != version or self._clock() >= until:
            del self._known[key]
            return None
        return account

    def _keep_known(self, key: bytes, version: int, account: Account) -> None:
        self._known[key] = version, self._clock() + KNOWN_SECONDS, account
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)


# --- listening -----------------------------------------------------------------------------------


def check_listening(host: str, accounts: Accounts, *, has_tls: bool) -> str | None:
    """Whether to listen on a host. Raises ConfigurationFault for one that others reach while the
    database has no users; the answer is a warning for people, or None."""
    if not _reaches_others(host):
        return None
    if not accounts.has_users:
        raise ConfigurationFault(
            f"{host} is reached from other machines, and this database has no users: anybody "
            "could do anything",
            hint="CREATE USER first (hql DB), or listen on 127.0.0.1",
        )
    if not has_tls:
        return f"{host} is reached from other machines without TLS: passwords travel as they are"
    return None


def _reaches_others(host: str) -> bool:
    """Whether any address of a host is not one of this machine's own."""
    import socket

    try:
        found = socket.getaddrinfo(
            host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as fault:
        raise ConfigurationFault(f"{host} is no address of this machine: {fault}") from fault
    return not all(is_loopback(str(address[0])) for *_, address in found)

"""The URL of a server: hql://[user[:password]@]host[:port]/[?branch=…&timeout=…], hqls://.

The second one is by TLS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hartonomous.hql.errors import InterfaceFault
from hartonomous.hql.frozen import frozen

PORT = 7433
_TRUTH = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}


def _truth(text: str) -> bool:
    return _TRUTH[text.lower()]


#: options that may stand behind `?`, and how they are read
OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "author": str,
    "autocommit": _truth,
    "branch": str,
    "ca_file": str,
    "connect_timeout": float,
    "memory": int,
    "read_only": _truth,
    "read_timeout": float,
    "reconnect": _truth,
    "timeout": float,
    "token": str,
}


@frozen
class Address:
    """Where a server is, and who comes to it. `options` are those behind `?`."""

    host: str
    port: int
    is_secure: bool
    user: str | None
    password: str | None
    options: Mapping[str, Any]

    def __str__(self) -> str:
        """The URL without what is secret."""
        user = "" if self.user is None else f"{self.user}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'hqls' if self.is_secure else 'hql'}://{user}{host}:{self.port}/"


def parse_address(url: str) -> Address:
    """Raises InterfaceFault, which does not repeat the URL: a password may stand in it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or PORT
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as fault:
        raise _wrong(f"the URL of a server cannot be read: {fault}") from fault
    if not host:
        raise _wrong("the URL of a server names no host")
    if parts.path not in ("", "/") or parts.fragment:
        raise _wrong("nothing stands behind the host in the URL of a server but options")
    return Address(
        host,
        port,
        parts.scheme == "hqls",
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
        {name: _option(name, value) for name, value in pairs},
    )


def _option(name: str, value: str) -> Any:
    if name not in OPTIONS:
        raise _wrong(f"a server's URL has no option {name!r}: {', '.join(OPTIONS)}")
    try:
        return OPTIONS[name](value)
    except (ValueError, KeyError):
        raise _wrong(f"the option {name} of a server's URL cannot be {value!r}") from None


def _wrong(why: str) -> InterfaceFault:
    return InterfaceFault(why, hint="hql://user:password@host:7433/?branch=main")

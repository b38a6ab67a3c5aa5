"""Who may knock: the headers Host, Origin and Sec-Fetch-Site of a request, WebSocket or plain.

A browser lets any page send requests to this machine's ports. What tells such a request from a
program's is what the page cannot forge:

- Origin is sent with every cross-origin POST and every WebSocket; one that is not on the allow list
  is refused on every path. By default the list is empty, so no page of any origin gets in.
- Host is the name that the page used. A name that an attacker's DNS server has just pointed at
  127.0.0.1 (DNS rebinding) makes the request same-origin, so only loopback names, configured ones
  and the very address that the connection came to are served: an address is no name that somebody
  could point elsewhere.
- Sec-Fetch-Site says that a picture, a script or a link of another site asks, which come without
  an Origin.

Everything is compared in one spelling (lower case, no trailing dot, default ports left out).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Protocol
from urllib.parse import urlsplit

from hartonomous.hql.errors import ConfigurationFault
from hartonomous.hql.frozen import frozen

#: longest Host and Origin that are looked at
HEADER_CHARACTERS_MAX = 1_024
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443}
#: headers that a proxy adds: who sent the request is not who opened the connection
FORWARDING = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


class Headers(Protocol):
    """The headers of a request, names without case."""

    def getall(self, key: str, default: list[str], /) -> list[str]: ...


@frozen
class Refusal:
    """Why a request goes no further: an HTTP status, and sentences for who sent it."""

    status: int
    detail: str
    hint: str | None = None


@frozen
class Doorkeeper:
    """The hosts and origins that are served beside loopback ones. Made by `doorkeeper`."""

    hosts: frozenset[str]
    origins: frozenset[str]

    def refusal(self, headers: Headers, came_to: str | None = None) -> Refusal | None:
        """What is wrong with a request's headers, None if it may come in. `came_to`: the address
        of this end of the connection."""
        hosts = headers.getall("Host", [])
        if len(hosts) != 1:
            return Refusal(400, "a request names its host once")
        host = host_of(hosts[0])
        if host is None or not (
            is_loopback_name(host) or host in self.hosts or _is_address(host, came_to)
        ):
            return Refusal(
                421,
                "this host is not served here",
                "hql serve --hosts NAME serves a name beside localhost",
            )
        origins = headers.getall("Origin", [])
        if origins:
            if len(origins) == 1 and origin_of(origins[0]) in self.origins:
                return None
            return Refusal(403, "this origin may not ask")
        if {"cross-site", "same-site"}.intersection(headers.getall("Sec-Fetch-Site", [])):
            return Refusal(403, "pages of other sites may not ask")
        return None


def doorkeeper(
    hosts: Iterable[str] = (), origins: Iterable[str] = (), *, listening_on: str | None = None
) -> Doorkeeper:
    """The doorkeeper of a configuration. `listening_on`: the name or address that was asked for; a
    wildcard (0.0.0.0) names no host. Raises ConfigurationFault for what is neither a host nor an
    origin."""
    names = set()
    for text in hosts:
        host = host_of(text)
        if host is None:
            raise ConfigurationFault(
                f"{text!r} is not a host name", hint="as in db.example.com or 192.168.1.20"
            )
        names.add(host)
    if listening_on is not None and not _is_wildcard(listening_on):
        listened = host_of(f"[{listening_on}]" if ":" in listening_on else listening_on)
        names |= {listened} if listened is not None else set()
    allowed = set()
    for text in origins:
        origin = origin_of(text)
        if origin is None:
            raise ConfigurationFault(
                f"{text!r} is not an origin",
                hint="scheme, host and port, as in https://app.example.com; no paths, no patterns",
            )
        allowed.add(origin)
    return Doorkeeper(frozenset(names), frozenset(allowed))


def host_of(text: str) -> str | None:
    """The host of a Host header or URL in its one spelling, without the port; None if it is none.
    An IPv6 address has no brackets."""
    match = _HOST.fullmatch(text) if len(text) <= HEADER_CHARACTERS_MAX else None
    if match is None or (match[2] is not None and int(match[2]) > 65_535):
        return None
    name = match[1]
    if name.startswith("["):
        try:
            return str(ipaddress.IPv6Address(name[1:-1]))
        except ValueError:
            return None
    return name.lower().removesuffix(".") or None


def is_loopback_name(host: str) -> bool:
    """Whether a host, as `host_of` gives it, can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(host: str, address: str | None) -> bool:
    """Whether a host, as `host_of` gives it, is that address, which is not a wildcard."""
    try:
        literal = ipaddress.ip_address(host)
        return literal == ipaddress.ip_address(address or "") and not literal.is_unspecified
    except ValueError:
        return False


def _is_wildcard(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return address == ""


def origin_of(text: str) -> str | None:
    """An Origin in its one spelling; None for `null` and for what is none."""
    if len(text) > HEADER_CHARACTERS_MAX or not text.isascii() or any(c <= " " for c in text):
        return None
    scheme, mark, rest = text.partition("://")
    host = host_of(rest)
    if not mark or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) or host is None:
        return None
    scheme = scheme.lower()
    port = urlsplit(text).port
    shown = f"[{host}]" if ":" in host else host
    is_usual = port is None or port == _PORTS.get(scheme)
    return f"{scheme}://{shown}" if is_usual else f"{scheme}://{shown}:{port}"


def cross_origin_headers(origin: str) -> dict[str, str]:
    """What an answer must say so that a page of an allowed origin may read it."""
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


def is_forwarded(headers: Headers) -> bool:
    """Whether a proxy passed the request on."""
    return any(headers.getall(name, []) for name in FORWARDING)

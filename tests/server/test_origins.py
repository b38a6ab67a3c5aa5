"""The doorkeeper: which Host and Origin come in."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from hartonomous.hql.errors import ConfigurationFault
from hartonomous.server.origins import doorkeeper, host_of, is_forwarded, origin_of

OURS = doorkeeper(
    ["db.example.com", "[2001:DB8::1]:7433"],
    ["https://App.example.com", "http://localhost:3000"],
    listening_on="192.168.1.20",
)


def status(keeper: object = OURS, **headers: str) -> int:
    """0: the request comes in."""
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    refusal = keeper.refusal(named)  # type: ignore[attr-defined]
    return 0 if refusal is None else refusal.status


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:7433",
        "localhost.",
        "127.0.0.1:7433",
        "127.9.9.9",
        "[::1]:7433",
        "[0:0:0:0:0:0:0:1]",
        "db.example.com",
        "DB.Example.com.:80",
        "[2001:db8:0::1]",
        "192.168.1.20:7433",
    ],
)
def test_hosts_that_are_served(host: str) -> None:
    assert status(Host=host) == 0


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:7433",
        "localhost@evil.example",
        "evil.example/localhost",
        "0.0.0.0:7433",
        "[::]:7433",
        "127.1",
        "2130706433",
        "0x7f000001",
        "localhost:99999",
        "localhost:7433:80",
        "local host",
        "",
        "[::1",
        "xn--localhost",
        "localhost\u0130",
        "a" * 2000,
    ],
)
def test_hosts_that_are_not(host: str) -> None:
    assert status(Host=host) == 421


def test_a_request_names_its_host_once() -> None:
    assert OURS.refusal(CIMultiDict()).status == 400  # type: ignore[union-attr]
    twice = CIMultiDict([("Host", "localhost"), ("Host", "evil.example")])
    assert OURS.refusal(twice).status == 400  # type: ignore[union-attr]


def test_a_wildcard_that_is_listened_on_is_no_host() -> None:
    assert status(doorkeeper(listening_on="0.0.0.0"), Host="0.0.0.0") == 421
    assert status(doorkeeper(listening_on="::"), Host="[::]") == 421
    assert status(doorkeeper(listening_on="fd00::7"), Host="[fd00::7]:7433") == 0


def test_the_address_that_a_connection_came_to() -> None:
    for host, address in (("10.0.0.7:7433", "10.0.0.7"), ("[fd00::7]", "fd00:0::7")):
        assert OURS.refusal(CIMultiDict({"Host": host}), address) is None
    for host, address in (("10.0.0.8", "10.0.0.7"), ("10.0.0.7", None), ("0.0.0.0", "0.0.0.0")):
        assert OURS.refusal(CIMultiDict({"Host": host}), address) is not None


@pytest.mark.parametrize(
    "origin",
    ["https://app.example.com", "HTTPS://APP.example.com:443", "http://localhost:3000"],
)
def test_origins_on_the_list(origin: str) -> None:
    assert status(Host="localhost", Origin=origin, Sec_Fetch_Site="cross-site") == 0


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "*",
        "http://app.example.com",
        "https://app.example.com:444",
        "https://app.example.com.evil.example",
        "https://evil.example",
        "http://localhost:7433",  # our own: no page is served from here
        "http://localhost",
        "https://app.example.com/",
        "https://evil@app.example.com",
        "https://app.example.com https://evil.example",
        "file://",
    ],
)
def test_any_other_origin_is_refused(origin: str) -> None:
    assert status(Host="localhost", Origin=origin) == 403


def test_two_origins_are_refused() -> None:
    two = CIMultiDict([("Host", "localhost"), *[("Origin", "https://app.example.com")] * 2])
    assert OURS.refusal(two).status == 403  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("site", "expected"), [("cross-site", 403), ("same-site", 403), ("same-origin", 0), ("none", 0)]
)
def test_pictures_and_links_of_other_sites_are_refused(site: str, expected: int) -> None:
    assert status(Host="localhost", Sec_Fetch_Site=site) == expected


@pytest.mark.parametrize("origin", ["*", "null", "https://*.example.com", "https://a/b", "a.com"])
def test_a_list_names_origins_and_no_patterns(origin: str) -> None:
    with pytest.raises(ConfigurationFault, match="is not an origin"):
        doorkeeper(origins=[origin])


def test_a_list_names_hosts() -> None:
    with pytest.raises(ConfigurationFault, match="is not a host name"):
        doorkeeper(["*.example.com"])


def test_one_spelling() -> None:
    assert host_of("[0:0::1]:80") == "::1"
    assert origin_of("http://[::1]:80") == "http://[::1]"
    assert origin_of("HTTP://A:8080") == "http://a:8080"


def test_a_proxy_says_so() -> None:
    assert is_forwarded(CIMultiDict({"x-forwarded-for": "10.0.0.1"}))
    assert not is_forwarded(CIMultiDict({"host": "localhost"}))

"""How often somebody may fail to log in: leaky buckets by peer and by name.

A bucket fills by one with every attempt and leaks at a steady rate; a full one refuses without
looking at the password. An attempt is charged before the password is looked at, so that many at
once are no way around, and given back when it succeeds. Names that do not exist are counted as
those that do, so that being refused says nothing.

Guessing one person's password from many places fills the bucket of the name. So that this does not
lock the person out, a place from which the name has logged in lately has a bucket of its own.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from hartonomous.hql.frozen import frozen

#: buckets kept: the one untouched for longest goes first
BUCKETS_MAX = 10_000
#: (peer, name) pairs remembered as good
GOOD_MAX = 10_000


@frozen
class Rate:
    """`burst` failures at once, and one more every `seconds`."""

    burst: int
    seconds: float


PEER = Rate(burst=20, seconds=3.0)
NAME = Rate(burst=10, seconds=6.0)


class Attempts:
    """Counts attempts to log in. On the event loop only."""

    def __init__(
        self,
        *,
        peer: Rate = PEER,
        name: Rate = NAME,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rates = {"peer": peer, "name": name, "pair": name}
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()
        self._good: OrderedDict[tuple[str, str], None] = OrderedDict()

    def charge(self, peer: str, name: str | None) -> float:
        """Counts an attempt; 0.0, or the seconds to wait, and then nothing is counted. `name` is
        None where none is given (tokens)."""
        keys = self._keys(peer, name)
        wait = max(self._wait(key) for key in keys)
        if wait == 0.0:
            for key in keys:
                self._add(key, 1.0)
        return wait

    def give_back(self, peer: str, name: str | None) -> None:
        """The attempt was a success (or nobody's fault)."""
        for key in self._keys(peer, name):
            self._add(key, -1.0)

    def note_success(self, peer: str, name: str | None) -> None:
        """Gives the charge back and remembers the place as one of the name's."""
        self.give_back(peer, name)
        if name is not None:
            self._good[place_of(peer), name] = None
            self._good.move_to_end((place_of(peer), name))
            if len(self._good) > GOOD_MAX:
                self._good.popitem(last=False)

    def _keys(self, peer: str, name: str | None) -> list[tuple[str, ...]]:
        place = place_of(peer)
        keys: list[tuple[str, ...]] = [("peer", place)]
        if name is not None:
            is_good = (place, name) in self._good
            keys.append(("pair", place, name) if is_good else ("name", name))
        return keys

    def _level(self, key: tuple[str, ...], now: float) -> float:
        level, then = self._buckets.get(key, (0.0, now))
        return max(0.0, level - (now - then) / self._rates[key[0]].seconds)

    def _wait(self, key: tuple[str, ...]) -> float:
        rate = self._rates[key[0]]
        over = self._level(key, self._clock()) + 1.0 - rate.burst
        return over * rate.seconds if over > 1e-9 else 0.0

    def _add(self, key: tuple[str, ...], amount: float) -> None:
        now = self._clock()
        level = max(0.0, self._level(key, now) + amount)
        self._buckets.pop(key, None)
        if level > 0.0:
            self._buckets[key] = level, now
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)


def place_of(peer: str) -> str:
    """What addresses are counted as one: an IPv6 network of 64 bits is one customer's."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return peer


def whole_seconds(wait: float) -> int:
    """A wait as Retry-After says it: at least a second."""
    return max(1, math.ceil(wait))

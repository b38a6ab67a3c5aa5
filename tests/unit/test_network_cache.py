"""The cache of loaded networks: by content, bounded, one loading at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hartonomous.hql.models.inference.cache import NetworkCache


def test_the_least_recently_used_goes_first() -> None:
    cache = NetworkCache(100)
    for key in "abc":
        assert cache.get(key, lambda key=key: (key.upper(), 40)) == (key.upper(), False)
        cache.get("a", lambda: ("again", 40))
    assert cache.bytes == 80
    assert cache.get("a", lambda: ("again", 40)) == ("A", True)
    assert cache.get("c", lambda: ("again", 40)) == ("C", True)
    assert cache.get("b", lambda: ("again", 40)) == ("again", False)
    assert (cache.hits, cache.misses) == (5, 4)


def test_what_is_too_large_is_used_and_not_kept() -> None:
    cache = NetworkCache(100)
    cache.get("small", lambda: ("small", 100))
    assert cache.get("large", lambda: ("large", 101)) == ("large", False)
    assert cache.get("small", lambda: ("again", 100)) == ("small", True)


def test_two_threads_load_once() -> None:
    cache, begun, loads = NetworkCache(100), threading.Barrier(4), []

    def load() -> tuple[object, int]:
        loads.append(1)
        return object(), 1

    def ask(_: int) -> tuple[object, bool]:
        begun.wait()
        return cache.get("a", load)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, range(4)))
    assert len(loads) == 1 and len({id(network) for network, _ in found}) == 1
    assert sorted(hit for _, hit in found) == [False, True, True, True]


def test_a_failed_loading_may_be_tried_again() -> None:
    cache = NetworkCache(100)

    def fail() -> tuple[object, int]:
        raise MemoryError

    with pytest.raises(MemoryError):
        cache.get("a", fail)
    assert cache.get("a", lambda: ("made", 1)) == ("made", False)
    assert cache.get("a", fail) == ("made", True)

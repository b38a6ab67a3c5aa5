"""How often somebody may fail to log in."""

from __future__ import annotations

from hartonomous.server.attempts import Attempts, Rate, place_of


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def made(**rates: Rate) -> tuple[Attempts, Clock]:
    clock = Clock()
    defaults = {"peer": Rate(20, 3.0), "name": Rate(3, 6.0)}
    return Attempts(**(defaults | rates), clock=clock), clock


def fail(attempts: Attempts, peer: str, name: str | None) -> bool:
    """Whether the attempt was let through."""
    return attempts.charge(peer, name) == 0.0


def test_a_name_is_refused_after_failures_and_again_let_in_later() -> None:
    attempts, clock = made()
    assert [fail(attempts, f"10.0.0.{i}", "anna") for i in range(5)] == [True] * 3 + [False] * 2
    assert attempts.charge("10.0.0.9", "anna") == 6.0
    assert fail(attempts, "10.0.0.9", "berta")
    clock.now += 5.9
    assert not fail(attempts, "10.0.0.9", "anna")
    clock.now += 0.1
    assert fail(attempts, "10.0.0.9", "anna")
    assert not fail(attempts, "10.0.0.9", "anna")


def test_a_place_is_refused_whatever_names_it_tries() -> None:
    attempts, _ = made(peer=Rate(4, 3.0))
    assert [fail(attempts, "10.0.0.1", f"u{i}") for i in range(6)] == [True] * 4 + [False] * 2
    assert not fail(attempts, "10.0.0.1", None)
    assert fail(attempts, "10.0.0.2", None)


def test_success_costs_nothing() -> None:
    attempts, _ = made()
    for _ in range(50):
        assert fail(attempts, "10.0.0.1", "anna")
        attempts.note_success("10.0.0.1", "anna")
    assert attempts._buckets == {}


def test_many_at_once_are_no_way_around() -> None:
    attempts, _ = made()
    begun = [fail(attempts, "10.0.0.1", "anna") for _ in range(10)]
    assert begun.count(True) == 3


def test_who_guesses_a_name_does_not_lock_its_owner_out() -> None:
    attempts, _ = made()
    assert fail(attempts, "10.0.0.1", "anna")
    attempts.note_success("10.0.0.1", "anna")
    while fail(attempts, "10.9.9.9", "anna"):
        pass
    assert not fail(attempts, "10.8.8.8", "anna")
    assert fail(attempts, "10.0.0.1", "anna")
    # but from there too there is an end
    assert [fail(attempts, "10.0.0.1", "anna") for _ in range(3)] == [True, True, False]


def test_a_network_of_ipv6_is_one_place() -> None:
    assert place_of("2001:db8::1") == place_of("2001:db8::ffff:1") != place_of("2001:db8:0:1::1")
    assert place_of("::ffff:10.0.0.1") == "10.0.0.1"
    assert place_of("unix") == "unix"


def test_what_is_remembered_is_bounded() -> None:
    attempts, _ = made()
    for i in range(10_050):
        attempts.charge(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", None)
    assert len(attempts._buckets) == 10_000

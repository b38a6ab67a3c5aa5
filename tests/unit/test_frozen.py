"""@frozen classes behave as frozen dataclasses with slots do."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from hartonomous.hql.frozen import frozen


@frozen(kw_only=True)
class Base:
    """Has a place that does not count."""

    place: int = field(default=0, compare=False, repr=False)


@frozen
class Point(Base):
    """Two numbers."""

    x: int
    y: int = 2
    kind: ClassVar[str] = "point"

    def __post_init__(self) -> None:
        assert self.x < 100


@frozen
class Labelled(Point):
    """A point with names."""

    names: list[str] = field(default_factory=list)
    fixed: str = field(default="f", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainBase:
    place: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PlainPoint(PlainBase):
    x: int
    y: int = 2


def test_construction() -> None:
    assert (Point(1).x, Point(1).y, Point(1).place) == (1, 2, 0)
    point = Point(1, 3, place=7)
    assert (point.x, point.y, point.place, point.kind) == (1, 3, 7, "point")
    assert Labelled(1, names=["a"]).names == ["a"]
    assert Labelled(1).names is not Labelled(1).names
    assert Labelled(1).fixed == "f"


@pytest.mark.parametrize("wrong", [{}, {"x": 1, "z": 2}, {"x": 1, "fixed": "g"}])
def test_wrong_arguments(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Labelled(**wrong)
    with pytest.raises(TypeError):
        Point(1, 2, 3)  # type: ignore[misc]


def test_post_init_runs() -> None:
    with pytest.raises(AssertionError):
        Point(100)


def test_equality_hash_and_text_leave_out_what_they_should() -> None:
    assert Point(1, place=1) == Point(1, 2, place=2)
    assert hash(Point(1, place=1)) == hash(Point(1, place=2))
    assert Point(1) != Point(2) and Point(1) != Labelled(1) and Point(1) != (1, 2)
    assert repr(Point(1, place=1)) == "Point(x=1, y=2)"
    assert repr(PlainPoint(1)) == "PlainPoint(x=1, y=2)"


def test_nothing_can_be_changed_or_added() -> None:
    point: Any = Point(1)
    for change in (lambda: setattr(point, "x", 2), lambda: setattr(point, "z", 2)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()
    with pytest.raises(dataclasses.FrozenInstanceError):
        del point.x
    assert not hasattr(point, "__dict__")


def test_the_tools_of_dataclasses_work() -> None:
    assert dataclasses.is_dataclass(Point)
    names = [f.name for f in dataclasses.fields(Point)]
    assert names == [f.name for f in dataclasses.fields(PlainPoint)] == ["place", "x", "y"]
    assert dataclasses.replace(Point(1, place=5), y=9) == Point(1, 9)
    assert dataclasses.replace(Point(1, place=5), y=9).place == 5
    assert dataclasses.asdict(Point(1)) == {"place": 0, "x": 1, "y": 2}
    assert Point.__match_args__ == PlainPoint.__match_args__ == ("x", "y")  # type: ignore[attr-defined]
    match Point(1, 5):
        case Point(x, y):
            assert (x, y) == (1, 5)


def test_copies() -> None:
    point = Labelled(1, 2, ["a"], place=3)
    for again in (copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert again == point and again.place == 3


def test_a_class_without_fields_of_its_own() -> None:
    @frozen
    class Nothing(Base):
        """Only the place."""

    assert Nothing() == Nothing(place=1) and repr(Nothing()).endswith("Nothing()")

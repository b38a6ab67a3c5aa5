"""MERGE against a model: each pair of rows, and each row alone, meets the first WHEN that holds."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous import hql
from hartonomous.hql.errors import ExecutionFault
from hartonomous.storage.errors import ConstraintFault

Rows = dict[int, int]  # by key
Done = tuple[str, int | None, int | None]
KEYS = st.integers(0, 6)


@dataclass(frozen=True)
class When:
    """A WHEN: its kind, its AND (an operator and a bound, over the side that is there), its action
    with an amount."""

    match: str
    bound: tuple[str, int] | None
    action: str
    amount: int

    def holds(self, value: int) -> bool:
        if self.bound is None:
            return True
        op, bound = self.bound
        return {"<": value < bound, ">": value > bound, "=": value == bound}[op]

    def __str__(self) -> str:
        side = "s.v" if self.match == "NOT MATCHED" else "t.v"
        test = "" if self.bound is None else f" AND {side} {self.bound[0]} {self.bound[1]}"
        match self.action:
            case "INSERT":
                then = f"INSERT VALUES (s.k + {self.amount}, s.v)"
            case "UPDATE":
                then = f"UPDATE SET v = t.v + {self.amount}"
            case "MOVE":
                then = f"UPDATE SET k = t.k + {self.amount}"
            case _:
                then = "DELETE"
        return f"WHEN {self.match}{test} THEN {then}"


class Refused(Exception):
    pass


def merge(
    target: Rows, source: list[tuple[int, int]], whens: list[When]
) -> tuple[Rows, list[Done]]:
    """What the target becomes, and (action, key before, key after) of each row."""
    done: list[Done] = []
    changed: set[int] = set()
    gone: set[int] = set()
    new: list[tuple[int, int]] = []
    pairs = [("MATCHED", k, v) if k in target else ("NOT MATCHED", k, v) for k, v in source]
    known = {k for k, _ in source}
    pairs += [("NOT MATCHED BY SOURCE", k, 0) for k in target if k not in known]
    for kind, key, value in pairs:
        seen = value if kind == "NOT MATCHED" else target[key]
        when = next((w for w in whens if w.match == kind and w.holds(seen)), None)
        if when is None:
            continue
        if when.action == "INSERT":
            new.append((key + when.amount, value))
            done.append(("INSERT", None, key + when.amount))
            continue
        if key in changed:
            raise Refused
        changed.add(key)
        gone.add(key)
        if when.action == "DELETE":
            done.append(("DELETE", key, None))
            continue
        moved = (key + when.amount, seen) if when.action == "MOVE" else (key, seen + when.amount)
        new.append(moved)
        done.append(("UPDATE", key, moved[0]))
    rows = [(k, v) for k, v in target.items() if k not in gone] + new
    if len({k for k, _ in rows}) < len(rows):
        raise Refused
    return dict(rows), done


_bounds = st.one_of(st.none(), st.tuples(st.sampled_from("<>="), st.integers(0, 5)))
_whens = st.lists(
    st.one_of(
        st.builds(
            When,
            st.sampled_from(["MATCHED", "NOT MATCHED BY SOURCE"]),
            _bounds,
            st.sampled_from(["UPDATE", "MOVE", "DELETE"]),
            st.integers(0, 3),
        ),
        st.builds(When, st.just("NOT MATCHED"), _bounds, st.just("INSERT"), st.integers(0, 3)),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=30)
@given(
    st.dictionaries(KEYS, st.integers(0, 5), max_size=5),
    st.lists(st.tuples(KEYS, st.integers(0, 5)), max_size=5),
    _whens,
)
def test_merge_is_as_the_model_says(
    target: Rows, source: list[tuple[int, int]], whens: list[When]
) -> None:
    ended: set[str] = set()
    kept = []
    for when in whens:  # those that can hold
        if when.match not in ended:
            kept.append(when)
        if when.bound is None:
            ended.add(when.match)
    with hql.connect(":memory:") as db:
        db.execute("CREATE TABLE t (k INT PRIMARY KEY, v INT); CREATE TABLE s (k INT, v INT)")
        for name, rows in (("t", list(target.items())), ("s", source)):
            if rows:
                db.cursor().executemany(f"INSERT INTO {name} VALUES (?, ?)", rows)
        text = f"MERGE t USING s ON s.k = t.k {' '.join(map(str, kept))}"
        text += " OUTPUT $action, deleted.k, inserted.k"
        try:
            wanted, done = merge(target, source, kept)
        except Refused:
            with pytest.raises((ConstraintFault, ExecutionFault)):
                db.execute(text)
            wanted = target
        else:
            found = db.execute(text).fetchall()
            assert sorted(found, key=str) == sorted(done, key=str), text
        assert dict(db.execute("SELECT k, v FROM t").fetchall()) == wanted, text

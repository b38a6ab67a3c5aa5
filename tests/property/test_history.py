"""Random histories on three branches against a model that keeps every state: AS OF, DIFF COMMIT,
MERGE BRANCH and REVERT COMMIT do what comparing whole states says.

Table `k` has a primary key; `n` has none, and its column `a` names a row, which is never inserted
twice, so that in both a row is what has the same `a`.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hartonomous import hql
from hartonomous.hql.errors import HistoryFault

BRANCHES = ("main", "x", "y")
TABLES = ("k", "n")
State = dict[tuple[str, int], tuple[int, int]]  # (table, a) -> (b, when it was written)


@dataclass
class Model:
    """Every commit's state, and its ancestors."""

    db: hql.Connection | Any
    states: dict[int, State] = field(default_factory=lambda: {0: {}})
    ancestors: dict[int, set[int]] = field(default_factory=lambda: {0: {0}})
    heads: dict[str, int] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)
    hashes: dict[int, str] = field(default_factory=dict)
    writes: int = 0
    names: int = 0

    def begin(self) -> None:
        self.db.execute("CREATE TABLE k (a INT PRIMARY KEY, b INT); CREATE TABLE n (a INT, b INT)")
        self.lines["main"] = []
        self.heads["main"] = 0
        self.note("main", {})
        for branch in BRANCHES[1:]:
            self.db.execute(f"CREATE BRANCH {branch}")
            self.heads[branch] = self.heads["main"]
            self.lines[branch] = list(self.lines["main"])

    def use(self, branch: str) -> None:
        self.db.execute(f"USE BRANCH {branch}")

    def note(self, branch: str, state: State, merged: int | None = None) -> None:
        """A statement may have made a commit."""
        found = self.db.execute("SELECT TOP (1) Sequence, Hash FROM Commits ORDER BY Sequence DESC")
        sequence, hashed = found.fetchall()[0]
        before = self.heads[branch]
        if sequence == before:
            assert values(state) == values(self.states[before])
            return
        self.states[sequence] = state
        self.hashes[sequence] = hashed.hex()
        self.ancestors[sequence] = self.ancestors[before] | {sequence}
        if merged is not None:
            self.ancestors[sequence] |= self.ancestors[merged]
        self.heads[branch] = sequence
        self.lines[branch].append(sequence)

    def write(self, branch: str, changes: list[tuple[str, str, int, int]]) -> None:
        """One transaction of puts and deletes."""
        state = dict(self.states[self.heads[branch]])
        self.use(branch)
        self.db.execute("BEGIN TRAN")
        for verb, table, a, b in changes:
            if verb == "delete":
                self.db.execute(f"DELETE FROM {table} WHERE a = {a}")
                state.pop((table, a), None)
                continue
            self.writes += 1
            if (table, a) in state:
                self.db.execute(f"UPDATE {table} SET b = {b} WHERE a = {a}")
            else:
                if table == "n":
                    self.names += 1
                    a = 100 + self.names
                self.db.execute(f"INSERT INTO {table} VALUES ({a}, {b})")
            state[table, a] = b, self.writes
        self.db.execute("COMMIT")
        self.note(branch, state)

    def merge(self, branch: str, other: str, take: str) -> None:
        ours, theirs = self.heads[branch], self.heads[other]
        ancestor = max(self.ancestors[ours] & self.ancestors[theirs])
        base = self.states[ancestor]
        state, conflicts = merged(
            values(base), self.states[ours], self.states[theirs], take, self.writes
        )
        self.writes += 1
        self.use(branch)
        if conflicts and not take:
            with pytest.raises(HistoryFault) as caught:
                self.db.execute(f"MERGE BRANCH {other}")
            assert caught.value.code == "MERGE_CONFLICT" and caught.value.rows is not None
            rows = caught.value.rows.to_pylist()
            assert len(rows) == len(conflicts)
            shown = {(r["TableName"], key_of(r)): r for r in rows}
            for (table, a), versions in conflicts.items():
                found = shown[table, a]
                names = ("BaseJson", "OursJson", "TheirsJson")
                assert tuple(b_of(found[n]) for n in names) == versions
            self.note(branch, self.states[ours])
            return
        self.db.execute(f"MERGE BRANCH {other} {take}")
        is_done = theirs in self.ancestors[ours]
        self.note(branch, state, None if is_done else theirs)

    def revert(self, branch: str, commit: int) -> None:
        line = self.lines[branch]
        before = self.states[line[line.index(commit) - 1]]
        after, now = self.states[commit], dict(self.states[self.heads[branch]])
        changed = differing(before, after)
        kept = all(now.get(k) == after.get(k) for k in changed)
        self.use(branch)
        text = f"REVERT COMMIT '{self.hashes[commit]}'"
        if not kept:
            with pytest.raises(hql.Error) as caught:
                self.db.execute(text)
            assert caught.value.code in ("REVERT_CONFLICT", "UNIQUE_VIOLATION")
            return
        self.db.execute(text)
        self.writes += 1
        for key in changed:
            now.pop(key, None)
            if key in before:
                now[key] = before[key][0], self.writes
        self.note(branch, now)

    def check(self, branch: str, one: int, other: int) -> None:
        """AS OF and DIFF of two commits, from any branch."""
        self.use(branch)
        for commit in (one, other):
            moment = f"FOR SYSTEM_TIME AS OF COMMIT '{self.hashes[commit]}'"
            assert rows_of(self.db, moment) == values(self.states[commit])
        text = f"DIFF COMMIT '{self.hashes[one]}', '{self.hashes[other]}'"
        before, after = self.states[one], self.states[other]
        found = {}
        for table, change, _, _, old, new in self.db.execute(text).fetchall():
            key = (table, json.loads(new if new is not None else old)["a"])
            assert key not in found, "a row is named once"
            found[key] = change, b_of(old), b_of(new)
        assert found == {
            k: (verb_of(k, before, after), b_in(before, k), b_in(after, k))
            for k in differing(before, after)
        }

    def check_heads(self) -> None:
        for branch, head in self.heads.items():
            self.use(branch)
            assert rows_of(self.db, "") == values(self.states[head])


def merged(
    base: dict[tuple[str, int], int], ours: State, theirs: State, take: str, writes: int
) -> tuple[State, dict[tuple[str, int], tuple[int | None, int | None, int | None]]]:
    state, conflicts = dict(ours), {}
    for key in sorted(base.keys() | ours.keys() | theirs.keys()):
        b, o, t = base.get(key), b_in(ours, key), b_in(theirs, key)
        if t in (b, o):
            continue
        if o != b:
            conflicts[key] = b, o, t
            if take != "TAKE THEIRS":
                continue
        state.pop(key, None)
        if t is not None:
            state[key] = t, writes + 1
    return state, conflicts


def values(state: State) -> dict[tuple[str, int], int]:
    return {k: b for k, (b, _) in state.items()}


def b_in(state: State, key: tuple[str, int]) -> int | None:
    return state[key][0] if key in state else None


def differing(one: State, other: State) -> list[tuple[str, int]]:
    return [k for k in sorted(one.keys() | other.keys()) if b_in(one, k) != b_in(other, k)]


def verb_of(key: tuple[str, int], before: State, after: State) -> str:
    return "insert" if key not in before else "delete" if key not in after else "update"


def b_of(text: str | None) -> int | None:
    return None if text is None else int(json.loads(text)["b"])


def key_of(row: dict[str, Any]) -> int:
    texts = (row["BaseJson"], row["OursJson"], row["TheirsJson"])
    return int(next(json.loads(t)["a"] for t in texts if t is not None))


def rows_of(db: Any, moment: str) -> dict[tuple[str, int], int]:
    found = {}
    for table in TABLES:
        for a, b in db.execute(f"SELECT a, b FROM {table} {moment}").fetchall():
            found[table, a] = b
    return found


changes = st.lists(
    st.tuples(
        st.sampled_from(("put", "put", "delete")),
        st.sampled_from(TABLES),
        st.integers(0, 3) | st.integers(101, 104),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=3,
)
branches = st.sampled_from(BRANCHES)
numbers = st.integers(0, 30)
steps = st.one_of(
    st.tuples(st.just("write"), branches, changes),
    st.tuples(st.just("write"), branches, changes),
    st.tuples(
        st.just("merge"),
        st.permutations(BRANCHES),
        st.sampled_from(("", "TAKE OURS", "TAKE THEIRS")),
    ),
    st.tuples(st.just("revert"), branches, numbers),
    st.tuples(st.just("check"), branches, st.tuples(numbers, numbers)),
)


def play(history: list[Any], db: Any) -> Model:
    model = Model(db)
    model.begin()
    go_on(model, history)
    return model


def go_on(model: Model, history: list[Any]) -> None:
    for what, where, details in history:
        if what == "write":
            model.write(
                where, [(v, t, a if t == "n" or a < 100 else a - 100, b) for v, t, a, b in details]
            )
        elif what == "merge":
            model.merge(where[0], where[1], details)
        elif what == "revert":
            line = model.lines[where]
            if len(line) > 1:
                model.revert(where, line[1 + details % (len(line) - 1)])
        else:
            known = sorted(model.hashes)
            model.check(where, *(known[n % len(known)] for n in details))
        model.check_heads()


#: equal rows that two branches inserted have different ids
EQUAL_ROWS = [
    ("write", "main", [("put", "k", 2, 0)]),
    ("write", "x", [("put", "k", 2, 0)]),
    ("merge", ["main", "x", "y"], ""),
    ("write", "x", [("put", "k", 2, 2)]),
    ("merge", ["main", "x", "y"], ""),
]


@settings(max_examples=5, deadline=None)
@given(st.lists(steps, min_size=6, max_size=14))
@example(EQUAL_ROWS)
def test_histories_in_memory(history: list[Any]) -> None:
    with hql.connect() as db:
        play(history, db)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=8, max_size=25), st.integers(0, 24))
def test_long_histories_in_a_folder(history: list[Any], until: int) -> None:
    """In the middle the database is closed, which writes a checkpoint, and opened again."""
    with tempfile.TemporaryDirectory() as root:
        path = Path(root) / "h.hdb"
        with hql.connect(path) as db:
            model = play(history[:until], db)
        with hql.connect(path) as db:
            model.db = db
            model.check_heads()
            go_on(model, history[until:])
            assert db.execute("VERIFY DATABASE").fetchall() == []

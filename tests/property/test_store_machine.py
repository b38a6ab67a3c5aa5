"""The store as a state machine against a dict: whatever is done in whatever order, on any branch,
every view holds exactly the rows it should, conflicts are raised exactly when they should be, old
snapshots do not move, every commit can be seen again, and what a crash would leave on disk opens
with the same rows and verifies.
"""

from __future__ import annotations

import copy
import itertools
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from soak import TIMES
from store_model import (
    Branch,
    Held,
    Model,
    Open,
    Row,
    Table,
    arrow,
    key,
    rows_of,
    table_entry,
)

from hartonomous.storage import load, prepare
from hartonomous.storage.database import Database
from hartonomous.storage.errors import AlreadyExists, Conflict, ConstraintFault, HistoryGone
from hartonomous.storage.state import Snapshot
from hartonomous.storage.table import TableView

KEYS = st.integers(0, 40)
TEXTS = st.one_of(st.none(), st.text("ab€", max_size=10))
NAMES = st.sampled_from(["t", "t", "t", "u"])
BRANCHES = st.sampled_from(["a", "b"])
THEN = st.booleans()  # commit at once, or leave the transaction open


class Store(RuleBasedStateMachine):
    """Three sessions on one database, each on a branch."""

    in_memory = False

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")  # what is tested here is logic, not the device
        parent = memory if memory.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="store-machine-", dir=parent))
        self.numbers = itertools.count(1)
        self.sequence = self.horizon = 0
        self.branches = {"main": Branch(0, {}, 0)}
        self.on = {0: "main", 1: "main", 2: "main"}
        #: what each commit left, and where it was made
        self.history: dict[int, tuple[Model, Branch]] = {}
        self.open: dict[int, Open] = {}
        self.held: list[tuple[Snapshot, Model]] = []
        self.db: Database | None = None
        self.reader: Database | None = None

    @initialize(start=st.sampled_from([0, 5, 20, 100]))
    def begin_store(self, start: int) -> None:
        self.db = Database.open(None if self.in_memory else self.folder / "db")
        self.create(0, "t")
        self.add(0, "t", [(i, None, 0) for i in range(start)])
        self.commit(0)

    @property
    def database(self) -> Database:
        assert self.db is not None
        return self.db

    def teardown(self) -> None:
        try:
            if self.db is not None:
                self.check_held()
                assert self.db.verify() == []
                if not self.in_memory:
                    self.crash()
                if self.reader is not None:
                    self.check_branches(self.reader)
                    self.reader.close()
                self.db.close()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- the model

    def session(self, number: int) -> Open:
        if number not in self.open:
            name = self.on[number]
            branch = self.branches[name]
            self.open[number] = Open(
                self.database.begin(branch=name),
                copy.deepcopy(branch.head),
                branch.sequence,
                copy.deepcopy(branch.head),
                name,
                branch.number,
            )
        return self.open[number]

    def changes(self, session: Open, name: str) -> tuple[set[int], list[Held]]:
        """(rows of the base that are gone or changed, own rows) of a table of both."""
        base, now = session.base.get(name), session.now[name]
        before = base.rows if base is not None and base.token == now.token else {}
        gone = {n for n, h in before.items() if n not in now.rows or now.rows[n].birth == 0}
        return gone, [h for h in now.rows.values() if h.birth == 0]

    def expects_conflict(self, session: Open) -> bool:
        branch = self.branches.get(session.branch)
        if branch is None or branch.number != session.number:
            return True  # it was dropped, and maybe made again under its name
        now = branch.head
        for name, table in session.base.items():
            mine = session.now.get(name)
            if mine is not None and mine.token == table.token:
                continue
            head = now.get(name)  # it was dropped
            if head is None or head.token != table.token or head.changed > session.sequence:
                return True
        for name, table in session.now.items():
            base, head = session.base.get(name), now.get(name)
            if base is None or base.token != table.token:  # it was created
                if head is not None and (base is None or head.token != base.token):
                    return True
                continue
            gone, own = self.changes(session, name)
            if not gone and not own:
                continue
            if head is None or head.token != table.token:
                return True
            if any(n not in head.rows or head.rows[n].birth > session.sequence for n in gone):
                return True
            fresh = Table(0, 0, {n: h for n, h in head.rows.items() if h.birth > session.sequence})
            if any(fresh.collides(h.row) for h in own):
                return True
        return False

    def has_changes(self, session: Open) -> bool:
        if {n: t.token for n, t in session.base.items()} != {
            n: t.token for n, t in session.now.items()
        }:
            return True
        return any(any(self.changes(session, n)) for n in session.now)

    def merge(self, session: Open) -> None:
        """The head after the session's commit."""
        self.sequence += 1
        branch = self.branches[session.branch]
        branch.sequence, head = self.sequence, branch.head
        for name, table in list(session.base.items()):
            mine = session.now.get(name)
            if mine is None or mine.token != table.token:
                del head[name]
        for name, table in session.now.items():
            base = session.base.get(name)
            if base is None or base.token != table.token:
                head[name] = Table(table.token, 0)
            gone, own = self.changes(session, name)
            target = head.get(name)
            if target is None or not (gone or own):
                continue
            for number in gone:
                target.rows.pop(number, None)
            for number, held in table.rows.items():
                if held.birth == 0:
                    target.rows[number] = Held(held.row, self.sequence)
            target.changed = self.sequence
        self.history[self.sequence] = copy.deepcopy(head), branch

    def view(self, session: Open, name: str) -> TableView:
        entry = session.transaction.catalog.get("dbo", name)
        return session.transaction.view(entry.id)

    # --- rules

    @rule(who=st.integers(0, 2), name=NAMES)
    def create(self, who: int, name: str) -> None:
        session = self.session(who)
        if name in session.now:
            with pytest.raises(AlreadyExists):
                session.transaction.create(table_entry(name))
        else:
            session.transaction.create(table_entry(name))
            session.now[name] = Table(next(self.numbers), 0)

    @rule(who=st.integers(0, 2), name=NAMES)
    def drop(self, who: int, name: str) -> None:
        session = self.session(who)
        if name in session.now and who == 0:  # seldom enough for tables to live
            session.transaction.drop(session.transaction.catalog.get("dbo", name))
            del session.now[name]

    @rule(
        who=st.integers(0, 2),
        name=NAMES,
        rows=st.lists(st.tuples(KEYS, TEXTS, st.none() | st.integers(-5, 5)), max_size=6),
        then=THEN,
    )
    def insert(self, who: int, name: str, rows: list[Row], then: bool) -> None:
        self.add(who, name, rows)
        self.maybe_commit(who, then)

    @rule(
        who=st.integers(0, 2),
        name=NAMES,
        start=st.integers(41, 3000),
        n=st.integers(64, 150),
        then=THEN,
    )
    def insert_many(self, who: int, name: str, start: int, n: int, then: bool) -> None:
        self.add(who, name, [(start + i, None, i % 7) for i in range(n)])
        self.maybe_commit(who, then)

    @rule(who=st.integers(0, 2), start=st.integers(3001, 9000), n=st.integers(2, 20))
    def insert_one_by_one(self, who: int, start: int, n: int) -> None:
        for i in range(n):
            self.add(who, "t", [(start + i, None, i)])
            self.commit(who)

    def maybe_commit(self, who: int, then: bool) -> None:
        if then:
            self.commit(who)

    def add(self, who: int, name: str, rows: list[Row]) -> None:
        session = self.session(who)
        if name not in session.now:
            return
        table, entry = session.now[name], session.transaction.catalog.get("dbo", name)
        after = copy.deepcopy(table)
        collides = False
        for row in rows:
            collides |= after.collides(row)
            after.rows[next(self.numbers)] = Held(row)
        batch = arrow(rows) if rows else arrow([(0, None, None)]).slice(0, 0)
        if collides:
            with pytest.raises(ConstraintFault) as fault:
                session.transaction.insert(entry.id, batch)
            assert fault.value.code == "UNIQUE_VIOLATION"
        else:
            assert session.transaction.insert(entry.id, batch) == len(rows)
            session.now[name] = after
        self.check_view(session, name)

    @rule(
        who=st.integers(0, 2),
        name=NAMES,
        picks=st.lists(st.integers(0, 10**6), max_size=4),
        then=THEN,
    )
    def delete(self, who: int, name: str, picks: list[int], then: bool) -> None:
        session = self.session(who)
        if name not in session.now:
            return
        view = self.view(session, name)
        found = view.scan(["id"], address=True).table
        if not len(found):
            return
        chosen = sorted({p % len(found) for p in picks})
        addresses = found["__address"].to_numpy()[chosen]
        keys = {found["id"][i].as_py() for i in chosen}
        assert session.transaction.delete(view.table.id, np.repeat(addresses, 2)) == len(chosen)
        rows = session.now[name].rows
        for number in [n for n, h in rows.items() if h.row[0] in keys]:
            del rows[number]
        self.check_view(session, name)
        self.maybe_commit(who, then)

    @rule(
        who=st.integers(0, 2),
        name=NAMES,
        picks=st.lists(st.integers(0, 10**6), max_size=4),
        shift=st.integers(-2, 2),
        text=TEXTS,
        value=st.integers(-5, 5),
        then=THEN,
    )
    def update(
        self,
        who: int,
        name: str,
        picks: list[int],
        shift: int,
        text: str | None,
        value: int,
        then: bool,
    ) -> None:
        session = self.session(who)
        if name not in session.now:
            return
        view = self.view(session, name)
        found = view.scan(["id"], address=True).table
        if not len(found):
            return
        chosen = list(dict.fromkeys(p % len(found) for p in picks))
        if not chosen:
            return
        rows = session.now[name].rows
        by_key = {h.row[0]: n for n, h in rows.items()}
        numbers = [by_key[found["id"][i].as_py()] for i in chosen]
        new = [(rows[n].row[0] + shift, text, value) for n in numbers]
        after = copy.deepcopy(session.now[name])
        for number in numbers:
            del after.rows[number]
        collides = False
        for number, row in zip(numbers, new, strict=True):
            collides |= after.collides(row)
            after.rows[number] = Held(row)
        addresses = found["__address"].to_numpy()[chosen]
        if collides:
            with pytest.raises(ConstraintFault) as fault:
                session.transaction.update(view.table.id, addresses, arrow(new))
            assert fault.value.code == "UNIQUE_VIOLATION"
        else:
            assert session.transaction.update(view.table.id, addresses, arrow(new)) == len(new)
            session.now[name] = after
        self.check_view(session, name)
        self.maybe_commit(who, then)

    @rule(who=st.integers(0, 2), name=NAMES, value=st.integers(6, 9), then=THEN)
    def update_all(self, who: int, name: str, value: int, then: bool) -> None:
        """Every row at once: with many, a segment that keeps their ids."""
        session = self.session(who)
        if name not in session.now or not session.now[name].rows:
            return
        view = self.view(session, name)
        found = view.scan(["id", "name"], address=True).table
        new = [
            (i, n, value)
            for i, n in zip(*(found[c].to_pylist() for c in ("id", "name")), strict=True)
        ]
        session.transaction.update(view.table.id, found["__address"].to_numpy(), arrow(new))
        for number, held in session.now[name].rows.items():
            session.now[name].rows[number] = Held((*held.row[:2], value))
        self.check_view(session, name)
        self.maybe_commit(who, then)

    @rule(who=st.integers(0, 2), name=NAMES, really=st.integers(0, 3))
    def truncate(self, who: int, name: str, really: int) -> None:
        session = self.session(who)
        if name in session.now and really == 0:
            view = self.view(session, name)
            assert session.transaction.truncate(view.table.id) == view.row_count
            session.now[name].rows.clear()
            self.check_view(session, name)

    @rule(who=st.integers(0, 2))
    def savepoint(self, who: int) -> None:
        session = self.session(who)
        session.savepoint = session.transaction.savepoint(), copy.deepcopy(session.now)

    @rule(who=st.integers(0, 2))
    def rollback_to(self, who: int) -> None:
        session = self.session(who)
        if session.savepoint is not None:
            saved, model = session.savepoint
            session.transaction.rollback_to(saved)
            session.now = copy.deepcopy(model)
            for name in session.now:
                self.check_view(session, name)

    @rule(who=st.integers(0, 2))
    def rollback(self, who: int) -> None:
        if who in self.open:
            self.open.pop(who).transaction.rollback()

    @rule(who=st.integers(0, 2))
    def commit_now(self, who: int) -> None:
        self.commit(who)

    def commit(self, who: int) -> None:
        session = self.open.pop(who, None)
        if session is None:
            return
        if not self.has_changes(session):
            info = session.transaction.commit(statement="nothing", author="test")
            assert info is None  # also on a branch that is gone
        elif self.expects_conflict(session):
            with pytest.raises(Conflict):
                session.transaction.commit(statement="too late", author="test")
        else:
            info = session.transaction.commit(statement="change", author="test")
            assert info is not None
            self.merge(session)
            assert info.sequence == self.sequence

    @rule(who=st.integers(0, 2))
    def hold_snapshot(self, who: int) -> None:
        if len(self.held) < 5:
            name = self.on[who]
            model = copy.deepcopy(self.branches[name].head)
            self.held.append((self.database.snapshot(name), model))

    # --- branches and the past

    @rule(who=st.integers(0, 2), name=BRANCHES, use=THEN)
    def create_branch(self, who: int, name: str, use: bool) -> None:
        source = self.on[who]
        if name in self.branches:
            with pytest.raises(AlreadyExists):
                self.database.create_branch(name, source=source)
            return
        before = self.branches[source]
        while before.parent is not None and before.sequence <= before.fork:
            before = before.parent
        made = self.database.create_branch(name, source=source)
        head = copy.deepcopy(self.branches[source].head)
        fork = self.branches[source].sequence
        self.branches[name] = Branch(made.id, head, fork, before, fork)
        if use and who not in self.open:
            self.on[who] = name

    @rule(name=BRANCHES, pick=st.integers(0, 10**6))
    def create_branch_of_the_past(self, name: str, pick: int) -> None:
        sequence = pick % self.sequence + 1
        model, origin = self.history[sequence]
        if name in self.branches or not self.is_kept(sequence):
            return
        tokens = {t.token for t in model.values()}
        living = [{t.token for t in b.head.values()} for b in self.holders(sequence)]
        if self.in_memory and not all(tokens <= there for there in living):
            return  # tables that were dropped are not kept there
        snapshot = self.database.as_of(self.database.place_of(sequence))
        made = self.database.create_branch(name, snapshot)
        assert made.fork == sequence
        self.branches[name] = Branch(made.id, copy.deepcopy(model), sequence, origin, sequence)
        self.check_model(self.database.snapshot(name), model)

    @rule(who=st.integers(0, 2), name=BRANCHES)
    def use_branch(self, who: int, name: str) -> None:
        if name in self.branches and who not in self.open:
            self.on[who] = name

    @rule(name=BRANCHES, really=st.integers(0, 2))
    def drop_branch(self, name: str, really: int) -> None:
        if name in self.branches and really == 0:
            self.database.drop_branch(name)
            del self.branches[name]
            self.on = {w: "main" if b == name else b for w, b in self.on.items()}

    def holders(self, sequence: int) -> list[Branch]:
        """Living branches that can show a commit."""
        number = self.history[sequence][1].number
        return [b for b in self.branches.values() if b.holds(number, sequence)]

    def is_kept(self, sequence: int) -> bool:
        return sequence >= self.horizon and bool(self.holders(sequence))

    @rule(retention=st.sampled_from(["0 seconds", "7 days"]))
    def vacuum(self, retention: str) -> None:
        """What nobody can see any more goes: the newest commit of main stays, and that where the
        oldest living branch left it."""
        self.database.set_setting("retention", retention)
        figures = self.database.vacuum()
        if retention == "0 seconds":
            self.horizon = max(self.horizon, min(b.left_main for b in self.branches.values()))
        assert figures.horizon == self.horizon == self.database.horizon
        assert self.database.verify() == []

    @rule(picks=st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
    def as_of(self, picks: list[int]) -> None:
        self.check_past(self.database, {p % self.sequence + 1 for p in picks})

    def check_past(self, database: Database, sequences: Iterable[int]) -> None:
        for sequence in sequences:
            place = database.place_of(sequence)
            model, branch = self.history[sequence]
            assert place.branch_id == branch.number
            if not self.is_kept(sequence):
                with pytest.raises(HistoryGone):
                    database.as_of(place)
                continue
            snapshot = database.as_of(place)
            if self.in_memory:  # tables that were dropped are not kept there
                still = {t.token for b in self.holders(sequence) for t in b.head.values()}
                assert {t.name for t in snapshot.catalog.tables()} == set(model)
                model = {n: t for n, t in model.items() if t.token in still}
                self.check_tables(snapshot, model)
            else:
                self.check_model(snapshot, model)

    @precondition(lambda self: not self.in_memory)
    @rule()
    def checkpoint(self) -> None:
        self.database.checkpoint()

    @precondition(lambda self: not self.in_memory)
    @rule()
    def crash(self) -> None:
        """What lies on disk now is what a killed process leaves."""
        copied = self.folder / f"copy{next(self.numbers)}"
        shutil.copytree(self.folder / "db", copied)
        other = Database.open(copied)
        try:
            self.check_branches(other)
            self.check_past(other, range(1, self.sequence + 1, 7))
            assert other.verify() == []
        finally:
            other.close()
        reader = Database.open(copied, read_only=True)
        try:
            self.check_branches(reader)
            self.check_past(reader, range(1, self.sequence + 1, 11))
        finally:
            reader.close()
        shutil.rmtree(copied)

    @precondition(lambda self: not self.in_memory)
    @rule()
    def reopen(self) -> None:
        self.check_held()
        self.held.clear()
        for session in self.open.values():
            session.transaction.rollback()
        self.open.clear()
        if self.reader is not None:
            self.reader.close()
            self.reader = None
        self.database.close()
        self.db = Database.open(self.folder / "db")

    @precondition(lambda self: not self.in_memory)
    @rule()
    def follow(self) -> None:
        """A reader process that stays, as far as one process can play two."""
        if self.reader is None:
            self.reader = Database.open(self.folder / "db", read_only=True)
        self.check_branches(self.reader)

    # --- checks

    def check_view(self, session: Open, name: str) -> None:
        expected = sorted((h.row for h in session.now[name].rows.values()), key=key)
        assert sorted(rows_of(self.view(session, name)), key=key) == expected

    def check_model(self, snapshot: Snapshot, model: Model) -> None:
        names = {t.name for t in snapshot.catalog.tables()}
        assert names == set(model)
        self.check_tables(snapshot, model)

    def check_tables(self, snapshot: Snapshot, model: Model) -> None:
        for name, table in model.items():
            entry = snapshot.catalog.get("dbo", name)
            view = snapshot.view(entry.id)
            expected = sorted((h.row for h in table.rows.values()), key=key)
            assert sorted(rows_of(view), key=key) == expected
            if expected:
                wanted = pa.table([pa.array([expected[-1][0]], pa.int32())], names=["id"])
                addresses = view.lookup(4, wanted)
                assert view.gather("id", addresses).to_pylist() == [expected[-1][0]]

    def check_held(self) -> None:
        for snapshot, model in self.held:
            self.check_model(snapshot, model)

    def check_branches(self, database: Database) -> None:
        assert {b.name for b in database.branches()} == set(self.branches)
        for name, branch in self.branches.items():
            snapshot = database.snapshot(name)
            assert snapshot.sequence == branch.sequence
            self.check_model(snapshot, branch.head)

    @invariant()
    def published_is_the_model(self) -> None:
        if self.db is not None:
            self.check_branches(self.db)


class MemoryStore(Store):
    in_memory = True


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bulk inserts begin at a few rows, so that segments occur."""
    monkeypatch.setattr(load, "BULK_BYTES", 1000)
    monkeypatch.setattr(prepare, "BULK_BYTES", 1000)


_SETTINGS = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestStore = Store.TestCase
TestStore.settings = settings(_SETTINGS, max_examples=25, stateful_step_count=40)
TestMemoryStore = MemoryStore.TestCase
TestMemoryStore.settings = settings(_SETTINGS, max_examples=25, stateful_step_count=40)


class LongStore(Store):
    pass


TestLongStore = pytest.mark.slow(LongStore.TestCase)
TestLongStore.settings = settings(_SETTINGS, max_examples=60 * TIMES, stateful_step_count=100)

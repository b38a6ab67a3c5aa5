"""Foreign keys against a model: whatever is done to parents and children, by whichever statement,
the rows and the refusals are those that the actions promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous import hql
from hartonomous.hql.errors import ExecutionFault
from hartonomous.storage.errors import ConstraintFault

IDS = range(6)
ACTIONS = ("NO ACTION", "CASCADE", "SET NULL", "SET DEFAULT")


class Refused(Exception):
    """The statement must fail and leave everything as it was."""


@dataclass
class Model:
    """Parents by id, children's parents by id; the default parent is 0."""

    on_delete: str
    on_update: str
    parents: set[int] = field(default_factory=set)
    children: dict[int, int | None] = field(default_factory=dict)

    def settled(self, parents: set[int], children: dict[int, int | None]) -> None:
        if any(p is not None and p not in parents for p in children.values()):
            raise Refused
        self.parents, self.children = parents, children

    def delete(self, gone: set[int]) -> None:
        gone = gone & self.parents
        kept = {}
        for child, parent in self.children.items():
            if parent in gone and self.on_delete == "CASCADE":
                continue
            kept[child] = self.left(parent, self.on_delete) if parent in gone else parent
        self.settled(self.parents - gone, kept)

    def move(self, moved: set[int], step: int) -> None:
        moved = moved & self.parents
        if step == 0:
            return
        new = [p + step if p in moved else p for p in self.parents]
        if len(set(new)) < len(new):
            raise Refused
        kept = dict(self.children)
        for child, parent in kept.items():
            if parent is not None and parent in moved:
                is_moving = self.on_update == "CASCADE"
                kept[child] = parent + step if is_moving else self.left(parent, self.on_update)
        self.settled(set(new), kept)

    def left(self, parent: int | None, action: str) -> int | None:
        return {"SET NULL": None, "SET DEFAULT": 0}.get(action, parent)

    def add(self, rows: dict[int, int | None]) -> None:
        if rows.keys() & self.children.keys():
            raise Refused
        self.settled(self.parents, {**self.children, **rows})

    def turn(self, chosen: set[int], parent: int | None) -> None:
        changed = {c: parent if c in chosen else p for c, p in self.children.items()}
        self.settled(self.parents, changed)


_sets = st.sets(st.sampled_from(IDS), min_size=1, max_size=4)
_parents = st.sampled_from([*IDS, None])
_steps = st.one_of(
    st.tuples(st.just("raise"), _sets),
    st.tuples(st.just("delete"), _sets),
    st.tuples(st.just("merge"), _sets),
    st.tuples(st.just("move"), _sets, st.integers(-2, 2)),
    st.tuples(st.just("add"), st.dictionaries(st.sampled_from(IDS), _parents, min_size=1)),
    st.tuples(st.just("many"), st.dictionaries(st.sampled_from(IDS), _parents, min_size=1)),
    st.tuples(st.just("turn"), _sets, _parents),
)


def _list(values: set[int]) -> str:
    return ", ".join(map(str, sorted(values)))


def _shown(value: int | None) -> str:
    return "NULL" if value is None else str(value)


def _apply(model: Model, db: hql.Connection, step: tuple[Any, ...]) -> None:
    match step:
        case ("raise", ids):
            new = ids - model.parents
            model.parents = model.parents | new
            for one in new:
                db.execute(f"INSERT INTO p VALUES ({one})")
        case ("delete", ids):
            _both(lambda: model.delete(ids), db, f"DELETE FROM p WHERE id IN ({_list(ids)})")
        case ("merge", ids):
            source = f"(SELECT * FROM (VALUES {', '.join(f'({i})' for i in ids)}) AS v (id)) AS s"
            text = f"MERGE p USING {source} ON s.id = p.id WHEN MATCHED THEN DELETE"
            _both(lambda: model.delete(ids), db, text)
        case ("move", ids, by):
            text = f"UPDATE p SET id = id + ({by}) WHERE id IN ({_list(ids)})"
            _both(lambda: model.move(ids, by), db, text)
        case ("add", rows):
            values = ", ".join(f"({c}, {_shown(p)})" for c, p in rows.items())
            _both(lambda: model.add(rows), db, f"INSERT INTO c VALUES {values}")
        case ("many", rows):
            text = "INSERT INTO c VALUES (?, ?)"
            _both(lambda: model.add(rows), db, text, list(rows.items()))
        case ("turn", ids, parent):
            text = f"UPDATE c SET p = {_shown(parent)} WHERE id IN ({_list(ids)})"
            _both(lambda: model.turn(ids, parent), db, text)


def _both(
    expected: Callable[[], None],
    db: hql.Connection,
    text: str,
    many: list[tuple[int, int | None]] | None = None,
) -> None:
    def run() -> None:
        if many is None:
            db.execute(text)
        else:
            db.cursor().executemany(text, many)

    try:
        expected()
    except Refused:
        with pytest.raises(ConstraintFault):
            run()
    else:
        run()


@settings(max_examples=25)
@given(
    st.sampled_from(ACTIONS),
    st.sampled_from(ACTIONS),
    st.lists(_steps, min_size=4, max_size=14),
    st.booleans(),
)
def test_rows_and_refusals_are_as_promised(
    on_delete: str, on_update: str, steps: list[tuple[Any, ...]], inside: bool
) -> None:
    model = Model(on_delete, on_update)
    with hql.connect(":memory:") as db:
        db.execute("CREATE TABLE p (id INT PRIMARY KEY)")
        db.execute(
            "CREATE TABLE c (id INT PRIMARY KEY, p INT DEFAULT 0 REFERENCES p "
            f"ON DELETE {on_delete} ON UPDATE {on_update})"
        )
        if inside:
            db.execute("BEGIN TRAN")
        for step in steps:
            _apply(model, db, step)
            parents = {row[0] for row in db.execute("SELECT id FROM p").fetchall()}
            children = dict(db.execute("SELECT id, p FROM c").fetchall())
            assert (parents, children) == (model.parents, model.children), step


def test_they_are_there_after_reopening_and_for_files(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("id,p\n1,1\n2,9\n")
    with hql.connect(tmp_path / "db") as db:
        db.execute("CREATE TABLE p (id INT PRIMARY KEY); INSERT INTO p VALUES (1), (2)")
        db.execute("CREATE TABLE c (id INT PRIMARY KEY, p INT REFERENCES p ON DELETE CASCADE)")
        db.execute("INSERT INTO c VALUES (10, 1), (11, 2)")
        db.execute("CHECKPOINT")
        with pytest.raises(ConstraintFault, match=r"no row \(9\)"):
            db.execute(f"COPY c FROM '{rows}'")
    with hql.connect(tmp_path / "db") as db:
        with pytest.raises(ConstraintFault, match=r"no row \(7\)"):
            db.execute("INSERT INTO c VALUES (12, 7)")
        db.execute("DELETE FROM p WHERE id = 1")
        assert db.execute("SELECT id FROM c").fetchall() == [(11,)]


def test_of_many_rows_that_refer_to_few_the_one_without_is_found() -> None:
    with hql.connect(":memory:") as db:
        db.execute("CREATE TABLE p (id NVARCHAR(9) PRIMARY KEY)")
        db.execute("CREATE TABLE c (id INT PRIMARY KEY, p NVARCHAR(9) REFERENCES p)")
        db.execute("INSERT INTO p VALUES ('a'), ('b'), ('c')")
        rows = [(i, "abc"[i % 3] if i % 7 else None) for i in range(6_000)]
        db.cursor().executemany("INSERT INTO c VALUES (?, ?)", rows)
        wrong = [(i + 10_000, "d" if i == 4_321 else p) for i, p in rows]
        with pytest.raises(ConstraintFault, match=r"no row \('d'\)"):
            db.cursor().executemany("INSERT INTO c VALUES (?, ?)", wrong)
        assert db.execute("SELECT COUNT(*) FROM c").fetchall() == [(6_000,)]
        db.execute("DELETE FROM c WHERE p = 'b'; DELETE FROM p WHERE id = 'b'")
        with pytest.raises(ConstraintFault, match=r"refers to the row \('[ac]'\)"):
            db.execute("DELETE FROM p")


def test_a_long_chain_of_rows_goes() -> None:
    with hql.connect(":memory:") as db:
        db.execute("CREATE TABLE t (id INT PRIMARY KEY, up INT REFERENCES t ON DELETE CASCADE)")
        db.cursor().executemany(
            "INSERT INTO t VALUES (?, ?)", [(i, i - 1 or None) for i in range(1, 301)]
        )
        db.execute("DELETE FROM t WHERE id = 1")
        assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]


def test_actions_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hartonomous.hql.changes.references.PASSES_MAX", 5)
    with hql.connect(":memory:") as db:
        db.execute("CREATE TABLE t (id INT PRIMARY KEY, up INT REFERENCES t ON DELETE CASCADE)")
        db.execute("INSERT INTO t VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5), (7, 6)")
        with pytest.raises(ExecutionFault, match="have no end"):
            db.execute("DELETE FROM t WHERE id = 1")
        assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(7,)]

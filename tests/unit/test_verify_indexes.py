"""VERIFY names an index part that is not over its rows; rules ask what an access method can do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hartonomous import hql
from hartonomous.hql.dbapi import Connection
from hartonomous.kernels import rtree_check
from hartonomous.kernels.rtree import Tree, build
from hartonomous.storage.access.base import NEAREST, OVERLAP
from hartonomous.storage.access.parts import KIND, ChunkIndex
from hartonomous.storage.access.rtree import BoxTree, RTree
from hartonomous.storage.packs import write_pack

VALUES = """
    (1, geometry::Point(1, 2, 3)), (2, geometry::Parse('LINESTRING (0 0, 5 5)')), (3, NULL),
    (4, geometry::Parse('POINT EMPTY')), (5, geometry::Parse('BUFFER (2, POINT (7 7))')),
    (6, geometry::Parse('POINT (-1 0)'))"""

Damage = Callable[[BoxTree], BoxTree]


def filled(place: str | Path) -> Connection:
    database = hql.connect(place)
    database.execute("CREATE TABLE t (id INT, g GEOMETRY)")
    database.execute(f"INSERT INTO t VALUES {VALUES}")
    database.execute("CREATE INDEX ix ON t (g) USING RTREE")
    return database


def part_of(database: Connection) -> ChunkIndex:
    """The index's part over the table's only chunk."""
    state = database.session.database.repository.main.state
    ((chunk,),) = (table.chunks for table in state.tables.values() if table.chunks)
    (found,) = chunk.indexes.values()
    return found


def problems(database: Connection) -> list[tuple[str, str, str]]:
    rows = database.execute("VERIFY DATABASE").fetchall()
    return [(what, where, found) for what, where, _, found in rows]


def with_tree(part: BoxTree, change: Callable[[dict[str, np.ndarray]], None]) -> BoxTree:
    arrays = {name: np.array(array) for name, array in part.tree.arrays().items()}
    change(arrays)
    return BoxTree(Tree.from_arrays(arrays), part.missing, part.scale)


def moved(arrays: dict[str, np.ndarray]) -> None:
    arrays["leaves"][0, [0, 3], 0] += 0.5  # x of the first entry


def swapped(arrays: dict[str, np.ndarray]) -> None:
    arrays["rows"][0, :2] = arrays["rows"][0, 1::-1]


def forgotten(arrays: dict[str, np.ndarray]) -> None:
    arrays["header"][2] -= 1
    arrays["rows"][0, 3], arrays["leaves"][0, :, 3] = -1, np.nan


def twice(arrays: dict[str, np.ndarray]) -> None:
    arrays["rows"][0, 0] = arrays["rows"][0, 1]


DAMAGES: dict[str, tuple[Damage, str]] = {
    "moved": (lambda part: with_tree(part, moved), "another box for row"),
    "swapped": (lambda part: with_tree(part, swapped), "another box for row"),
    "forgotten": (lambda part: with_tree(part, forgotten), "3 of 6 rows instead of 4 of 6"),
    "twice": (lambda part: with_tree(part, twice), "a row occurs twice"),
    "missing": (
        lambda part: BoxTree(part.tree, part.missing[:1], part.scale),
        "1 rows without a box instead of 2",
    ),
    "scale": (
        lambda part: BoxTree(part.tree, part.missing, 1.0),
        "coordinates up to 1.0 instead of",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_part_in_memory_that_was_altered(damage: str) -> None:
    alter, words = DAMAGES[damage]
    with filled(":memory:") as database:
        assert problems(database) == []
        part = part_of(database)
        assert isinstance(part._part, BoxTree)
        part._part = alter(part._part)
        ((what, where, found),) = problems(database)
        assert (what, where) == ("index", 'table "t", index "ix"') and words in found


def test_an_object_that_was_altered(tmp_path: Path) -> None:
    """Every checksum fits: a forger would write the object so."""
    with filled(tmp_path / "a.hdb") as database:
        database.execute("CHECKPOINT")
        part, objects = part_of(database), database.session.database.objects
        assert part.stored is not None and objects is not None
        assert problems(database) == []
        assert isinstance(part._part, BoxTree)
        forged = with_tree(part._part, moved)
        part.stored = write_pack(objects, KIND, forged.arrays())
        ((what, _, found),) = problems(database)  # though what is in memory is right
        assert what == "index" and "another box for row" in found
        objects.remove(part.stored.name)
        assert "index" in {what for what, _, _ in problems(database)}


@pytest.mark.parametrize("name", ["header", "leaves", "rows", "nodes"])
def test_an_object_that_is_no_tree(tmp_path: Path, name: str) -> None:
    with filled(tmp_path / "a.hdb") as database:
        database.execute("CHECKPOINT")
        part, objects = part_of(database), database.session.database.objects
        assert objects is not None and isinstance(part._part, BoxTree)
        arrays = part._part.arrays()
        part.stored = write_pack(objects, KIND, arrays | {name: np.zeros((4, 4), np.uint8)})
        ((what, _, found),) = problems(database)
        assert what == "index" and "is not of a format that this version knows" in found
        part.stored = write_pack(objects, KIND, {n: a for n, a in arrays.items() if n != name})
        assert {what for what, _, _ in problems(database)} == {"index"}


def test_parts_that_are_not_built_are_none(tmp_path: Path) -> None:
    with filled(tmp_path / "a.hdb") as database:
        database.execute("INSERT INTO t VALUES (7, geometry::Point(9, 9, 9))")
        database.execute("DELETE FROM t WHERE id = 2")
        assert problems(database) == []
        database.execute("CHECKPOINT")
    with hql.connect(tmp_path / "a.hdb") as database:
        assert problems(database) == []
        assert part_of(database)._part is None


def test_a_tree_over_other_boxes() -> None:
    points = np.random.default_rng(1).normal(size=(300, 3))
    points[7] = np.nan
    boxes = np.concatenate((points, points), axis=1)
    tree = build(points)
    assert rtree_check.fault(tree) is None and rtree_check.difference(tree, boxes) is None
    assert rtree_check.difference(tree, boxes[:-1]) == "299 of 300 rows instead of 298 of 299"
    boxes[5, 4] += 1.0
    assert rtree_check.difference(tree, boxes) == "another box for row 5"
    boxes[8] = np.nan
    assert rtree_check.difference(tree, boxes) == "299 of 300 rows instead of 298 of 300"


@pytest.mark.parametrize(
    ("query", "needed"),
    [
        ("SELECT id FROM t WHERE g.STDistance(geometry::Point(0, 0, 0)) < 1", OVERLAP),
        ("SELECT a.id FROM t AS a JOIN t AS b ON a.g.STDistance(b.g) < 1", OVERLAP),
        ("SELECT TOP (1) id FROM t ORDER BY g.STDistance(geometry::Point(0, 0, 0))", NEAREST),
        (
            "SELECT n.id FROM t AS a CROSS APPLY "
            "(SELECT TOP (1) id FROM t ORDER BY t.g.STDistance(a.g)) AS n",
            NEAREST,
        ),
    ],
)
def test_rules_ask_what_a_method_can(
    query: str, needed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for capability in (OVERLAP, NEAREST):
        monkeypatch.setattr(RTree, "capabilities", frozenset({capability}))
        with filled(":memory:") as database:
            plan = "\n".join(row[0] for row in database.execute(f"EXPLAIN {query}").fetchall())
            assert ("ix" in plan) == (capability == needed), plan

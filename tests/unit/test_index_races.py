"""Readers and a checkpoint meet at a chunk's indexes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hartonomous import hql
from hartonomous.storage.access import parts
from hartonomous.storage.access.parts import ChunkIndex
from hartonomous.storage.packs import Pack

NEAR = "SELECT id FROM t WHERE g.STDistance(geometry::Point(7, 0, 0)) < 0.5 OPTION (USE INDEX (ix))"


def test_an_object_that_a_checkpoint_takes_away_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hql.connect(tmp_path / "a.hdb") as database:
        database.execute("CREATE TABLE t (id INT, g GEOMETRY)")
        database.execute(
            "INSERT INTO t SELECT value, geometry::Point(value, 0, 0) FROM GENERATE_SERIES(1, 50)"
        )
        database.execute("CREATE INDEX ix ON t (g) USING RTREE")
    with hql.connect(tmp_path / "a.hdb") as database:
        found: list[ChunkIndex] = []
        find = parts.chunk_index

        def remember(*arguments: object) -> ChunkIndex:
            found.append(find(*arguments))  # type: ignore[arg-type]
            return found[-1]

        def take_away(objects: object, ref: object, *rest: str) -> Pack:
            index = found[-1]
            assert index.stored is not None and index._objects is not None
            name = index.stored.name
            index.detach()
            index._objects.remove(name)
            return Pack(objects, ref, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr("hartonomous.storage.access.search.chunk_index", remember)
        monkeypatch.setattr(parts, "Pack", take_away)
        assert database.execute(NEAR).fetchall() == [(7,)]
        assert found and not found[-1].stored

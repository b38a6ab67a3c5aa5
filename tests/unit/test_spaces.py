"""Spaces: the shipped one is what its table gives, they last, samples and figures are honest."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from hartonomous import hql
from hartonomous.hql import encoders, spaces
from hartonomous.hql.dbapi import Connection
from hartonomous.hql.encoders.base import EncoderEntry
from hartonomous.hql.errors import BindFault, ExecutionFault
from hartonomous.hql.spaces import creating, default
from hartonomous.hql.spaces.space import Space
from hartonomous.kernels import hilbert, projection
from hartonomous.storage.catalog import SpaceEntry
from hartonomous.storage.catalog_maps import entry_from_map, entry_to_map


@pytest.mark.slow
def test_the_shipped_space_is_that_of_the_encoders_table() -> None:
    entry = default.entry()
    definition, _, matrix = default.compute().partition(b"\n")
    assert (definition.decode(), matrix) == (entry.definition, entry.projection)


def test_the_default_space_holds_every_text() -> None:
    space = spaces.default_space()
    assert space is spaces.default_space() and space.encoders == {"text": encoders.DEFAULT}
    assert space.dimensions == encoders.get().dimensions
    texts = pa.array(["", "a", "the quick brown fox", "∑ 東京", "import numpy as np\n" * 30])
    points = space.project(encoders.get().encode(texts))
    box = np.array(space.box)
    assert (points > box[:3]).all() and (points < box[3:]).all()
    assert len(np.unique(space.keys(points))) == len(points)
    side = (box[3:] - box[:3]) / 2**21
    centres = box[:3] + (hilbert.decode(space.keys(points)) + 0.5) * side
    assert (np.abs(centres - points) <= side).all()
    shown = space.geometries(points)
    assert shown.field("srid").to_pylist() == [default.SRID] * 5
    assert shown.field("coords").to_pylist() == [[p] for p in points.tolist()]
    assert space.geometries(points[:0]).to_pylist() == []


def test_entries_of_spaces_are_kept_by_the_catalog_as_they_are() -> None:
    entry = SpaceEntry(9, "s", 4, b"\x00\x01\xff", '{"a": "é"}')
    assert entry_from_map(entry_to_map(entry)) == entry


def test_spaces_outlive_the_process_and_follow_checkpoints(tmp_path: Path) -> None:
    folder = str(tmp_path / "a.hdb")
    with hql.connect(folder) as db:
        db.execute("CREATE TABLE t (v VECTOR(2)); INSERT INTO t VALUES ([1, 2]), ([3, 1])")
        db.execute("CREATE SPACE s LANDMARKS (SELECT v FROM t)")
        db.execute("CREATE SPACE gone LANDMARKS (SELECT v FROM t); CHECKPOINT; DROP SPACE gone")
        before = db.execute("SELECT SpaceName, SRID, ProjectionHash FROM Spaces").fetchall()
        points = db.execute("SELECT fn_ProjectTo3D(v, 's') AS p FROM t").fetchall()
        db.execute("CREATE SPACE later LANDMARKS (SELECT v FROM t)")
        later = db.execute("SELECT MAX(SRID) AS s FROM Spaces").fetchall()
    assert len(before) == 2 and later[0][0] > max(row[1] for row in before) + 1  # no number twice
    for options in ({}, {"read_only": True}):
        with hql.connect(folder, **options) as db:
            assert (
                before
                == db.execute(
                    "SELECT SpaceName, SRID, ProjectionHash FROM Spaces WHERE SpaceName <> 'later'"
                ).fetchall()
            )
            assert db.execute("SELECT fn_ProjectTo3D(v, 's') AS p FROM t").fetchall() == points


def test_a_plan_sees_that_its_space_was_made_anew() -> None:
    with hql.connect(":memory:") as db:
        db.execute("CREATE TABLE t (v VECTOR(3)); INSERT INTO t VALUES ([1, 2, 3]), ([3, 2, 2])")
        query = "SELECT fn_ProjectTo3D(v, 's').STSrid() AS s FROM t"
        found = []
        for _ in range(2):
            db.execute("CREATE SPACE s LANDMARKS (SELECT v FROM t)")
            found.append(db.execute(query).fetchall()[0][0])
            db.execute("DROP SPACE s")
        assert found[0] != found[1]


def test_spaces_are_made_of_atoms_where_there_are_any() -> None:
    with hql.connect(":memory:") as db:
        select = "SELECT LandmarkCount, SampleRows FROM Spaces WHERE SpaceName = 's'"
        texts = [(f"{word} number {n}",) for n, word in enumerate("abcdefgh" * 3)]
        for (text,) in texts:
            db.execute("INSERT INTO Atoms (Modality, CanonicalText) VALUES ('text', ?)", (text,))
        db.execute("CREATE SPACE s WITH (text = 'wordllama', LANDMARKS = 5)")
        assert db.execute(select).fetchall() == [(5, 24)]
        figures = "SELECT NeighbourhoodPreservation AS n, SampleRows FROM Spaces WHERE SRID = @s"
        kept, rows = db.execute(figures, {"s": default.SRID}).fetchall()[0]
        vectors = encoders.get().encode(pa.array([t for (t,) in texts]))
        points = spaces.default_space().project(vectors)
        expected = projection.neighbourhood_preservation(vectors, points)
        assert rows == 24 and kept == pytest.approx(expected, abs=1e-6)


def test_samples_are_bounded_uniform_and_do_not_depend_on_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(creating, "SAMPLE_ROWS", 100)
    rows = pa.array([None if i % 3 == 0 else float(i) for i in range(5000)])
    found = []
    for step in (5000, 70):
        sample = creating.Sample(3)
        for start in range(0, 5000, step):
            sample.add(rows.slice(start, step))
        found.append(sample.rows().to_pylist())
    assert found[0] == found[1] == sorted(found[0])
    assert len(set(found[0])) == 100 and None not in found[0]
    assert abs(np.mean(found[0]) - 2500) < 600


def test_a_space_says_how_little_three_dimensions_keep() -> None:
    random = np.random.default_rng(0)
    with hql.connect(":memory:") as db:
        for name, width in (("round", 40), ("flat", 3)):
            vectors = np.zeros((200, 40), np.float32)
            vectors[:, :width] = random.normal(size=(200, width))
            db.execute(f"CREATE TABLE {name}_t (v VECTOR(40))")
            rows = pa.table({"v": pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), 40)})
            db.execute(f"INSERT INTO {name}_t SELECT v FROM @rows", {"rows": rows})
            db.execute(f"CREATE SPACE {name} LANDMARKS (SELECT v FROM {name}_t)")
        kept = dict(
            db.execute("SELECT SpaceName, NeighbourhoodPreservation FROM Spaces").fetchall()
        )
    assert kept["round"] < 0.5 and kept["flat"] > 0.99


def test_a_space_reads_its_entry() -> None:
    space = Space(default.entry())
    assert space.matrix.shape == (3, 256) and not space.matrix.flags.writeable
    assert len(space.content_hash) == 32 and space.landmark_count == 32_000


def test_a_vector_that_is_no_number_has_no_point() -> None:
    rows = pa.table({"v": pa.array([[1.0, np.inf, 0.0]], pa.list_(pa.float32(), 3))})
    with hql.connect(":memory:") as db:
        db.execute("CREATE SPACE s LANDMARKS (SELECT v FROM (VALUES ([1, 2, 3])) AS t (v))")
        with pytest.raises(ExecutionFault, match="NaN or infinity"):
            db.execute("SELECT fn_ProjectTo3D(v, 's') AS p FROM @rows", {"rows": rows}).fetchall()
        with pytest.raises(BindFault, match="NaN or infinite"):
            db.execute("CREATE SPACE t LANDMARKS (SELECT v FROM @rows)", {"rows": rows})
        assert db.execute("SELECT COUNT(*) AS n FROM Spaces").fetchall() == [(2,)]


# --- vectors are typed by their space ------------------------------------------------------------


class Other:
    """A second encoder of as many dimensions, whose vectors mean something else."""

    name, dimensions, content_hash = "other", 256, "0"
    largest = 0

    def encode(self, texts: pa.StringArray) -> npt.NDArray[np.float32]:
        Other.largest = max(Other.largest, len(texts))
        return np.ones((len(texts), 256), np.float32)

    def anchors(self) -> npt.NDArray[np.float32]:
        return np.eye(256, dtype=np.float32)

    def extent(self, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        points: npt.NDArray[np.float32] = self.anchors() @ matrix.T
        return points


MIXED = [
    "VECTOR_DISTANCE('cosine', EMBED('a'), EMBED('a', 'other'))",
    "EMBED('a') + EMBED('a', 'other') * 2",
    "VECTOR_DISTANCE('dot', VECTOR_NORMALIZE(EMBED('a')), -EMBED('a', 'other'))",
    "(EMBED('a') = EMBED('a', 'other'))",
    "CASE WHEN 1 = 1 THEN EMBED('a') ELSE EMBED('a', 'other') END",
    "fn_ProjectTo3D(EMBED('a', 'other'))",
    "fn_ProjectTo3D(EMBED('a'), 'others')",
    "VECTOR_DISTANCE('cosine', (SELECT MAX(1) * EMBED('a') AS v), EMBED('b', 'other'))",
]
ALIKE = [
    "VECTOR_DISTANCE('cosine', EMBED('a'), EMBED('b') + [VECTOR])",
    "VECTOR_DISTANCE('cosine', EMBED('a', 'other'), [VECTOR])",
    "fn_ProjectTo3D(EMBED('a', 'other'), 'others')",
    "fn_ProjectTo3D([VECTOR], 'others')",
]


@pytest.fixture(scope="module")
def two_encoders() -> Iterator[Connection]:
    with pytest.MonkeyPatch.context() as patch:
        entry = EncoderEntry("other", 256, Other)
        patch.setitem(encoders.ENCODERS, "other", entry)
        patch.setattr(encoders, "_loaded", dict(encoders._loaded))
        with hql.connect(":memory:") as db:
            db.execute("CREATE SPACE others WITH (text = 'other')")
            db.execute("INSERT INTO Atoms (Modality, CanonicalText) VALUES ('text', 'a cat')")
            yield db


@pytest.mark.parametrize("text", MIXED)
def test_vectors_of_two_spaces_do_not_mix(text: str, two_encoders: Connection) -> None:
    with pytest.raises(BindFault, match="wordllama.* other|other.* wordllama") as caught:
        two_encoders.execute(f"SELECT {text} AS x")
    assert caught.value.code == "TYPE_MISMATCH" and caught.value.line == 1


@pytest.mark.parametrize("text", ALIKE)
def test_a_vector_of_no_known_space_goes_with_any(text: str, two_encoders: Connection) -> None:
    text = text.replace("[VECTOR]", f"[{', '.join('1' * 256)}]")
    assert two_encoders.execute(f"SELECT {text} AS x").fetchall()[0][0] is not None


def test_atoms_embeddings_are_of_the_default_encoder(two_encoders: Connection) -> None:
    near = "SELECT VECTOR_DISTANCE('cosine', Embedding, EMBED(@q{})) AS d FROM {}"
    found = two_encoders.execute(near.format("", "Atoms"), {"q": "a cat"}).fetchall()
    assert found == [(pytest.approx(0.0, abs=1e-6),)]
    for table in ("Atoms", "(SELECT TOP (1) Embedding FROM Atom) AS t"):
        with pytest.raises(BindFault, match="different spaces"):
            two_encoders.execute(near.format(", 'other'", table), {"q": "a cat"})


def test_a_slow_function_gets_few_rows_at_once(two_encoders: Connection) -> None:
    """Between batches the statement can be cancelled."""
    two_encoders.execute("CREATE TABLE many (id INT, body NVARCHAR)")
    rows = pa.table({"id": range(3000), "body": [f"text {i}" for i in range(3000)]})
    two_encoders.execute("INSERT INTO many SELECT * FROM @rows", {"rows": rows})
    Other.largest = 0
    found = two_encoders.execute("SELECT VECTOR_NORM(EMBED(body, 'other')) AS n FROM many")
    assert found.fetchall() == [(16.0,)] * 3000
    nearest = (
        "SELECT TOP (1) id FROM many ORDER BY VECTOR_DISTANCE('dot', EMBED(body, 'other'), @q)"
    )
    ones = np.ones(256, np.float32)
    assert two_encoders.execute(nearest, {"q": ones}).fetchall() == [(0,)]
    assert 0 < Other.largest <= 1024

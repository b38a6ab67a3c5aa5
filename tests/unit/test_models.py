"""Models in the store: what equal ones share, what goes when, what a snapshot keeps, what damage
does; and the system tables that show them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_models import TENSORS, WIDTH, add_tiny, intact

from hartonomous import hql
from hartonomous.hql.errors import BindFault
from hartonomous.hql.models import manifest as manifests
from hartonomous.hql.models.model import Model, all_models, find_model
from hartonomous.storage.catalog import MODELS, ModelEntry, SpaceEntry
from hartonomous.storage.database import Database
from hartonomous.storage.errors import AlreadyExists, Conflict, ConstraintFault, Corruption
from hartonomous.storage.manifest import object_names
from hartonomous.storage.models import model_objects

ROWS = sum(t[3] for t in TENSORS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a.hdb"


@pytest.fixture(params=["disk", "memory"])
def database(request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    database = Database.open(None if request.param == "memory" else folder)
    yield database
    database.close()


def add(database: Database, name: str, seed: int = 0) -> Model:
    transaction = database.begin()
    model = add_tiny(transaction, name, seed)
    transaction.commit(statement=f"CREATE MODEL {name}", author="test")
    return model


def drop(database: Database, name: str) -> None:
    transaction = database.begin()
    transaction.drop(transaction.catalog.get(MODELS, name))
    transaction.commit(statement=f"DROP MODEL {name}", author="test")


def find(database: Database, given: str | int) -> Model:
    return find_model(database.snapshot().catalog, database, given)


def stored(database: Database) -> set[str]:
    """Objects that are there, without those of checkpoints."""
    database.checkpoint()
    objects = database.object_store
    names = set(objects.names())
    if database.manifest_name is not None:
        names -= object_names(objects, database.manifest_name)
    return names


# --- adding and finding --------------------------------------------------------------------------


def test_comes_back(database: Database) -> None:
    made = add(database, "Smol")
    for given in ("smol", "SMOL", made.id):
        found = find(database, given)
        intact(found)
    first = {t.name: t.first_row for t in found.tensors}
    assert first["embedding.token.weight"] == 0
    assert first["layer0.attention.query.weight"] == 300
    assert (found.row_count, found.version, found.architecture) == (ROWS, 1, "llama")
    assert found.parameter_count == ROWS * WIDTH
    assert found.bytes == sum(model_bytes.pack.bytes for model_bytes in found.tensors)
    assert list(found.config) == ["hidden_size", "architectures"]
    assert found.source == {"format": "safetensors", "metadata": {"b": 1, "a": b"\0"}}
    assert found.tensor("nothing") is None
    assert [v.sequence for v in found.versions] == [1] and made.versions[0].sequence == 0
    later = database.reserve_row_ids(1)
    assert found.first_atom + ROWS <= later, "the atoms' ids are nobody else's"


def test_unknown(database: Database) -> None:
    add(database, "smollm")
    for given, hint in (("smolm", "did you mean smollm?"), ("x", "there are: smollm"), (9999, "")):
        with pytest.raises(BindFault) as fault:
            find(database, given)
        assert fault.value.code == "UNKNOWN_MODEL"
        assert fault.value.hint is not None and hint in fault.value.hint


def test_taken_name_and_conflict(database: Database) -> None:
    transaction, other = database.begin(), database.begin()
    add_tiny(transaction, "m")
    with pytest.raises(AlreadyExists):
        add_tiny(transaction, "M")
    add_tiny(other, "M", 1)
    transaction.commit(statement="first", author="test")
    with pytest.raises(Conflict, match='"M" was created'):
        other.commit(statement="second", author="test")
    assert [m.name for m in all_models(database.snapshot().catalog, database)] == ["m"]
    intact(find(database, "m"))


def test_odd_texts(database: Database) -> None:
    """Whatever a file calls things: halves of surrogate pairs, quotes, numbers beyond 64 bits."""
    transaction = database.begin()
    config = {"\ud800": 1 << 70, '"': float("inf")}
    add_tiny(transaction, 'a "b" \U0001f600', config=config, source={"a": "\udfff"})
    transaction.commit(statement="x", author="test")
    manifests._kept.clear()
    found = find(database, 'A "b" \U0001f600')
    assert found.config == config and found.source == {"a": "\udfff"}


# --- sharing -------------------------------------------------------------------------------------


def test_equal_models_share_everything(database: Database) -> None:
    a, before = add(database, "a"), stored(database)
    b = add(database, "b")
    assert stored(database) == before, "an entry of the catalog, and no object"
    assert (a.content_hash, a.entry.manifest) == (b.content_hash, b.entry.manifest)
    assert a.id != b.id and abs(a.first_atom - b.first_atom) >= ROWS
    assert not set(a.srids.values()) & set(b.srids.values())
    assert add(database, "c", 1).content_hash != a.content_hash
    drop(database, "a")
    intact(find(database, "b"))


def test_manifests_are_the_same_everywhere(tmp_path: Path) -> None:
    names = set()
    for where in (None, tmp_path / "a", tmp_path / "b"):
        database = Database.open(where)
        database.reserve_row_ids(17)
        names.add(add(database, f"m{len(names)}").entry.manifest)
        database.close()
    assert len(names) == 1


def test_content_hash_is_of_what_is_computed() -> None:
    database = Database.open(None)
    transaction = database.begin()
    plain = add_tiny(transaction, "a").content_hash
    other = {"attachments": {}, "source": {}, "is_runnable": False, "projections": {}}
    assert add_tiny(transaction, "b", **other).content_hash == plain
    for name, changes in {"c": {"config": {}}, "d": {"tokenizer": None}}.items():
        assert add_tiny(transaction, name, **changes).content_hash != plain


# --- what goes, and when -------------------------------------------------------------------------


def test_rollback_leaves_nothing(database: Database) -> None:
    before = stored(database)
    transaction = database.begin()
    savepoint = transaction.savepoint()
    add_tiny(transaction, "a")
    intact(find_model(transaction.catalog, database, "a"))
    transaction.rollback_to(savepoint)
    assert all_models(transaction.catalog, database) == ()
    add_tiny(transaction, "b", 1)
    transaction.rollback()
    assert stored(database) == before
    if database.path is not None:
        assert list((database.path / "objects" / "tmp").iterdir()) == []


def test_rollback_keeps_what_others_have(database: Database) -> None:
    add(database, "a")
    transaction, other = database.begin(), database.begin()
    add_tiny(transaction, "b")
    add_tiny(other, "c", 1)
    transaction.rollback()
    again = database.begin()
    add_tiny(again, "d", 1)
    again.rollback()
    intact(find(database, "a"))
    other.commit(statement="x", author="test")
    intact(find(database, "c"), 1)


def forget(database: Database) -> None:
    """What was true once is kept no longer."""
    database.set_setting("retention", "0 seconds")
    database.vacuum()


def test_drop_removes_what_nobody_needs(database: Database) -> None:
    before = stored(database)
    add(database, "a")
    add(database, "b", 1)
    drop(database, "b")
    intact(find(database, "a"))
    drop(database, "a")
    forget(database)
    database.begin().rollback()
    assert stored(database) == before


def test_a_dropped_model_is_there_as_of_then(folder: Path) -> None:
    database = Database.open(folder)
    add(database, "a")
    add(database, "b", 1)
    drop(database, "a")
    database.create_branch("side", database.as_of(database.place_of(2)))
    for _ in range(2):
        manifests._kept.clear()
        for snapshot in (database.as_of(database.place_of(1)), database.snapshot("side")):
            intact(find_model(snapshot.catalog, database, "a"))
        database.close()
        database = Database.open(folder)
    forget(database)
    intact(find_model(database.snapshot("side").catalog, database, "a"))
    database.drop_branch("side")
    forget(database)
    assert stored(database) == _needed(database)
    assert database.verify() == []
    database.close()


def test_what_the_manifest_on_disk_names_stays_until_the_next(folder: Path) -> None:
    """`hql verify --cut-tail` may take back what the log says since, a DROP too."""
    database = Database.open(folder)
    before = stored(database)
    add(database, "a")
    database.checkpoint()
    drop(database, "a")
    add(database, "b", 1)
    drop(database, "b")
    manifest = database.repository.manifest
    assert manifest is not None
    assert model_objects(database.object_store, manifest.catalog) <= set(
        database.object_store.names()
    )
    forget(database)
    assert stored(database) == before
    database.close()


def test_a_snapshot_keeps_its_models(database: Database) -> None:
    empty = stored(database)
    add(database, "a")
    snapshot = database.snapshot()
    drop(database, "a")
    database.checkpoint()
    manifests._kept.clear()
    intact(find_model(snapshot.catalog, database, "a"))
    del snapshot
    forget(database)
    assert stored(database) == empty


def test_dropped_and_made_again_in_one_transaction(database: Database) -> None:
    add(database, "a")
    transaction = database.begin()
    transaction.drop(transaction.catalog.get(MODELS, "a"))
    add_tiny(transaction, "A")
    transaction.commit(statement="x", author="test")
    del transaction
    database.checkpoint()
    intact(find(database, "a"))
    assert find(database, "a").name == "A"


# --- opening again, readers, damage --------------------------------------------------------------


@pytest.mark.parametrize("checkpointed", [True, False])
def test_survives_opening(folder: Path, checkpointed: bool) -> None:
    database = Database.open(folder)
    add(database, "a")
    add(database, "gone", 1)
    if checkpointed:
        database.checkpoint()
    drop(database, "gone")
    reader = Database.open(folder, read_only=True)
    intact(find(reader, "a"))
    add(database, "b", 2)
    intact(find(reader, "b"), 2)
    reader.close()
    database.close()
    manifests._kept.clear()
    database = Database.open(folder)
    assert [m.name for m in all_models(database.snapshot().catalog, database)] == ["a", "b"]
    intact(find(database, "a"))
    assert [v.sequence for v in find(database, "b").versions] == [4]
    assert database.verify() == []
    forget(database)
    assert stored(database) == _needed(database)
    database.close()


def _needed(database: Database) -> set[str]:
    return model_objects(database.object_store, database.snapshot().catalog.models())


def damage(folder: Path, name: str, offset: int = 5) -> None:
    path = folder / "objects" / name[:2] / name[2:]
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def reopened(folder: Path, *damaged: str) -> Database:
    for name in damaged:
        damage(folder, name)
    manifests._kept.clear()
    return Database.open(folder)


def test_a_damaged_tensor_is_named(folder: Path) -> None:
    database = Database.open(folder)
    model = add(database, "m")
    database.close()
    tensor = model.tensor("layer1.mlp.up.weight")
    assert tensor is not None
    database = reopened(folder, tensor.pack.name, model.importance)
    found = find(database, "m")
    assert found.pack("layer0.mlp.up.weight").data.any()
    named = f'{tensor.pack.name} of tensor "layer1.mlp.up.weight" of model "m" is damaged'
    with pytest.raises(Corruption, match=named):
        _ = found.pack("layer1.mlp.up.weight").data
    problems = {p.where: p for p in database.verify()}
    assert set(problems) == {
        f'{tensor.pack.name} (tensor "layer1.mlp.up.weight" of model "m")',
        f'{model.importance} (importance of model "m")',
    }
    database.object_store.remove(tensor.pack.name)
    with pytest.raises(Corruption, match="is missing"):
        find(database, "m").pack("layer1.mlp.up.weight")
    assert any("is missing" in p.found for p in database.verify())
    add(database, "again")
    intact(find(database, "m"))
    assert {p.where for p in database.verify()} == set(), "importing it again has mended it"
    database.close()


def test_a_damaged_manifest_takes_nothing_else_with_it(folder: Path) -> None:
    database = Database.open(folder)
    model = add(database, "m")
    add(database, "other", 1)
    database.checkpoint()
    names = stored(database)
    database.close()
    database = reopened(folder, model.entry.manifest)
    with pytest.raises(Corruption, match=f'{model.entry.manifest} is .*manifest of model "m"'):
        find(database, "m")
    intact_entry = database.snapshot().catalog.get(MODELS, "other")
    assert isinstance(intact_entry, ModelEntry)
    database.checkpoint()
    assert stored(database) >= names, "what a damaged manifest needs is not known: all stays"
    assert [p.where for p in database.verify()] == [
        f'{model.entry.manifest} (manifest of model "m")'
    ]
    with hql.connect(folder) as connection:
        connection.execute("DROP MODEL m")
        assert connection.execute("SELECT ModelName FROM Models").fetchall() == [("other",)]
    database.close()
    database = reopened(folder)
    forget(database)
    database.close()
    database = reopened(folder)
    assert database.verify() == [] and stored(database) == _needed(database)
    intact(find(database, "other"), 1)
    database.close()


# --- system tables -------------------------------------------------------------------------------


def test_system_tables() -> None:
    with hql.connect(":memory:") as connection:
        model = add(connection.session.database, "m")
        add(connection.session.database, "n", 1)
        tokenizer = bytes.fromhex(model.tokenizer or "")
        row = connection.execute("SELECT * FROM Models WHERE ModelName = 'm'").fetchone()
        assert row is not None and row[:10] == (
            *(model.id, "m", "llama", 1, ROWS * WIDTH, model.bytes, tokenizer, None),
            *(False, True),
        )
        assert json.loads(row[10]) == model.config
        layers = connection.execute(
            "SELECT LayerIdx, LayerKind, l.ParameterCount, l.Bytes, TensorShape "
            "FROM ModelLayers AS l JOIN Models AS m ON m.ModelId = l.ModelId "
            "WHERE ModelName = 'm' ORDER BY LayerIdx"
        ).fetchall()
        assert [r[:3] for r in layers] == [
            (-1, "embedding", 300 * WIDTH),
            (0, "layer", 161 * WIDTH),
            (1, "layer", 161 * WIDTH),
            (2, "head", WIDTH),
        ]
        assert sum(r[3] for r in layers) == model.bytes
        assert json.loads(layers[2][4]) == {
            "layer1.attention.query.weight": [64, WIDTH],
            "layer1.mlp.up.weight": [96, WIDTH],
            "layer1.norm.attention.weight": [WIDTH],
        }
        versions = connection.execute(
            "SELECT v.Version, v.ContentHash, v.Statement, v.Parents, v.Figures "
            "FROM ModelVersions AS v JOIN Commits AS c ON c.Hash = v.CommitHash ORDER BY ModelId"
        ).fetchall()
        assert [v[2] for v in versions] == ["CREATE MODEL m", "CREATE MODEL n"]
        assert versions[0][:2] == (1, bytes.fromhex(model.content_hash))
        assert (versions[0][3], json.loads(versions[0][4])["parameters"]) == ("[]", ROWS * WIDTH)


def test_versions_of_what_is_not_committed() -> None:
    with hql.connect(":memory:") as connection:
        connection.execute("CREATE TABLE t (a INT); BEGIN TRAN")
        add_tiny(connection.session.transaction, "m")
        asked = "SELECT CommitHash, Statement FROM ModelVersions"
        assert connection.execute(asked).fetchall() == [(None, None)]
        connection.execute("COMMIT")
        ((commit, _),) = connection.execute(asked).fetchall()
        newest = connection.execute("SELECT TOP (1) Hash FROM Commits ORDER BY Sequence DESC")
        assert newest.fetchone() == (commit,)


def test_layers_of_an_unknown_architecture() -> None:
    with hql.connect(":memory:") as connection:
        connection.execute("BEGIN TRAN")
        transaction = connection.session.transaction
        made = add_tiny(transaction, "m")
        first = made.tensors[-1]
        add_tiny(transaction, "u", architecture="", tensors=(replace(first, name="x.weight"),))
        rows = connection.execute(
            "SELECT LayerIdx, LayerKind FROM ModelLayers AS l JOIN Models AS m "
            "ON m.ModelId = l.ModelId WHERE ModelName = 'u'"
        )
        assert rows.fetchall() == [(0, "other")]


def test_drop_model(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "a.hdb") as connection:
        add(connection.session.database, "m")
        connection.execute("BEGIN TRAN; DROP MODEL M")
        assert connection.execute("SELECT COUNT(*) FROM Models").fetchall() == [(0,)]
        connection.execute("ROLLBACK")
        intact(find(connection.session.database, "m"))
        connection.execute("DROP MODEL IF EXISTS m; DROP MODEL IF EXISTS m")
        with pytest.raises(BindFault, match='there is no model "m"'):
            connection.execute("DROP MODEL m")


def test_what_a_space_needs_is_protected(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "a.hdb") as connection:
        database = connection.session.database
        add(database, "m")
        asked = "SELECT Protected FROM Models"
        assert connection.execute(asked).fetchall() == [(False,)]
        definition = json.dumps({"encoders": {"text": "M"}})
        transaction = database.begin()
        transaction.create(SpaceEntry(0, "s", 1_000_500, bytes(12), definition))
        transaction.commit(statement="CREATE SPACE s", author="test")
        assert connection.execute(asked).fetchall() == [(True,)]
        with pytest.raises(ConstraintFault, match='"m" encodes for the space "s"') as fault:
            connection.execute("DROP MODEL m")
        assert fault.value.hint == "DROP SPACE s first" and fault.value.column == 12
        connection.execute("DROP SPACE s; DROP MODEL m")


def test_srids_are_nobody_elses() -> None:
    with hql.connect(":memory:") as connection:
        srid = add(connection.session.database, "m").srids[WIDTH]
        with pytest.raises(AlreadyExists, match=f'SRID {srid} is that of rows of the model "m"'):
            connection.execute(f"CREATE SPACE s WITH (text = 'wordllama', srid = {srid})")
        connection.execute(f"CREATE SPACE s WITH (text = 'wordllama', srid = {srid + 4})")
        made = [add(connection.session.database, name).srids[WIDTH] for name in "abc"]
        assert len({srid, srid + 4, *made}) == 5


def test_kept_manifests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "KEPT_MAX", 2)
    database = Database.open(None)
    for seed, name in enumerate("abc"):
        add(database, name, seed)
    for seed, name in enumerate("abc"):
        intact(find(database, name), seed)
        assert len(manifests._kept) == 2 and find(database, name).entry.manifest in manifests._kept

"""Models and crashes: one that was acknowledged is there to the last byte, one that was not has
left nothing behind, neither in the catalog nor among the objects."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from crash.model_importer import models_after
from faulty_disk import FaultyDisk
from tiny_models import add_tiny, intact

from hartonomous.hql.models import manifest as manifests
from hartonomous.hql.models.model import all_models
from hartonomous.storage.catalog import MODELS
from hartonomous.storage.database import Database
from hartonomous.storage.errors import DiskFault
from hartonomous.storage.garbage import needed

CHILD = Path(__file__).with_name("model_importer.py")
TESTS = Path(__file__).parents[1]


def names(database: Database) -> set[str]:
    return {m.name for m in all_models(database.snapshot().catalog, database)}


def check_objects(database: Database) -> None:
    """There is what the models, those of the past too, and the manifest need, and nothing else."""
    assert database.objects is not None
    kept = needed(database.objects, database.repository, database.manifest_name)
    assert set(database.objects.names()) == kept
    assert list((database.objects.folder / "tmp").iterdir()) == []


# --- SIGKILL -------------------------------------------------------------------------------------


def run_and_kill(folder: Path, seed: int, delay_s: float) -> int:
    """How many changes were acknowledged."""
    command = [sys.executable, str(CHILD), str(folder), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        ready, _, _ = select.select([child.stdout], [], [], 120)  # the first acknowledgement
        assert ready, "the child did not start"
        time.sleep(delay_s)
        child.send_signal(signal.SIGKILL)
        output = child.stdout.read()
        assert child.wait() == -signal.SIGKILL, "the child stopped by itself"
    return output.count(b"\n")


def kill_many(folder: Path, kills: int) -> None:
    chance = random.Random(kills)
    known: set[int] = set()
    for seed in range(kills):
        done = run_and_kill(folder, seed, 0.2 * chance.random())
        assert done
        database = Database.open(folder)
        try:
            found = {int(name) for name in names(database)}
            allowed = [known | models_after(done + more, seed) for more in (0, 1)]
            assert found in allowed
            known = found
            for model in all_models(database.snapshot().catalog, database):
                intact(model, int(model.name))
            assert database.verify() == []
            check_objects(database)
        finally:
            database.close()


def test_killed_while_adding_models(tmp_path: Path) -> None:
    kill_many(tmp_path / "db", 4)


@pytest.mark.slow
def test_killed_while_adding_models_many_times(tmp_path: Path) -> None:
    kill_many(tmp_path / "db", 40)


# --- a disk that fails ---------------------------------------------------------------------------


#: tensors of a model; few, since every change of the disk is made to fail
FEW = 2
#: what a step does to the database, and the models that are there after it
STEPS = [("+a", "a"), ("+b", "ab"), ("checkpoint", "ab"), ("undo c", "ab"), ("-a", "b")]


def seed_of(name: str) -> int:
    return ord(name[-1])


def run(path: Path, disk: FaultyDisk, done: list[str]) -> None:
    """`b` is made of the same tensors as `a`."""
    database = Database.open(path, disk=disk)
    try:
        for step, models in STEPS:
            transaction = database.begin()
            if step == "checkpoint":
                database.checkpoint()
            elif step[0] == "-":
                transaction.drop(transaction.catalog.get(MODELS, step[-1]))
            else:
                seed = seed_of("a" if step[-1] == "b" else step)
                add_tiny(transaction, step[-1], seed, only=FEW)
            if step == "undo c":
                transaction.rollback()
            else:
                transaction.commit(statement=step, author="test")
            done.append(models)
    finally:
        database.close()


def fail_at(path: Path, disk: FaultyDisk) -> None:
    done: list[str] = [""]
    with contextlib.suppress(DiskFault):
        run(path, disk, done)
    disk.cut_power(disk.at or 0)
    manifests._kept.clear()
    database = Database.open(path)
    try:
        what = f"fault {disk.at} {disk.log[-1]} after {done}"
        found = "".join(sorted(names(database)))
        following = [models for _, models in STEPS][len(done) - 1 : len(done)]
        assert found in (done[-1], *following), what
        for model in all_models(database.snapshot().catalog, database):
            intact(model, seed_of("a"), FEW)
        assert database.verify() == [], what
        check_objects(database)
        transaction = database.begin()
        add_tiny(transaction, "again", seed_of("a"), only=FEW)
        transaction.commit(statement="again", author="test")
        intact(next(m for m in all_models(database.snapshot().catalog, database)), 97, FEW)
    finally:
        database.close()


def count(path: Path) -> int:
    disk = FaultyDisk()
    run(path, disk, [])
    return disk.operations


@pytest.mark.parametrize("tear", [False, True])
def test_every_fifth_change_fails(folder: Path, tear: bool) -> None:
    for n in range(1 + tear, count(folder / "whole") + 1, 5):
        fail_at(folder / f"{n}", FaultyDisk(n, tear=tear))


@pytest.mark.slow
@pytest.mark.parametrize("tear", [False, True])
def test_every_change_fails(folder: Path, tear: bool) -> None:
    for n in range(1, count(folder / "whole") + 1):
        fail_at(folder / f"{n}", FaultyDisk(n, tear=tear))

"""Mutated and random statements: rows or an HQL error in time, and no trace of what failed."""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import generate
import generate_statements
import pytest
from fuzz.mutate import golden_statements, mutate
from hypothesis import assume, given, settings

from hartonomous import hql
from hartonomous.hql.errors import SyntaxFault
from hartonomous.hql.parse import parse_batch
from hartonomous.storage.errors import Error

HERE = Path(__file__).parent
LIMIT = 5.0  # seconds that a statement may take
HUNG = 60.0  # seconds after which it is not coming back
PARAMETERS = {"x": 3, "p": "text"}


class Arena:
    """A database that mutated statements run against, made anew when one of them changed it."""

    def __init__(self) -> None:
        self.setup = (HERE / "database.hql").read_text(encoding="utf-8").split("\nGO\n")
        self.connection: Any = None
        self.sequence = -1
        self.outcomes: dict[str, int] = {}

    def fresh(self) -> Any:
        if self.connection is None:
            self.connection = hql.connect(":memory:", timeout=LIMIT)
            for text in self.setup:
                self.connection.execute(text)
            self.sequence = self.state()
        return self.connection

    def state(self) -> int:
        """The sequence of the last commit: every change that is kept makes a new one."""
        return int(self.connection.session.database.snapshot().sequence)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def run(self, text: str) -> None:
        """Runs one text; raises AssertionError if it ends in any other way than it may."""
        connection = self.fresh()
        watch = threading.Timer(HUNG, hung, (connection, text))
        watch.start()
        try:
            connection.execute(text, PARAMETERS if "@x" in text or ":p" in text else None)
            outcome = "rows"
        except Error as error:
            outcome = error.code
            assert error.code != "INTERNAL", f"broken invariant in {text!r}: {error}"
        except BaseException as error:
            raise AssertionError(f"{type(error).__name__} from {text!r}") from error
        finally:
            watch.cancel()
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.check(text, outcome)

    def check(self, text: str, outcome: str) -> None:
        if self.connection.in_transaction:
            self.close()
            return
        changed = self.state() != self.sequence
        if outcome != "rows" and changed:
            assert not is_single(text), f"{outcome}, but a change was kept: {text!r}"
        if changed:
            self.close()


def is_single(text: str) -> bool:
    """Whether the text is one statement: of several, those before the error keep their changes."""
    try:
        return len(parse_batch(text)) <= 1
    except SyntaxFault:
        return True


def hung(connection: Any, text: str) -> None:
    """Last resort against a statement that neither ends nor heeds its limit: name it and leave."""
    sys.stderr.write(f"\nthis statement has run for {HUNG:.0f} seconds: {text!r}\n")
    sys.stderr.flush()
    os._exit(70)


def run_mutations(seed: int, count: int, folder: Path) -> dict[str, int]:
    dice, arena = random.Random(seed), Arena()
    corpus = [s.replace("{folder}", str(folder)) for s in golden_statements(HERE.parent / "golden")]
    assert len(corpus) > 100, "the golden scripts are gone"
    try:
        for _ in range(count):
            arena.run(mutate(dice.choice(corpus), corpus, dice))
    finally:
        arena.close()
    return arena.outcomes


@pytest.fixture(scope="module")
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working folder, so that a mutated COPY writes nowhere else."""
    folder, before = tmp_path_factory.mktemp("fuzz"), Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.mark.parametrize("seed", range(10))
def test_mutated_statements(seed: int, empty_folder: Path) -> None:
    outcomes = run_mutations(seed, 500, empty_folder)
    assert outcomes.get("rows") and outcomes.get("SYNTAX"), f"a lopsided mix: {outcomes}"


@pytest.fixture(scope="module")
def arena(empty_folder: Path) -> Iterator[Arena]:
    shared = Arena()
    yield shared
    shared.close()


def run_generated(arena: Arena, tree: Any) -> None:
    """A statement that is grammatical by construction: what is left to fail is its meaning."""
    text = str(tree)
    assume("WAITFOR" not in text)
    try:
        arena.run(text)
    except AssertionError:
        arena.close()
        raise


GENERATED = generate_statements.statements | generate.queries


@settings(max_examples=200, deadline=None)
@given(GENERATED)
def test_generated_statements(arena: Arena, tree: Any) -> None:
    run_generated(arena, tree)


@pytest.mark.slow
@settings(max_examples=5_000, deadline=None)
@given(GENERATED)
def test_many_generated_statements(arena: Arena, tree: Any) -> None:
    run_generated(arena, tree)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1020))
def test_many_mutated_statements(seed: int, empty_folder: Path) -> None:
    run_mutations(seed, 5000, empty_folder)

"""Mutated and random statements: rows or an HQL error in time, and no trace of what failed."""

from __future__ import annotations

import os
import random
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import generate
import generate_statements
import pytest
from fuzz.mutate import golden_scripts, mutate
from hypothesis import assume, given, settings
from soak import TIMES

from hartonomous import hql
from hartonomous.hql.errors import SyntaxFault
from hartonomous.hql.syntax.parse import parse_batch
from hartonomous.storage.errors import Error

HERE = Path(__file__).parent
LIMIT = 2.0  # seconds that a statement may take
HUNG = 60.0  # seconds after which it is not coming back
PARAMETERS = {"x": 3, "p": "text"}


class Arena:
    """A database that wrong statements run against."""

    def __init__(self, setup: Sequence[str] = ()) -> None:
        self.setup = setup
        self.connection: Any = None
        self.outcomes: Counter[str] = Counter()

    def fresh(self) -> Any:
        """The connection, after the setup if it is a new one."""
        if self.connection is None:
            self.connection = hql.connect(":memory:", timeout=LIMIT)
            for text in self.setup:
                self.connection.execute(text)
        return self.connection

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def state(self) -> tuple[int, bool]:
        """Every change that is kept makes a new commit, or is part of an open transaction."""
        session = self.fresh().session
        return session.database.snapshot().sequence, session.in_transaction

    def run(self, text: str) -> bool:
        """Runs one text, tells whether it changed anything; raises AssertionError if it ends in
        any other way than it may."""
        before = self.state()
        watch = threading.Timer(HUNG, hung, (text,))
        watch.start()
        try:
            self.connection.execute(text, PARAMETERS if "@x" in text or ":p" in text else None)
            outcome = "rows"
        except Error as error:
            outcome = error.code
            assert error.code != "INTERNAL", f"broken invariant in {text!r}: {error}"
        except BaseException as error:
            raise AssertionError(f"{type(error).__name__} from {text!r}") from error
        finally:
            watch.cancel()
        self.outcomes[outcome] += 1
        changed = self.state() != before
        if outcome != "rows" and changed:
            undone = self.connection.session.settings.xact_abort  # with the whole transaction
            assert undone or not is_single(text), f"{outcome}, but a change was kept: {text!r}"
        return changed


def is_single(text: str) -> bool:
    """Whether the text is one statement: of several, those before the error keep their changes,
    whether they stand side by side or in a block."""
    try:
        statements = parse_batch(text)
    except SyntaxFault:
        return True
    return len(statements) <= 1 and all(s.usual_effect != "scripts" for s in statements)


def hung(text: str) -> None:
    """Last resort against a statement that neither ends nor heeds its limit: name it and leave."""
    sys.stderr.write(f"\nthis statement has run for {HUNG:.0f} seconds: {text!r}\n")
    sys.stderr.flush()
    os._exit(70)


def run_mutations(seed: int, count: int, folder: Path) -> Counter[str]:
    """Plays golden scripts in random order, with wrong statements before the right ones."""
    dice, outcomes = random.Random(seed), Counter[str]()
    scripts = golden_scripts(HERE.parent / "golden")
    everything = [text for script in scripts for text in script]
    assert len(everything) > 100, "the golden scripts are gone"
    while outcomes.total() < count:
        arena = Arena()
        try:
            for text in dice.choice(scripts):
                right = text.replace("{folder}", str(folder))
                arena.run(mutate(right, everything, dice))
                arena.run(mutate(right, everything, dice))
                with suppress(Error):
                    arena.fresh().execute(right)
            outcomes += arena.outcomes
        finally:
            arena.close()
    return outcomes


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
    shared = Arena((HERE / "database.hql").read_text(encoding="utf-8").split("\nGO\n"))
    yield shared
    shared.close()


def run_generated(arena: Arena, tree: Any) -> None:
    """A statement that is grammatical by construction: what is left to fail is its meaning."""
    text = str(tree)
    assume("WAITFOR" not in text)
    changed = True
    try:
        changed = arena.run(text)
    finally:
        if changed:
            arena.close()  # the next statement gets the tables as they were


GENERATED = generate_statements.statements | generate.queries


@settings(max_examples=200, deadline=None)
@given(GENERATED)
def test_generated_statements(arena: Arena, tree: Any) -> None:
    run_generated(arena, tree)


@pytest.mark.slow
@settings(max_examples=2_000 * TIMES, deadline=None)
@given(GENERATED)
def test_many_generated_statements(arena: Arena, tree: Any) -> None:
    run_generated(arena, tree)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1000 + 6 * TIMES))
def test_many_mutated_statements(seed: int, empty_folder: Path) -> None:
    run_mutations(seed, 5000, empty_folder)

"""What the benchmarks of models share: real models in a database, and peers that may be absent."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from peers.process import Absent, Peer, start

from hartonomous import hql
from hartonomous.hql.models.model import Model, find_model

Benchmark = Callable[[bool], str]

#: threads that everyone gets
THREADS = len(os.sched_getaffinity(0))


@contextmanager
def imported(**models: Path) -> Iterator[tuple[hql.Connection, Path]]:
    """A database that has the models under these names, and the folder it lies in, where there is
    room for more."""
    with tempfile.TemporaryDirectory() as root, hql.connect(Path(root) / "models.hdb") as database:
        for name, path in models.items():
            database.execute(f"CREATE MODEL {name} FROM '{path}'")
        yield database, Path(root)


def model_of(connection: hql.Connection, name: str) -> Model:
    database = connection.session.database
    return find_model(database.snapshot().catalog, database, name)


class Peers:
    """The peers that are installed, each with the modules it needs: name -> (script, modules …)."""

    def __init__(self, stack: ExitStack, needed: Mapping[str, tuple[str, ...]]) -> None:
        self.found: dict[str, Peer] = {}
        self._absent: list[str] = []
        for name, (script, *modules) in needed.items():
            try:
                self.found[name] = stack.enter_context(start(script, *modules))
            except Absent as absent:
                self._absent.append(f"Absent: {name} ({absent}).")

    def note(self) -> str:
        """Their versions, and who is absent for want of what."""
        versions: dict[str, str] = {}
        for peer in self.found.values():
            versions |= peer.ask("versions")
        there = ", ".join(f"{name} {version}" for name, version in versions.items())
        said = f"{THREADS} threads for everyone; {there}." if there else ""
        return " ".join([said, *self._absent]).strip()


def with_models(title: str) -> Callable[[Benchmark], Benchmark]:
    """A benchmark whose section says so where a model cannot be had."""

    def decorate(benchmark: Benchmark) -> Benchmark:
        def measured(full: bool) -> str:
            try:
                return benchmark(full)
            except pytest.skip.Exception as absent:
                return f"## {title}\n\nNot measured: {absent}.\n"

        return measured

    return decorate

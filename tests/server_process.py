"""`hql serve` as a process of its own, on a port that the system picks."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HQL = Path(sys.executable).with_name("hql")
PATIENCE = 60.0


class Process:
    """`hql serve` that runs; `port` is where."""

    def __init__(self, database: Path, *words: str) -> None:
        command = [str(HQL), "serve", str(database), "--port", "0", *words]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.said = ""
        while (found := re.search(r"serving .* at hql://127\.0\.0\.1:(\d+)/", self.said)) is None:
            line = self.process.stderr.readline()
            assert line, self.said
            self.said += line
        self.port = int(found[1])

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)


@contextmanager
def serving(database: Path, *words: str) -> Iterator[Process]:
    process = Process(database, *words)
    try:
        yield process
    finally:
        process.process.kill()
        process.process.wait(PATIENCE)
        assert process.process.stderr is not None
        process.process.stderr.close()

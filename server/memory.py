"""How much memory statements may take together, so that none of them ends the server.

Three measures of one bound, as each alone has a gap. The relational engine counts what it holds and
spills what is more (`limit_memory`), but not the texts that it is just making. A thread looks every
LOOK_SECONDS how large the process is, notes what grew while which statement computed, and stops the
one that took most. What grows faster than that, within one step of the engine that cannot be
interrupted, meets the operating system's bound of data (RLIMIT_DATA), which each look moves on: the
allocation fails, and the statement with it, where the system would otherwise kill the process.
"""

from __future__ import annotations

import os
import re
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hartonomous.hql.activity import statements_here
from hartonomous.hql.errors import ConfigurationFault
from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.hql.activity import Watched
    from hartonomous.server.settings import ServerSettings

#: of the machine's memory, what statements may have if nothing else is said
SHARE: Final = 0.6
#: with less a server hardly starts
LEAST_BYTES: Final = 256 << 20
#: of that, what the queries of workers may take, if there are any; one that needs more than its
#: worker has is the server's
WORKERS_SHARE: Final = 0.5
#: of what a process may take, what its relational engine may have
ENGINE_SHARE: Final = 0.7
#: of that, what may be taken beyond it, and what a statement must have taken to be stopped
MARGIN_SHARE, LEAST_SHARE = 1 / 8, 1 / 16
#: what may be taken between two looks in any case, by those who do nothing wrong
LEAST_ROOM: Final = 8 << 20
LOOK_SECONDS: Final = 0.05
#: seconds that a statement has to stop before another one is looked for
PATIENCE_SECONDS: Final = 1.0

_PROCESS = Path("/proc/self/status")
_FIGURE = re.compile(rb"(RssAnon|VmData):\s+(\d+) kB")


@frozen
class Size:
    """Bytes of this process that are its own: in memory, and reserved."""

    resident: int
    data: int


def measure() -> Size | None:
    """How large the process is; None where the system does not say."""
    try:
        figures = dict(_FIGURE.findall(_PROCESS.read_bytes()))
        return Size(int(figures[b"RssAnon"]) << 10, int(figures[b"VmData"]) << 10)
    except (OSError, KeyError):
        return None


def machine_bytes() -> int:
    """The memory that there is for this process: the machine's, or what its control groups leave
    it if that is less."""
    return min([os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *_group_limits()])


def memory_of(settings: ServerSettings) -> tuple[int, int]:
    """The bytes that statements may take in the server's own process, and in each of its workers.
    Raises ConfigurationFault."""
    memory = settings.memory if settings.memory is not None else int(machine_bytes() * SHARE)
    if memory < LEAST_BYTES:
        raise ConfigurationFault(f"memory is at least {LEAST_BYTES:,} bytes, not {memory:,}")
    if not settings.workers:
        return memory, 0
    of_workers = int(memory * WORKERS_SHARE)
    return memory - of_workers, of_workers // settings.workers


def _group_limits() -> list[int]:
    """Memory limits of the control groups, version 2 and 1, that the process is in."""
    root = Path("/sys/fs/cgroup")
    files: list[Path] = []
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds == "":
            own = root / path.lstrip("/")
            files += [folder / "memory.max" for folder in (own, *own.parents)]
        elif "memory" in kinds.split(","):
            own = root / "memory" / path.lstrip("/")
            files += [folder / "memory.limit_in_bytes" for folder in (own, *own.parents)]
    found = []
    for file in files:
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        if text.isdigit() and int(text) > 0:
            found.append(int(text))
    return found


class MemoryGuard:
    """Keeps this process within so many bytes. `note` hears the kind of each statement that is
    stopped; `statements` and `measure` say what runs and how large the process is."""

    def __init__(
        self,
        memory_bytes: int,
        note: Callable[[str], object] = lambda _: None,
        statements: Callable[[], list[Watched]] = statements_here,
        measure: Callable[[], Size | None] = measure,
    ) -> None:
        self.memory_bytes = memory_bytes
        self._note, self._statements, self._measure = note, statements, measure
        self._before = self._reserved = 0
        self._taken: dict[int, int] = {}
        self._patient_until = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="hql-memory", daemon=True)
        self._bounds = resource.getrlimit(resource.RLIMIT_DATA)

    def start(self) -> None:
        """Begins to look, where the system says how large a process is."""
        size = self._measure()
        if size is not None:
            self._before, self._reserved = size.resident, size.data - size.resident
            self._thread.start()

    def stop(self) -> None:
        """Looks no more; the system's bound is what it was. Idempotent."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
            resource.setrlimit(resource.RLIMIT_DATA, self._bounds)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            size = self._measure()
            if size is not None:
                self._bound(size)
                self.look(size)

    def _bound(self, size: Size) -> None:
        """Until the next look the process may grow up to the bound and a margin. Allocators keep
        what they have reserved, so it may be far more than is in memory: new reservations count
        from the start, and a part of what is free is let in besides."""
        most_bytes = int(self.memory_bytes * (1 + MARGIN_SHARE))
        room = max((most_bytes - size.resident) // 4, LEAST_ROOM)
        soft, most = max(self._reserved + most_bytes, size.data + room), self._bounds[1]
        if most != resource.RLIM_INFINITY:
            soft = min(soft, most)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, most))

    def look(self, size: Size) -> None:
        """Notes who may have taken what the process has grown by, and stops who took most if that
        is too much."""
        running = {watched.number: watched for watched in self._statements()}
        computing = [number for number, w in running.items() if not w.is_paused]
        grown, self._before = size.resident - self._before, size.resident
        self._taken = {n: bytes_ for n, bytes_ in self._taken.items() if n in running}
        if grown > 0:
            for number in computing:
                self._taken[number] = self._taken.get(number, 0) + grown // len(computing)
        if size.resident > self.memory_bytes and self._taken:
            self._stop_largest(running)

    def _stop_largest(self, running: dict[int, Watched]) -> None:
        ending = {n for n, w in running.items() if (x := w.limits) and x.cancelled.is_set()}
        if ending and time.monotonic() < self._patient_until:
            return
        others = [(taken, n) for n, taken in self._taken.items() if n not in ending]
        taken, number = max(others, default=(0, 0))
        limits = running[number].limits if taken else None
        if limits is None or taken < self.memory_bytes * LEAST_SHARE:
            return
        self._patient_until = time.monotonic() + PATIENCE_SECONDS
        self._note(running[number].kind)
        limits.starve(self.memory_bytes)

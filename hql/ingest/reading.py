"""Reads sources in a thread of its own, ahead of those who embed and store: Piece after Piece.

A source that fits into memory is one piece; a larger one comes in several, the last of which says
so. Sources that did not change, or cannot be read, are pieces without drafts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from queue import Empty, Full, Queue
from typing import Final, Generic, TypeVar

from hartonomous.hql.ingest.sources import Request, prepare
from hartonomous.hql.modalities.base import Drafts, Modality, Unreadable

Item = TypeVar("Item")

#: sources whose earlier hashes are looked up at once
LOOKED_UP: Final = 1_024
#: seconds between two looks whether the other side still listens
PATIENCE_S: Final = 0.1

#: for sources by their URIs: (URI, Modality of its atoms) -> hash that it had when it was last read
Known = Callable[[Sequence[str]], dict[tuple[str, str], bytes]]
#: the modality that a request is to be read by, or None: it is left out. Raises Unreadable
Choice = Callable[[Request], Modality | None]


@dataclass(slots=True)
class Piece:
    """What was read of one source."""

    uri: str
    modality: Modality | None = None
    drafts: Drafts | None = None
    hash: bytes | None = None
    size: int = 0
    is_last: bool = True
    is_unchanged: bool = False
    fault: Unreadable | None = None

    @property
    def count(self) -> int:
        return 0 if self.drafts is None else len(self.drafts.texts)


def read_all(requests: Iterator[Request], known: Known, choose: Choice) -> Iterator[Piece]:
    """The pieces of all requests, in their order."""
    seen: set[str] = set()
    while asked := list(islice(requests, LOOKED_UP)):
        before = known([r.uri for r in asked])
        for request in asked:
            try:
                modality = choose(request)
                if modality is None:
                    continue
                if request.uri in seen:
                    raise Unreadable("DUPLICATE", "another source has the same name")
                seen.add(request.uri)
                yield from _read(request, modality, before.get((request.uri, modality.modality)))
            except Unreadable as fault:
                yield Piece(request.uri, fault=fault)


def _read(request: Request, modality: Modality, before: bytes | None) -> Iterator[Piece]:
    source, digest = request.open()
    if before == digest:
        yield Piece(request.uri, size=source.size, is_unchanged=True)
        return
    prepare(source, modality)

    def piece(drafts: Drafts | None, is_last: bool) -> Piece:
        size = source.size if is_last else 0
        return Piece(request.uri, modality, drafts, digest, size, is_last)

    drafts = modality.read(source)
    if source.data is not None:
        yield piece(joined(list(drafts)), True)
        return
    for block in drafts:
        assert block.rows is None, "a modality with a table of its own reads what fits into memory"
        yield piece(block, False)
    yield piece(None, True)


def joined(blocks: list[Drafts]) -> Drafts | None:
    """Several blocks of a source as one."""
    if len(blocks) <= 1:
        return blocks[0] if blocks else None
    import pyarrow as pa

    whole = Drafts([t for b in blocks for t in b.texts], exact=all(b.exact for b in blocks))
    if all(b.starts is not None for b in blocks):
        whole.starts = [p for b in blocks for p in b.starts or ()]
        whole.ends = [p for b in blocks for p in b.ends or ()]
    if any(b.metadata is not None for b in blocks):
        whole.metadata = [m for b in blocks for m in b.metadata or [None] * len(b.texts)]
    rows = [b.rows for b in blocks if b.rows is not None]
    if rows:
        whole.rows = pa.concat_tables(rows)
    return whole


class Stopped(Exception):
    """Nobody wants what a thread makes any more."""


class Ahead(Generic[Item]):
    """Runs an iterator in a thread, at most `ahead` items ahead. What it raises is raised where its
    items are taken. As a context manager it ends the thread. `make` gives the iterator; it gets a
    function that raises Stopped when the thread is to end, for those who wait or work long."""

    def __init__(
        self, make: Callable[[Callable[[], None]], Iterator[Item]], ahead: int, name: str
    ) -> None:
        self._make = make
        self._queue: Queue[Item | BaseException | None] = Queue(ahead)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Ahead[Item]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Stopped

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            for item in self._make(self._check):
                self._put(item)
        except Stopped:
            return
        except BaseException as error:  # raised again in the other thread
            end = error
        with suppress(Stopped):
            self._put(end)

    def _put(self, item: Item | BaseException | None) -> None:
        while True:
            self._check()
            try:
                self._queue.put(item, timeout=PATIENCE_S)
                return
            except Full:
                continue

    def take(self, check: Callable[[], None]) -> Iterator[Item]:
        """The items; `check` is called while waiting and may raise."""
        while True:
            check()
            try:
                item = self._queue.get(timeout=PATIENCE_S)
            except Empty:
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

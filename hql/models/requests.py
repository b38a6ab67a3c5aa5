"""InferenceRequests: what was asked of models, by whom it was answered, and what it cost.

One request is all calls of one function on one model in one statement: they are added up while the
statement runs and kept when it ends (or fails: what was done until then counts). Requests stand
beside the database, outside commits and branches, and only the last ones are kept: storage/logs.py.
Where they are many they wait in memory for others, so that they cost few writes.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import msgpack

from hartonomous.hql import limits

if TYPE_CHECKING:
    from hartonomous.hql.models.model import Model
    from hartonomous.storage.database import Database

#: what the log is called
LOG = "inference"
#: requests that come within so long after one that was written wait for others
QUIET_SECONDS = 0.1


@dataclass(slots=True)
class Request:
    """The figures of one request. `rows`: texts or rows of features; `cache_hits`: rows that were
    answered without running the model; `was_loaded`: its network was in memory already."""

    model_id: int
    model_name: str
    version: int
    kind: str
    at_us: int
    id: bytes = field(default_factory=lambda: uuid.uuid4().bytes)
    rows: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    cache_hits: int = 0
    was_loaded: bool = True
    error: str | None = None

    def pack(self) -> bytes:
        """The log's record."""
        packed: bytes = msgpack.packb([getattr(self, name) for name in RECORD])
        return packed

    @staticmethod
    def unpack(data: bytes) -> Request:
        values: list[Any] = msgpack.unpackb(data)
        return Request(**dict(zip(RECORD, values, strict=True)))


#: what a record holds, in this order
RECORD = (
    "id",
    "at_us",
    "model_id",
    "model_name",
    "version",
    "kind",
    "rows",
    "tokens_in",
    "tokens_out",
    "seconds",
    "cache_hits",
    "was_loaded",
    "error",
)


@contextmanager
def noted(database: Database, model: Model, kind: str) -> Iterator[Request]:
    """The request that the block's work belongs to; its time is counted."""
    part = Request(model.id, model.name, model.version, kind, database.clock.now_us())
    started = time.perf_counter()
    try:
        yield part
    except BaseException as error:
        part.error = str(getattr(error, "code", type(error).__name__))
        raise
    finally:
        part.seconds = time.perf_counter() - started
        current = limits.current()
        if current is None:
            _keep(database, part)
        else:
            _add(database, part, current)


def _add(database: Database, part: Request, current: limits.Limits) -> None:
    """To what the statement has asked so far; its native functions may run in several threads."""
    key = (database, part.model_id, part.version, part.kind)
    with _lock:
        whole = current.requests.setdefault(key, part)
        if whole is part:
            current.at_stop(partial(_keep, database, part))
            return
        whole.rows += part.rows
        whole.tokens_in += part.tokens_in
        whole.tokens_out += part.tokens_out
        whole.seconds += part.seconds
        whole.cache_hits += part.cache_hits
        whole.was_loaded = whole.was_loaded and part.was_loaded
        whole.error = whole.error or part.error


_lock = threading.Lock()


def _keep(database: Database, request: Request) -> None:
    database.log(LOG).keep(request.pack(), quiet_seconds=QUIET_SECONDS)


#: what a statement asked of models up to some moment, by model and kind
Progress = dict[tuple[str, str], tuple[int, int, int, float, int]]


def progress(current: limits.Limits) -> Progress:
    """What the statement of these limits has asked so far."""
    with _lock:
        return {
            (r.kind, r.model_name): (r.rows, r.tokens_in, r.tokens_out, r.seconds, r.cache_hits)
            for r in current.requests.values()
        }


def described(before: Progress, after: Progress) -> tuple[str, ...]:
    """What was asked between two moments, as EXPLAIN ANALYZE shows it."""
    texts = []
    for (kind, model), figures in after.items():
        earlier = before.get((kind, model), (0, 0, 0, 0.0, 0))
        if figures == earlier:
            continue
        rows, tokens_in, tokens_out, seconds, hits = (
            a - b for a, b in zip(figures, earlier, strict=True)
        )
        parts = [f"{rows:,} rows", f"{tokens_in:,} tokens in"]
        parts += [f"{tokens_out:,} out"] if tokens_out else []
        parts += [f"{hits:,} cache hits"] if hits else []
        texts.append(f"{kind} {model}: {', '.join(parts)}, {seconds * 1e3:.2f} ms")
    return tuple(texts)


def requests_of(database: Database) -> list[Request]:
    """The last requests, the oldest first."""
    return [Request.unpack(record) for record in database.log(LOG).records()]

"""What operators share: the state of one execution, and the Protocol they follow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from hartonomous.hql.engine import relational
from hartonomous.hql.engine.relational import Cursor
from hartonomous.hql.operators.wide import WideStore

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.limits import Limits
    from hartonomous.hql.models.requests import Progress
    from hartonomous.storage.catalog import Catalog
    from hartonomous.storage.commit_log import CommitPlace
    from hartonomous.storage.database import Database
    from hartonomous.storage.table import TableView

#: rows of a batch that leaves the engine; the chunks of a stored table have as many, so that
#: vectors of unfiltered rows leave as slices of them
BATCH_ROWS = 65_536
#: … but fewer where texts may be long: about so many bytes, as a slow reader may keep them waiting
BATCH_BYTES = 2 << 20


class Source(Protocol):
    """Where tables are read: a snapshot, or a transaction with its own changes."""

    database: Database
    catalog: Catalog

    def view(self, table_id: int) -> TableView: ...


@dataclass(slots=True)
class Figures:
    """What one operator did; filled only for EXPLAIN ANALYZE. `seconds` are the clock's; a
    fragment's `profile` is the engine's own account of its operators, and `bound` what stood for
    the names in its text."""

    rows: int = 0
    seconds: float = 0.0
    bytes: int = 0
    batches_total: int = 0
    batches_pruned: int = 0
    segments_total: int = 0
    segments_pruned: int = 0
    nodes_visited: int | None = None  # of a spatial index
    index_entries: int | None = None  # of an ordered one, that were read
    candidates: int = 0  # rows that it gave
    tensors_total: int = 0
    tensors_pruned: int = 0
    requests: tuple[str, ...] = ()  # of models (hql/models/requests.py)
    coefficients: int | None = None  # that were looked at
    profile: Any = None
    bound: Mapping[str, Any] | None = None


class Measured:
    """The figures of one run by operator, and the engine that keeps account of its fragments.
    To be closed."""

    def __init__(self, memory_bytes: int | None = None) -> None:
        self.engine = relational.Engine(memory_bytes=memory_bytes, profiles=True)
        self._figures: dict[int, Figures] = {}

    def note(self, operator: object, figures: Figures) -> None:
        self._figures[id(operator)] = figures

    def find(self, operator: object) -> Figures | None:
        return self._figures.get(id(operator))

    def close(self) -> None:
        self.engine.close()


@dataclass(slots=True)
class Execution:
    """One run of a prepared plan. `tables` gives the rows of an ArrowSource by its key; the wide
    store belongs to this run alone. `context` is the statement's, for users' functions; `calls`
    keeps these apart, as the engine may call them in several threads. (A statement inside a
    function has an execution of its own.) `is_calling` says that there are such calls. `moments`
    are the earlier states of the database that are read."""

    source: Source
    parameters: Mapping[str, Any]
    limits: Limits
    tables: Mapping[str, Callable[[], pa.Table | pa.RecordBatchReader]]
    store: WideStore = field(default_factory=WideStore)
    measured: Measured | None = None
    closers: list[Callable[[], None]] = field(default_factory=list)
    context: Context | None = None
    calls: threading.Lock = field(default_factory=threading.Lock)
    is_calling: bool = False
    moments: dict[CommitPlace, Source] = field(default_factory=dict)

    def at(self, moment: CommitPlace | None) -> Source:
        """Where tables are read as they were at a moment; None: as the statement sees them."""
        if moment is None:
            return self.source
        found = self.moments.get(moment)
        if found is None:
            from hartonomous.hql.history.past import PastSource

            found = PastSource.of(self.source.database, moment)
            if self.context is not None and self.context.account is not None:
                from hartonomous.hql.security.rows import guarded

                found = guarded(self.context, found, moment)
            self.moments[moment] = found
        return found

    def rows_of(self, key: str, moment: CommitPlace | None) -> pa.Table | pa.RecordBatchReader:
        """The rows of an ArrowSource."""
        if moment is None:
            return self.tables[key]()
        from hartonomous.hql.history.system_rows import rows_at

        assert self.context is not None
        return rows_at(self.context, key, self.at(moment))

    def close(self) -> None:
        """Gives back what the run holds, last first. Idempotent."""
        while self.closers:
            self.closers.pop()()

    def cursor(self) -> Cursor:
        """A cursor of the process's engine, or of one of its own where the statement may use less
        memory than that; closed with the run."""
        if self.measured is not None:
            engine = self.measured.engine
        elif self.limits.memory_bytes is None:
            engine = relational.engine()
        else:
            engine = relational.Engine(memory_bytes=self.limits.memory_bytes)
            self.closers.append(engine.close)
        cursor = engine.cursor()
        self.closers.append(cursor.close)
        return cursor

    def asked(self) -> Progress:
        """What was asked of models so far; kept only for a measured run."""
        if self.measured is None or not self.limits.requests:
            return {}
        from hartonomous.hql.models.requests import progress

        return progress(self.limits)

    def asked_since(self, before: Progress) -> tuple[str, ...]:
        """What was asked since then, for Figures."""
        after = self.asked()
        if not after:
            return ()
        from hartonomous.hql.models.requests import described

        return described(before, after)

    def is_cancelled(self) -> bool:
        return self.limits.cancelled.is_set()


class Operator(Protocol):
    """Pulls batches from what is below it and gives batches. `start` takes hold of everything that
    could change later (snapshots, parameters); the rows are computed as the iterator is pulled."""

    def start(self, execution: Execution) -> Iterator[pa.RecordBatch]: ...

"""Figures of a server for Prometheus: what `GET /metrics` gives.

Statements are counted where they end, on engine threads (hql/activity.py); what can be looked up
is looked up when somebody asks. Every server has a registry of its own.
"""

from __future__ import annotations

import os
from collections import Counter as Counts
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from hartonomous.server.engine import Engine
    from hartonomous.server.routing import WorkerRouter

#: upper ends, in seconds, of the ranges that times fall in
SECONDS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
)  # fmt: skip
#: … and in which the event loop is late
LAG_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

#: ways in, which have figures also when nobody came
DOORS: Final = ("wire", "http", "postgres")


class Metrics:
    """The figures of one engine. `statement` may be called from any thread."""

    def __init__(self, engine: Engine) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._statements = Counter(
            "hql_statements",
            "Statements that ended, by kind and code of their error (empty: none).",
            ["kind", "code"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "hql_statement_seconds",
            "Time that statements took to compute, by kind.",
            ["kind"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._rows = Counter(
            "hql_rows", "Rows that statements gave or changed.", ["kind"], registry=self.registry
        )
        self._texts = Counter(
            "hql_texts",
            "Texts that ended, by door and how: ok, failed, or closed by the client.",
            ["door", "outcome"],
            registry=self.registry,
        )
        self._text_seconds = Histogram(
            "hql_text_seconds",
            "Time from taking a text to its end, waiting for threads and clients included.",
            ["door"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._bytes = Counter(
            "hql_result_bytes", "Bytes of rows given, by door.", ["door"], registry=self.registry
        )
        self._logins = Counter(
            "hql_logins",
            "Who said who they are, by door and whether they were believed.",
            ["door", "outcome"],
            registry=self.registry,
        )
        self._opened = Counter(
            "hql_sessions_opened", "Sessions opened.", ["door"], registry=self.registry
        )
        self._lag = Histogram(
            "hql_loop_lag_seconds",
            "How late the event loop was when it looked.",
            buckets=LAG_SECONDS,
            registry=self.registry,
        )
        self._last_lag = Gauge(
            "hql_loop_lag_last_seconds", "How late it was the last time.", registry=self.registry
        )
        self.lost_lines = Counter(
            "hql_log_lines_lost", "Lines of the log that were lost.", registry=self.registry
        )
        self._of_kind: dict[tuple[str, str | None], tuple[Counter, Histogram, Counter]] = {}
        self._of_door: dict[tuple[str, str], tuple[Counter, Histogram, Counter]] = {}
        self.registry.register(Looked(engine))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    # --- events ---

    def statement(self, kind: str, seconds: float, rows: int, code: str | None) -> None:
        """A statement ended."""
        figures = self._of_kind.get((kind, code))
        if figures is None:  # labels() takes longer than all the rest
            figures = self._of_kind[kind, code] = (
                self._statements.labels(kind, code or ""),
                self._seconds.labels(kind),
                self._rows.labels(kind),
            )
        figures[0].inc()
        figures[1].observe(seconds)
        if rows > 0:
            figures[2].inc(rows)

    def text(self, door: str, outcome: str, seconds: float, size: int) -> None:
        """A text ended, which gave rows of so many bytes."""
        figures = self._of_door.get((door, outcome))
        if figures is None:
            figures = self._of_door[door, outcome] = (
                self._texts.labels(door, outcome),
                self._text_seconds.labels(door),
                self._bytes.labels(door),
            )
        figures[0].inc()
        figures[1].observe(seconds)
        if size:
            figures[2].inc(size)

    def login(self, door: str, outcome: str) -> None:
        """Somebody said who they are."""
        self._logins.labels(door, outcome).inc()

    def session(self, door: str) -> None:
        """A session was opened."""
        self._opened.labels(door).inc()

    def lag(self, seconds: float) -> None:
        """The event loop was so late."""
        self._lag.observe(seconds)
        self._last_lag.set(seconds)

    # --- what is asked ---

    def exposition(self) -> tuple[str, bytes]:
        """Content type and text. Any thread."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)


class Looked(Collector):
    """What is looked up when somebody asks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        """Nothing: the engine need not be started yet."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The engine's figures, then the database's."""
        engine = self._engine
        sessions = list(engine.sessions.values())
        doors = Counts(dict.fromkeys(DOORS, 0))
        doors.update(str(s.door) for s in sessions)
        yield _gauges("hql_sessions", "Sessions that are open.", "door", doors)
        open_transactions = sum(s.in_transaction for s in sessions)
        yield _gauge("hql_transactions", "Transactions that are open.", open_transactions)
        yield _gauge(
            "hql_texts_open",
            "Texts that run, wait, or whose rows wait to be taken.",
            sum(len(s.runnings) for s in sessions),
        )
        yield _gauge("hql_engine_threads", "Threads that run statements.", engine.threads.count)
        yield _gauge("hql_engine_threads_busy", "Of them at work.", engine.threads.running)
        yield _gauge("hql_queued", "Work that waits for a thread.", engine.threads.queued)
        yield CounterMetricFamily(
            "hql_refused", "Texts and sessions refused as BUSY.", value=engine.refused
        )
        router: Any = engine.router
        if router is not None:
            yield from _of_workers(router)
        yield from _of_database(engine.database)


def _of_workers(router: WorkerRouter) -> Iterable[Metric]:
    workers = list(router.workers.workers.values())
    yield _gauge("hql_workers", "Processes that read.", sum(w.is_ready for w in workers))
    yield _gauge("hql_workers_busy", "Queries that they are at.", sum(w.busy for w in workers))
    yield _gauge("hql_workers_bytes", "Memory that they hold.", sum(w.memory for w in workers))
    yield CounterMetricFamily(
        "hql_worker_restarts", "Processes begun again.", value=router.workers.restarts
    )
    queries = CounterMetricFamily(
        "hql_worker_queries",
        "Queries that they answered, handed back, or died of.",
        labels=["outcome"],
    )
    queries.add_metric(["answered"], router.answered)
    queries.add_metric(["handed back"], router.handed_back)
    queries.add_metric(["lost"], router.lost)
    yield queries


def _of_database(database: Any) -> Iterable[Metric]:
    yield _gauge(
        "hql_commit_sequence", "Number of the last commit on main.", database.published.sequence
    )
    if database.wal is not None:
        yield _gauge("hql_wal_bytes", "Bytes of the log's file.", database.wal.file_bytes)
    yield _gauge(
        "hql_compaction_failed",
        "1 if removing what is old failed the last time.",
        int(database.keeper.fault is not None),
    )
    if database.path is not None:
        figures = os.statvfs(database.path)
        yield _gauge(
            "hql_disk_free_bytes",
            "Bytes that may still be written where the database is.",
            figures.f_bavail * figures.f_frsize,
        )


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=value)


def _gauges(name: str, about: str, label: str, values: Counts[str]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family

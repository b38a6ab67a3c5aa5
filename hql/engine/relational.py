"""The relational engine behind one small interface: the only module that imports DuckDB.

One engine per process: an in-memory DuckDB without access to files or network, its configuration
locked. Each running statement has a cursor of its own; Arrow tables registered on it are seen by
no other. Arrow functions of native calls are registered once, at start; they find the call's
Python function by its number.

Settings that change what values mean: `error_on_division_by_zero` without `ieee_floating_point_ops`
makes every division by zero, and `SQRT(-1)`, an error; the time zone is UTC, so that casts of
strings through TIMESTAMPTZ give UTC.

Errors leave this module as our own (relational_errors.py); those without a place in the text get
it from the plan where there is only one candidate (places.py).
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from hartonomous.hql.engine.literals import inline
from hartonomous.hql.engine.native_calls import CALL_FUNCTIONS, LATE_FUNCTION, NATIVE_CALLS
from hartonomous.hql.engine.places import locate

#: rows in a batch of a result
BATCH_ROWS = 65_536
#: batches of at most so many rows are large ones, of which about so much is computed before it is
#: read (else 10 MiB)
FEW_ROWS, AHEAD_BYTES = 4_096, 1 << 20

#: the engine takes no larger limit of its memory
MEMORY_BYTES_MAX = 1 << 60
#: how long a cursor that another thread uses is asked to stop: 5 s
_STOP_TRIES, _STOP_PAUSE = 500, 0.01

_FOREIGN_ERRORS = (duckdb.Error, pa.ArrowException, OSError)
#: what the engine makes of Ctrl-C if it sees the signal before our watchdog has interrupted it
_SIGNALLED = "Query interrupted"
#: how its error ends if the piece of Python that it ran was interrupted
_INSIDE = "failed: KeyboardInterrupt:"


class Engine:
    """One engine. `threads` None: as many as the process may use; `memory_bytes` None: 80 % of
    the machine's memory. Larger intermediate results go to a private folder below `spill_folder`
    (None: the system's temporary one), which is removed at the end. `profiles`: each cursor keeps
    account of what its last query did (Cursor.profile)."""

    def __init__(
        self,
        *,
        threads: int | None = None,
        memory_bytes: int | None = None,
        spill_folder: str | None = None,
        profiles: bool = False,
    ) -> None:
        self._profiles = profiles
        self.threads = threads or len(os.sched_getaffinity(0))
        self._folder = tempfile.mkdtemp(prefix="hartonomous-", dir=spill_folder)
        self._cursors: weakref.WeakSet[Cursor] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._process = os.getpid()
        config: dict[str, Any] = {
            "threads": self.threads,
            "temp_directory": self._folder,
            "python_enable_replacements": False,
        }
        if _memory_bytes is not None:  # nobody has more by asking for an engine of their own
            asked = _memory_bytes if memory_bytes is None else memory_bytes
            memory_bytes = min(_memory_bytes, asked)
        if memory_bytes is not None:
            # below 0 it would mean none
            config["memory_limit"] = f"{min(max(memory_bytes, 0), MEMORY_BYTES_MAX)}B"
            # what a statement took is the system's again a second after it ended, not never
            config["allocator_background_threads"] = True
        connection: Any = duckdb.connect(":memory:", config=config)
        self._connection: Any = connection
        connection.execute(
            "SET GLOBAL ieee_floating_point_ops = false; SET GLOBAL TimeZone = 'UTC';"
            # to order by a constant is to leave the order open
            "SET GLOBAL order_by_non_integer_literal = true;"
            "SET GLOBAL allowed_configs = ['streaming_buffer_size'];"
            "SET enable_external_access = false"
        )
        if not profiles:  # which is a setting of each cursor; files stay barred without the lock
            connection.execute("SET lock_configuration = true")
        # no parameters: any number of arguments of any types
        for result, name in (*CALL_FUNCTIONS.items(), ("BIGINT", "__hql_intern")):
            arrow: Any = {"type": "arrow", "null_handling": "special"}  # stubs want enumerations
            connection.create_function(name, NATIVE_CALLS.run, None, result, **arrow)
        late = {**arrow, "side_effects": True}
        connection.create_function(LATE_FUNCTION, NATIVE_CALLS.run, None, "VARCHAR", **late)

    def cursor(self) -> Cursor:
        """A cursor for one statement; to be closed."""
        with self._lock:
            assert self._connection is not None, "the engine is closed"
            connection = self._connection.cursor()
            if self._profiles:
                connection.execute("SET enable_profiling = 'no_output'")
            cursor = Cursor(connection)
            self._cursors.add(cursor)
        return cursor

    def close(self) -> None:
        """Ends running statements and frees everything. Idempotent."""
        with self._lock:
            connection, self._connection = self._connection, None
            cursors = list(self._cursors)
        if connection is None or self._process != os.getpid():
            return  # after a fork the engine is the parent's
        for cursor in cursors:
            cursor.stop()
        connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class Cursor:
    """What one statement does with the engine. One thread at a time, but for `interrupt`."""

    def __init__(self, connection: Any) -> None:
        self._connection: Any = connection
        self._names: list[str] = []
        self._streams: weakref.WeakSet[Stream] = weakref.WeakSet()
        self._reads_little = False

    def register(self, name: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        """Makes Arrow rows a table of this cursor. A reader can be scanned once. Times with a
        zone become the instant in UTC, without one."""
        with _Translating(self, f"register {name}", None):  # which asks the rows what they are
            self._connection.register(name, _without_zones(rows))
        self._names.append(name)

    def unregister(self, name: str) -> None:
        self._connection.unregister(name)
        self._names.remove(name)

    def stream(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        plan: Any = None,
        batch_rows: int = BATCH_ROWS,
    ) -> Stream:
        """Runs a query; rows are made as they are read. `parameters` replace `$name` in the text
        (render has put a cast around each). `plan` is what errors are placed by. Batches of few
        rows are those of large ones, of which little is computed ahead."""
        text = inline(sql, parameters or {})
        reader: Any = None
        try:
            with _Translating(self, text, plan):
                if batch_rows <= FEW_ROWS and not self._reads_little:
                    self._connection.execute(f"SET streaming_buffer_size = '{AHEAD_BYTES}B'")
                    self._reads_little = True
                reader = self._connection.sql(text).to_arrow_reader(batch_rows)
            stream = Stream(self, reader, text, plan)
            self._streams.add(stream)
        except KeyboardInterrupt:
            if reader is not None:
                reader.close()  # the cursor cannot be closed while its result is open
            raise
        return stream

    def explain(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """The engine's plan as lists and dicts."""
        text = f"EXPLAIN (FORMAT json) {inline(sql, parameters or {})}"
        try:
            rows = self._connection.execute(text).fetchall()
        except _FOREIGN_ERRORS as error:
            raise self.fault(error, text, None) from error
        return json.loads(rows[0][1])

    def profile(self) -> Any:
        """What the engine says its last query did, whose stream is closed, as lists and dicts: by
        operator its rows and the processor time of all threads in seconds. Engines with `profiles`
        only."""
        return json.loads(self._connection.get_profiling_information(format="json"))

    def fault(self, error: BaseException, sql: str, plan: Any) -> BaseException:
        """The error of ours that an engine error means. Ctrl-C that came while the engine ran a
        piece of Python is raised as itself."""
        if str(error).rstrip().endswith(_INSIDE):
            raise KeyboardInterrupt from error
        from hartonomous.hql.engine.relational_errors import translate  # 20 ms of patterns

        return locate(translate(error, sql, NATIVE_CALLS.failure), plan)

    def interrupt(self) -> None:
        """Stops what runs; from any thread. The running call raises Cancelled."""
        connection = self._connection
        if connection is not None:
            # a Ctrl-C may have come between the connection's end and our noting it
            with contextlib.suppress(duckdb.ConnectionException):
                connection.interrupt()

    def stop(self) -> None:
        """Closes the cursor though another thread may be using it: that one gets Cancelled, or
        keeps the cursor if it does not let go in time."""
        for _ in range(_STOP_TRIES):
            self.interrupt()
            try:
                return self.close()
            except duckdb.Error:  # busy; only one thread at a time may call
                time.sleep(_STOP_PAUSE)

    def close(self) -> None:
        """Frees the cursor and what was registered. Idempotent."""
        connection = self._connection
        if connection is None:
            return
        for stream in list(self._streams):
            stream.close()
        while self._names:
            with contextlib.suppress(duckdb.OutOfMemoryException):  # what closes frees it, too
                connection.unregister(self._names[-1])
            self._names.pop()
        connection.close()
        self._connection = None

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Translating:
    """What the engine raises inside leaves as ours, Ctrl-C that it saw before Python as itself."""

    __slots__ = ("_cursor", "_plan", "_sql")

    def __init__(self, cursor: Cursor, sql: str, plan: Any) -> None:
        self._cursor, self._sql, self._plan = cursor, sql, plan

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: Any) -> None:
        if isinstance(error, _FOREIGN_ERRORS):
            raise self._cursor.fault(error, self._sql, self._plan) from error
        if isinstance(error, RuntimeError) and str(error) == _SIGNALLED:
            raise KeyboardInterrupt from error


class Stream:
    """A result being read: as pa.RecordBatchReader, but errors are ours."""

    def __init__(self, cursor: Cursor, reader: Any, sql: str, plan: Any) -> None:
        self._cursor, self._reader, self._sql, self._plan = cursor, reader, sql, plan
        self.schema: pa.Schema = reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        return self.read_next_batch()

    def read_next_batch(self) -> pa.RecordBatch:
        """The next rows; StopIteration after the last."""
        if self._reader is None:
            raise StopIteration
        with _Translating(self._cursor, self._sql, self._plan):
            return self._reader.read_next_batch()

    def read_all(self) -> pa.Table:
        """All rows that are left."""
        if self._reader is None:
            return self.schema.empty_table()
        with _Translating(self._cursor, self._sql, self._plan):
            return self._reader.read_all()

    def close(self) -> None:
        """No more rows are wanted. Idempotent."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


def _without_zones(rows: Any) -> Any:
    """Rows whose timestamps have no zone (a cast that copies nothing)."""
    fields = [
        f.with_type(pa.timestamp(f.type.unit)) if pa.types.is_timestamp(f.type) and f.type.tz else f
        for f in rows.schema
    ]
    schema = pa.schema(fields)
    if schema.equals(rows.schema):
        return rows
    if isinstance(rows, pa.RecordBatchReader):
        return pa.RecordBatchReader.from_batches(schema, (b.cast(schema) for b in rows))
    return rows.cast(schema)


# --- the process's engine ------------------------------------------------------------------------

_engine: Engine | None = None
_engine_lock = threading.Lock()
_memory_bytes: int | None = None


def limit_memory(memory_bytes: int) -> None:
    """Bounds the process's engine, before it is made, and every engine of a single statement; a
    process that serves others says so."""
    global _memory_bytes
    assert _engine is None, "the engine is there already"
    _memory_bytes = memory_bytes


def engine() -> Engine:
    """The process's engine, made by the first call (about 20 ms) and closed at exit."""
    global _engine
    with _engine_lock:
        if _engine is None or _engine._process != os.getpid() or _engine._connection is None:
            if _engine is None:
                atexit.register(close_engine)
            _engine = Engine()
        return _engine


def close_engine() -> None:
    """Ends what runs and closes the process's engine; a later call makes a new one."""
    with _engine_lock:
        if _engine is not None:
            _engine.close()

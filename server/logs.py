"""The server's log: JSON lines on standard error or in a file, which goes round at FILE_BYTES.

    {"at": "2026-11-23T03:32:36.123456Z", "level": "warning", "event": "slow statement", …}

Who logs never waits: lines are written by a thread, and when more than LINES_MAX wait, or the disk
is full, they are lost and counted. No line holds a parameter's value or a secret: of statements
there is the form without constants (hql/normal_text.py).
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from logging.handlers import QueueHandler, RotatingFileHandler
from typing import Any, Final

from hartonomous.hql.errors import ConfigurationFault, FileFault

#: what its lines come from, for programs that have the server in them
NAME: Final = "hartonomous.server"
LEVELS: Final = ("debug", "info", "warning", "error")
#: what logging calls them
NUMBERS: Final = {level: logging.getLevelNamesMapping()[level.upper()] for level in LEVELS}
FILE_BYTES: Final = 64 << 20
#: older files that are kept
FILES: Final = 4
LINES_MAX: Final = 10_000
#: seconds that lines have to be written at the end
CLOSE_SECONDS: Final = 3.0
#: the longest text in a line
CHARACTERS_MAX: Final = 2_000


class ServerLog:
    """The log of one server. `lost` is called for each line that could not be written."""

    def __init__(
        self, level: str, path: str | None = None, lost: Callable[[], object] = lambda: None
    ) -> None:
        if level not in LEVELS:
            raise ConfigurationFault(
                f'there is no log level "{level}"', hint=f"levels are {', '.join(LEVELS)}"
            )
        self._logger = logging.Logger(NAME, NUMBERS[level])
        self._handler = _handler(path, lost)
        self._handler.setFormatter(JsonLines())
        waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(LINES_MAX)
        self._logger.addHandler(_Queued(waiting, lost))
        self._waiting = waiting
        self._thread = threading.Thread(target=self._work, name="hql-log", daemon=True)
        self._thread.start()

    def write(
        self, level: str, event: str, fault: BaseException | None = None, **values: Any
    ) -> None:
        """One line; `fault` adds where a bug of ours happened."""
        if self.is_on(level):
            self._logger.log(NUMBERS[level], event, extra={"values": values, "fault": fault})

    def is_on(self, level: str) -> bool:
        """Whether lines of that level are written."""
        return NUMBERS[level] >= self._logger.level

    def close(self) -> None:
        """Writes what waits, and ends; what is not written by then (nobody reads standard error)
        is given up after CLOSE_SECONDS."""
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=CLOSE_SECONDS)
        self._thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        while (record := self._waiting.get()) is not None:
            self._handler.handle(record)
        if isinstance(self._handler, RotatingFileHandler):
            with contextlib.suppress(OSError):  # of a line that is counted as lost already
                self._handler.close()


class JsonLines(logging.Formatter):
    """A record as one line of ASCII: whatever a text holds, it cannot begin another line."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        line: dict[str, Any] = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        values: dict[str, Any] = getattr(record, "values", {})
        line.update((k, _shown(v)) for k, v in values.items() if v is not None)
        fault: BaseException | None = getattr(record, "fault", None)
        if fault is not None:
            line["traceback"] = "".join(traceback.format_exception(fault))[-4 * CHARACTERS_MAX :]
        return json.dumps(line)


def _shown(value: Any) -> Any:
    if isinstance(value, str) and len(value) > CHARACTERS_MAX:
        return value[: CHARACTERS_MAX - 2] + " …"
    if isinstance(value, float):
        return round(value, 3)
    return value if isinstance(value, (str, int, float, bool, list, dict)) else str(value)


class _Queued(QueueHandler):
    """Hands records on as they are; one that finds no room is lost."""

    def __init__(self, waiting: queue.Queue[Any], lost: Callable[[], object]) -> None:
        super().__init__(waiting)
        self._lost = lost

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 — logging's name
        self._lost()


def _handler(path: str | None, lost: Callable[[], object]) -> logging.Handler:
    """What writes lines; its errors are counted, since there is nowhere to tell them."""
    handler: logging.Handler
    if path is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        try:
            handler = RotatingFileHandler(
                path, maxBytes=FILE_BYTES, backupCount=FILES, encoding="ascii"
            )
        except OSError as fault:
            raise FileFault(f'the log "{path}" cannot be written: {fault.strerror}') from fault
    handler.handleError = lambda record: lost()  # type: ignore[method-assign,assignment]
    return handler

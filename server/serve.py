"""`hql serve DB`: the command that runs a server until it is told to stop.

SIGTERM and SIGINT stop it gracefully (exit 0), a second one at once (exit 1); SIGHUP reads the
certificate again. Its address is the first thing that it says on standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hartonomous.server.settings import NONE, ServerSettings, make_settings, read_settings

if TYPE_CHECKING:
    from hartonomous.server.app import Server
    from hartonomous.server.memory import MemoryGuard
    from hartonomous.server.threads import EngineThreads

DONE, AT_ONCE = 0, 1
#: seconds that one thread's Python may keep the event loop waiting for the interpreter
SWITCH_SECONDS = 0.001
#: A collection of all garbage holds everything up, 0.1 s with 200 sessions: it waits for a moment
#: when no thread is at work, but not longer than until so many of young objects were made.
COLLECT_SECONDS, YOUNG_MIN, YOUNG_MAX = 1.0, 10, 1_000


def main(words: list[str]) -> int:
    """The command; gives the exit code. Raises Error."""
    database, settings = settings_of(words)
    return asyncio.run(_serve(database, settings))


def settings_of(words: list[str]) -> tuple[str, ServerSettings]:
    """The database and the settings that the command's words name. Raises Error."""
    options = vars(_parser().parse_args(words))
    database, config = options.pop("database"), options.pop("config")
    given = {name: value for name, value in options.items() if value is not None}
    return database, make_settings(given) if config is None else read_settings(config, given)


async def _serve(database: str, settings: ServerSettings) -> int:
    from hartonomous.hql.engine.relational import limit_memory
    from hartonomous.server.app import Server
    from hartonomous.server.memory import ENGINE_SHARE, memory_of

    memory, _ = memory_of(settings)
    limit_memory(int(memory * ENGINE_SHARE))
    server = Server(database, settings, _say)
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            os._exit(AT_ONCE)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.start()
    loop.add_signal_handler(signal.SIGHUP, server.reload)
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()  # what is there now stays: the collector need not look at it
    gc.set_threshold(*gc.get_threshold()[:2], 2 * YOUNG_MAX)
    collecting = asyncio.create_task(_collect(server.engine.threads))
    memory_guard = _guard(server, memory)
    memory_guard.start()
    _say(f"serving {database} at {server.address}{_postgres(server)} (pid {os.getpid()})")
    await stopping.wait()
    _say("stopping")
    collecting.cancel()
    await server.stop()
    memory_guard.stop()
    gc.unfreeze()  # the engine's bindings insist on being collected
    return DONE


def _guard(server: Server, memory: int) -> MemoryGuard:
    from hartonomous.server.memory import MemoryGuard

    assert server.watching is not None, "the server is started"
    log = server.watching.log
    return MemoryGuard(memory, lambda kind: log.write("warning", "memory is short", kind=kind))


async def _collect(threads: EngineThreads) -> None:
    """Collects garbage when that is due and disturbs least."""
    while True:
        await asyncio.sleep(COLLECT_SECONDS)
        young = gc.get_count()[2]
        is_idle = not threads.running and not threads.queued
        if young >= YOUNG_MAX or is_idle and young >= YOUNG_MIN:
            gc.collect()


def _postgres(server: Server) -> str:
    if server.postgres is None:
        return ""
    return f" and, for PostgreSQL's clients, on port {server.postgres.port}"


def _say(sentence: str) -> None:
    sys.stderr.write(f"hql serve: {sentence}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    """The command's words: a setting's name with - for _."""
    parser = argparse.ArgumentParser(
        prog="hql serve",
        usage="hql serve [options] [DB]",
        description="Serves a database to many clients.",
        epilog="In FILE a setting has _ for -: idle_timeout = 600. docs/SERVER.md says more.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "database", metavar="DB", nargs="?", default=":memory:", help="the database's folder"
    )
    parser.add_argument("--config", metavar="FILE", help="settings in TOML; words win over it")
    for field in dataclasses.fields(ServerSettings):
        name = "--" + field.name.replace("_", "-")
        parser.add_argument(name, dest=field.name, default=None, **_kind(field))
    return parser


def _kind(field: dataclasses.Field[Any]) -> dict[str, Any]:
    """How a setting's word is read and what is said of it."""
    text, name = str(field.type), field.name
    said = _HELP[name]
    if text == "bool":
        return {"action": argparse.BooleanOptionalAction, "help": said}
    if text.startswith("tuple"):
        return {"action": "append", "metavar": _METAVARS[name], "help": f"{said}; again for more"}
    if field.default is not None:
        default = field.default
        said += f" ({default:g})" if isinstance(default, float) else f" ({default})"
    plain = text.removesuffix(" | None")
    kind = {"int": int, "float": float}.get(plain, str)
    metavar = _METAVARS.get(name) or {"int": "N", "float": "SECONDS"}[plain]
    return {"type": _or_none(kind) if plain != text else kind, "metavar": metavar, "help": said}


def _or_none(kind: type) -> Callable[[str], Any]:
    """Reads a setting that may be `none`."""

    def read(word: str) -> Any:
        return NONE if word == NONE else kind(word)

    read.__name__ = kind.__name__  # which argparse names where a word is none
    return read


_METAVARS = {
    **{name: "FILE" for name in ("certificate", "key", "log_file")},
    **{name: "FOLDER" for name in ("read_folders", "write_folders")},
    **{name: "BYTES" for name in ("statement_memory", "memory", "message_bytes_max")},
    **{name: "BYTES" for name in ("upload_bytes_max", "notice_bytes_max", "body_bytes_max")},
    "host": "ADDRESS",
    "port": "PORT",
    "postgres_port": "PORT",
    "hosts": "NAME",
    "origins": "ORIGIN",
    "log_level": "LEVEL",
}

_HELP = {
    "host": "address to listen on; other machines' only with users",
    "port": "for HQL and HTTP; 0: any that is free",
    "postgres_port": "for PostgreSQL's clients",
    "hosts": "a name that the server is reached by",
    "origins": "an origin whose pages may ask, as https://app.example.com",
    "certificate": "PEM file: turns TLS on",
    "key": "PEM file of the certificate's key",
    "failures_max": "failed log-ins of a name within a minute before more are refused",
    "login_timeout": "for a client to say who it is",
    "read_folders": "a folder that statements may read files of",
    "write_folders": "a folder that statements may write files to",
    "read_only": "never take the writer's lock",
    "threads": "that run statements",
    "queued_max": "statements that wait for a thread",
    "workers": "processes that serve reading statements",
    "statement_timeout": "that a statement may take",
    "statement_memory": "that a statement may take",
    "memory": "that all statements together may take (60 %% of the machine's)",
    "sessions_max": "sessions",
    "connections_max": "connections, those that have not logged in included",
    "idle_timeout": "after which a session that asks nothing is closed, or none",
    "statements_max": "statements of a session that are open at once",
    "prepared_max": "prepared statements of a session",
    "frames_max": "frames of variables of a session",
    "message_bytes_max": "one message of a client",
    "upload_bytes_max": "what a session has uploaded and not used",
    "notice_bytes_max": "messages of a statement that its client has not taken",
    "body_bytes_max": "body of an HTTP request",
    "request_timeout": "for a client to send an HTTP request",
    "log_file": "JSON lines (standard error)",
    "log_level": "debug, info, warning or error",
    "slow_statement": "after which a statement is logged, or none",
    "grace": "for running statements when the server stops",
}

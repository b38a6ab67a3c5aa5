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
from typing import TYPE_CHECKING, Any

from hartonomous.server.settings import ServerSettings, make_settings, read_settings

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
    """The command's words: those below, and a setting's name with - for any other setting."""
    parser = argparse.ArgumentParser(
        prog="hql serve",
        description="Serves a database to many clients.",
        epilog="Every other setting of docs/SERVER.md is a word too: --statement-timeout 30.",
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
    """How a setting's word is read."""
    text = str(field.type)
    shown = {"help": argparse.SUPPRESS} if field.name not in _HELP else {"help": _HELP[field.name]}
    if text == "bool":
        return {"action": argparse.BooleanOptionalAction, **shown}
    if text.startswith("tuple"):
        return {"action": "append", "metavar": "TEXT", **shown}
    kind = {"int": int, "float": float}.get(text.removesuffix(" | None"), str)
    return {"type": kind, "metavar": kind.__name__.upper(), **shown}


_HELP = {
    "host": "address to listen on (127.0.0.1); other machines' only with users",
    "port": "port for HQL and HTTP (7433); 0: any that is free",
    "postgres_port": "port for PostgreSQL's clients",
    "certificate": "PEM file: turns TLS on",
    "key": "PEM file of the certificate's key",
    "workers": "processes that serve reading statements",
    "threads": "threads that run statements (4)",
    "read_only": "never take the writer's lock",
    "memory": "bytes that all statements together may take (60 % of the machine's)",
    "statement_timeout": "seconds that a statement may take",
    "read_folders": "a folder that statements may read files of; again for more",
    "write_folders": "a folder that statements may write files to; again for more",
    "origins": "an origin whose pages may ask (https://app.example.com); again for more",
    "hosts": "a name that the server is reached by; again for more",
    "grace": "seconds that running statements have when the server stops (10)",
}

"""Every knob of a server, with its bounds. From the command line, else from a TOML file whose keys
are the fields' names, else the default."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

from hartonomous.hql.errors import ConfigurationFault, FileFault

MIB = 1 << 20
#: how "no limit" is written where there is one by default
NONE = "none"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Times in seconds, sizes in bytes; None: no limit."""

    # --- listening ---
    host: str = "127.0.0.1"
    port: int = 7433
    #: of PostgreSQL's doorway; None: it is closed
    postgres_port: int | None = None
    #: names and addresses, with a port or without, that a Host header may have beside loopback's
    hosts: tuple[str, ...] = ()
    #: origins whose pages may talk to the server ("https://example.org")
    origins: tuple[str, ...] = ()

    # --- who may come in ---
    #: certificate and key in PEM files; together they turn TLS on
    certificate: str | None = None
    key: str | None = None
    #: failed log-ins within a minute, of one address or name, before more are refused
    failures_max: int = 10
    #: seconds that a client has to say who it is
    login_timeout: float = 10.0

    # --- files that statements may touch: folders; None: none ---
    read_folders: tuple[str, ...] = ()
    write_folders: tuple[str, ...] = ()

    # --- work ---
    read_only: bool = False
    #: threads that run statements
    threads: int = 4
    #: statements that wait for a thread; more are refused as BUSY
    queued_max: int = 1_000
    #: processes that serve reading statements
    workers: int = 0
    statement_timeout: float | None = None
    statement_memory: int | None = None
    #: bytes that all statements together may take; None: a share of the machine's
    memory: int | None = None

    # --- sessions ---
    sessions_max: int = 1_000
    #: connections for WebSockets and HTTP, those that have not logged in included; more are closed
    connections_max: int = 4_000
    #: a session that neither asks nor runs anything for so long is closed
    idle_timeout: float | None = 3_600.0
    #: statements of one session that are open at once, their rows not all taken
    statements_max: int = 64
    prepared_max: int = 1_000
    frames_max: int = 64

    # --- sizes ---
    #: one WebSocket message of a client
    message_bytes_max: int = 16 * MIB
    #: what one session has uploaded and not used yet
    upload_bytes_max: int = 256 * MIB
    #: messages of a statement that the client has not taken
    notice_bytes_max: int = 16 * MIB
    #: body of an HTTP request
    body_bytes_max: int = 16 * MIB
    #: seconds that a client has for a request's head and body
    request_timeout: float = 30.0

    # --- watching ---
    #: JSON lines; None: standard error
    log_file: str | None = None
    log_level: str = "info"
    #: statements that take longer are logged; None: none is
    slow_statement: float | None = 1.0

    # --- the end ---
    #: seconds that running statements have to finish when the server is told to stop
    grace: float = 10.0


def read_settings(path: str | Path, given: Mapping[str, Any]) -> ServerSettings:
    """The settings of a TOML file, and over them those that were given otherwise. Raises FileFault
    and ConfigurationFault."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        reason = getattr(fault, "strerror", None) or fault
        raise FileFault(f'"{path}" cannot be read: {reason}') from fault
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ConfigurationFault(f'"{path}" is not TOML: {fault}') from fault
    return make_settings({**found, **given})


def make_settings(given: Mapping[str, Any]) -> ServerSettings:
    """Settings of these values, each of its type. Raises ConfigurationFault."""
    known = get_type_hints(ServerSettings)
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            import difflib

            near = difflib.get_close_matches(name, known, 1)
            raise ConfigurationFault(
                f'there is no setting "{name}"',
                hint=f"did you mean {near[0]}?" if near else "docs/SERVER.md lists them",
            )
        values[name] = _checked(name, value, known[name])
    return ServerSettings(**values)


#: (least, most) of settings that have more bounds than zero
BOUNDS = {"threads": (1, 256), "port": (0, 65_535), "postgres_port": (0, 65_535)}


def _checked(name: str, value: Any, kind: Any) -> Any:
    """The value in the form of its field."""
    allowed = get_args(kind) or (kind,)
    if value == NONE and type(None) in allowed:
        return None
    if str in allowed and Ellipsis in allowed:  # a tuple of texts
        if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
            return tuple(value)
        raise ConfigurationFault(f"{name} is a list of texts, not {value!r}")
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not any(type(value) is option for option in allowed):
        raise ConfigurationFault(f"{name} cannot be {value!r}")
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0:
        raise ConfigurationFault(f"{name} cannot be negative: {value!r}")
    least, most = BOUNDS.get(name, (0, None))
    if value is not None and most is not None and not least <= value <= most:
        raise ConfigurationFault(f"{name} is {least} to {most}, not {value!r}")
    return value

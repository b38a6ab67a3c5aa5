"""Where a connection's session comes from: a database in this process, or a server by its URL.

    atlas.hdb, :memory:, :memory:name            this process
    hql://[user[:password]@]host[:port]/         a server
    hqls://…                                     a server, by TLS

What speaks to servers is another room's (`CLIENTS`), and is imported when a URL names it.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from hartonomous.hql.errors import InterfaceFault
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.session import Session
    from hartonomous.hql.session_interface import SessionInterface

#: scheme of a URL -> the module whose `open_session(url, options)` gives a session of that server
CLIENTS = {"hql": "hartonomous.server.client", "hqls": "hartonomous.server.client"}

#: how a URL begins (RFC 3986)
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")

#: seconds that a server may take to answer a new connection
CONNECT_SECONDS = 10.0


class ServerOptions(TypedDict, total=False):
    """Options of connections to servers; see `hartonomous.hql.connect`."""

    password: str | None
    token: str | None
    ca_file: str | Path | None
    connect_timeout: float
    read_timeout: float | None
    reconnect: bool


class Options(ServerOptions, total=False):
    """What `hartonomous.hql.connect` takes beside the database; see there."""

    read_only: bool
    autocommit: bool
    timeout: float | None
    memory: int | None
    author: str | None
    branch: str | None


#: options that only a server's client has a use for
OF_SERVERS = tuple(ServerOptions.__annotations__)
#: options that a connection hands on when it goes over to another database
OF_SESSIONS = ("read_only", "timeout", "memory", "author")
#: those that it hands on when it comes back to the same server: what a server may know
OF_COMING_BACK = (*OF_SESSIONS, *OF_SERVERS)


def is_url(database: str | Path | None) -> bool:
    """Whether a database's name is the address of a server. Raises InterfaceFault for a URL of
    another scheme, as `http://`, which would be made a folder else; its text is not repeated, as a
    password may stand in it."""
    url = _URL.match(database) if isinstance(database, str) else None
    if url is not None and url[1] not in CLIENTS:
        raise InterfaceFault(
            f"a database is not at {url[0]}…",
            hint="a server is named by hql://host:7433/, hqls:// by TLS; anything else is a folder",
        )
    return url is not None


def open_session(database: str | Path | None, options: Options) -> SessionInterface:
    """A session with a folder or memory of this process, or with a server. Raises Error."""
    if is_url(database):
        client = importlib.import_module(CLIENTS[str(database).partition("://")[0]])
        return cast("SessionInterface", client.open_session(str(database), options))
    given = [name for name in OF_SERVERS if options.get(name) is not None]
    if given:
        raise InterfaceFault(
            f"{given[0]} is for servers, and {str(database)!r} is none",
            hint='a server is named by its URL: connect("hql://host:7433/")',
        )
    return open_embedded(database, options)


def open_embedded(database: str | Path | None, options: Options) -> Session:
    """A session with a folder or memory of this process. Raises Error."""
    from hartonomous.hql.session import Session
    from hartonomous.storage.database import Database

    path = None if database is None or str(database) == ":memory:" else Path(database)
    session = Session(
        Database.open(path, read_only=options.get("read_only", False)),
        autocommit=options.get("autocommit", True),
        timeout=options.get("timeout"),
        memory=options.get("memory"),
        author=options.get("author"),
    )
    branch = options.get("branch")
    if branch is not None:
        try:
            session.use_branch(branch)
        except Error:
            session.close()
            raise
        session.home = (session.branch, session.autocommit)
    return session


def options_for(database: str | Path | None, options: Options, is_same: bool) -> Options:
    """Those of a connection's options that it takes along to a database: limits, and, only if it
    is the same server, what proves who it is."""
    kept = OF_COMING_BACK if is_same and is_url(database) else OF_SESSIONS
    return cast(Options, {name: value for name, value in options.items() if name in kept})

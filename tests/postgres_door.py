"""psycopg with the manners of our own module, so that one suite runs through it too: parameters are
written as HQL has them, errors are our classes with our codes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
from servers import ServerThread

from hartonomous import hql
from hartonomous.grammar.lexer import tokenize

KINDS = (
    "IntegrityError",
    "DataError",
    "NotSupportedError",
    "ProgrammingError",
    "InternalError",
    "OperationalError",
    "DatabaseError",
)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """psycopg's errors as ours. Their code is in the field that PostgreSQL has for routines."""
    try:
        yield
    except psycopg.Error as error:
        kind = next(k for k in KINDS if isinstance(error, getattr(psycopg, k)))
        said = error.diag
        raise getattr(hql, kind)(
            said.message_primary or str(error), code=said.source_function, hint=said.message_hint
        ) from error


def numbered(text: str, parameters: Any) -> tuple[str, list[Any] | None]:
    """`?`, `:name` and `@name` as $1, $2 … and their values."""
    if not parameters:
        return text, None
    named = isinstance(parameters, dict)
    marks = ("VARIABLE", "PARAMETER") if named else ("QUESTION",)
    out, values, at = [], [], 0
    for token in tokenize(text):
        if token.kind not in marks or (named and token.value not in parameters):
            continue
        values.append(parameters[token.value])
        out += [text[at : token.start], f"${len(values)}"]
        at = token.end
    return "".join([*out, text[at:]]), values


class Cursor:
    def __init__(self, connection: Connection) -> None:
        self.connection, self.messages = connection, list[str]()
        self._inner: Any = psycopg.RawCursor(connection.inner)

    def execute(self, text: str, parameters: Any = None) -> Cursor:
        self.messages = self.connection.heard = []
        with translated():
            self._inner.execute(*numbered(text, parameters))
        self._skip()
        return self

    def executemany(self, text: str, rows: list[Any]) -> Cursor:
        with translated(), self.connection.inner.transaction():
            for row in rows:
                self._inner.execute(*numbered(text, row))
        return self

    def _skip(self) -> bool:
        """On to a result that has rows, as our cursors stand."""
        while self._inner.description is None:
            if not self._inner.nextset():
                return False
        return True

    def nextset(self) -> bool | None:
        return (self._inner.nextset() and self._skip()) or None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inner)


class Connection:
    def __init__(self, port: int, autocommit: bool) -> None:
        where = f"host=127.0.0.1 port={port} user=anna dbname=atlas"
        self.inner = psycopg.connect(where, autocommit=autocommit)
        self.heard: list[str] = []
        self.inner.add_notice_handler(lambda said: self.heard.append(said.message_primary or ""))

    def cursor(self) -> Cursor:
        return Cursor(self)

    def execute(self, text: str, parameters: Any = None) -> Cursor:
        return self.cursor().execute(text, parameters)

    def executemany(self, text: str, rows: list[Any]) -> Cursor:
        return self.cursor().executemany(text, rows)

    def transaction(self) -> Any:
        return self.inner.transaction()

    def cancel(self) -> None:
        self.inner.cancel_safe()

    @property
    def in_transaction(self) -> bool:
        return self.inner.info.transaction_status.name != "IDLE"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *given: Any) -> None:
        self.inner.__exit__(*given)


class Psycopg:
    """A door: each connection to memory is to a server of its own."""

    def __init__(self) -> None:
        self.connect_async = hql.connect_async
        self._servers: dict[Any, ServerThread] = {}
        self._clients: list[Connection] = []

    def connect(self, database: Any = None, *, autocommit: bool = True) -> Connection:
        key = str(database) if database is not None else len(self._servers)
        if key not in self._servers:
            self._servers[key] = ServerThread(database, postgres_port=0)
        postgres = self._servers[key].server.postgres
        assert postgres is not None
        client = Connection(postgres.port, autocommit)
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.inner.close()
        for server in self._servers.values():
            server.stop()

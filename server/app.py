"""The server: an engine, and the doors through which clients come to it.

    server = Server("atlas.hdb", settings)
    await server.start()          recovers the database, listens; server.address says where
    await server.stop()           lets nobody in, ends what runs, writes a checkpoint

One TCP port answers WebSockets (the wire) and HTTP; PostgreSQL's doorway has its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from hartonomous.hql.errors import ConfigurationFault
from hartonomous.hql.security.accounts import Accounts
from hartonomous.server.auth import Authenticator, check_listening
from hartonomous.server.engine import Engine
from hartonomous.server.http_door import HttpDoor
from hartonomous.server.http_guard import guard, protocol_options, sign
from hartonomous.server.listening import Site
from hartonomous.server.login_audit import LoginAudit
from hartonomous.server.origins import doorkeeper
from hartonomous.server.tls import Certificates, TLSFiles, reload_now, watch
from hartonomous.server.watching import Watching
from hartonomous.server.wire_door import WireDoor

if TYPE_CHECKING:
    from hartonomous.server.postgres.door import PostgresDoor
    from hartonomous.server.settings import ServerSettings
    from hartonomous.server.workers import Workers


class Server:
    """A database served. `report` gets what people should know, a sentence each."""

    def __init__(
        self,
        database: str | None,
        settings: ServerSettings,
        report: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.settings, self.report = settings, report
        self.engine = Engine(database, settings)
        self.watching: Watching | None = None
        self.certificates: Certificates | None = None
        self.postgres: PostgresDoor | None = None
        self.workers: Workers | None = None
        self._authenticator: Authenticator | None = None
        self._http: HttpDoor | None = None
        self._runner: web.AppRunner | None = None
        self._site: Site | None = None
        self._watching: asyncio.Task[None] | None = None
        self._is_stopped = False

    # --- where it is ---

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._runner is not None, "the server is not started"
        return int(self._runner.addresses[0][1])

    @property
    def address(self) -> str:
        """The URL that `hql.connect` takes."""
        host = self.settings.host
        shown = f"[{host}]" if ":" in host else host
        return f"{'hqls' if self.certificates is not None else 'hql'}://{shown}:{self.port}/"

    # --- life ---

    async def start(self) -> None:
        """Opens the database and the doors. Raises Error; nothing is left open then."""
        await self.engine.start()
        try:
            await self._open_doors()
        except BaseException:
            await self.stop(0.0)
            raise

    async def _open_doors(self) -> None:
        settings, engine = self.settings, self.engine
        watching = self.watching = Watching(engine)
        await watching.start()
        accounts = engine.accounts = Accounts.of(engine.database)
        self.certificates = _certificates(settings)
        warning = check_listening(settings.host, accounts, has_tls=self.certificates is not None)
        if warning is not None:
            self.report(warning)
        engine.observers.append(LoginAudit(engine))
        if settings.workers:
            from hartonomous.server.routing import start_workers

            self.workers = start_workers(engine, self.report)
        authenticator = Authenticator(accounts, failures_max=settings.failures_max)
        self._authenticator = authenticator
        self._runner = await self._listen(authenticator, watching)
        context = None if self.certificates is None else self.certificates.context
        if settings.postgres_port is not None:
            from hartonomous.server.postgres.door import PostgresDoor

            self.postgres = PostgresDoor(engine, authenticator, context)
            await _listening(self.postgres.start(settings.host, settings.postgres_port), settings)
        if self.certificates is not None:
            self._watching = asyncio.create_task(watch(self.certificates, self.report))
        engine.database.announce(self.address)
        watching.log.write("info", "listening", address=self.address)

    async def _listen(self, authenticator: Authenticator, watching: Watching) -> web.AppRunner:
        settings = self.settings
        keeper = doorkeeper(settings.hosts, settings.origins, listening_on=settings.host)
        application = web.Application(middlewares=[guard(keeper, authenticator.retry_seconds)])
        application.on_response_prepare.append(sign(keeper))
        self._http = HttpDoor(self.engine, authenticator, watching.metrics)
        application.add_routes(WireDoor(self.engine, authenticator).routes())
        application.add_routes(self._http.routes())
        options: dict[str, Any] = protocol_options(settings.request_timeout)
        runner = web.AppRunner(application, handle_signals=False, shutdown_timeout=1.0, **options)
        await runner.setup()
        self._site = Site(
            runner,
            settings.host,
            settings.port,
            connections_max=settings.connections_max,
            handshake_seconds=settings.login_timeout,
            context=None if self.certificates is None else self.certificates.context,
        )
        try:
            await _listening(self._site.start(), settings)
        except BaseException:
            await runner.cleanup()
            raise
        return runner

    def reload(self) -> None:
        """Reads the certificate again (SIGHUP)."""
        if self.certificates is not None:
            reload_now(self.certificates, self.report)

    async def stop(self, grace: float | None = None) -> None:
        """Lets nobody in any more, waits `grace` seconds (None: the setting's) for what runs, stops
        it, closes the sessions and the database. Idempotent. Raises Error if the last checkpoint
        fails; what was committed is safe then too."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self.engine.is_stopping = True
        if self._site is not None and self._runner is not None and self._site in self._runner.sites:
            await self._site.stop()
        if self.postgres is not None:
            self.postgres.shut()
        await self.engine.wait_idle(self.settings.grace if grace is None else grace)
        if self.postgres is not None:
            await self.postgres.stop()
        await self.engine.close_sessions()
        if self.workers is not None:
            await self.workers.stop()
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        if self._runner is not None:
            await self._runner.cleanup()
        if self._http is not None:
            self._http.close()
        if self._authenticator is not None:
            self._authenticator.close()
        if self.watching is not None:
            await self.watching.stop()
        try:
            await self.engine.stop()
        finally:
            if self.watching is not None:
                self.watching.close()


def _certificates(settings: ServerSettings) -> Certificates | None:
    if settings.certificate is None:
        if settings.key is not None:
            raise ConfigurationFault("a key without a certificate", hint="set certificate too")
        return None
    key = None if settings.key is None else Path(settings.key)
    return Certificates(TLSFiles(Path(settings.certificate), key))


async def _listening(starting: Any, settings: ServerSettings) -> None:
    """Awaits what begins to listen. Raises ConfigurationFault if the address is taken or not this
    machine's."""
    try:
        await starting
    except (OSError, OverflowError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise ConfigurationFault(
            f"cannot listen on {settings.host}:{settings.port}: {reason}",
            hint="choose another --port (0: any that is free)",
        ) from fault

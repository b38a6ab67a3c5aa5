"""HTTP's door: `POST /query`, and what programs that watch servers ask.

    POST /query          {"query": …, "parameters": …, "branch": …, "timeout": …}; http_rows.py
    GET /healthz         the process answers
    GET /readyz          it takes statements (503: it stops, or is busy)
    GET /metrics         figures for Prometheus, for whoever may log in
    GET /openapi.json    this, for programs

Each request is a session of its own, closed when the answer is. Who asks says so in each request:
Authorization: Basic or Bearer (a token). What stands around every request is in http_guard.py.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from aiohttp import web

from hartonomous.hql.errors import AuthFault
from hartonomous.server.auth import Authenticator, Peer, peer_of
from hartonomous.server.events import Columns, Complete, Event, Finished, Notice, Rows
from hartonomous.server.http_answer import HOLD_SECONDS, Answer
from hartonomous.server.http_guard import CHALLENGES, problem
from hartonomous.server.http_request import check_content_type, choose_type, parse_query
from hartonomous.server.http_rows import ARROW, CHARSETS, FORMS, Form
from hartonomous.server.origins import is_forwarded
from hartonomous.server.problems import (
    RequestFault,
)
from hartonomous.storage.errors import Cancelled, Error

if TYPE_CHECKING:
    from hartonomous.hql.security.accounts import Account
    from hartonomous.server.engine import Engine
    from hartonomous.server.running import Running

#: seconds between two looks whether the client is still there
LOOK_SECONDS = 0.5
#: rows of a batch of so many bytes are written on a thread, not on the event loop
THREAD_BYTES = 16 << 10
#: longest traceparent (W3C Trace Context) that is passed on
TRACE_CHARACTERS_MAX = 200


class HttpDoor:
    """The HTTP endpoints of an engine. `metrics` gives content type and text of /metrics."""

    def __init__(
        self,
        engine: Engine,
        authenticator: Authenticator,
        metrics: Callable[[], tuple[str, bytes]] | None = None,
    ) -> None:
        self.engine, self.authenticator, self._metrics = engine, authenticator, metrics
        self._writing = ThreadPoolExecutor(1, "hql-http")

    def routes(self) -> list[web.AbstractRouteDef]:
        """Paths and what answers them."""
        found: list[web.AbstractRouteDef] = [
            web.post("/query", self.query),
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/openapi.json", self.openapi),
        ]
        if self._metrics is not None:
            found.append(web.get("/metrics", self.metrics))
        return found

    def close(self) -> None:
        """Ends the thread that writes rows."""
        self._writing.shutdown(wait=False, cancel_futures=True)

    # --- what programs that watch ask ---

    async def healthz(self, request: web.Request) -> web.Response:
        """The process is there, and its event loop turns."""
        return _json_response(200, {"status": "ok"})

    async def readyz(self, request: web.Request) -> web.Response:
        """Whether a statement would be taken now."""
        engine = self.engine
        if engine.is_stopping:
            return _json_response(503, {"status": "stopping"})
        if engine.threads.queued >= engine.settings.queued_max:
            return _json_response(503, {"status": "busy"})
        return _json_response(200, {"status": "ready"})

    async def openapi(self, request: web.Request) -> web.Response:
        """What there is, for programs."""
        from hartonomous.server.openapi import document

        return _json_response(200, document(has_metrics=self._metrics is not None))

    async def metrics(self, request: web.Request) -> web.Response:
        """Figures; they tell of what others do, so they are not for everybody."""
        assert self._metrics is not None
        await self._account(request)
        loop = asyncio.get_running_loop()
        content_type, text = await loop.run_in_executor(self._writing, self._metrics)
        return web.Response(body=text, headers={"Content-Type": content_type})

    # --- statements ---

    async def query(self, request: web.Request) -> web.StreamResponse:
        """Runs a text and streams what it gives."""
        settings = self.engine.settings
        headers = request.headers
        check_content_type(headers.get("Content-Type"), headers.get("Content-Encoding"))
        content_type = choose_type(", ".join(headers.getall("Accept", [])), tuple(FORMS))
        account, peer = await self._account(request)
        body = await _read(request, settings.body_bytes_max, settings.request_timeout)
        asked = parse_query(body)
        answer = Answer(request, CHARSETS.get(content_type, content_type))
        session = await self.engine.open_session(
            account,
            "http",
            str(peer),
            encodes=content_type == ARROW,
            branch=asked.branch,
        )
        session.client = headers.get("User-Agent", "")[:200]
        reasons: list[str] = []

        def leave(why: str) -> None:
            reasons.append(why)
            answer.give_up()

        session.on_close, session.has_left = leave, lambda: answer.is_gone
        try:
            running = session.run(
                asked.text,
                asked.parameters,
                timeout=asked.timeout,
                traceparent=headers.get("traceparent", "")[:TRACE_CHARACTERS_MAX] or None,
            )
            return await self._answer(answer, running, FORMS[content_type](), reasons)
        finally:
            await session.close()

    async def _answer(
        self, answer: Answer, running: Running, form: Form, reasons: list[str]
    ) -> web.StreamResponse:
        try:
            async with contextlib.aclosing(_events(answer, running)) as events:
                async for event in events:
                    await answer.write(await self._bytes_of(form, event))
                    if isinstance(event, Complete):
                        return await answer.finish()
            raise Cancelled("; ".join(reasons) or "the server ended the session")
        except (Error, RequestFault) as error:
            if not answer.has_begun:
                raise
            return await answer.cut(form.error(problem(error).members))
        finally:
            await running.close()

    async def _bytes_of(self, form: Form, event: Event) -> bytes:
        match event:
            case Rows():
                if event.size < THREAD_BYTES:
                    return form.rows(event)
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._writing, form.rows, event)
            case Columns():
                return form.columns(event)
            case Finished():
                return form.finished(event)
            case Notice():
                return form.notice(event)
            case Complete():
                return form.complete(event)
        return b""  # Progress has no place in an answer

    # --- who asks ---

    async def _account(self, request: web.Request) -> tuple[Account, Peer]:
        """Who asks, from where. Raises AuthFault, Busy, RequestFault."""
        peer = peer_of(request.transport, is_forwarded=is_forwarded(request.headers))
        said = request.headers.getall("Authorization", [])
        if not said:
            try:
                return self.authenticator.open_account(peer), peer
            except AuthFault as error:
                error.hint = "Authorization: Basic with name and password, or Bearer with a token"
                raise
        if len(said) > 1:
            raise RequestFault(400, "Authorization is said twice")
        name, proving = self._proof(said[0], peer)
        try:
            account = await proving
        except AuthFault as error:
            self.engine.note_login(name, str(peer), "http", error)
            raise
        if self.authenticator.is_new(peer, account):
            self.engine.note_login(account.name, str(peer), "http", None)
        return account, peer

    def _proof(self, said: str, peer: Peer) -> tuple[str | None, Awaitable[Account]]:
        """The name that was given, and what finds out whether it is theirs."""
        scheme, _, rest = said.partition(" ")
        match scheme.lower():
            case "bearer":
                return None, self._by_token(peer, rest.strip())
            case "basic":
                name, password = _basic(rest.strip())
                return name, self.authenticator.by_password(peer, name, password)
        raise RequestFault(
            401,
            "this kind of Authorization is not known",
            hint="Basic, or Bearer with a token",
            headers={"WWW-Authenticate": CHALLENGES},
        )

    async def _by_token(self, peer: Peer, token: str) -> Account:
        return self.authenticator.by_token(peer, token)


async def _events(answer: Answer, running: Running) -> AsyncGenerator[Event]:
    """The events of a text. While it computes, rows that wait are sent, and a client that has gone
    is noticed: ConnectionResetError."""
    while True:
        event = running.take()
        while event is not None:
            yield event
            event = running.take()
        coming = asyncio.ensure_future(anext(running, None))
        try:
            while not coming.done():
                wait = HOLD_SECONDS if answer.is_held else LOOK_SECONDS
                await asyncio.wait((coming,), timeout=wait)
                if answer.is_gone:
                    raise ConnectionResetError("the client is gone")
                if not coming.done() and answer.is_held and running.rows:
                    await answer.flush()
            event = coming.result()
        finally:
            coming.cancel()
        if event is None:
            return
        yield event


def _basic(text: str) -> tuple[str, str]:
    """Name and password of Basic (RFC 7617)."""
    try:
        said = base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as fault:
        raise RequestFault(400, "Basic is followed by base64 of NAME:PASSWORD") from fault
    name, mark, password = said.partition(":")
    if not mark:
        raise RequestFault(400, "Basic is followed by base64 of NAME:PASSWORD")
    return name, password


async def _read(request: web.Request, bytes_max: int, seconds: float) -> bytes:
    """The body, within bounds of size and time."""
    too_large = RequestFault(413, f"the body is longer than {bytes_max:,} bytes")
    if request.content_length is not None and request.content_length > bytes_max:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > bytes_max:
                    raise too_large
    except TimeoutError as fault:
        raise RequestFault(408, "the body did not come in time") from fault
    return bytes(body)


def _json_response(status: int, value: object) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(value, ensure_ascii=False).encode("utf-8"),
        headers={"Content-Type": "application/json"},
    )

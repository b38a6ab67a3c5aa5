"""What stands around every request of HTTP's, on every path and for WebSockets too: the doorkeeper
asks where it comes from, errors become problem documents, answers get the headers that all have,
and aiohttp is told its bounds.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from hartonomous.hql.errors import AuthFault, Busy
from hartonomous.server.origins import Doorkeeper, cross_origin_headers
from hartonomous.server.problems import (
    PROBLEM,
    Problem,
    RequestFault,
    problem_of,
    problem_of_request,
)
from hartonomous.server.sqlstates import sqlstate_of
from hartonomous.storage.errors import Error

CHALLENGES = 'Bearer realm="hql", Basic realm="hql", charset="UTF-8"'
#: what is said of a path that is none, or of a method that it does not take
PATHS = "statements go to POST /query; GET /openapi.json lists the paths"
#: what every answer says: nothing here is a page, nothing is to be kept
HEADERS = {
    "Server": "hql",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def guard(doorkeeper: Doorkeeper, retry_seconds: int = 1) -> Middleware:
    """The middleware before all paths: the doorkeeper's word, and errors as problem documents."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if not all(value.isascii() for value in request.headers.values()):
                raise RequestFault(400, "headers are ASCII")
            refusal = doorkeeper.refusal(request.headers, _came_to(request))
            if refusal is not None:
                raise RequestFault(refusal.status, refusal.detail, hint=refusal.hint)
            if _is_preflight(request):
                return _preflight()
            return await handler(request)
        except (Error, RequestFault) as error:
            return _problem_response(error, retry_seconds)
        except ConnectionError:
            if request.transport is not None and not request.transport.is_closing():
                raise
            return web.Response(status=499, reason="Client Closed Request")  # nobody reads it
        except web.HTTPException as error:
            if error.status < 400:
                raise
            headers = {k: v for k, v in error.headers.items() if k == hdrs.ALLOW}
            hint = PATHS if error.status in (404, 405) else None
            return _problem_response(
                RequestFault(error.status, error.reason, hint=hint, headers=headers), 1
            )

    return guarded


def sign(doorkeeper: Doorkeeper) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """For `on_response_prepare`: the headers that every answer has."""

    async def signed(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(HEADERS)
        origin = request.headers.get("Origin")
        if origin is not None and doorkeeper.refusal(request.headers, _came_to(request)) is None:
            response.headers.update(cross_origin_headers(origin))

    return signed


def _came_to(request: web.Request) -> str | None:
    """The address of this end of the connection."""
    transport = request.transport
    name = transport.get_extra_info("sockname") if transport is not None else None
    return str(name[0]) if isinstance(name, tuple) else None


def _is_preflight(request: web.Request) -> bool:
    """Whether a browser asks what a page (of an allowed origin) may send."""
    asks = "Access-Control-Request-Method" in request.headers
    return request.method == "OPTIONS" and asks and "Origin" in request.headers


def _preflight() -> web.Response:
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "authorization, content-type, traceparent",
            "Access-Control-Max-Age": "600",
        },
    )


def problem(error: Error | RequestFault) -> Problem:
    """The document of whatever went wrong."""
    if isinstance(error, RequestFault):
        return problem_of_request(error)
    return problem_of(error, sqlstate_of(error))


def _problem_response(error: Error | RequestFault, retry_seconds: int) -> web.Response:
    said = problem(error)
    headers = dict(error.headers) if isinstance(error, RequestFault) else {}
    headers["Content-Type"] = PROBLEM
    if isinstance(error, AuthFault):
        headers["WWW-Authenticate"] = CHALLENGES
        if error.code == "LOGIN_LIMIT":
            headers["Retry-After"] = str(retry_seconds)
    elif isinstance(error, Busy):
        headers["Retry-After"] = "1"
    response = web.Response(status=said.status, body=said.body, headers=headers)
    if said.status in (400, 408, 413):
        response.force_close()  # what is still to come of the request is not read
    return response


def protocol_options(request_timeout: float, idle_timeout: float = 75.0) -> dict[str, object]:
    """What aiohttp's runner is given: bounds of the head, of the time until it is there (a
    connection that says nothing, or says it byte by byte, ends), and nothing decompressed."""
    return {
        "keepalive_timeout": max(1.0, min(request_timeout, idle_timeout)),
        "max_line_size": 8_190,
        "max_field_size": 8_190,
        "max_headers": 64,
        "lingering_time": 1.0,
        "auto_decompress": False,
        "access_log": None,
        "logger": _logger(),
    }


def _logger() -> logging.Logger:
    """aiohttp's, without requests that are no HTTP: who sends them could fill the log. Its other
    one warns of what clients offer, in their words."""
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    logger = logging.getLogger("aiohttp.server")
    if _is_ours not in logger.filters:
        logger.addFilter(_is_ours)
    return logger


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether what is logged is the server's fault."""
    fault = record.exc_info[1] if record.exc_info else None
    return not isinstance(fault, HttpProcessingError)

"""The wire's door: WebSockets on /v1/wire become sessions (docs/PROTOCOL.md).

Here a client says hello and who it is; what it asks then is wire_connection.py's.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import TYPE_CHECKING

from aiohttp import WSCloseCode, WSMsgType, web

from hartonomous.hql.errors import AuthFault, WireFault
from hartonomous.server import wire
from hartonomous.server.auth import Authenticator, Peer, peer_of
from hartonomous.server.origins import is_forwarded
from hartonomous.server.wire import Frame, take
from hartonomous.server.wire_connection import WireConnection
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.security.accounts import Account
    from hartonomous.server.engine import Engine
    from hartonomous.server.sessions import ServerSession

#: longest name that a client gives itself
CLIENT_CHARACTERS_MAX = 200


class WireDoor:
    """Gives each WebSocket a session."""

    def __init__(self, engine: Engine, authenticator: Authenticator) -> None:
        self.engine, self.authenticator = engine, authenticator
        self._server = f"hartonomous {version('hartonomous')}"

    def routes(self) -> list[web.AbstractRouteDef]:
        """Paths and what answers them."""
        return [web.get(wire.PATH, self.connect)]

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """One connection, from its first byte to its last."""
        socket = web.WebSocketResponse(
            max_msg_size=self.engine.settings.message_bytes_max,
            compress=False,
            protocols=(wire.SUBPROTOCOL,),
            timeout=1.0,
        )
        await socket.prepare(request)
        peer = peer_of(request.transport, is_forwarded=is_forwarded(request.headers))
        code, session = WSCloseCode.OK, None
        try:
            if socket.ws_protocol != wire.SUBPROTOCOL:
                raise WireFault(f"the subprotocol is {wire.SUBPROTOCOL}")
            async with asyncio.timeout(self.engine.settings.login_timeout):
                session = await self._welcome(socket, peer)
            if session is not None and request.transport is not None:
                # aiohttp tells its protocol when a client takes nothing, and nobody else
                drain = request.protocol._drain_helper
                await WireConnection(socket, request.transport, drain, session).serve()
        except TimeoutError:
            code = WSCloseCode.POLICY_VIOLATION
        except Error as error:
            code = WSCloseCode.PROTOCOL_ERROR
            if not isinstance(error, WireFault):
                code = WSCloseCode.POLICY_VIOLATION
            await _tell(socket, error)
        except ConnectionError:
            pass  # the client is gone: there is nobody to tell
        finally:
            if session is not None:
                await session.close()
        if not socket.closed:
            await socket.close(code=code)
        return socket

    async def _welcome(self, socket: web.WebSocketResponse, peer: Peer) -> ServerSession | None:
        """The session of a client that said hello; None if it left. Raises Error."""
        hello = await _receive(socket)
        if hello is None:
            return None
        if hello["type"] != "hello":
            raise WireFault(f"the first frame is hello, not {hello['type'][:20]}")
        if wire.VERSION not in take(hello, "versions", list):
            raise WireFault(
                f"this server speaks version {wire.VERSION} of the protocol",
                hint="use a client of the server's version",
            )
        account = await self._account(socket, peer, take(hello, "auth", dict, None))
        if account is None:
            return None
        session = await self.engine.open_session(
            account,
            "wire",
            str(peer),
            encodes=True,
            branch=take(hello, "branch", str, None),
            author=take(hello, "author", str, None),
            autocommit=take(hello, "autocommit", bool, True),
        )
        session.client = take(hello, "client", str, "")[:CLIENT_CHARACTERS_MAX]
        try:
            await socket.send_bytes(wire.pack(self._welcome_frame(session)))
        except BaseException:
            await session.close()
            raise
        return session

    async def _account(
        self, socket: web.WebSocketResponse, peer: Peer, proof: Frame | None
    ) -> Account | None:
        """Whose session it will be; None if the client left. Raises AuthFault, Busy."""
        if proof is None:
            try:
                return self.authenticator.open_account(peer)
            except AuthFault:
                await socket.send_bytes(
                    wire.pack({"type": "challenge", "methods": ["password", "token"]})
                )
            proof = await _receive(socket)
            if proof is None:
                return None
            if proof["type"] != "auth":
                raise WireFault(f"auth is asked for, not {proof['type'][:20]}")
        proof = {**proof, "type": "auth"}
        name = take(proof, "user", str, None)
        try:
            account = await self._proven(peer, name, proof)
        except AuthFault as error:
            self.engine.note_login(name, str(peer), "wire", error)
            raise
        self.engine.note_login(account.name, str(peer), "wire", None)
        return account

    async def _proven(self, peer: Peer, name: str | None, proof: Frame) -> Account:
        token = take(proof, "token", str, None)
        if token is not None:
            return self.authenticator.by_token(peer, token)
        if name is None:
            raise WireFault("auth has a token, or a user and a password")
        return await self.authenticator.by_password(peer, name, take(proof, "password", str))

    def _welcome_frame(self, session: ServerSession) -> Frame:
        settings = self.engine.settings
        account = session.account
        return {
            "type": "welcome",
            "version": wire.VERSION,
            "server": self._server,
            "session": session.number,
            "user": None if account is None or account.is_open else account.name,
            "author": session.author,
            "database": self.engine.name,
            "read_only": self.engine.is_read_only,
            "state": wire.state_fields(session.state),
            "limits": {
                "message_bytes": settings.message_bytes_max,
                "upload_bytes": settings.upload_bytes_max,
                "statements": settings.statements_max,
                "prepared": settings.prepared_max,
                "frames": settings.frames_max,
                "entries": wire.ENTRIES_MAX,
                "idle_seconds": settings.idle_timeout,
            },
        }


async def _receive(socket: web.WebSocketResponse) -> Frame | None:
    """A message of one frame; None if the client left."""
    message = await socket.receive()
    if message.type is WSMsgType.TEXT:
        raise WireFault("messages are binary")
    if message.type is not WSMsgType.BINARY:
        return None
    frames = wire.unpack(message.data)
    if len(frames) != 1:
        raise WireFault("until the welcome a message is one frame")
    return frames[0]


async def _tell(socket: web.WebSocketResponse, error: Error) -> None:
    """The connection's last frame, if the client is still there."""
    try:
        await socket.send_bytes(wire.pack(wire.error_frame(error)))
    except ConnectionError:
        return

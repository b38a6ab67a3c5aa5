"""A blocking WebSocket: whole binary messages to a server and back, without an event loop and
without a thread, as both cost more than `SELECT 1` does.

The handshake and what is sent are those of the library `websockets` (its sans-I/O ClientProtocol,
which masks in C); what comes is read by frame_reader.py. Measured on two cores, microseconds for
one message, sent and received:

    bytes       websockets      wsproto         ours (NumPy)
    200         1.8, 2.9        5.4, 7.5        1.6, 0.5
    65,536      4.4, 8.5        83, 19          7, 5
    1,048,576   857, 132        3,544, 85       31, 63

What is large is sent in pieces (SENT_BYTES_MAX), where masking keeps to the cache.

One thread receives at a time; any thread may send. Ctrl-C while the main thread waits does not
tear a message apart: it calls `on_interrupt`, which asks the server to stop, and waiting goes on
until the server has answered. A second one gives the connection up. (`_signal` is what `signal`
makes enums around, which takes 10 microseconds a wait.)
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import contextlib
import os
import select
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import ConnectionFault, WireFault
from hartonomous.server.frame_reader import BINARY, CLOSE, PING, READ_BYTES, FrameReader

if TYPE_CHECKING:
    import ssl

    from websockets.client import ClientProtocol

    from hartonomous.server.transport_tls import TlsLayer

#: a server's message is no larger; its frames are about a mebibyte
MESSAGE_BYTES_MAX = 256 << 20
#: bytes of a message that are masked and sent at once
SENT_BYTES_MAX = 1 << 16
#: seconds of silence after which the system asks whether the server's machine is still there
KEEPALIVE_SECONDS = 60


class Transport:
    """An open WebSocket, which waits `connect_timeout` seconds at most for anything until
    `wait_for` says otherwise. `on_interrupt` is called when Ctrl-C comes while it waits;
    `was_dismissed`: the server said that it ends the connection."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        path: str,
        subprotocol: str,
        tls: ssl.SSLContext | None = None,
        connect_timeout: float,
    ) -> None:
        self.is_broken = False
        self._why = ""  # it broke
        self._process = os.getpid()
        self.was_interrupted = False
        self.was_dismissed = False
        self.on_interrupt: Callable[[], object] = lambda: None
        self._name = f"{host}:{port}"
        self._sending = threading.Lock()
        self._messages: deque[bytes] = deque()
        self._layer: TlsLayer | None = None
        self._reader = FrameReader(self._fill, MESSAGE_BYTES_MAX)
        self._protocol = _make_protocol(host, port, path, subprotocol, tls is not None)
        self._socket = self._open_socket(host, port, connect_timeout)
        try:
            if tls is not None:
                self._layer = self._secure(tls, host)
            self._shake_hands(subprotocol)
        except BaseException:
            self.drop()
            raise

    # --- opening ---------------------------------------------------------------------------------

    def _open_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        try:
            raw = socket.create_connection((host, port), timeout)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS)
        except (OSError, UnicodeError) as fault:  # a name that no host can have is a UnicodeError
            raise ConnectionFault(
                f"there is no answer from {self._name}: {_reason(fault)}",
                hint="is `hql serve` running there?",
            ) from fault
        return raw

    def _secure(self, context: ssl.SSLContext, host: str) -> TlsLayer:
        import ssl

        from hartonomous.server.transport_tls import TlsLayer

        try:
            return TlsLayer(self._socket, context, host)
        except ssl.SSLCertVerificationError as fault:
            raise ConnectionFault(
                f"the certificate of {self._name} is not trusted: {fault.verify_message}",
                hint="ca_file=… (in the shell HQL_CA_FILE) names the certificates to trust",
            ) from fault
        except (OSError, ValueError) as fault:
            raise ConnectionFault(
                f"{self._name} cannot be spoken to by TLS: {_reason(fault)}",
                hint="a server without TLS is hql://, one with TLS hqls://",
            ) from fault

    def _shake_hands(self, subprotocol: str) -> None:
        protocol = self._protocol
        protocol.send_request(protocol.connect())
        self._flush()
        room = memoryview(bytearray(READ_BYTES))
        while not (events := protocol.events_received()) and protocol.handshake_exc is None:
            try:
                count = self._fill(room)
            except OSError as fault:
                raise self._gone(_reason(fault)) from fault
            if count:
                protocol.receive_data(bytes(room[:count]))
            else:
                protocol.receive_eof()
        if protocol.handshake_exc is not None:
            raise ConnectionFault(
                f"{self._name} does not answer as an HQL server: "
                f"{_refusal(events, protocol.handshake_exc)}",
                hint="a server without TLS is hql://, one with TLS hqls://",
            )
        if protocol.subprotocol != subprotocol:
            raise ConnectionFault(f"{self._name} does not speak {subprotocol}")
        if len(events) > 1 or protocol.reader.buffer:
            raise WireFault(f"{self._name} speaks before it is spoken to")

    def wait_for(self, seconds: float | None) -> None:
        """Waits no longer than so for anything from now on; None: without end."""
        self._socket.settimeout(seconds)

    # --- messages --------------------------------------------------------------------------------

    def send(self, message: bytes) -> None:
        """Sends one message, from any thread. Raises ConnectionFault."""
        with self._sending:
            self._send(message)

    def send_now(self, message: bytes) -> bool:
        """Sends one message unless another is being sent: for handlers of signals, which may
        interrupt just that."""
        if not self._sending.acquire(blocking=False):
            return False
        try:
            self._send(message)
        finally:
            self._sending.release()
        return True

    def _check_process(self) -> None:
        """A child of a fork has the socket too: what it said would be in the parent's name."""
        if os.getpid() != self._process and not self.is_broken:
            self._why = "it was opened before this process was forked, and is the parent's"
            self.drop()

    def _send(self, message: bytes) -> None:
        self._check_process()
        if self.is_broken:
            raise self.fault
        if len(message) <= SENT_BYTES_MAX:
            self._protocol.send_binary(message)
        else:
            view = memoryview(message)
            self._protocol.send_binary(view[:SENT_BYTES_MAX], fin=False)
            for start in range(SENT_BYTES_MAX, len(view), SENT_BYTES_MAX):
                self._flush()
                end = start + SENT_BYTES_MAX
                self._protocol.send_continuation(view[start:end], fin=end >= len(view))
        self._flush()

    def receive(self) -> memoryview | bytes:
        """The next message, which holds until the one after it is asked for. Raises ConnectionFault
        when none comes any more."""
        if self._messages:
            return self._messages.popleft()
        before = self._listen()
        try:
            while True:
                message = self._read()
                if message is not None:
                    return message
        finally:
            if before is not None:
                _signal.signal(signal.SIGINT, before)

    @property
    def is_dead(self) -> bool:
        """Whether the server has closed the connection already. Looks, and does not wait."""
        self._check_process()
        if self.is_broken:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while not self.is_broken and (self._reader.has_bytes or poll.poll(0)):
            try:
                message = self._read()
            except ConnectionFault:
                return True
            if message is not None:
                self._messages.append(bytes(message))
        return self.is_broken

    # --- bytes -----------------------------------------------------------------------------------

    def _read(self) -> memoryview | bytes | None:
        """The next message; None if what came is about the connection."""
        if self.is_broken:
            raise self.fault
        try:
            opcode, payload = self._reader.read()
        except TimeoutError as fault:
            self.drop()
            raise ConnectionFault(
                f"{self._name} has been silent for too long", hint="read_timeout is longer, or None"
            ) from fault
        except OSError as fault:
            self.drop()
            raise self._gone(_reason(fault)) from fault
        except EOFError as fault:
            self.drop()
            raise self._gone("it closed the connection") from fault
        except BaseException:
            self.drop()  # what was read is lost
            raise
        if opcode == BINARY:
            return payload
        if opcode == PING:
            with self._sending:
                self._protocol.send_pong(bytes(payload))
                self._flush()
        elif opcode == CLOSE:
            self._part(bytes(payload))
        return None

    def _part(self, payload: bytes) -> None:
        """The server closes: its reason stands behind two bytes."""
        self.was_dismissed = True
        self._why = payload[2:].decode(errors="replace") or "it closed the connection"
        self.close()

    def _fill(self, room: memoryview) -> int:
        """Waits for bytes; how many came, 0 at the end."""
        if self._layer is None:
            return self._socket.recv_into(room)
        while (count := self._decrypt(self._layer, room)) is None:
            data = self._socket.recv(READ_BYTES)
            with self._sending:  # an SSLObject is for one thread
                self._layer.add(data)
        return count

    def _decrypt(self, layer: TlsLayer, room: memoryview) -> int | None:
        """What TLS makes of the bytes that came; None: it needs more of them."""
        with self._sending:
            count, answer = layer.received(room)
            if answer:
                self._socket.sendall(answer)
        return count

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if not data:
                continue  # the end of what we say: the socket is closed then anyway
            try:
                sent = data if self._layer is None else self._layer.sent(data)
                self._socket.sendall(sent)
            except OSError as fault:
                self.drop()
                raise self._gone(_reason(fault)) from fault
            except BaseException:
                self.drop()  # half a frame may be out
                raise

    # --- Ctrl-C ----------------------------------------------------------------------------------

    def _listen(self) -> Any:
        """Takes Ctrl-C for the time of a wait, and gives the handler that was there; None where
        signals are not this thread's, or somebody else listens."""
        if threading.current_thread() is not threading.main_thread():
            return None
        before = _signal.getsignal(signal.SIGINT)
        if before is not signal.default_int_handler:
            return None
        _signal.signal(signal.SIGINT, self._interrupt)
        return before

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.was_interrupted:
            raise KeyboardInterrupt
        self.was_interrupted = True
        self.on_interrupt()

    # --- the end ---------------------------------------------------------------------------------

    def _gone(self, why: str) -> ConnectionFault:
        self._why = self._why or why
        return self.fault

    @property
    def fault(self) -> ConnectionFault:
        """What is the matter with a broken connection."""
        return ConnectionFault(
            f"the connection to {self._name} is lost: {self._why or 'it was closed'}",
            hint="connect again; a transaction that was open is rolled back",
        )

    def drop(self) -> None:
        """Closes the socket as it is, also under a thread that reads it. Idempotent."""
        self.is_broken = True
        if os.getpid() == self._process:  # to a parent of ours the socket stays open
            with contextlib.suppress(OSError):  # it was not connected any more
                self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def close(self) -> None:
        """Says goodbye and closes. Idempotent."""
        self._check_process()
        if self.is_broken:
            return
        try:
            with self._sending:
                self._protocol.send_close(1000)
                self._flush()
        except ConnectionFault:
            return  # the server was quicker
        finally:
            self.drop()


def _make_protocol(
    host: str, port: int, path: str, subprotocol: str, is_secure: bool
) -> ClientProtocol:
    from websockets.client import ClientProtocol
    from websockets.typing import Subprotocol
    from websockets.uri import WebSocketURI

    return ClientProtocol(
        WebSocketURI(is_secure, host, port, path, ""),
        subprotocols=[Subprotocol(subprotocol)],
        max_size=MESSAGE_BYTES_MAX,
    )


def _refusal(events: list[Any], fault: Exception) -> str:
    """Why a handshake failed: what the server's answer says."""
    if not events:
        return str(fault)
    response = events[0]
    body = (response.body or b"").decode(errors="replace").strip()
    return f"{response.status_code} {response.reason_phrase}{': ' * bool(body)}{body[:200]}"


def _reason(fault: Exception) -> str:
    return getattr(fault, "strerror", None) or str(fault) or type(fault).__name__

"""TLS for the client's socket: bytes in, bytes out, by Python's ssl without its sockets.

A connection is written to by several threads while one reads, and an SSL object of OpenSSL is for
one thread at a time; so bytes are waited for outside of it, and whoever calls holds a lock.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import cast

#: bytes of a record of TLS, at most
RECORD_BYTES = 1 << 14


class TlsLayer:
    """TLS of one socket; shakes hands when it is made. Raises OSError (SSLError is one)."""

    def __init__(self, raw: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(self._out.read())
                data = raw.recv(RECORD_BYTES)
                if not data:
                    raise ConnectionResetError("the server closed the connection") from None
                self._in.write(data)
        raw.sendall(self._out.read())

    def sent(self, data: bytes) -> bytes:
        """What is sent to say `data`."""
        self._tls.write(data)
        return self._out.read()

    def add(self, data: bytes) -> None:
        """Bytes that came; none at the end."""
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    def received(self, room: memoryview) -> tuple[int | None, bytes]:
        """How much of `room` is filled with what the bytes say (None: more are needed, 0: it is
        the end), and what TLS itself answers to them."""
        try:
            count: int | None = cast(int, self._tls.read(len(room), room))
        except ssl.SSLWantReadError:
            count = None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            count = 0
        return count, self._out.read()


def client_context(ca_file: str | Path | None) -> ssl.SSLContext:
    """Whom a client trusts: the certificates of a file, else those that the system trusts. Raises
    OSError."""
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

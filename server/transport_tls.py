"""TLS for the client's socket: bytes in, bytes out, by Python's ssl without its sockets.

A connection is written to by several threads while one reads, and an SSL object of OpenSSL is for
one thread at a time; so bytes are waited for outside of it, and whoever calls holds a lock.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

#: bytes of a record of TLS, at most, and of what is decrypted at once
RECORD_BYTES = 1 << 14
DECRYPTED_BYTES = 1 << 20


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

    def received(self, data: bytes) -> tuple[bytes | None, bytes]:
        """What bytes that came say (None: nothing yet, empty: the end), and what TLS itself
        answers to them."""
        if not data:
            self._in.write_eof()
        else:
            self._in.write(data)
        pieces: list[bytes] = []
        while True:
            try:
                piece = self._tls.read(DECRYPTED_BYTES)
            except ssl.SSLWantReadError:
                break
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                piece = b""
            if not piece:
                return b"".join(pieces), self._out.read()
            pieces.append(piece)
        return b"".join(pieces) or None, self._out.read()


def client_context(ca_file: str | Path | None) -> ssl.SSLContext:
    """Whom a client trusts: the certificates of a file, else those that the system trusts. Raises
    OSError."""
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

"""Hashes of passwords (scrypt, RFC 7914) and of tokens; verifiers for SCRAM-SHA-256 (RFC 5802).

A password's hash is `scrypt$log2 N$r$p$salt$hash`, base64. 2**15 x 8 x 3: 32 MiB and a quarter of
a second, as OWASP's password storage guide has it. Whoever has no hash is hashed against one that
nothing fits, so that the time says nothing. A SCRAM verifier is PBKDF2, which is not memory-hard,
and is made only where it is asked for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import unicodedata
from typing import Final

from hartonomous.hql.frozen import frozen

#: log2 N, r, p of new hashes
COST: tuple[int, int, int] = (15, 8, 3)
SCRAM_ITERATIONS: Final = 65_536
SALT_BYTES: Final = 16
TOKEN_BYTES: Final = 32
#: a longer one is refused before it is hashed
PASSWORD_CHARACTERS_MAX: Final = 1_024


def hash_password(password: str, salt: bytes | None = None) -> str:
    """The text that is kept of a password."""
    log_n, r, p = COST
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    made = _scrypt(password, salt, log_n, r, p)
    return f"scrypt${log_n}${r}${p}${_encode(salt)}${_encode(made)}"


def check_password(password: str, kept: str | None) -> bool:
    """Whether a password is the one whose hash is kept; takes as long where none is."""
    known = kept if kept is not None else NOBODY
    _, log_n, r, p, salt, wanted = known.split("$")
    made = _scrypt(password, _decode(salt), int(log_n), int(r), int(p))
    return hmac.compare_digest(made, _decode(wanted)) and kept is not None


def is_hash(text: str) -> bool:
    """Whether a text is what hash_password gives."""
    parts = text.split("$")
    if len(parts) != 6 or parts[0] != "scrypt":
        return False
    try:
        log_n, r, p = map(int, parts[1:4])
        salt, made = _decode(parts[4]), _decode(parts[5])
    except ValueError:
        return False
    is_bounded = 10 <= log_n <= 20 and 1 <= r <= 16 and 1 <= p <= 16
    return is_bounded and len(salt) >= 8 and len(made) == 32


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    n = 1 << log_n
    memory = 128 * r * (n + p + 2) + (1 << 20)
    data = _normal(password)
    return hashlib.scrypt(data, salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=32)


def _normal(password: str) -> bytes:
    """The same bytes however a keyboard composes its accents."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def new_token() -> bytes:
    """The secret part of a token."""
    return os.urandom(TOKEN_BYTES)


def hash_token(secret: bytes) -> str:
    """What is kept of a token's secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret).hexdigest()


@frozen
class ScramVerifier:
    """What a server needs for SCRAM-SHA-256, from which the password cannot be read."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes

    def to_text(self) -> str:
        keys = f"{_encode(self.stored_key)}:{_encode(self.server_key)}"
        return f"SCRAM-SHA-256${self.iterations}:{_encode(self.salt)}${keys}"

    @staticmethod
    def of_text(text: str) -> ScramVerifier:
        _, first, keys = text.split("$")
        iterations, salt = first.split(":")
        stored, server = keys.split(":")
        return ScramVerifier(_decode(salt), int(iterations), _decode(stored), _decode(server))


def make_scram(
    password: str, salt: bytes | None = None, iterations: int = SCRAM_ITERATIONS
) -> ScramVerifier:
    """The verifier of a password."""
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", _normal(password), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    return ScramVerifier(salt, iterations, hashlib.sha256(client).digest(), server)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


#: a hash that no password is known to have
NOBODY: Final = "scrypt${}${}${}${}${}".format(
    *COST, _encode(bytes(SALT_BYTES)), _encode(bytes(32))
)

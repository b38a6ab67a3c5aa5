"""SCRAM-SHA-256, the server's side (RFC 5802, RFC 7677): a client proves that it knows a password
which neither it nor the server sends.

    client-first   n,,n=NAME,r=NONCE        the name stands in the first message of the connection
    server-first   r=NONCE+OURS,s=SALT,i=ITERATIONS
    client-final   c=biws,r=NONCE+OURS,p=PROOF
    server-final   v=SIGNATURE

Channel binding (SCRAM-SHA-256-PLUS) is not offered.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from typing import TYPE_CHECKING

from hartonomous.hql.errors import AuthFault

if TYPE_CHECKING:
    from hartonomous.hql.security.passwords import ScramVerifier

MECHANISM = "SCRAM-SHA-256"
NONCE_BYTES = 18
#: what stands in c= for the headers that say "no channel binding"
_BINDINGS = {"n": "biws", "y": "eSws"}
REFUSED = "the name, password or token is not right"


class Exchange:
    """One proof. Both steps raise AuthFault, which says the same for every cause. `is_known` False
    goes through the motions with a verifier that no password fits."""

    def __init__(
        self, verifier: ScramVerifier, *, is_known: bool = True, nonce: str | None = None
    ) -> None:
        self._verifier, self._is_known = verifier, is_known
        random = base64.b64encode(os.urandom(NONCE_BYTES)).decode()
        self._own = nonce if nonce is not None else random
        self._first = ""  # client-first-message-bare and server-first-message
        self._nonce = self._binding = ""

    def begin(self, data: bytes) -> bytes:
        """server-first for a client-first."""
        text = _text(data)
        flag, authority, bare = (text.split(",", 2) + ["", ""])[:3]
        attributes = _attributes(bare)
        if flag not in _BINDINGS or authority or "r" not in attributes or "m" in attributes:
            raise AuthFault(REFUSED)
        self._binding = _BINDINGS[flag]
        self._nonce = attributes["r"] + self._own
        salt = base64.b64encode(self._verifier.salt).decode()
        answer = f"r={self._nonce},s={salt},i={self._verifier.iterations}"
        self._first = f"{bare},{answer}"
        return answer.encode()

    def finish(self, data: bytes) -> bytes:
        """server-final for a client-final that holds the right proof."""
        text = _text(data)
        without_proof, _, proof = text.rpartition(",p=")
        attributes = _attributes(without_proof)
        message = f"{self._first},{without_proof}".encode()
        signature = hmac.digest(self._verifier.stored_key, message, "sha256")
        try:
            given = base64.b64decode(proof, validate=True)
        except (binascii.Error, ValueError):
            given = b""
        key = bytes(a ^ b for a, b in zip(given.ljust(32, b"\0"), signature, strict=False))
        is_right = hmac.compare_digest(hashlib.sha256(key).digest(), self._verifier.stored_key)
        is_right &= len(given) == 32
        is_right &= hmac.compare_digest(attributes.get("r", "").encode(), self._nonce.encode())
        if not is_right or not self._is_known or attributes.get("c") != self._binding:
            raise AuthFault(REFUSED)
        return b"v=" + base64.b64encode(hmac.digest(self._verifier.server_key, message, "sha256"))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise AuthFault(REFUSED) from None


def _attributes(text: str) -> dict[str, str]:
    """`a=…,b=…` by letter."""
    return {part[0]: part[2:] for part in text.split(",") if part[1:2] == "="}


def mock_verifier(name: str, secret: bytes) -> ScramVerifier:
    """What is shown of a name that has no verifier: always the same salt, so that asking twice
    tells nothing. `secret` is the process's own."""
    from hartonomous.hql.security.passwords import (
        SALT_BYTES,
        SCRAM_ITERATIONS,
        ScramVerifier,
    )

    salt = hmac.digest(secret, name.encode("utf-8", "replace"), "sha256")[:SALT_BYTES]
    return ScramVerifier(salt, SCRAM_ITERATIONS, os.urandom(32), os.urandom(32))

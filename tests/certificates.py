"""Certificates for tests: an authority of this run, and what it signs."""

from __future__ import annotations

from pathlib import Path

import trustme


class Authority:
    """Signs certificates for 127.0.0.1 and localhost. `file` is what clients trust."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._authority = trustme.CA()
        self.file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(self.file)

    def issue(self, name: str = "server") -> tuple[Path, Path]:
        """A new certificate and its key: two files, written anew if they are there."""
        issued = self._authority.issue_cert("localhost", "127.0.0.1", common_name=name)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        return certificate, key

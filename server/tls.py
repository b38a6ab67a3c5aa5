"""TLS: certificate and key from files, and new ones while the server runs.

Certificates are renewed every few weeks, so they are read again when the process gets SIGHUP and
when the files change. `Certificates.context` is given to listeners once; each handshake takes the
newest context that was loaded whole. A new pair that cannot be loaded (a certificate written before
its key) leaves the old one in place and is tried again when a file changes once more.

TLS 1.2 at least; no certificate is asked of clients.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hartonomous.hql.errors import FileFault
from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    import ssl

#: seconds between two looks at the files
LOOK_SECONDS = 5.0


@frozen
class TLSFiles:
    """PEM files: the certificate with its chain, and its private key (None: in the same file)."""

    certificate: Path
    key: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that there are."""
        return tuple(path for path in (self.certificate, self.key) if path is not None)


class Certificates:
    """The certificate that new connections are shown. `context` and `reload` may be called from
    any thread; one reload at a time."""

    def __init__(self, files: TLSFiles, protocols: tuple[str, ...] = ("http/1.1",)) -> None:
        """Raises FileFault if the files cannot be used. `protocols` are offered by ALPN."""
        self._files, self._protocols = files, protocols
        self._seen = self._look()
        self._current = self._load()
        self.context = self._load()
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        """Runs in each handshake, whether the client named a server or not."""
        connection.context = self._current

    def reload(self) -> None:
        """Loads the files again. Raises FileFault, and then all is as before."""
        self._seen = self._look()
        self._current = self._load()

    def reload_if_changed(self) -> bool:
        """Loads the files again if one of them is another than at the last try; whether it did.
        Raises FileFault, once for each change."""
        if self._look() == self._seen:
            return False
        self.reload()
        return True

    def _look(self) -> tuple[object, ...]:
        """What changes when a file does; also when a link points elsewhere."""
        seen: list[object] = []
        for path in self._files.paths:
            try:
                stat = os.stat(path)
            except OSError as fault:
                seen.append(fault.errno)
            else:
                seen.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return tuple(seen)

    def _load(self) -> ssl.SSLContext:
        import ssl

        files = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(list(self._protocols))
        try:
            context.load_cert_chain(files.certificate, files.key, password=_no_password)
        except (OSError, ValueError) as fault:  # ssl.SSLError is an OSError
            names = ", ".join(str(path) for path in files.paths)
            raise FileFault(
                f"TLS: {names} cannot be used: {_reason(fault)}",
                hint="PEM files: a certificate with its chain, and its key without a password",
            ) from fault
        return context


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _reason(fault: Exception) -> str:
    reason = getattr(fault, "reason", None) or getattr(fault, "strerror", None) or str(fault)
    return str(reason).replace("_", " ").lower()


async def watch(certificates: Certificates, report: Callable[[str], object]) -> None:
    """Loads the files again whenever they change, until it is cancelled; says so by `report`."""
    import asyncio

    while True:
        await asyncio.sleep(LOOK_SECONDS)
        reload_now(certificates, report, only_changed=True)


def reload_now(
    certificates: Certificates, report: Callable[[str], object], *, only_changed: bool = False
) -> None:
    """What SIGHUP does: the certificate is read again; a bad one is reported and not used."""
    try:
        if only_changed and not certificates.reload_if_changed():
            return
        if not only_changed:
            certificates.reload()
    except FileFault as fault:
        report(f"{fault.message}; the one before stays")
    else:
        report("TLS: a new certificate is used from now on")

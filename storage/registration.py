"""readers/<uuid>: by which a reader process tells the writer what it may still open.

The file is locked while the reader lives, so death frees it, and holds the names of the manifests
that the reader uses and of the manifests of models that it found in the log. The reader writes a
name down and then looks whether refs/heads/main still names that manifest. A writer names another
manifest there and then reads these files. So either the writer finds the name, or the reader sees
that it must look anew.

    manifest NAME
    model NAME
    end XXH3 of what is above
"""

from __future__ import annotations

import uuid
from collections.abc import Collection

import xxhash

from hartonomous.storage.disk import Lock
from hartonomous.storage.errors import DiskFault
from hartonomous.storage.folder import Folder
from hartonomous.storage.frozen import frozen


@frozen
class Claims:
    """What living readers may open: manifests, and models' manifests."""

    manifests: frozenset[str]
    models: frozenset[str]


NO_CLAIMS = Claims(frozenset(), frozenset())


class Registration:
    """A reader's own file; none where the folder cannot be written: then there is no writer on this
    machine that could remove anything either."""

    def __init__(self, folder: Folder) -> None:
        self._disk = folder.disk
        self._lock: Lock | None = None
        self._claimed = ""
        try:
            self._disk.do_make_folder(folder.readers)
            while self._lock is None:
                path = folder.readers / uuid.uuid4().hex
                lock = self._disk.lock(path, content=b"")
                if lock is not None and self._disk.exists(path):
                    self._lock = lock
                elif lock is not None:  # a writer took it for a dead one's before it was locked
                    lock.close()
        except DiskFault:
            self._lock = None

    def claim(self, manifests: Collection[str], models: Collection[str] = ()) -> None:
        """From here on just these."""
        lines = [*(f"manifest {n}\n" for n in manifests), *(f"model {n}\n" for n in models)]
        text = "".join(sorted(lines))
        if self._lock is not None and text != self._claimed:
            self._lock.rewrite(sealed(text))
            self._claimed = text

    def close(self) -> None:
        if self._lock is not None:
            self._disk.do_remove(self._lock.path)
            self._lock.close()
            self._lock = None


def sealed(text: str) -> bytes:
    """The file's content."""
    return f"{text}end {xxhash.xxh3_64_hexdigest(text.encode())}\n".encode()


def claims(folder: Folder) -> Claims | None:
    """What living readers claim; None if one has not said yet. Files of dead ones are removed."""
    manifests: set[str] = set()
    models: set[str] = set()
    is_known = True
    for name in folder.disk.list_folder(folder.readers):
        path = folder.readers / name
        lock = folder.disk.lock(path)
        if lock is not None:
            folder.disk.do_remove(path)
            lock.close()
            continue
        try:
            content = folder.disk.read(path)
        except DiskFault:
            if folder.disk.exists(path):
                raise
            continue  # its reader has closed it just now
        text, _, _ = content.decode("ascii", "replace").partition("end ")
        if content != sealed(text):
            is_known = False
            continue
        for line in text.splitlines():
            kind, _, claimed = line.partition(" ")
            (manifests if kind == "manifest" else models).add(claimed)
    return Claims(frozenset(manifests), frozenset(models)) if is_known else None

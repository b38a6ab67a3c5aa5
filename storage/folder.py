"""The folder of a database: its files, who may write it, and how it begins.

FORMAT is written last when a folder is made: a folder without it was never finished and holds
nothing. The writer holds an operating system's lock on LOCK, which death frees; what is written
in it (pid, host, address) is for error messages only.
"""

from __future__ import annotations

import os
import re
import socket
import time
from pathlib import Path

from hartonomous.storage.catalog import Catalog
from hartonomous.storage.catalog_maps import catalog_hash
from hartonomous.storage.disk import Disk, Lock
from hartonomous.storage.errors import Corruption, FormatFault, Locked, NotFound
from hartonomous.storage.manifest import Manifest, write_head, write_manifest
from hartonomous.storage.objects import Objects
from hartonomous.storage.wal_frames import (
    FILE_HEADER,
    file_number,
    file_numbers,
    path_of,
    position,
)

FORMAT = b"hartonomous database, format 1\n"
#: a reader that looks whether a writer lives holds the lock for a moment
LOCK_WAIT_S = 0.5


def holder(address: str | None = None) -> bytes:
    """What this process writes into its lock; `address`: where it serves the database."""
    served = "" if address is None else f", served at {address}"
    return f"pid {os.getpid()} on {socket.gethostname()}{served}\n".encode()


class Folder:
    """Paths and the two ways in."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self.disk, self.path = disk, path
        self.format = path / "FORMAT"
        self.lock_file = path / "LOCK"
        self.head = path / "refs" / "heads" / "main"
        self.objects = path / "objects"
        self.wal = path / "wal"
        self.readers = path / "readers"
        self.logs = path / "logs"

    def check(self) -> None:
        """Raises NotFound if there is no database, FormatFault if it is not of our format."""
        if not self.disk.exists(self.format):
            if self.disk.exists(self.head):
                raise FormatFault(f'"{self.format}" is missing')
            raise NotFound(f'there is no database in "{self.path}"')
        found = self.disk.read(self.format)
        if found != FORMAT:
            raise FormatFault(f'"{self.format}" says {found[:40]!r}, expected {FORMAT!r}')
        if not self.disk.exists(self.head):
            raise Corruption(f'"{self.head}" is missing')

    def check_log(self, manifest: Manifest) -> None:
        """Raises Corruption if the log is gone. Its first file is made after FORMAT, every later
        one before the manifest that names it."""
        if manifest.sequence and not file_numbers(self.disk, self.wal):
            path = path_of(self.wal, file_number(manifest.wal_start))
            raise Corruption(f'log file "{path}" is missing')

    def lock(self) -> Lock:
        """The writer's lock; raises Locked naming who has it."""
        content = holder()
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            lock = self.disk.lock(self.lock_file, content=content)
            if lock is not None:
                return lock
            if time.monotonic() > deadline:
                said = self.disk.read(self.lock_file).decode(errors="replace").strip()
                served = re.search(r"hqls?://\S+", said)
                connect = f"connect to {served[0]}, or " if served is not None else ""
                raise Locked(
                    f'"{self.path}" is open for writing elsewhere ({said or "unknown process"})',
                    hint=f"{connect}open it with read_only=True",
                )
            time.sleep(0.01)

    def create(self, objects: Objects, catalog: Catalog) -> None:
        """Make an empty database of a folder that is empty, or was being made."""
        strange = set(self.disk.list_folder(self.path)) - {
            "LOCK",
            "FORMAT",
            "objects",
            "refs",
            "wal",
            "readers",
        }
        strange = {name for name in strange if not name.startswith(".")}
        if strange:
            raise FormatFault(
                f'"{self.path}" is not a database: it holds "{sorted(strange)[0]}"',
                hint="give a new or empty folder",
            )
        for folder in (self.head.parent, self.wal, self.readers):
            self.disk.do_make_folder(folder)
        objects.prepare()
        manifest = Manifest(
            sequence=0,
            commit=b"",
            catalog=tuple(catalog.entries.values()),
            tables={},
            next_row_id=1,
            next_id=2,  # 1 is the default schema
            wal_start=position(1, FILE_HEADER),
            catalog_hash=catalog_hash(catalog),
        )
        write_head(self.disk, self.head, write_manifest(objects, manifest))
        for folder in (self.head.parent.parent, self.path, self.path.parent):
            self.disk.do_sync_folder(folder)
        self.disk.replace(self.format, FORMAT)

"""Opening a folder for writing: lock, manifest, log, leftovers."""

from __future__ import annotations

from dataclasses import dataclass

from hartonomous.storage.catalog import first_catalog
from hartonomous.storage.counters import Counters
from hartonomous.storage.disk import Lock
from hartonomous.storage.errors import FormatFault
from hartonomous.storage.folder import Folder
from hartonomous.storage.garbage import sweep
from hartonomous.storage.manifest import read_head, read_manifest
from hartonomous.storage.manifest_state import repository_of
from hartonomous.storage.objects import Objects
from hartonomous.storage.replay import Replay
from hartonomous.storage.repository import Repository
from hartonomous.storage.wal import Wal


@dataclass(slots=True)
class Opened:
    """A folder opened for writing."""

    lock: Lock
    objects: Objects
    wal: Wal
    manifest_name: str
    repository: Repository
    counters: Counters


def open_folder(folder: Folder) -> Opened:
    """Raises Locked, FormatFault, Corruption, DiskFault; then the folder is as it was."""
    disk = folder.disk
    if not disk.exists(folder.path):
        disk.do_make_folder(folder.path)
    lock = folder.lock()
    try:
        objects = Objects(disk, folder.objects)
        if disk.exists(folder.format):
            folder.check()
        elif any(name.endswith(".wal") for name in disk.list_folder(folder.wal)):
            raise FormatFault(f'"{folder.format}" is missing')
        else:
            folder.create(objects, first_catalog())
        objects.prepare()
        return _recover(folder, lock, objects)
    except BaseException:
        lock.close()
        raise


def _recover(folder: Folder, lock: Lock, objects: Objects) -> Opened:
    name = read_head(folder.disk, folder.head)
    manifest = read_manifest(objects, name)
    folder.check_log(manifest)
    repository = repository_of(objects, manifest)
    replay = Replay(objects, repository)
    wal = Wal(folder.disk, folder.wal)
    try:
        for frame in wal.recover(manifest.wal_start):
            replay.add(frame.body)
        replay.finish()
        sweep(folder, objects, name, repository)
    except BaseException:
        wal.close()
        raise
    counters = Counters(
        max(manifest.next_row_id, replay.next_row_id),
        max(manifest.next_id, replay.next_entry_id),
        {**manifest.identities, **replay.identities},
    )
    return Opened(lock, objects, wal, name, repository, counters)

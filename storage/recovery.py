"""Opening a folder for writing: lock, manifest, log, leftovers."""

from __future__ import annotations

from dataclasses import dataclass

from hartonomous.storage.catalog import first_catalog
from hartonomous.storage.commit import Commit, TableRoots
from hartonomous.storage.counters import Counters
from hartonomous.storage.disk import Lock
from hartonomous.storage.errors import Corruption, FormatFault
from hartonomous.storage.folder import Folder
from hartonomous.storage.garbage import sweep
from hartonomous.storage.manifest import Manifest, read_head, read_manifest
from hartonomous.storage.manifest_state import state_of
from hartonomous.storage.objects import Objects
from hartonomous.storage.replay import Replay
from hartonomous.storage.state import DatabaseState
from hartonomous.storage.wal import Wal


@dataclass(slots=True)
class Opened:
    """A folder opened for writing."""

    lock: Lock
    objects: Objects
    wal: Wal
    manifest_name: str
    manifest: Manifest
    state: DatabaseState
    counters: Counters
    roots: TableRoots
    commits: list[Commit]
    leaves: dict[int, bytearray]


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
    replay = Replay(objects, state_of(objects, manifest))
    wal = Wal(folder.disk, folder.wal)
    try:
        for frame in wal.recover(manifest.wal_start):
            replay.add(frame.body)
        state = replay.finish()
        roots = TableRoots(
            {i: (t.log.size, t.log.root) for i, t in manifest.tables.items() if t.log.size}
        )
        if replay.commits and roots.apply(replay.roots) != replay.commits[-1].root:
            raise Corruption(f"commit {state.sequence} does not have the root of its tables")
        sweep(folder, objects, name, manifest, state)
    except BaseException:
        wal.close()
        raise
    counters = Counters(
        max(manifest.next_row_id, replay.next_row_id),
        max(manifest.next_id, replay.next_entry_id),
        {**manifest.identities, **replay.identities},
    )
    leaves = dict(replay.leaves)
    return Opened(
        lock, objects, wal, name, manifest, state, counters, roots, replay.commits, leaves
    )

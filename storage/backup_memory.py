"""BACKUP DATABASE of a database in memory: a checkpoint of it into a new folder.

Rows become segments, leaves and commits packs, under the commit lock. Hashes are what they were, so
the folder goes on where the memory was.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hartonomous.storage.backup import Backup, begin, finish
from hartonomous.storage.checkpoint import manifest_of, settle
from hartonomous.storage.commit_pack import to_batch, write_commits
from hartonomous.storage.manifest import write_manifest
from hartonomous.storage.models import model_objects
from hartonomous.storage.objects import Objects
from hartonomous.storage.segment import SegmentMeta
from hartonomous.storage.wal import Wal
from hartonomous.storage.wal_frames import FILE_HEADER, position

if TYPE_CHECKING:
    from hartonomous.storage.database import Database


def backup_memory(database: Database, target: Path) -> Backup:
    """Raises AlreadyExists if there is anything in `target`, DiskFault."""
    disk, start = database.disk, position(1, FILE_HEADER)
    made = begin(disk, target)
    objects = Objects(disk, made.objects)
    with database.guard:
        repository = database.repository
        lines = list(repository.lines.values())
        settled = {line.id: settle(objects, line) for line in lines}
        packs: list[SegmentMeta] = []
        if repository.recent:
            batch = to_batch(repository.recent, repository.recent_hashes)
            packs = write_commits(objects, [batch])
        catalogs = tuple(repository.catalogs.write(objects))
        manifest = write_manifest(
            objects, manifest_of(database, settled, start, tuple(packs), catalogs)
        )
        names = model_objects(database.object_store, repository.models())
        names |= {r.name for line in lines for refs in line.collected.values() for r in refs}
        for name in names:
            objects.put(database.object_store.read(name))
        for line in lines:  # their rows stay in memory, and so do the indexes over them
            for state in line.state.tables.values():
                for chunk in state.chunks:
                    chunk.detach_parts()
        sequence = repository.sequence
    wal = Wal(disk, made.wal)
    try:
        for _ in wal.recover(start):
            raise AssertionError("a new log is empty")
    finally:
        wal.close()
    finish(disk, made, manifest)
    sizes = [objects.size(name) for name in objects.names()]
    return Backup(target, sequence, len(sizes), 0, sum(sizes))

"""BACKUP DATABASE: a folder that opens as the database was at one moment, made while it is in use.

Objects never change, so they are linked, or copied (and checked) where links are not possible, as
on another device. Of the log what was durable at that moment is copied; until that is done no
checkpoint begins, and until all is done no object that the backup needs is removed. Everything is
synced before FORMAT is written, the last file: what was cut short is no database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.catalog import ModelEntry
from hartonomous.storage.disk import Disk
from hartonomous.storage.errors import AlreadyExists, Corruption, DiskFault
from hartonomous.storage.folder import FORMAT, Folder
from hartonomous.storage.frozen import frozen
from hartonomous.storage.garbage import needed
from hartonomous.storage.manifest import read_head, read_manifest, write_head
from hartonomous.storage.manifest_state import repository_of
from hartonomous.storage.models import readable_objects
from hartonomous.storage.objects import Objects
from hartonomous.storage.record import InsertRecord, read_record
from hartonomous.storage.segment import SegmentMeta
from hartonomous.storage.wal_frames import (
    file_number,
    file_numbers,
    file_offset,
    path_of,
    read_frames,
)

if TYPE_CHECKING:
    from hartonomous.storage.database import Database
    from hartonomous.storage.readers import Follower

#: files are copied in pieces of so many bytes
PIECE: Final = 4 << 20
#: how often a reader process looks anew when a checkpoint removed what it was about to copy
ATTEMPTS_MAX: Final = 20

Progress = Callable[[int, float | None], None]


@frozen
class Backup:
    """What was backed up: the commit it ends with, objects and how many of them are links, bytes
    of objects and log."""

    folder: Path
    sequence: int
    objects: int
    linked: int
    bytes: int


@frozen
class Moment:
    """A state of the folder: the manifest's name, the log's durable end, the commit it holds."""

    manifest: str
    end: int
    sequence: int


def backup(database: Database, target: Path, progress: Progress | None = None) -> Backup:
    """Raises AlreadyExists if there is anything in `target`, or if it lies in the database itself,
    whose files come and go; DiskFault, Corruption. What a failure leaves in `target` is no database
    and can be removed."""
    assert database.folder is not None and database.objects is not None
    disk, source, objects = database.disk, database.folder, database.objects
    if target.resolve().is_relative_to(source.path.resolve()):
        message = f'"{target}" lies in the folder of the database itself'
        raise AlreadyExists(message, hint="give a new or empty folder elsewhere")
    made = begin(disk, target)
    with ExitStack() as held:
        moment, names, copied = _take_moment(database, made, held)
        linked = 0
        for done, name in enumerate(sorted(names), 1):
            was_linked, size = _bring(disk, objects, made, name)
            linked, copied = linked + was_linked, copied + size
            if progress is not None:
                progress(done, done / len(names))
    _copy_logs(disk, source, made)
    finish(disk, made, moment.manifest)
    return Backup(target, moment.sequence, len(names), linked, copied)


def begin(disk: Disk, target: Path) -> Folder:
    """The folders of a database to be made. Raises AlreadyExists."""
    if disk.exists(target) and (not target.is_dir() or disk.list_folder(target)):
        raise AlreadyExists(f'"{target}" is not empty', hint="give a new or empty folder")
    made = Folder(disk, target)
    for folder in (made.head.parent, made.wal, made.readers, made.objects / "tmp"):
        disk.do_make_folder(folder)
    return made


def finish(disk: Disk, made: Folder, manifest: str) -> None:
    """Objects and log are written: let it be a database."""
    folders = [made.objects / name for name in disk.list_folder(made.objects)]
    disk.do_sync_many([], [*folders, made.objects, made.wal])
    write_head(disk, made.head, manifest)
    disk.do_sync_many([], [made.head.parent.parent, made.path, made.path.parent])
    disk.replace(made.format, FORMAT)


def _take_moment(database: Database, made: Folder, held: ExitStack) -> tuple[Moment, set[str], int]:
    """The newest moment with its log copied, the objects it needs, which stay while `held` is open,
    and the bytes copied."""
    follower = database.follower
    if follower is not None:
        return _take_followed(database, follower, made, held)
    assert database.wal is not None and database.manifest_name is not None
    with database.checkpointing:  # what the log names is not merged into other objects meanwhile
        with database.guard:
            database.wal.sync(database.wal.end)
            name = database.manifest_name
            moment = Moment(name, database.wal.end, database.repository.sequence)
        copied = _copy_log(database, moment, made)
        names = _needed(database, moment)
        held.enter_context(database.garbage.holding(names))
    return moment, names, copied


def _take_followed(
    database: Database, follower: Follower, made: Folder, held: ExitStack
) -> tuple[Moment, set[str], int]:
    """As _take_moment, beside a writer, which may remove the log's files at any moment: then there
    is another manifest."""
    assert database.folder is not None
    for attempt in range(ATTEMPTS_MAX):
        with ExitStack() as tried:
            moment = Moment(*tried.enter_context(follower.holding()))
            try:
                copied = _copy_log(database, moment, made)
                names = _needed(database, moment)
            except (Corruption, DiskFault):
                is_same = read_head(database.disk, database.folder.head) == moment.manifest
                if is_same or attempt + 1 == ATTEMPTS_MAX:
                    raise
                continue
            held.push(tried.pop_all())
            return moment, names, copied
    raise AssertionError("the last attempt returns or raises")


def _copy_log(database: Database, moment: Moment, made: Folder) -> int:
    """The log up to the moment; the bytes copied."""
    disk, source = database.disk, database.folder
    assert source is not None and database.objects is not None
    for name in disk.list_folder(made.wal):  # of an attempt before
        disk.do_remove(made.wal / name)
    first = file_number(read_manifest(database.objects, moment.manifest).wal_start)
    last = file_number(moment.end)
    copied = 0
    for number in file_numbers(disk, source.wal):
        if first <= number <= last:
            stop = file_offset(moment.end) if number == last else None
            copied += _copy(disk, path_of(source.wal, number), path_of(made.wal, number), stop)
    return copied


def _needed(database: Database, moment: Moment) -> set[str]:
    """The objects of the manifest, and of the log's records; of what the log itself drops again
    those that are still there."""
    folder, objects = database.folder, database.objects
    assert folder is not None and objects is not None
    manifest = read_manifest(objects, moment.manifest)
    names = needed(objects, repository_of(objects, manifest), moment.manifest)
    start = manifest.wal_start
    for frame in read_frames(folder.disk, folder.wal, start, moment.end):
        record = read_record(frame.body)
        more = {n for table in record.tables for insert in table.inserts for n in _of(insert)}
        for _, entry in record.entries:
            if isinstance(entry, ModelEntry):
                more |= readable_objects(objects, [entry])
        names |= {name for name in more if objects.exists(name)}
    return names


def _of(insert: InsertRecord) -> Iterator[str]:
    """The objects of a segment that a commit brought: itself, and indexes of its keys."""
    if insert.segment is not None:
        yield SegmentMeta.from_list(insert.segment).ref.name
        for _, ref in insert.keys.values():
            if ref is not None:
                yield ObjectRef.from_list(ref).name


def _bring(disk: Disk, objects: Objects, made: Folder, name: str) -> tuple[bool, int]:
    """One object into the backup; whether by a link, and its bytes."""
    source, target = objects.path(name), made.objects / name[:2] / name[2:]
    disk.do_make_folder(target.parent, sync=False)
    if disk.do_link(source, target):
        return True, disk.size(target)
    digest = hashlib.sha256()
    size = _copy(disk, source, target, None, digest.update)
    if digest.hexdigest() != name:
        raise Corruption(f"object {name} is damaged: its SHA-256 is {digest.hexdigest()}")
    return False, size


def _copy_logs(disk: Disk, source: Folder, made: Folder) -> None:
    for name in disk.list_folder(source.logs):
        disk.do_make_folder(made.logs)
        _copy(disk, source.logs / name, made.logs / name, None)


def _copy(
    disk: Disk,
    source: Path,
    target: Path,
    stop: int | None,
    also: Callable[[bytes], None] | None = None,
) -> int:
    """Copy a file's first `stop` bytes (None: all), durably but for its name; how many."""
    copied = 0
    read = disk.open(source)
    try:
        written = disk.do_create(target)
        try:
            for piece in _pieces(read.size() if stop is None else stop, read.read):
                written.write([piece], copied)
                copied += len(piece)
                if also is not None:
                    also(piece)
            written.sync()
        finally:
            written.close()
    finally:
        read.close()
    return copied


def _pieces(size: int, read: Callable[[int, int], bytes]) -> Iterator[bytes]:
    for start in range(0, size, PIECE):
        yield read(start, min(PIECE, size - start))

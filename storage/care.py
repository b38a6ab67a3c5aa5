"""What a database offers to be kept well: checkpoints, VERIFY, VACUUM, backups, figures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hartonomous.storage.errors import DiskFault, ReadOnly
from hartonomous.storage.keeper import Keeper
from hartonomous.storage.past import Past

if TYPE_CHECKING:
    from hartonomous.storage.backup import Backup
    from hartonomous.storage.database import Database
    from hartonomous.storage.folder import Folder
    from hartonomous.storage.objects import Objects
    from hartonomous.storage.vacuum import Compaction, Figures
    from hartonomous.storage.verify_rows import Problem
    from hartonomous.storage.wal import Wal

Progress = Callable[[int, float | None], None]


class Care(Past):
    """The part of Database that changes where things lie and not what they are."""

    wal: Wal | None
    objects: Objects | None = None
    folder: Folder | None = None
    checkpoint_bytes: int

    def __init__(self) -> None:
        super().__init__()
        #: held while a checkpoint is written
        self.checkpointing = threading.Lock()
        self.keeper = Keeper(self._whole)

    @property
    def _whole(self) -> Database:
        return cast("Database", self)

    def _check_process(self) -> None:
        raise NotImplementedError

    def _check_writer(self) -> None:
        self._check_process()
        if self.read_only:
            raise ReadOnly("the database was opened read-only")

    def checkpoint(self, compaction: Compaction | None = None) -> None:
        """Write what lies in the log as segments, and begin a new log; remove what is not needed.
        Raises ReadOnly, DiskFault."""
        self._check_writer()
        if self.wal is None:
            self.garbage.collect()
        else:
            with self.checkpointing:
                self._checkpoint(compaction)
            if compaction is None:
                self.keeper.wake()

    def checkpoint_if_due(self) -> None:
        """After a commit, by one of the threads that see it is due; the commit is durable."""
        wal, path = self.wal, self.commits_path
        if wal is None:
            self.keeper.collect_if_due()
            return
        if wal.file_bytes <= self.checkpoint_bytes or path.has_failed:
            return
        if not self.checkpointing.acquire(blocking=False):
            return
        try:
            if wal.file_bytes > self.checkpoint_bytes:
                self._checkpoint(None)
                self.keeper.wake()
        except DiskFault:
            if not path.has_failed:
                # The old state counts until the new one is whole: the next commit tries again.
                return
        finally:
            self.checkpointing.release()

    def _checkpoint(self, compaction: Compaction | None) -> None:
        from hartonomous.storage.checkpoint import checkpoint

        checkpoint(self._whole, compaction)

    def vacuum(self, table_id: int | None = None, branch: str | None = None) -> Figures:
        """Remove for good what is older than the retention, of one table of a branch or of all.
        Raises ReadOnly, DiskFault, Corruption."""
        from hartonomous.storage.vacuum import vacuum

        self._check_writer()
        with self.keeper.alone():
            return vacuum(self._whole, table_id, branch)

    def horizon_holders(self) -> tuple[str, ...]:
        """The branches, by name, but for which VACUUM could remove more of the past now."""
        from hartonomous.storage.vacuum import horizon_holders

        self._follow()
        with self.guard:
            return horizon_holders(self.repository, self._whole.clock.now_us())

    def backup(self, target: str | Path, progress: Progress | None = None) -> Backup:
        """A folder that opens as the database is now. Raises AlreadyExists for a folder that is
        not empty, DiskFault, Corruption."""
        from hartonomous.storage.backup import backup
        from hartonomous.storage.backup_memory import backup_memory

        self._follow()
        if self.folder is None:
            return backup_memory(self._whole, Path(target).resolve())
        return backup(self._whole, Path(target).resolve(), progress)

    def verify(
        self, progress: Progress | None = None, notes: list[str] | None = None
    ) -> list[Problem]:
        """Hash everything again: objects, blocks, log, leaves, roots, commits. What disagrees is
        returned, not raised. `progress(rows, share)` is called now and then; `notes` gets what
        could not be hashed again because it was collected."""
        from hartonomous.storage.verify import verify

        self._follow()
        return verify(self._whole, progress, notes)

    def figures(self) -> dict[str, Any]:
        """Sizes, for EXPLAIN and system views."""
        state = self.repository.main.published
        chunks = [c for s in state.tables.values() for c in s.chunks]
        mapped = [c for c in chunks if c.rows.is_mapped]
        return {
            "sequence": state.sequence,
            "tables": len(state.catalog.tables_by_id),
            "segments": len(mapped),
            "segment_rows": sum(c.count for c in mapped),
            "segment_bytes": sum(c.rows.bytes for c in mapped),
            "tail_chunks": len(chunks) - len(mapped),
            "tail_rows": sum(c.count for c in chunks) - sum(c.count for c in mapped),
            "wal_bytes": 0 if self.wal is None else self.wal.file_bytes,
        }

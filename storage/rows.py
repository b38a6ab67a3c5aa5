"""What a chunk (chunk.py) needs of its rows, wherever they lie: memory.py, segment_rows.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.storage.statistics import ZoneMap


class Rows(Protocol):
    """Where a chunk's column data come from: memory, or a mapped segment."""

    count: int

    def column(self, name: str, batch: int) -> pa.Array | None:
        """One column of one batch; None when the chunk is older than the column."""

    def has(self, name: str) -> bool:
        """Whether the rows hold the column."""

    def zone_map(self, name: str) -> ZoneMap | None:
        """Bounds of the column's batches; None if not worth having, or without the column."""

    @property
    def is_mapped(self) -> bool:
        """Whether the rows lie in an object on disk."""

    @property
    def bytes(self) -> int:
        """Bytes of all rows."""

    def open(self) -> None:
        """From here on nothing is opened by name any more."""

    def batch_bytes(self, name: str, batch: int) -> int:
        """Bytes of one column in one batch."""

"""A space: a coordinate system for vectors, with a projection to three dimensions.

It fixes which encoders make its vectors, the projection matrix (kernels/projection.py: linear,
contractive), the SRID that its points carry, and the box in which its Hilbert curve runs. Spaces
are entries of the catalog, so that CREATE SPACE is transactional and plans know what they use. The
matrix stands in the entry itself (3 KB for 256 dimensions), and the catalog is stored as objects
named by their content; `content_hash` names the matrix, and equal matrices have equal hashes.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from hartonomous.storage.catalog import SpaceEntry

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Matrix = npt.NDArray[np.float32]
    Numbers = npt.NDArray[np.float64]

#: (least x, y, z, greatest x, y, z)
Box = tuple[float, float, float, float, float, float]


class Space:
    """One space, read from its entry. Immutable; compared by identity."""

    def __init__(self, entry: SpaceEntry) -> None:
        import numpy as np

        self.entry, self.name, self.srid = entry, entry.name, entry.srid
        made: dict[str, Any] = json.loads(entry.definition)
        #: modality -> encoder
        self.encoders: dict[str, str] = made["encoders"]
        self.landmark_count: int = made["landmarks"]
        #: how the landmarks were chosen, by which seed; None where all there is stands for itself
        self.method: str | None = made["method"]
        self.seed: int | None = made["seed"]
        self.box: Box = tuple(made["box"])
        #: mean part of the ten nearest that are among the ten nearest in 3-D, over a sample
        self.preservation: float | None = made["preservation"]
        self.sample_rows: int = made["sample_rows"]
        self.matrix: Matrix = np.frombuffer(entry.projection, "<f4").reshape(3, -1)

    @property
    def dimensions(self) -> int:
        return int(self.matrix.shape[1])

    @cached_property
    def content_hash(self) -> bytes:
        """SHA-256 of the matrix's bytes."""
        return hashlib.sha256(self.entry.projection).digest()

    def project(self, vectors: Matrix) -> Numbers:
        """float64[N,3]: the points of vectors float32[N, dimensions]."""
        from hartonomous.kernels.projection import project

        return project(self.matrix, vectors)

    def keys(self, points: Numbers) -> npt.NDArray[np.int64]:
        """int64[N]: where points float64[N,3] lie on the Hilbert curve of the space's box."""
        import numpy as np

        from hartonomous.kernels import hilbert
        from hartonomous.kernels.cells import box_cells

        box = np.array(self.box)
        return hilbert.encode(box_cells(points, box[:3], box[3:]))

    def geometries(self, points: Numbers) -> pa.StructArray:
        """Points float64[N,3] as GEOMETRY values with the space's SRID."""
        import numpy as np
        import pyarrow as pa

        from hartonomous.hql.types import GEOMETRY

        arrow, count = GEOMETRY.arrow, len(points)
        coords, rings = arrow.field("coords").type, arrow.field("rings").type
        flat = pa.array(np.ascontiguousarray(points).reshape(-1))
        columns = [
            pa.array(np.ones(count, np.int8)),  # POINT
            pa.array(np.zeros(count)),
            pa.array(np.full(count, self.srid, np.int32)),
            pa.ListArray.from_arrays(
                np.zeros(count + 1, np.int32), pa.array([], rings.value_type), rings
            ),
            pa.ListArray.from_arrays(
                np.arange(count + 1, dtype=np.int32),
                pa.FixedSizeListArray.from_arrays(flat, type=coords.value_type),
                coords,
            ),
        ]
        return pa.StructArray.from_arrays(columns, fields=list(arrow))


@lru_cache(64)
def of_entry(entry: SpaceEntry) -> Space:
    """The space of a catalog entry."""
    return Space(entry)

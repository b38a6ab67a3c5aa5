"""What is measured of a new space: the box of its points, and how well 3-D keeps neighbourhoods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hartonomous.hql.encoders.base import Encoder

    Matrix = npt.NDArray[np.float32]

#: rows over which neighbourhoods are compared
SAMPLE_ROWS: Final = 1_000
NEIGHBOURS: Final = 10
#: how much larger than what it was measured from a box is, on each side, as a part of its side
_MARGIN: Final = 1 / 1024


def measure(vectors: Matrix, matrix: Matrix, seed: int) -> dict[str, Any]:
    """`preservation` (None for fewer than two rows) over `sample_rows` rows drawn from vectors
    float32[N,D]."""
    import numpy as np

    from hartonomous.kernels.landmarks import sample_keys
    from hartonomous.kernels.projection import neighbourhood_preservation, project

    chosen = np.sort(np.argsort(sample_keys(0, len(vectors), seed))[:SAMPLE_ROWS])
    sample = vectors[chosen]
    kept = neighbourhood_preservation(sample, project(matrix, sample), NEIGHBOURS)
    return {"preservation": None if kept is None else round(kept, 6), "sample_rows": len(sample)}


def encoder_box(encoder: Encoder, matrix: Matrix) -> list[float]:
    """The cube around everything that the encoder can give, and zero."""
    import numpy as np

    points = encoder.extent(matrix)
    return _cube(np.vstack((points, np.zeros((1, 3)))), _MARGIN)


def vectors_box(vectors: Matrix, matrix: Matrix) -> list[float]:
    """A cube of twice the size of that around these vectors: others will come."""
    return _cube(vectors @ matrix.T, 0.5)


def _cube(points: npt.NDArray[Any], margin: float) -> list[float]:
    """Corners are whole multiples of a power of two, so that the last bits do not matter."""
    import numpy as np

    low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float)
    side = float((high - low).max()) * (1 + 2 * margin)
    grain = 2.0 ** np.ceil(np.log2(side / 4096)) if side > 0 else 1.0
    half = np.ceil(side / 2 / grain) * grain
    centre = np.round((low + high) / 2 / grain) * grain
    return [float(x) for x in (*(centre - half), *(centre + half))]

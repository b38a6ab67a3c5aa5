"""Real texts and their vectors for benchmarks: lines of this machine's Python sources."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from harness import kept

from hartonomous import hql

#: shorter lines say little, longer ones are tables
CHARACTERS_MIN, CHARACTERS_MAX = 20, 400
#: texts embedded by one statement
BATCH_TEXTS = 50_000
FILE = "vectors.npy"


def lines() -> Iterator[str]:
    """Distinct lines of the standard library's sources, then of the installed packages'."""
    seen: set[str] = set()
    installed = Path(sysconfig.get_path("purelib"))
    own = (p for p in Path(sysconfig.get_path("stdlib")).rglob("*.py") if _is_own(p))
    for path in [*sorted(own), *sorted(installed.rglob("*.py"))]:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            text = line.strip()
            if CHARACTERS_MIN <= len(text) <= CHARACTERS_MAX and text not in seen:
                seen.add(text)
                yield text


def _is_own(path: Path) -> bool:
    return "site-packages" not in path.parts


def vectors(count: int) -> npt.NDArray[np.float32]:
    """float32[N,256], N at most `count`: what EMBED makes of the first lines, of length 1 (lines
    without a direction are left out). Mapped from a file that is kept outside the repository."""

    def make(folder: Path) -> None:
        made = _embed(count)
        np.save(folder / FILE, made)

    folder = kept(f"vectors-{count}", make)
    found: npt.NDArray[np.float32] = np.load(folder / FILE, mmap_mode="r")
    return found


def _embed(count: int) -> npt.NDArray[np.float32]:
    texts: list[str] = []
    for text in lines():
        texts.append(text)
        if len(texts) == count:
            break
    parts = []
    with hql.connect(":memory:") as database:
        for start in range(0, len(texts), BATCH_TEXTS):
            rows = pa.table({"body": texts[start : start + BATCH_TEXTS]})
            select = "SELECT EMBED(body) AS v FROM @rows"
            column = database.execute(select, {"rows": rows}).fetch_arrow_table().column(0)
            parts += [c.flatten().to_numpy().reshape(len(c), -1) for c in column.chunks]
    matrix = np.concatenate(parts)
    lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
    return np.asarray(matrix[lengths > 0] / lengths[lengths > 0, None], np.float32)

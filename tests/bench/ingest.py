"""INGEST beside embedding alone: chunks a second, and what the store costs on top.

The texts are the standard library's sources, read as text. The peer gets the very chunks that were
stored, in batches of the same size, from memory: it reads, cuts, hashes and stores nothing.
"""

from __future__ import annotations

import shutil
import sysconfig
import tempfile
from pathlib import Path

from harness import OURS, Row, markdown, run_alone, shortest

from hartonomous import hql
from hartonomous.hql import encoders
from hartonomous.hql.ingest.pipeline import BATCH_CHUNKS

EMBEDDING = "embedding alone"
STDLIB = Path(sysconfig.get_path("stdlib"))


def benchmark(full: bool) -> str:
    """Folders of the library without what others installed into it."""
    names = "*" if full else "[a-e]*"
    with tempfile.TemporaryDirectory() as root:
        corpus, folder = Path(root) / "corpus", Path(root) / "atoms.hdb"
        for path in [*STDLIB.glob(f"{names}.py"), *STDLIB.glob(f"{names}/**/*.py")]:
            if "site-packages" not in path.parts:
                copy = corpus / path.relative_to(STDLIB)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)

        def ours() -> None:
            shutil.rmtree(folder, ignore_errors=True)
            with hql.connect(folder) as database:
                database.execute("INGEST @path AS TEXT", {"path": str(corpus)})

        ours()
        with hql.connect(folder) as database:
            texts = database.execute("SELECT CanonicalText FROM Atoms").fetch_arrow_table()
        column = texts.column(0).combine_chunks()
        encoder = encoders.get()

        def alone() -> None:
            for start in range(0, len(column), BATCH_CHUNKS):
                encoder.encode(column.slice(start, BATCH_CHUNKS))

        taken = shortest({OURS: ours, EMBEDDING: alone}, 3)
        again = shortest({OURS: lambda: _again(folder, corpus)}, 3)
    rates = {name: len(column) / seconds for name, seconds in taken.items()}
    lines = [
        Row(f"{len(column):,} chunks", rates, "chunks/s", goal="0.77 × alone", better="more"),
        Row("the same again, unchanged", again, "s"),
    ]
    note = (
        f"The standard library's sources as text, {column.nbytes:,} bytes of chunks. Ours reads, "
        "cuts, hashes, embeds, projects, stores and commits; the goal of 0.77 is the store's cost "
        "of 30 % on top of embedding. Again: every file is read and hashed, and none is embedded."
    )
    return markdown("Ingest", lines, note)


def _again(folder: Path, corpus: Path) -> None:
    with hql.connect(folder) as database:
        database.execute("INGEST @path AS TEXT", {"path": str(corpus)})


if __name__ == "__main__":
    run_alone(benchmark)

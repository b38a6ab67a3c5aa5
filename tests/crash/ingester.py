"""A process that ingests a folder in small batches until it is killed.

    python ingester.py DATABASE FOLDER

After each commit it writes a line to stdout.
"""

from __future__ import annotations

import sys
from typing import Any

from hartonomous import hql
from hartonomous.hql.ingest import pipeline


def main() -> None:
    pipeline.BATCH_CHUNKS = 20  # type: ignore[misc]
    store = pipeline._Writer.store

    def telling(writer: Any, batch: Any) -> Any:
        figures = store(writer, batch)
        print("committed", flush=True)
        return figures

    pipeline._Writer.store = telling  # type: ignore[method-assign]
    with hql.connect(sys.argv[1]) as database:
        database.execute("INGEST @path AS TEXT", {"path": sys.argv[2]})
    print("done", flush=True)


if __name__ == "__main__":
    main()

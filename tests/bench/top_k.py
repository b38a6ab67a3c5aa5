"""Exact nearest 10 of many vectors: the kernel, the prepared statement, and one with a WHERE."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from harness import OURS, Row, installed, markdown, milliseconds, run_alone, shortest
from texts import vectors

from hartonomous import hql
from hartonomous.hql.engine import relational
from hartonomous.kernels import distance, nearest

Vectors = npt.NDArray[np.float32]
Search = Callable[[Vectors], list[int]]

PEER = "faiss Flat"
K = 10
#: rows of the table that share a value of g: the WHERE keeps one of a hundred
GROUPS = 100
GROUP = 42
QUESTIONS = (
    "read the lines of a file",
    "raise ValueError when the argument is negative",
    "open a socket and wait for a connection",
    "def __init__(self, name, parent=None):",
    "multiply two matrices",
)
SELECT = f"SELECT TOP ({K}) id FROM t {{where}} ORDER BY VECTOR_DISTANCE('cosine', v, @q)"


def questions() -> Vectors:
    """float32[5,256] of length 1."""
    with hql.connect(":memory:") as database:
        rows = pa.table({"body": QUESTIONS})
        found = database.execute("SELECT EMBED(body) FROM @rows", {"rows": rows})
        column = found.fetch_arrow_table().column(0).combine_chunks()
    matrix: Vectors = column.flatten().to_numpy().reshape(len(QUESTIONS), -1)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def kernel(matrix: Vectors, threads: int) -> Search:
    """The pass that finds candidates, and their exact distances."""
    size = nearest.PIECE_ROWS
    pieces = [(matrix[i : i + size], None) for i in range(0, len(matrix), size)]
    starts = np.arange(len(pieces)) * size

    def search(query: Vectors) -> list[int]:
        found = nearest.candidates("cosine", pieces, query, K, threads)
        assert found is not None
        rows = np.concatenate([r + s for r, s in zip(found, starts, strict=True)])
        exact = distance.distances("cosine", matrix[rows], query)
        best: list[int] = rows[np.lexsort((rows, exact))[:K]].tolist()
        return best

    return search


def statement(database: hql.Connection, where: str = "") -> Search:
    """A text that the connection has prepared by its second run."""
    text = SELECT.format(where=where)

    def search(query: Vectors) -> list[int]:
        rows = database.execute(text, {"q": query}).fetch_arrow_table()
        ids: list[int] = rows.column(0).to_pylist()
        return ids

    return search


def flat(matrix: Vectors) -> tuple[Search, Search]:
    """faiss over all rows, and over those of one group, whose bits it is given."""
    import faiss

    index = faiss.IndexFlatIP(matrix.shape[1])
    index.add(matrix)
    groups = np.arange(len(matrix)) % GROUPS

    def everything(query: Vectors) -> list[int]:
        ids: list[int] = index.search(query[None], K)[1][0].tolist()
        return ids

    def some(query: Vectors) -> list[int]:
        bits = np.packbits(groups == GROUP, bitorder="little")
        chosen = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        ids: list[int] = index.search(query[None], K, params=chosen)[1][0].tolist()
        return ids

    return everything, some


def use_threads(count: int, with_peer: bool) -> None:
    """Ours and the peer's; the engine's own threads are as they were: it gets ten rows."""
    relational.engine().threads = count
    if with_peer:
        import faiss

        faiss.omp_set_num_threads(count)


def agree(matrix: Vectors, query: Vectors, searches: list[Search]) -> None:
    """All find the same rows, or others at distances that float32 cannot tell apart."""
    first, *rest = (matrix[search(query)].astype(np.float64) @ query for search in searches)
    for other in rest:
        assert np.allclose(first, other, rtol=0, atol=1e-6), (first, other)


def measure(count: int, repeat: int, with_peer: bool) -> list[Row]:
    matrix, asked = vectors(count), questions()
    rows = []
    with tempfile.TemporaryDirectory() as folder, hql.connect(Path(folder) / "t.hdb") as database:
        _load(database, matrix)
        whole, some = statement(database), statement(database, f"WHERE g = {GROUP}")
        peers = flat(np.ascontiguousarray(matrix)) if with_peer else ()
        for query in asked:
            agree(matrix, query, [kernel(matrix, 1), whole, *peers[:1]])
            agree(matrix, query, [some, *peers[1:]])
        for threads in (1, 2):
            use_threads(threads, with_peer)
            for what, goal, ours, peer in (
                ("kernel", "1.1", kernel(matrix, threads), peers[:1]),
                ("statement", "1.2", whole, peers[:1]),
                ("statement, WHERE keeps 1 %", "", some, peers[1:]),
            ):
                runs = {OURS: ours, **dict.fromkeys([PEER] * len(peer), *peer)}
                turns = {n: lambda s=s: s(asked[0]) for n, s in runs.items()}
                label = f"{len(matrix):,} × {matrix.shape[1]}, {what}, {_threads(threads)}"
                rows.append(Row(label, milliseconds(shortest(turns, repeat)), "ms", goal))
    return rows


def _load(database: hql.Connection, matrix: Vectors) -> None:
    width = matrix.shape[1]
    database.execute(f"CREATE TABLE t (id INT, g INT, v VECTOR({width}))")
    for start in range(0, len(matrix), 100_000):
        part = np.ascontiguousarray(matrix[start : start + 100_000])
        ids = np.arange(start, start + len(part), dtype=np.int32)
        column = pa.FixedSizeListArray.from_arrays(part.reshape(-1), width)
        given = pa.table({"id": ids, "g": ids % GROUPS, "v": column})
        database.execute("INSERT INTO t SELECT id, g, v FROM @rows", {"rows": given})


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def benchmark(full: bool) -> str:
    with_peer = installed("faiss-cpu")
    rows = []
    for count, repeat in ((100_000, 100), (885_000, 30)) if full else ((20_000, 10),):
        rows += measure(count, repeat, with_peer)
    note = (
        "Distinct lines of the Python sources on this machine, embedded, of length 1: cosine "
        "distance here, inner product there. Ours computes distances in float64 where float32 "
        "could decide wrongly. One connection runs a statement again and again with the vector as "
        "its parameter; faiss gets the rows of a WHERE as bits, made in the time measured."
    )
    if not with_peer:
        note += " Left out, because not installed: faiss-cpu."
    return markdown("Exact nearest 10", rows, note)


if __name__ == "__main__":
    run_alone(benchmark)

"""Known items: headings of the Python library's documentation as questions, their sections as
answers, through SQL, against the encoder's own package and BM25."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from documentation import Unavailable, pairs
from embedding import package
from harness import OURS, Row, installed, markdown, milliseconds, run_alone, shortest

from hartonomous import hql

K = 10
#: of each body's beginning that all of them see; None: the whole
CUTS = (None, 1_000)
SELECT = f"""SELECT TOP ({K}) CanonicalText FROM Atoms
ORDER BY VECTOR_DISTANCE('cosine', Embedding, EMBED(@q))"""
TITLE = "Known items"

Rows = npt.NDArray[np.int64]
#: the best bodies for a question, best first
Ask = Callable[[str], Sequence[int]]


def ours(database: hql.Connection, bodies: list[str]) -> Ask:
    insert = "INSERT INTO Atoms (Modality, CanonicalText) SELECT 'text', body FROM @rows"
    database.execute("DELETE FROM Atoms")
    database.execute(insert, {"rows": pa.table({"body": bodies})})
    places = {body: place for place, body in enumerate(bodies)}

    def ask(question: str) -> Sequence[int]:
        found = database.execute(SELECT, {"q": question}).fetch_arrow_table()
        return [places[text] for text in found.column(0).to_pylist()]

    return ask


def theirs(bodies: list[str]) -> tuple[Ask, Callable[[str], npt.NDArray[np.float64]]]:
    """The package's vectors, compared in NumPy; and the distances of all bodies."""
    model = package()

    def embed(texts: list[str]) -> npt.NDArray[np.float64]:
        vectors = model.embed(texts).astype(np.float64)  # type: ignore[attr-defined]
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, np.nan))

    matrix = embed(bodies)

    def distances(question: str) -> npt.NDArray[np.float64]:
        return np.asarray(1 - matrix @ embed([question])[0])

    def ask(question: str) -> Sequence[int]:
        best: list[int] = np.argsort(distances(question), kind="stable")[:K].tolist()
        return best

    return ask, distances


def words(bodies: list[str]) -> Ask:
    import bm25s

    index = bm25s.BM25()
    index.index(bm25s.tokenize(bodies, show_progress=False), show_progress=False)

    def ask(question: str) -> Sequence[int]:
        tokens = bm25s.tokenize([question], show_progress=False, return_ids=False)
        found, _ = index.retrieve(tokens, k=K, show_progress=False)
        best: list[int] = found[0].tolist()
        return best

    return ask


def ranks(ask: Ask, questions: list[str]) -> Rows:
    """int64[N]: the place of each question's own body among the best, from 1; 0 if it is not."""
    answers = [list(ask(q)) for q in questions]
    return np.array([a.index(i) + 1 if i in a else 0 for i, a in enumerate(answers)])


def agree(ask: Ask, distances: Callable[[str], npt.NDArray[np.float64]], question: str) -> None:
    """Rank by rank the same distance as the package's own vectors give. Where two bodies are
    equally far for float32, either may come first."""
    known = distances(question)
    found = known[list(ask(question))]
    assert np.allclose(found, np.sort(known)[:K], rtol=0, atol=1e-6), (question, found)


def measure(what: str, questions: list[str], bodies: list[str], repeat: int) -> list[Row]:
    peer, distances = theirs(bodies)
    with hql.connect(":memory:") as database:
        asks = {OURS: ours(database, bodies), "wordllama": peer}
        if installed("bm25s"):
            asks["BM25"] = words(bodies)
        for question in questions:
            agree(asks[OURS], distances, question)
        found = {name: ranks(ask, questions) for name, ask in asks.items()}
        few = questions[:100]
        runs = {n: lambda a=a: [a(q) for q in few] for n, a in asks.items()}
        taken = shortest(runs, repeat)
    first = {n: 100.0 * (r == 1).mean() for n, r in found.items()}
    ten = {n: 100.0 * (r > 0).mean() for n, r in found.items()}
    reciprocal = {n: float(np.divide(1, r, where=r > 0, out=np.zeros(len(r))).mean())
                  for n, r in found.items()}  # fmt: skip
    each = milliseconds({n: s / len(few) for n, s in taken.items()})
    return [
        Row(f"recall@1, {what}", first, "%", "1 × wordllama", "more"),
        Row(f"recall@{K}, {what}", ten, "%", "1 × wordllama", "more"),
        Row(f"MRR@{K}, {what}", reciprocal, "", "1 × wordllama", "more"),
        Row(f"a question, {what}", each, "ms"),
    ]


def benchmark(full: bool) -> str:
    try:
        known = pairs()
    except Unavailable as error:
        return f"## {TITLE}\n\nNot measured: {error}.\n"
    known = known if full else known[:300]
    questions = [heading for heading, _ in known]
    rows: list[Row] = []
    for cut in CUTS:
        bodies = [body[:cut] for _, body in known]
        what = "whole bodies" if cut is None else f"first {cut:,} characters"
        rows += measure(what, questions, bodies, 5 if full else 1)
    note = (
        f"{len(known):,} headings of the library section of Debian's python3.11-doc, each the "
        "question for the text below it (that of no section inside it, at least 200 characters; "
        "headings and texts that occur twice are left out). A body is one atom, never cut in "
        "chunks: what is seen of it is the same for all. wordllama is the package with its "
        "vectors compared in NumPy; ours gives the same bodies rank by rank, which is checked for "
        "every heading. BM25 is bm25s with its defaults (Lucene's formula, English stop words, no "
        "stemming)."
    )
    if not installed("bm25s"):
        note += " Left out, because not installed: bm25s."
    return markdown(TITLE, rows, note)


if __name__ == "__main__":
    run_alone(benchmark)

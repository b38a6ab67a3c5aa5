"""Texts to vectors: the encoder and EMBED against the package whose files the encoder reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from harness import OURS, Row, markdown, run_alone, shortest

from hartonomous import hql
from hartonomous.hql import encoders
from hartonomous.hql.encoders import wordllama
from hartonomous.hql.functions import embedding

PEER = "wordllama"


def chunks(characters: int, count: int) -> list[str]:
    """Python source, comments and all: NumPy's, cut into at most `count` pieces."""
    sources = sorted(Path(np.__file__).parent.rglob("*.py"))
    pieces: list[str] = []
    for path in sources:
        text = path.read_text(encoding="utf-8", errors="replace")
        pieces += [text[i : i + characters] for i in range(0, len(text), characters)]
        if len(pieces) >= count:
            return pieces[:count]
    return pieces


def package() -> object:
    """The package over its own files. Its loader would ask the network for the tokenizer, which
    the wheel keeps under another name than the one that is looked for."""
    import wordllama as theirs
    from safetensors.numpy import load_file

    folder = Path(theirs.__file__).parent
    table = load_file(folder / wordllama.WEIGHTS)[wordllama.TENSOR]
    tokenizer = theirs.WordLlama.load_tokenizer(folder / wordllama.TOKENIZER)
    return theirs.WordLlamaInference(table, tokenizer)


def benchmark(full: bool) -> str:
    repeat, count = (10, 20_000) if full else (2, 2_000)
    encoder, peer = encoders.get(), package()
    rows = []
    for characters in (100, 400, 1600):
        texts = chunks(characters, count * 400 // max(characters, 400))
        column = pa.array(texts)
        same(encoder.encode(column), peer.embed(texts))  # type: ignore[attr-defined]
        runs = {
            OURS: lambda column=column: encoder.encode(column),
            PEER: lambda texts=texts: peer.embed(texts),  # type: ignore[attr-defined]
        }
        rates = {name: len(texts) / best for name, best in shortest(runs, repeat).items()}
        rows.append(
            Row(f"{len(texts):,} texts of {characters} characters", rates, "/s", "", "more")
        )
    texts = chunks(400, count)
    with hql.connect(":memory:") as db:
        db.execute("CREATE TABLE t (body NVARCHAR)")
        db.execute("INSERT INTO t SELECT * FROM @rows", {"rows": pa.table({"body": texts})})

        def select(forget: bool) -> None:
            if forget:
                embedding._caches.clear()
            db.execute("SELECT EMBED(body) AS v FROM t").fetch_arrow_table()

        for what, forget in (("EMBED of a table, 400 characters", True), ("the same again", False)):
            found = shortest({OURS: lambda forget=forget: select(forget)}, repeat)
            rows.append(Row(what, {OURS: len(texts) / found[OURS]}, "/s", "", "more"))
    note = "Vectors are equal (the package adds in float32)."
    return markdown("Text to vectors", rows, note)


def same(found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> None:
    lengths = np.linalg.norm(expected, axis=1)
    assert (np.linalg.norm(found - expected, axis=1) <= 1e-5 * lengths).all()


if __name__ == "__main__":
    run_alone(benchmark)

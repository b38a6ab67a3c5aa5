"""The demo: real text and code, found again by meaning, by place, by structure; and proved.

    python examples/demo.py [FOLDER]

Reads the source of the Python standard library that runs it, and of two packages that Hartonomous
stands on. Everything printed is what happened; the statements below the `>` marks are what was
sent, and their answers follow.
"""

from __future__ import annotations

import platform
import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
from sources import library_sources, package_source
from stage import Stage, duration, print_table, size_of

from hartonomous import hql

FOLDER = Path(__file__).parents[1] / "demo.hdb"
PACKAGES = ("numba", "numpy")

QUESTIONS = (
    "how do I parse command line arguments",
    "compress data with gzip",
    "send an email over SMTP",
    "draw random numbers from a normal distribution",
    "solve a system of linear equations",
    "wait until one of several sockets is readable",
    "compile a function to machine code at run time",
    "compute the difference between two dates",
    "parse an XML document",
    "find the eigenvalues of a symmetric matrix",
)
NEAREST = """\
SELECT TOP (4) AtomId, VECTOR_DISTANCE('cosine', Embedding, EMBED(@question)) AS distance,
       SourceUri, CanonicalText
FROM Atoms WHERE Modality = 'text' ORDER BY distance"""
SPACES = """\
SELECT SpaceName, Dimensions, NeighbourhoodPreservation FROM Spaces"""
REGION = """\
SELECT COUNT(*) AS chunks, COUNT(DISTINCT SourceUri) AS files
FROM Atoms WHERE SpatialKey.STDistance(@point) < 0.02"""
DUPLICATES = """\
SELECT SpatialSignature, COUNT(*) AS DuplicateCount
FROM dbo.CodeAtoms GROUP BY SpatialSignature HAVING COUNT(*) > 1"""
LONG_DUPLICATES = """\
SELECT TOP (5) MIN(QualifiedName) AS one, MAX(QualifiedName) AS another,
       MAX(EndLine - StartLine + 1) AS lines, COUNT(DISTINCT SourceUri) AS files
FROM CodeAtoms GROUP BY SpatialSignature
HAVING COUNT(*) > 1 ORDER BY lines DESC, one"""
EVENTS = """\
INSERT INTO SessionEvents (SessionId, Seq, AtomId, At) SELECT * FROM @events"""
ENDED_NEAR = """\
SELECT SessionId, Path.STNumPoints() AS steps, Path.STEndPoint() AS ended
FROM dbo.SessionPaths WHERE Path.STEndPoint().STIntersects(@ErrorRegion) = 1"""
LONGEST = """\
SELECT name, lines FROM (
    SELECT QualifiedName AS name, EndLine - StartLine + 1 AS lines, ROW_NUMBER() OVER (
        PARTITION BY SourceUri ORDER BY EndLine - StartLine DESC, CodeAtomId) AS place
    FROM CodeAtoms WHERE SourceUri LIKE '%/json/%'
) AS ranked
WHERE place = 1 ORDER BY lines DESC, name"""
MODEL = """\
CREATE MODEL words FROM @weights WITH (TOKENIZER = @tokenizer)"""
MODELS = """\
SELECT ModelName, Architecture, ParameterCount, Bytes, Runnable FROM Models"""
LIKE_CAT = """\
DECLARE @cat VECTOR(256) = (
    SELECT Weights FROM TensorAtoms JOIN TOKENIZE('words', 'cat') ON RowIdx = TokenId AND Seq = 1);
SELECT TOP (6) DETOKENIZE('words', CONCAT('[', RowIdx, ']')) AS token, RowIdx, Norm,
       VECTOR_DISTANCE('cosine', Weights, @cat) AS distance
FROM TensorAtoms WHERE ModelName = 'words' ORDER BY distance"""
SMALL_WEIGHTS = """\
SELECT COUNT(*) AS weights, AVG(Magnitude) AS mean, MAX(Magnitude) AS largest
FROM TensorAtomCoefficients WHERE Magnitude < 0.01"""
UNDONE = """\
BEGIN TRAN;
DELETE FROM SessionEvents;
ROLLBACK"""


def ingest(stage: Stage, kind: str, folders: list[str]) -> None:
    """One INGEST for each folder; the sums of their figures."""
    print(f"> INGEST @folder AS {kind}")
    start = time.perf_counter()
    names: list[str] = []
    total = [0] * 4
    for folder in folders:
        cursor = stage.database.execute(f"INGEST @folder AS {kind}", {"folder": folder})
        names = [column[0] for column in cursor.description][: len(total)]
        total = [a + b for a, b in zip(total, cursor.fetchall()[0], strict=False)]
    print_table(names, [tuple(total)])
    print(duration(time.perf_counter() - start), flush=True)


def read_text(stage: Stage) -> None:
    stage.title("Real text: the source of the Python standard library, of numba and of numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    print(f"Python {platform.python_version()}, {versions}")
    stage.open()
    ingest(stage, "TEXT", [*library_sources(), *map(package_source, PACKAGES)])


def reopen(stage: Stage) -> None:
    stage.title("Closed, and opened again")
    stage.database.close()
    with stage.timed(f"opened {size_of(stage.folder) / 2**20:,.0f} MiB"):
        stage.open()


def ask_questions(stage: Stage) -> list[list[int]]:
    """Prints the nearest chunk to each question; gives the nearest four, best last."""
    stage.title("Ten questions in words: the nearest chunk of all, exactly")
    print("> " + NEAREST.replace("\n", "\n  "))
    start = time.perf_counter()
    rows, found = [], []
    for question in QUESTIONS:
        answers = stage.database.execute(NEAREST, {"question": question}).fetchall()
        found.append([answer[0] for answer in reversed(answers)])
        _, distance, source, text = answers[0]
        rows.append((question, round(distance, 3), "/".join(Path(source).parts[-2:]), text[:60]))
    taken = duration((time.perf_counter() - start) / len(QUESTIONS))
    print_table(["question", "distance", "source", "text"], rows)
    print(f"{taken} a question", flush=True)
    return found


def show_region(stage: Stage, answer: int) -> None:
    stage.title("The neighbourhood of the first answer in three dimensions, through the R-tree")
    place = "SELECT SpatialKey FROM Atoms WHERE AtomId = @answer"
    point = stage.database.execute(place, {"answer": answer}).fetchall()[0][0]
    stage.ask(REGION, {"point": point})
    stage.ask("EXPLAIN ANALYZE " + REGION, {"point": point})
    print("A shadow in three dimensions keeps few of the true neighbours; it says how few:")
    stage.ask(SPACES)


def walk(stage: Stage, found: list[list[int]]) -> None:
    """Each question is a session that ends at its best answer."""
    stage.title("Paths of users through these atoms, and who ended in a region of errors")
    steps = [(s, i, atom) for s, atoms in enumerate(found, 1) for i, atom in enumerate(atoms, 1)]
    columns = [pa.array(column) for column in zip(*steps, strict=True)]
    moment = pa.array([time.time_ns() // 1000] * len(steps), pa.timestamp("us", "UTC"))
    events = pa.table([*columns, moment], ["session", "seq", "atom", "at"])
    stage.ask(EVENTS, {"events": events})
    key = "SELECT SpatialKey.STBuffer(0.05) FROM Atoms WHERE AtomId = @answer"
    region = stage.database.execute(key, {"answer": found[0][-1]}).fetchall()[0][0]
    stage.ask(ENDED_NEAR, {"ErrorRegion": region})


def show_code(stage: Stage) -> None:
    stage.title("The same source as code: definitions, their structure hashed, renaming aside")
    ingest(stage, "CODE", library_sources())
    duplicates = stage.database.execute(DUPLICATES).fetchall()
    print("> " + DUPLICATES.replace("\n", "\n  "))
    print(f"{len(duplicates):,} structures that occur more than once, the longest of them:")
    stage.ask(LONG_DUPLICATES)
    stage.ask(LONGEST)


def show_model(stage: Stage) -> None:
    """The encoder that answered the questions, from the files that it comes in."""
    stage.title("A neural network is rows: the encoder of these answers, imported and looked into")
    folder = Path(package_source("wordllama"))
    files = {
        "weights": str(folder / "weights" / "l2_supercat_256.safetensors"),
        "tokenizer": str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"),
    }
    stage.ask(MODEL, files)
    stage.ask(MODELS)
    stage.ask(LIKE_CAT)
    stage.ask(SMALL_WEIGHTS)


def show_safety(stage: Stage) -> None:
    stage.title("Mistakes are named, and leave nothing behind")
    stage.ask("SELECT CanonicalTex FROM Atoms")
    stage.ask("SELECT geometry::Parse('POINT (1 one)')")
    stage.ask(UNDONE)
    stage.ask("SELECT COUNT(*) AS events FROM SessionEvents")


def show_history(stage: Stage) -> None:
    stage.title("Every change is a commit, every commit names the root of all data")
    stage.ask("SELECT TOP (3) Sequence, Hash, Parent, Root FROM Commits ORDER BY Sequence DESC")
    stage.ask("VERIFY DATABASE")


def show_tampering(stage: Stage) -> None:
    """One byte of a copy is changed behind the database's back."""
    stage.title("One byte changed on the disk of a copy, behind the database's back")
    stage.database.close()
    copy = stage.folder.with_name("tampered.hdb")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(stage.folder, copy)
    try:
        victim = max((copy / "objects").rglob("*"), key=lambda path: path.stat().st_size)
        place = victim.stat().st_size // 2
        with victim.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ 1]))
        print(f"byte {place:,} of {victim.parent.name}/{victim.name[:12]}… is not what it was")
        stage.database = hql.connect(copy, read_only=True)
        stage.ask("VERIFY DATABASE")
        stage.database.close()
    finally:
        shutil.rmtree(copy)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    stage, start = Stage(folder), time.perf_counter()
    read_text(stage)
    reopen(stage)
    found = ask_questions(stage)
    show_region(stage, found[0][-1])
    walk(stage, found)
    show_code(stage)
    show_model(stage)
    show_safety(stage)
    show_history(stage)
    show_tampering(stage)
    print(f"\n{duration(time.perf_counter() - start)} in all. The database stays; ask it yourself:")
    distance = "VECTOR_DISTANCE('cosine', Embedding, EMBED('lock a file'))"
    question = f"SELECT TOP (3) SourceUri, CanonicalText FROM Atoms ORDER BY {distance}"
    print(f'  .venv/bin/hql -c "{question}" {folder.name}')


if __name__ == "__main__":
    main()

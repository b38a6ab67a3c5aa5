"""Properties of the tree itself: packages listed, data shipped, arrows one way, small files."""

import ast
import fnmatch
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hartonomous.hql.statements import STATEMENTS, Statement

ROOT = Path(__file__).parents[2]
#: who may import whom; the same picture stands in docs/ARCHITECTURE.md
ARROWS: dict[str, set[str]] = {
    "grammar": set(),
    "kernels": set(),
    "storage": {"kernels"},
    "hql": {"grammar", "storage", "kernels"},
    "server": {"hql", "storage"},
}
#: server sees storage's errors and nothing else of storage
SERVER_SEES = "hartonomous.storage.errors"
#: packages whose import costs so much that no module may pay it while it is being imported
LATE = {"numba", "pyarrow.dataset", "lark"}
#: the modules that may all the same: they are themselves imported late
LATE_ALLOWED = {"kernels"}
LONGEST = 500
SOURCES = sorted(p for folder in ARROWS for p in (ROOT / folder).rglob("*.py"))
NAMES = [p.relative_to(ROOT).as_posix() for p in SOURCES]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = CONFIG["tool"]["setuptools"]


def dotted(path: Path) -> str:
    return ".".join(["hartonomous", *path.relative_to(ROOT).parts])


def imports_of(tree: ast.AST) -> Iterator[str]:
    """The dotted names of everything that a piece of code imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top_level(tree: ast.Module) -> ast.Module:
    """The statements that run when the module is imported, type-checking blocks left out."""
    body: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        body.append(node)
    return ast.Module(body=body, type_ignores=[])


def test_every_package_is_listed() -> None:
    assert set(SETUPTOOLS["packages"]) == {dotted(p.parent) for p in SOURCES}
    assert [p for p in SOURCES if not (p.parent / "__init__.py").exists()] == []


def test_every_data_file_is_shipped() -> None:
    globs = SETUPTOOLS["package-data"]
    for folder in ARROWS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_dir() or path.suffix in {".py", ".pyc", ".nbi", ".nbc"}:
                continue
            owner = next(p for p in path.parents if (p / "__init__.py").exists())
            name = path.relative_to(owner).as_posix()
            patterns = globs["*"] + globs.get(dotted(owner), [])
            assert any(
                fnmatch.fnmatch(name, g) and name.count("/") == g.count("/") for g in patterns
            ), f"{path} would be missing from the wheel"


def test_every_top_level_package_is_typed() -> None:
    assert [f for f in ARROWS if not (ROOT / f / "py.typed").exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_source(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module says what it is for"
    assert len(text.splitlines()) <= LONGEST, "two thoughts have met: split it"
    here = name.split("/")[0]
    for imported in imports_of(tree):
        top, *rest = imported.split(".")
        assert top not in ARROWS, f"{imported}: write hartonomous.{imported}"
        if top != "hartonomous" or not rest:
            continue
        assert rest[0] == here or rest[0] in ARROWS[here], f"{here} may not import {imported}"
        if here == "server" and rest[0] == "storage" and len(rest) > 1:
            assert imported.startswith(SERVER_SEES), f"server may not import {imported}"


@pytest.mark.parametrize("name", NAMES)
def test_heavy_packages_are_imported_late(name: str) -> None:
    if name.split("/")[0] in LATE_ALLOWED:
        return
    tree = top_level(ast.parse((ROOT / name).read_text(encoding="utf-8")))
    heavy = {i for i in imports_of(tree) if any(i == h or i.startswith(h + ".") for h in LATE)}
    assert not heavy, f"{heavy}: import it in the function that needs it"


def test_no_module_has_two_names() -> None:
    """One that was imported as `hql.x` would be another than `hartonomous.hql.x`."""
    named = [m for m in sys.modules if m.split(".")[0] in ARROWS]
    files = {m: getattr(sys.modules[m], "__file__", None) for m in named}
    ours = [m for m, f in files.items() if f and not Path(f).is_relative_to(ROOT / "tests")]
    assert ours == []


def test_statements_are_files_grammar_and_registry() -> None:
    """A file that nobody registered is dead; a statement without grammar cannot be written."""
    apart = {"__init__", "base", "dropping", "parts"}
    files = {p.stem for p in (ROOT / "hql" / "statements").glob("*.py")} - apart
    fragments = {p.stem for p in (ROOT / "grammar" / "statements").glob("*.lark")}
    assert files == fragments == set(STATEMENTS)


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_is_shown(name: str) -> None:
    """One that runs has a golden script of its name; one that does not is refused in one."""
    statement, goldens = STATEMENTS[name], ROOT / "tests" / "golden"
    if statement.run is not Statement.run or statement.play is not Statement.play:
        assert (goldens / "statements" / f"{name}.golden").exists()
        return
    refusal = f"NOT_SUPPORTED: not supported yet: {statement.title} ("
    scripts = (goldens / "errors").glob("not_supported*.golden")
    assert any(refusal in p.read_text(encoding="utf-8") for p in scripts), refusal


def test_arrows_are_the_documented_ones() -> None:
    """docs/ARCHITECTURE.md names each folder with what it may import."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    for folder, allowed in ARROWS.items():
        drawn = [x for x in lines if folder in x and ("may import" in x or "nothing" in x)]
        assert drawn, f"{folder} is not drawn"
        assert all(any(other in line for line in drawn) for other in allowed), folder

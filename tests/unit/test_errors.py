"""The error tree: drawn as it is, codes unique, every code shown by a golden script or excused."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import hartonomous.grammar
import hartonomous.hql
import hartonomous.kernels
import hartonomous.storage
from hartonomous.hql import errors as hql_errors
from hartonomous.storage import errors as storage_errors
from hartonomous.storage.errors import Error

ROOT = Path(__file__).parents[2]
MODULES = {"storage": storage_errors, "hql": hql_errors}
DRAWN = re.compile(r"((?:│   |    )*)[├└]── (\w+)\s*(.*)")
CODE = re.compile(r"\b[A-Z][A-Z_]{3,}\b")
#: codes that no statement alone brings about: some other test must speak of them
ELSEWHERE = {
    "AUTH",
    "CONFLICT",
    "HISTORY_GONE",
    "CORRUPTION",
    "DISK",
    "FORMAT",
    "INTERFACE",
    "LOCKED",
    "LOGIN_LIMIT",
    "READ_ONLY",
    "CANCELLED",
    "BUSY",
    "CONFIGURATION",
    "CONNECTION",
    "WIRE",
    "WORKER",
    "PARAMETER",
    "MEMORY",
    "MODEL_FORMAT",
    "NOT_INSTALLED",
    "INTERNAL",
    "MODEL_INPUT",
}
#: codes of base classes: whatever is raised names one of its own
ABSTRACT = {"ERROR", "CONSTRAINT_VIOLATION", "EXECUTION", "RESOURCE"}


def drawing(module: object) -> dict[str, set[str]]:
    """Class name → codes, as the module's docstring draws them."""
    tree: dict[str, set[str]] = {}
    last = ""
    for line in (inspect.getdoc(module) or "").splitlines():
        if match := DRAWN.match(line):
            last = match[2]
            tree[last] = set()
            codes = match[3]
        elif line.startswith(("│", "    ")) and last:
            codes = line
        else:
            continue
        # codes come first, prose after three spaces
        listed = re.split(r"\s{2,}(?=[a-z])|\s{2,}(?=HQL|COMMIT|COPY)", codes.strip("│ "))[0]
        tree[last] |= set(CODE.findall(listed))
    return tree


def parents(module: object) -> dict[str, str]:
    """Class name → the class above it, as the module's docstring draws them."""
    path, above = ["Error"], {}
    for line in (inspect.getdoc(module) or "").splitlines():
        if match := DRAWN.match(line):
            depth = 1 + len(match[1]) // 4
            above[match[2]] = path[depth - 1]
            path[depth:] = [match[2]]
    return above


def classes(module: object) -> dict[str, type[Error]]:
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Error) and value is not Error
    }


@pytest.mark.parametrize("room", MODULES)
def test_drawn_tree_is_the_real_one(room: str) -> None:
    module = MODULES[room]
    own = {n: c for n, c in classes(module).items() if c.__module__ == module.__name__}
    drawn, above = drawing(module), parents(module)
    # a drawing holds all of the module's own, and on the way to them what others define
    assert set(own) <= set(drawn) <= set(own) | set(above.values())
    for name, cls in own.items():
        assert cls.code in drawn[name] | ABSTRACT, f"{name}.code is {cls.code}"
    for name, cls in classes(module).items():
        assert name not in drawn or [b.__name__ for b in cls.__bases__] == [above[name]], name


def test_no_error_class_stands_elsewhere() -> None:
    for package in (hartonomous.storage, hartonomous.hql, hartonomous.grammar, hartonomous.kernels):
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            importlib.import_module(info.name)
    homes = {m.__name__ for m in MODULES.values()}
    queue, strays = [Error], []
    while queue:
        for child in queue.pop().__subclasses__():
            queue.append(child)
            # a boundary may carry its own state in a private subclass
            if child.__module__ not in homes and not child.__name__.startswith("_"):
                strays.append(f"{child.__module__}.{child.__name__}")
    assert [s for s in strays if s.startswith("hartonomous.")] == []


def all_codes() -> set[str]:
    drawn = [codes for module in MODULES.values() for codes in drawing(module).values()]
    return set().union(*drawn) - ABSTRACT


def test_a_code_belongs_to_one_class() -> None:
    owners: dict[str, str] = {}
    for module in MODULES.values():
        for name, codes in drawing(module).items():
            for code in codes:
                assert owners.setdefault(code, name) == name, f"{code} is drawn twice"


def raised_codes() -> dict[str, str]:
    """Every `code="X"` in the sources, with a file that has it."""
    found = {}
    for folder in ("storage", "hql", "server", "kernels", "grammar"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for code in re.findall(r'\bcode="([A-Z_]+)"', path.read_text(encoding="utf-8")):
                found.setdefault(code, path.relative_to(ROOT).as_posix())
    return found


def test_every_raised_code_is_drawn() -> None:
    assert {c: f for c, f in raised_codes().items() if c not in all_codes()} == {}


@pytest.mark.parametrize("code", sorted(all_codes()))
def test_every_code_is_shown(code: str) -> None:
    goldens = (ROOT / "tests" / "golden" / "errors").glob("*.golden")
    line = re.compile(rf"^(\w+: )?{code}: ", re.MULTILINE)
    if any(line.search(path.read_text(encoding="utf-8")) for path in goldens):
        return
    assert code in ELSEWHERE, f"no golden script in tests/golden/errors ends in {code}"
    spoken = re.compile(rf"[\"']{code}[\"']|\b{class_of(code)}\b")
    tests = [p for p in (ROOT / "tests").rglob("test_*.py") if p.name != Path(__file__).name]
    assert any(spoken.search(p.read_text(encoding="utf-8")) for p in tests), (
        f"no test speaks of {code}"
    )


def class_of(code: str) -> str:
    return next(n for m in MODULES.values() for n, codes in drawing(m).items() if code in codes)

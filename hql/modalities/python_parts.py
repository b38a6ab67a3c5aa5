"""What the walk over Python trees is made of: parsing, scopes, nodes and constants as text.

Nothing here depends on the version of Python, as far as the versions have the same trees.
"""

from __future__ import annotations

import ast
import threading
import warnings
from functools import cache
from typing import Any, Final
from zlib import crc32

from hartonomous.hql.modalities.base import Unreadable

#: dimensions over which pairs of (parent, child) are spread
PAIRS: Final = 256
#: larger sources are refused: a tree is some hundred times as large as its text
SOURCE_BYTES_MAX: Final = 4 << 20
#: fields that say nothing about what is done
IGNORED: Final = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
#: fields with a name that is bound, by the type of the node
BINDING: Final = {
    "ExceptHandler": "name",
    "MatchAs": "name",
    "MatchStar": "name",
    "MatchMapping": "rest",
    "TypeVar": "name",
    "ParamSpec": "name",
    "TypeVarTuple": "name",
}

_parsing = threading.Lock()


def parse(text: str) -> ast.Module:
    """The tree of a source, which is never run. Raises Unreadable FORMAT."""
    try:
        with _parsing, warnings.catch_warnings():  # which is one for all threads
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as fault:
        place = f" (line {fault.lineno})" if fault.lineno else ""
        raise Unreadable("FORMAT", f"not Python: {fault.msg}{place}") from None
    except (ValueError, OverflowError) as fault:
        raise Unreadable("FORMAT", f"not Python: {fault}") from None
    except (RecursionError, MemoryError):
        raise Unreadable("FORMAT", "nested too deep for Python") from None


@cache
def fields_of(node_type: Any) -> tuple[str, ...]:
    """The fields of a node that are written as they are."""
    binding = BINDING.get(node_type.__name__)
    return tuple(f for f in node_type._fields if f not in IGNORED and f != binding)


@cache
def pair_number(parent: str, child: str) -> int:
    """Where a pair of types is counted."""
    return crc32(f"{parent} {child}".encode()) % PAIRS


def constant_text(value: Any) -> str:
    """A constant with its type. In ASCII, as what is printable changes with Unicode's versions, and
    whole numbers in hexadecimal, which has no limit."""
    if type(value) is int:
        return f"int {value:x}"
    return f"{type(value).__name__} {value!a}"


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """The body of a definition; one that only says what it is for does nothing."""
    if has_docstring(body):
        return body[1:] or [ast.Pass()]
    return body


def has_docstring(body: list[ast.stmt]) -> bool:
    """Whether the first statement is one."""
    first = body[0]
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
        return False
    return isinstance(first.value.value, str)


class Scope:
    """Names of one block. `is_local`: its names may be renamed without any effect outside it."""

    __slots__ = ("bound", "globals", "kind", "nonlocals", "number", "parent", "path", "seen")

    def __init__(self, kind: str, parent: Scope | None, number: int, path: str) -> None:
        self.kind, self.parent, self.number = kind, parent, number
        self.path = path  # what the names of definitions in it begin with
        self.bound: set[str] = set()
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.seen: dict[str, int] = {}

    @property
    def is_local(self) -> bool:
        return self.kind in ("function", "comprehension", "types")

    def owner(self, name: str) -> int:
        """The number of the scope with locals that a name used here belongs to; -1: a class or
        module's, or nobody's."""
        found = self.seen.get(name)
        if found is None:
            found = self.seen[name] = self._find(name)
        return found

    def _find(self, name: str) -> int:
        if name in self.globals:
            return -1
        if name in self.bound and name not in self.nonlocals:
            return self.number if self.is_local else -1
        scope = self.parent
        while scope is not None and scope.kind == "class":
            scope = scope.parent
        return -1 if scope is None else scope.owner(name)

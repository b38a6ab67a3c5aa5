"""AstHash: what must not change it does not, and what must does. On the standard library's own
definitions; locals are found by Python's symtable, not by the code under test."""

from __future__ import annotations

import ast
import random
import symtable
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.hql.modalities.python_parts import parse
from hartonomous.hql.modalities.python_tree import find_definitions

STDLIB = Path(sysconfig.get_path("stdlib"))
FILES = ("json/decoder.py", "textwrap.py", "heapq.py", "shlex.py", "dataclasses.py", "bisect.py")


def digest(text: str) -> bytes:
    return find_definitions(parse(text))[0].ast_hash


@cache
def functions() -> tuple[str, ...]:
    """Functions and methods as texts of their own."""
    texts = []
    for name in FILES:
        for node in ast.walk(ast.parse((STDLIB / name).read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                texts.append(ast.unparse(node))
    return tuple(texts)


some_function = st.deferred(lambda: st.sampled_from(functions()))


def test_files_have_functions() -> None:
    assert len(functions()) > 100


@settings(max_examples=60, deadline=None)
@given(some_function)
def test_layout_and_docstrings_say_nothing(text: str) -> None:
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef)
    before = digest(text)
    assert digest(f"# first\n\n{text}  # a comment\n\n# last\n") == before
    own_name, node.name = node.name, "renamed_definition"
    if ast.get_docstring(node) is not None:
        node.body = node.body[1:] or [ast.Pass()]
    else:
        node.body.insert(0, ast.Expr(ast.Constant("what it is for")))
    if not any(isinstance(n, ast.Name) and n.id == own_name for n in ast.walk(node)):
        assert digest(ast.unparse(node)) == before


# --- renaming ------------------------------------------------------------------------------------


def scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from scopes(child)


def local_names(text: str) -> set[str]:
    """Names that are local wherever they occur: bound in functions, never global, never free at
    the top, nor members of classes."""
    top = symtable.symtable(text, "x", "exec")
    local, other = set(), {s.get_name() for s in top.get_symbols()}
    for scope in scopes(top):
        for symbol in scope.get_symbols():
            is_local = scope.get_type() == "function" and symbol.is_local()
            (local if is_local or symbol.is_free() else other).add(symbol.get_name())
    return {n for n in local - other if not n.startswith(("__", "."))}


class Rename(ast.NodeTransformer):
    """Renames names everywhere but in attributes and arguments of calls."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field in ("id", "arg", "name", "rest", "asname"):
            value = getattr(node, field, None)
            if isinstance(node, ast.keyword | ast.alias) or not isinstance(value, str):
                continue
            setattr(node, field, self.names.get(value, value))
        if isinstance(node, ast.alias):
            bound = node.asname or node.name
            if bound in self.names:
                node.asname = self.names[bound]
        if isinstance(node, ast.Nonlocal):
            node.names = [self.names.get(n, n) for n in node.names]
        return super().generic_visit(node)


def renamed(text: str, seed: int) -> str:
    names = sorted(local_names(text))
    new = [f"v{i}" for i in range(len(names))]
    random.Random(seed).shuffle(new)
    tree = ast.parse(text)
    return ast.unparse(Rename(dict(zip(names, new, strict=True))).visit(tree))


@settings(max_examples=120, deadline=None)
@given(some_function, st.integers(0, 1000))
def test_names_of_locals_say_nothing(text: str, seed: int) -> None:
    assert digest(renamed(text, seed)) == digest(text)


SCOPES = """
def outer(a, *b, c=1, **d):
    global shared
    import os, os.path as way
    from json import loads, dumps as write
    shared = count = 0
    def inner(a, e=a):
        nonlocal count
        count += a
        return lambda f: (f, a, e, count)
    class Inside:
        count = a
        def method(self):
            return count, self.count, [count for count in b]
        pairs = [(x, count) for x in d]
    try:
        with open(way.join(a)) as file, file as (g, *h):
            pass
    except OSError as problem:
        del problem
    match a:
        case {"k": i, **rest}:
            return i, rest
        case [j, *k] | (j, k):
            return j, k
        case Inside(count=m) as n:
            return m, n
    if any((last := z) for z in b):
        print(f"{last!r:>{c}}", loads, write, os, shared, sep=last)
    return {k: v for k, v in d.items() if k in inner(k)}, Inside, g, h
"""


@pytest.mark.parametrize("seed", range(5))
def test_every_way_to_bind_a_name(seed: int) -> None:
    assert {"a", "rest", "problem", "last", "way", "inner", "n", "z"} <= local_names(SCOPES)
    assert renamed(SCOPES, seed) != SCOPES
    assert digest(renamed(SCOPES, seed)) == digest(SCOPES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("+= a", "-= a"),
        ("c=1", "c=2"),
        ("c=1", "c=True"),
        ("c=1", "c=1.0"),
        ("open(", "close("),
        ("self.count", "self.counts"),
        ("        count = a\n", "        counts = a\n"),
        ("sep=last", "end=last"),
        ("nonlocal count", "global count"),
        ("global shared", "global others"),
        ("OSError", "KeyError"),
        ("e=a)", "e=count)"),
        ("(f, a, e, count)", "(f, e, a, count)"),
        ("!r", "!s"),
        ('"k"', '"K"'),
        ("Inside(count=m)", "Inside(counts=m)"),
        ("import os,", "import sys as os,"),
        ("return m, n", "return n, m"),
        ("*b, c=1", "b, c=1"),
        ("return count, self", "return a, self"),
    ],
)
def test_what_is_done_counts(old: str, new: str) -> None:
    assert SCOPES.count(old) >= 1
    changed = SCOPES.replace(old, new, 1)
    assert digest(changed) != digest(SCOPES)


@settings(max_examples=80, deadline=None)
@given(some_function, st.randoms(use_true_random=False))
def test_a_changed_constant_operator_or_callee_counts(text: str, chance: random.Random) -> None:
    tree = ast.parse(text)
    body = tree.body[0]
    assert isinstance(body, ast.FunctionDef)
    if ast.get_docstring(body) is not None:
        body.body = body.body[1:] or [ast.Pass()]
    before = digest(ast.unparse(tree))
    places = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute | ast.Compare)
        or (isinstance(n, ast.Constant) and isinstance(n.value, int))
    ]
    if not places:
        return
    node = chance.choice(places)
    if isinstance(node, ast.Attribute):
        node.attr += "_other"
    elif isinstance(node, ast.Compare):
        node.ops[0] = ast.In() if isinstance(node.ops[0], ast.NotIn) else ast.NotIn()
    else:
        assert isinstance(node, ast.Constant) and isinstance(node.value, int)
        node.value = node.value + 2
    assert digest(ast.unparse(tree)) != before


def test_recursion_is_the_same_by_any_name() -> None:
    one = "def walk(node):\n    for child in node.children: walk(child)"
    other = "def visit(n):\n    for c in n.children: visit(c)"
    assert digest(one) == digest(other)
    assert digest(one) != digest(other.replace("visit(c)", "walk(c)"))


def test_slow_and_deep_sources_are_refused_or_read() -> None:
    from hartonomous.hql.modalities.base import Unreadable

    assert len(find_definitions(parse("def f():\n return " + "+".join("a" * 800)))) == 1
    for text in ("(" * 5_000, "-" * 200_000 + "1", "def f(:", "x = '\ud800'", "a\0b", "9" * 9_999):
        with pytest.raises(Unreadable) as caught:
            find_definitions(parse(text))
        assert caught.value.code == "FORMAT"


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        # the first iterable is evaluated outside
        ("def f(x): return [x for x in x]", "def f(a): return [b for b in a]", True),
        ("def f(x, y): return [x for x in y]", "def f(x, y): return [y for y in y]", True),
        ("def f(x, y): return [x for x in y]", "def f(x, y): return [y for y in x]", False),
        # what a class body binds is not seen from its methods
        (
            "def f(x):\n class C:\n  x = 1\n  def m(self): return x",
            "def f(y):\n class C:\n  x = 1\n  def m(self): return y",
            True,
        ),
        (
            "class C:\n x = 1\n def m(self): return x",
            "class C:\n x = 1\n def m(s): return y",
            False,
        ),
        ("class C:\n x = 1", "class C:\n y = 1", False),
        ("class C:\n def m(self): pass", "class D:\n def n(self): pass", False),
        ("class C:\n def m(self): return C", "class D:\n def m(s): return D", True),
        # a global is one
        ("def f():\n global g\n g = 1; h = 2", "def f():\n global g\n h = 1; g = 2", False),
        ("def f():\n global g\n g = 1; h = 2", "def f():\n global g\n g = 1; k = 2", True),
        # defaults and annotations belong outside
        ("def f():\n def g(a, b=a): pass", "def f():\n def g(c, b=a): pass", True),
        ("def f():\n def g(a, b=a): pass", "def f():\n def g(a, b=c): pass", False),
        # an import is named by what is imported
        ("def f():\n import os\n os.x()", "def f():\n import os as o\n o.x()", True),
        ("def f():\n import a.b\n a.x()", "def f():\n import a.b as a\n a.x()", False),
        ("def f(): return g(a=1)", "def f(): return g(b=1)", False),
        ("def f(): return 'a' 'b'", 'def f(): return "ab"', True),
        ("def f(x): return f'{x}a' 'b'", "def f(x): return f'{x}ab'", True),
        ("def f(): 'only said'", "def f(): pass", True),
        ("def f(): pass", "async def f(): pass", False),
    ],
)
def test_scopes_are_pythons(one: str, other: str, is_same: bool) -> None:
    assert (digest(one) == digest(other)) is is_same

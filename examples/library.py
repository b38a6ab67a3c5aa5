"""Reads the source of Python's own standard library into Arrow tables: real text, on every machine.

Four tables: modules, definitions (functions, classes, methods with their docstrings), imports and
lines. The rows come from Python's own parser; nothing is made up.
"""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

LEFT_OUT = {"site-packages", "test", "tests", "idle_test", "__pycache__", "lib2to3", "ensurepip"}
SCHEMAS = {
    "modules": pa.schema(
        [
            ("id", pa.int32()),
            ("name", pa.string()),
            ("package", pa.string()),
            ("line_count", pa.int32()),
            ("docstring", pa.string()),
        ]
    ),
    "definitions": pa.schema(
        [
            ("id", pa.int32()),
            ("module", pa.int32()),
            ("kind", pa.string()),
            ("name", pa.string()),
            ("first_line", pa.int32()),
            ("last_line", pa.int32()),
            ("docstring", pa.string()),
        ]
    ),
    "imports": pa.schema([("module", pa.int32()), ("target", pa.string())]),
    "lines": pa.schema([("module", pa.int32()), ("number", pa.int32()), ("text", pa.string())]),
}
Row = tuple[Any, ...]


def read_library() -> dict[str, pa.Table]:
    """The standard library's modules, definitions, imports and lines, as tables by name."""
    modules: list[Row] = []
    definitions: list[Row] = []
    imports: list[Row] = []
    lines: list[Row] = []
    for name, package, text, tree in sources(Path(sysconfig.get_paths()["stdlib"])):
        number, texts = len(modules) + 1, text.splitlines()
        top = name.partition(".")[0]
        modules.append((number, name, top, len(texts), ast.get_docstring(tree)))
        for found in definitions_of(tree):
            definitions.append((len(definitions) + 1, number, *found))
        imports += ((number, target) for target in dict.fromkeys(imports_of(tree, package)))
        lines += ((number, n, line) for n, line in enumerate(texts, 1))
    rows = {"modules": modules, "definitions": definitions, "imports": imports, "lines": lines}
    return {name: table_of(rows[name], schema) for name, schema in SCHEMAS.items()}


def table_of(rows: list[Row], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def sources(root: Path) -> Iterator[tuple[str, str, str, ast.Module]]:
    """(name, package it lies in, text, tree) of every module that this Python can parse, by name.

    A package is the package it lies in itself, as relative imports have it.
    """
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if LEFT_OUT & set(parts):
            continue
        try:
            text = path.read_text(encoding="utf-8")
            tree = ast.parse(text)
        except (SyntaxError, UnicodeDecodeError):
            continue  # a template, or a file in an old encoding
        folder = ".".join(parts[:-1])
        yield folder if parts[-1] == "__init__" else ".".join(parts), folder, text, tree


def definitions_of(tree: ast.AST, outer: str = "") -> Iterator[Row]:
    """(kind, name, first line, last line, docstring) of the functions, classes and methods below
    `tree`, named from the module on: `Class.method`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            is_class = isinstance(node, ast.ClassDef)
            kind = "class" if is_class else "method" if outer else "function"
            docstring = ast.get_docstring(node)
            yield kind, outer + node.name, node.lineno, node.end_lineno, docstring
            if is_class:
                yield from definitions_of(node, f"{outer}{node.name}.")
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            yield from definitions_of(node, outer)


def imports_of(tree: ast.AST, package: str) -> Iterator[str]:
    """What a module of `package` imports when it is imported itself, by absolute name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            home = ".".join(above) + "." if node.level else ""
            if node.module:
                yield home + node.module
            else:
                yield from (home + alias.name for alias in node.names)
        elif isinstance(node, (ast.If, ast.Try)):
            yield from imports_of(node, package)

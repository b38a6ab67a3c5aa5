"""Printing and parsing again gives the same tree: generated trees, and every golden script."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from soak import TIMES

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

import generate  # noqa: E402
import generate_statements  # noqa: E402

from hartonomous.hql import ast  # noqa: E402
from hartonomous.hql.errors import NotSupported, SyntaxFault  # noqa: E402
from hartonomous.hql.statements import Statement  # noqa: E402
from hartonomous.hql.syntax.parse import parse_batch, parse_expression, parse_query  # noqa: E402

#: a statement of a golden script: behind `>`, continued by lines that begin with two blanks
GOLDEN_STATEMENT = re.compile(r"^[\w\[\]!, ]*> (.*(?:\n  .*)*)", re.MULTILINE)
GOLDEN = sorted((TESTS / "golden").rglob("*.golden"))


@settings(max_examples=200, deadline=None)
@given(generate.operator_trees)
def test_operators(tree: ast.Expression) -> None:
    assert parse_expression(str(tree)) == tree


@settings(max_examples=100, deadline=None)
@given(generate.expressions)
def test_expressions(tree: ast.Expression) -> None:
    assert parse_expression(str(tree)) == tree


@settings(max_examples=60, deadline=None)
@given(generate.queries)
def test_queries(tree: ast.Query) -> None:
    assert parse_query(str(tree)) == tree


@settings(max_examples=120, deadline=None)
@given(generate_statements.statements)
def test_statements(tree: Statement) -> None:
    assert parse_batch(str(tree)) == (tree,)


@pytest.mark.slow
@settings(max_examples=4_000 * TIMES, deadline=None)
@given(generate_statements.statements)
def test_many_statements(tree: Statement) -> None:
    assert parse_batch(str(tree)) == (tree,)


@pytest.mark.skipif(not GOLDEN, reason="there are no golden scripts in this checkout")
def test_golden_scripts() -> None:
    found = 0
    for path in GOLDEN:
        for text in GOLDEN_STATEMENT.findall(path.read_text(encoding="utf-8")):
            try:
                trees = parse_batch(text)
            except (SyntaxFault, NotSupported):
                continue  # its script says so
            assert parse_batch(";\n".join(map(str, trees))) == trees, f"{path.name}: {text}"
            found += len(trees)
    assert found > 10

"""Printing and parsing again gives the same tree: generated trees, golden scripts, own texts."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given, settings

sys.path.insert(0, str(Path(__file__).parents[1]))
import generate
import generate_statements

from hartonomous.hql import ast
from hartonomous.hql.parse import _parse_batch, parse_expression, parse_query
from hartonomous.hql.statements import Statement


@settings(max_examples=300, deadline=None)
@given(generate.expressions)
def test_expressions(tree: ast.Expression) -> None:
    assert parse_expression.__wrapped__(str(tree)) == tree


@settings(max_examples=200, deadline=None)
@given(generate.queries)
def test_queries(tree: ast.Query) -> None:
    assert parse_query(str(tree)) == tree


@settings(max_examples=400, deadline=None)
@given(generate_statements.statements)
def test_statements(tree: Statement) -> None:
    assert _parse_batch(str(tree)) == (tree,)

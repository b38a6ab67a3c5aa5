"""Values that scripts compute without the engine are the engine's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous import hql
from hartonomous.hql.scripts import quick, values
from hartonomous.storage.errors import Error

NUMBERS = ["@a", "@b", "@c", "@n", "0", "1", "-1", "7", "2147483647", "-2147483648"]
TEXTS = ["@s", "@t", "'b'", "''", "'a '", "'B'", "N'ä'"]
INTEGERS = st.one_of(
    st.integers(-3, 3), st.integers(-(2**31), 2**31 - 1), st.sampled_from([2**31 - 1, -(2**31)])
)


def _binary(inner: st.SearchStrategy[str], signs: list[str]) -> st.SearchStrategy[str]:
    return st.builds("({} {} {})".format, inner, st.sampled_from(signs), inner)


number = st.recursive(
    st.sampled_from(NUMBERS), lambda inner: _binary(inner, list("+-*/%")), max_leaves=5
)
text = st.recursive(st.sampled_from(TEXTS), lambda inner: _binary(inner, ["+"]), max_leaves=4)
_signs = ["=", "<>", "<", "<=", ">", ">="]
comparison = st.one_of(
    _binary(number, _signs),
    _binary(text, _signs),
    st.builds("({} {})".format, number, st.sampled_from(["IS NULL", "IS NOT NULL"])),
)
condition = st.recursive(
    comparison,
    lambda inner: st.one_of(_binary(inner, ["AND", "OR"]), st.builds("(NOT {})".format, inner)),
    max_leaves=4,
)
case = st.builds("CASE WHEN {} THEN {} ELSE {} END".format, condition, number, number)

SCRIPTS = st.one_of(
    st.builds("DECLARE @r INT = {}; SELECT @r AS r".format, st.one_of(number, case)),
    st.builds("DECLARE @r BIGINT = {}; SELECT @r AS r".format, number),
    st.builds("DECLARE @r TINYINT = {}; SELECT @r AS r".format, number),
    st.builds("DECLARE @r BIT = {}; SELECT @r AS r".format, number),
    st.builds("DECLARE @r NVARCHAR(3) = {}; SELECT @r AS r".format, text),
    st.builds("DECLARE @r NVARCHAR(MAX) = {}; SELECT @r AS r".format, text),
    st.builds("IF {} SELECT 1 AS r ELSE SELECT 0 AS r".format, condition),
)
HEAD = (
    "DECLARE @a INT = :a_, @b BIGINT = :b_, @c TINYINT = :c_, @n INT, @s NVARCHAR(9) = :s_, "
    "@t NVARCHAR(MAX) = :t_; "
)


@pytest.fixture(scope="module")
def connections() -> Iterator[tuple[Any, Any]]:
    with hql.connect() as one, hql.connect() as other:
        yield one, other


def _outcome(connection: Any, script: str, parameters: dict[str, Any]) -> Any:
    given = {f"{name}_": value for name, value in parameters.items()}
    try:
        return connection.execute(script, given).fetchall()
    except Error as error:
        assert error.code in ("OVERFLOW", "DIVISION_BY_ZERO", "BAD_VALUE", "BAD_CAST"), error
        return error.code


@settings(max_examples=80, deadline=None)
@given(
    script=SCRIPTS,
    a=INTEGERS,
    b=st.one_of(INTEGERS, st.just(2**63 - 1), st.just(-(2**63))),
    c=st.integers(-128, 127),
    s=st.sampled_from(["a", "b", "", "ä", "a "]),
    t=st.sampled_from([None, "a", "B", "\U0001f600"]),
)
def test_as_the_engine_has_it(connections: tuple[Any, Any], script: str, **parameters: Any) -> None:
    by_engine, quickly = connections
    compiled = values.compile_plan
    values.compile_plan = lambda plan: None
    try:
        expected = _outcome(by_engine, HEAD + script, parameters)
    finally:
        values.compile_plan = compiled
    assert _outcome(quickly, HEAD + script, parameters) == expected


def test_plain_values_do_not_need_the_engine(
    connections: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that counts starts no plan: it would be a hundred times slower."""

    def start_plan(*_: object) -> None:
        raise AssertionError("the engine was asked")

    monkeypatch.setattr(values, "start_plan", start_plan)
    script = """
        DECLARE @i INT = 0, @text NVARCHAR(MAX) = '';
        WHILE @i < 100 AND NOT (@i IS NULL)
        BEGIN
            SET @i += 1;
            IF @i % 3 = 0 OR @text = 'b' SET @text = @text + 'a';
        END
        RETURN"""
    connections[1].execute(script)


def test_long_texts_are_the_engines() -> None:
    text = "x" * (quick.CHARACTERS_MAX // 2)
    with pytest.raises(quick.Unsure):
        quick._join(text, text + "y")

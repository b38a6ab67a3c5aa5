"""Rules on and off give the same rows, for random joins, conditions, subqueries and top-k."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from query_world import World, vectors

from hartonomous.hql.rules import ALL


@cache
def world() -> World:
    made = World()
    for name, count, seed in (("t", 60, 1), ("u", 25, 2)):
        made.create(
            name,
            {"id": "INT", "a": "BIGINT", "f": "FLOAT", "s": "NVARCHAR", "v": "VECTOR(3)"},
            [
                [i * seed for i in range(count)],
                [None if i % 5 == 0 else (i * seed) % 6 for i in range(count)],
                [
                    None if i % 8 == 0 else float("nan") if i % 9 == 0 else i / 4
                    for i in range(count)
                ],
                [None if i % 7 == 0 else "xyz"[i % 3] for i in range(count)],
                [None if i % 6 == 0 else v for i, v in enumerate(vectors(count, 3, seed))],
            ],
            key="id",
        )
    return made


NUMBERS = st.sampled_from(["0", "1", "3", "7", "2.5", "NULL", "99999999999", "-1"])
COMPARISONS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
VECTORS = st.sampled_from(["[1, 2, 0]", "[0, 0, 0]", "[-1, 1, 2]", "NULL"])


@st.composite
def conditions(draw: Any, aliases: tuple[str, ...], depth: int = 2) -> str:
    alias = draw(st.sampled_from(aliases))
    column = draw(st.sampled_from(["id", "a", "f"]))
    number = draw(NUMBERS)
    simple = [
        f"{alias}.{column} {draw(COMPARISONS)} {number}",
        f"{number} {draw(COMPARISONS)} {alias}.{column}",
        f"{alias}.{column} BETWEEN {draw(NUMBERS)} AND {number}",
        f"{alias}.{column} IN ({number}, {draw(NUMBERS)})",
        f"{alias}.{draw(st.sampled_from(['a', 's', 'v']))} IS NULL",
        f"{alias}.s IS NOT NULL",
        f"{alias}.s = '{draw(st.sampled_from('xyq'))}'",
        f"{alias}.v = {draw(VECTORS)}",
        f"VECTOR_NORM({alias}.v) > 1",
        f"{alias}.a = {draw(st.sampled_from(aliases))}.id",
        f"EXISTS (SELECT 1 FROM u w WHERE w.id = {alias}.a AND w.a {draw(COMPARISONS)} {number})",
    ]
    if depth:
        left = draw(conditions(aliases, depth - 1))
        right = draw(conditions(aliases, depth - 1))
        simple += [f"({left}) AND ({right})"] * 6 + [f"({left}) OR ({right})", f"NOT ({left})"]
    return draw(st.sampled_from(simple))


@st.composite
def sources(draw: Any) -> tuple[str, tuple[str, ...]]:
    def relation(alias: str) -> str:
        table = draw(st.sampled_from(["t", "u"]))
        inner = draw(conditions(("q",), 1))
        return draw(
            st.sampled_from(
                [
                    f"{table} {alias}",
                    f"{table} {alias}",
                    f"(SELECT q.* FROM {table} q WHERE {inner}) {alias}",
                    f"(SELECT * FROM t UNION ALL SELECT * FROM u) {alias}",
                    f"(SELECT DISTINCT id, a, f, s, v FROM {table}) {alias}",
                    f"(SELECT TOP (9) * FROM {table} ORDER BY id DESC) {alias}",
                ]
            )
        )

    text, aliases = relation("x"), ("x",)
    for alias in draw(st.sampled_from([(), ("y",), ("y",), ("y", "z")])):
        kind = draw(st.sampled_from(["INNER", "LEFT", "RIGHT", "FULL"]))
        more = draw(conditions((*aliases, alias), 1))
        # an outer join of the engine's needs an equality to be quick
        text += f" {kind} JOIN {relation(alias)} ON {alias}.id = {aliases[-1]}.a"
        if kind != "FULL" and "EXISTS" not in more:
            text += f" AND {more}"
        aliases = (*aliases, alias)
    return text, aliases


@st.composite
def queries(draw: Any) -> str:
    source, aliases = draw(sources())
    where = f" WHERE {draw(conditions(aliases))}" if draw(st.booleans()) else ""
    alias = draw(st.sampled_from(aliases))
    ids = ", ".join(f"{a}.id" for a in aliases)
    metric = draw(st.sampled_from(["cosine", "dot", "euclidean"]))
    distance = f"VECTOR_DISTANCE('{metric}', {alias}.v, [1, 0, 2])"
    shape = draw(
        st.sampled_from(
            [
                f"SELECT {ids} FROM {source}{where}",
                f"SELECT COUNT(*), SUM({alias}.a) FROM {source}{where}",
                f"SELECT {alias}.v, COUNT(*), MAX({alias}.f) FROM {source}{where} "
                f"GROUP BY {alias}.v",
                f"SELECT DISTINCT {alias}.s, {alias}.v FROM {source}{where}",
                f"SELECT {ids}, VECTOR_NORMALIZE({alias}.v), {alias}.v + {alias}.v "
                f"FROM {source}{where}",
                f"SELECT TOP (4) {distance} AS d FROM {source}{where} ORDER BY d",
                f"SELECT TOP (4) t.id, t.v FROM t WHERE {draw(conditions(('t',)))} "
                f"ORDER BY VECTOR_DISTANCE('{metric}', v, [1, 0, 2])",
                f"SELECT {ids}, RANK() OVER (PARTITION BY {alias}.v ORDER BY {ids}) "
                f"FROM {source}{where}",
            ]
        )
    )
    return str(shape)


@settings(max_examples=40, deadline=None)
@given(text=queries(), off=st.sets(st.sampled_from(sorted(ALL)), min_size=1))
def test_rules_never_change_rows(text: str, off: set[str]) -> None:
    expected = sorted(map(repr, world().rows(text, off=ALL)))
    assert sorted(map(repr, world().rows(text))) == expected
    assert sorted(map(repr, world().rows(text, off=off))) == expected

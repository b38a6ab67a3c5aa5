"""Scripts drawn by chance do what a model in Python says: variables, table variables, IF, WHILE,
BREAK, CONTINUE, TRY, THROW, PRINT, RETURN.

Every node of a script can write itself as HQL and play itself on a `World`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hartonomous import hql
from hartonomous.storage.errors import Error

NAMES = ("a", "b", "c")
LIMIT = 1 << 31
#: what stops a script that is drawn too long: both sides count nothing, so loops are bounded
TURNS_MAX = 4
DEPTH_MAX = 3


class Failed(Exception):
    """An error with its code."""


class Break(Exception):
    pass


class Continue(Exception):
    pass


class Return(Exception):
    pass


@dataclass
class World:
    """What a script has changed; `caught` are the codes that CATCH deals with."""

    variables: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(NAMES))
    rows: dict[int, int | None] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    caught: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Expression:
    text: str
    value: Callable[[World], int | None]


@dataclass(frozen=True)
class Step:
    text: str
    play: Callable[[World], None]


# --- expressions ---------------------------------------------------------------------------------


def checked(value: int | None) -> int | None:
    if value is not None and not -LIMIT <= value < LIMIT:
        raise Failed("OVERFLOW")
    return value


def combine(sign: str, left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return None
    if sign in "/%" and right == 0:
        raise Failed("DIVISION_BY_ZERO")
    quotient = 0 if right == 0 else abs(left) // abs(right)
    quotient = quotient if (left < 0) == (right < 0) else -quotient
    results = {
        "+": left + right,
        "-": left - right,
        "*": left * right,
        "/": quotient,
        "%": left - quotient * right,
    }
    return checked(results[sign])


def binary(left: Expression, sign: str, right: Expression) -> Expression:
    return Expression(
        f"({left.text} {sign} {right.text})",
        lambda world: combine(sign, left.value(world), right.value(world)),
    )


def of_rows(name: str) -> Expression:
    def value(world: World) -> int | None:
        kept = [v for v in world.rows.values() if v is not None]
        if name == "COUNT":
            return len(kept)
        return (min if name == "MIN" else max)(kept, default=None)

    return Expression(f"(SELECT {name}(v) FROM @t)", value)


def variable(name: str) -> Expression:
    return Expression(f"@{name}", lambda world: world.variables[name])


numbers = st.one_of(st.integers(-3, 9), st.sampled_from([2_000_000_000, -2_000_000_000]))
leaves = st.one_of(
    numbers.map(lambda n: Expression(f"({n})", lambda world: n)),
    st.just(Expression("CAST(NULL AS INT)", lambda world: None)),
    st.sampled_from(NAMES).map(variable),
    st.sampled_from(["COUNT", "MIN", "MAX"]).map(of_rows),
)
# one sign at most: the engine need not compute what NULL makes NULL anyway, and may not fail then
expressions = st.one_of(leaves, st.builds(binary, leaves, st.sampled_from("+-*/%"), leaves))


def compare(left: Expression, sign: str, right: Expression) -> tuple[str, Callable[[World], bool]]:
    def is_true(world: World) -> bool:
        first, second = left.value(world), right.value(world)
        if first is None or second is None:
            return False
        return {"<": first < second, "=": first == second, ">=": first >= second}[sign]

    return f"{left.text} {sign} {right.text}", is_true


# no arithmetic: the engine compares what a sum that overflows would have been
conditions = st.builds(compare, leaves, st.sampled_from(["<", "=", ">="]), leaves)


# --- statements ----------------------------------------------------------------------------------


def assign(name: str, value: Expression) -> Step:
    def play(world: World) -> None:
        world.variables[name] = value.value(world)

    return Step(f"SET @{name} = {value.text}", play)


def insert(key: Expression, value: Expression) -> Step:
    def play(world: World) -> None:
        row = key.value(world), value.value(world)
        if row[0] is None:
            raise Failed("NOT_NULL_VIOLATION")
        if row[0] in world.rows:
            raise Failed("UNIQUE_VIOLATION")
        world.rows[row[0]] = row[1]

    return Step(f"INSERT INTO @t SELECT {key.text}, {value.text}", play)


def update(value: int) -> Step:
    def play(world: World) -> None:
        changed = {k: combine("+", v, value) for k, v in world.rows.items()}
        world.rows = changed

    return Step(f"UPDATE @t SET v = v + {value}", play)


def delete(least: Expression) -> Step:
    def play(world: World) -> None:
        if world.rows:
            bound = least.value(world)
            if bound is not None:
                world.rows = {k: v for k, v in world.rows.items() if k < bound}

    return Step(f"IF EXISTS (SELECT 1 FROM @t) DELETE FROM @t WHERE k >= {least.text}", play)


def say(value: Expression) -> Step:
    def play(world: World) -> None:
        found = value.value(world)
        world.said.append("" if found is None else str(found))

    return Step(f"PRINT {value.text}", play)


def fail() -> Step:
    def play(world: World) -> None:
        raise Failed("RAISED")

    return Step("; THROW 50000, 'thrown', 1", play)


def leave() -> Step:
    def play(world: World) -> None:
        raise Return

    return Step("RETURN", play)


def block(steps: list[Step]) -> Step:
    def play(world: World) -> None:
        for step in steps:
            step.play(world)

    return Step("BEGIN " + "; ".join(s.text for s in steps) + " END", play)


def choose(condition: tuple[str, Callable[[World], bool]], yes: Step, no: Step | None) -> Step:
    text, is_true = condition

    def play(world: World) -> None:
        if is_true(world):
            yes.play(world)
        elif no is not None:
            no.play(world)

    return Step(f"IF {text} {yes.text}" + (f" ELSE {no.text}" if no is not None else ""), play)


def repeat(turns: int, depth: int, body: Step, leaving: Step | None) -> Step:
    """A loop that counts for itself; `leaving` may break it or go on with it."""

    def play(world: World) -> None:
        for _ in range(turns):
            try:
                if leaving is not None:
                    leaving.play(world)
                body.play(world)
            except Break:
                return
            except Continue:
                continue

    counter = f"@i{depth}"
    first = "" if leaving is None else f"{leaving.text}; "
    text = f"SET {counter} = 0; WHILE {counter} < {turns} BEGIN SET {counter} += 1; "
    return Step(f"BEGIN {text}{first}{body.text} END END", play)


def guard(body: Step, handler: Step, again: bool) -> Step:
    def play(world: World) -> None:
        try:
            body.play(world)
        except Failed as error:
            world.caught.append(str(error))
            try:
                world.said.append(world.caught[-1])
                handler.play(world)
                if again:
                    raise
            finally:
                world.caught.pop()

    end = "; THROW" if again else ""
    text = f"BEGIN CATCH PRINT ERROR_CODE(); {handler.text}{end} END CATCH"
    return Step(f"BEGIN TRY {body.text} END TRY {text}", play)


def _raising(signal: type[Exception]) -> Callable[[World], None]:
    def play(world: World) -> None:
        raise signal

    return play


BREAK, CONTINUE = Step("BREAK", _raising(Break)), Step("CONTINUE", _raising(Continue))

simple = st.one_of(
    st.builds(assign, st.sampled_from(NAMES), expressions),
    st.builds(assign, st.sampled_from(NAMES), expressions),
    st.builds(insert, expressions, expressions),
    st.builds(update, st.sampled_from([1, 2_000_000_000])),
    st.builds(delete, leaves),
    st.builds(say, expressions),
    st.builds(fail),
)


def steps(depth: int) -> st.SearchStrategy[Step]:
    """A block of statements, which nest `depth` deep."""
    kinds = [simple, simple, simple]
    if depth:
        inner = steps(depth - 1)
        leaving = st.builds(choose, conditions, st.sampled_from([BREAK, CONTINUE]), st.none())
        kinds += [
            st.builds(choose, conditions, inner, st.none() | inner),
            st.builds(
                repeat, st.integers(0, TURNS_MAX), st.just(depth), inner, st.none() | leaving
            ),
            st.builds(guard, inner, inner, st.booleans()),
            st.builds(choose, conditions, st.builds(leave), st.none()),
        ]
    return st.lists(st.one_of(kinds), min_size=1, max_size=4).map(block)


# --- the two beside each other -------------------------------------------------------------------


@contextmanager
def expecting() -> Iterator[list[str]]:
    codes: list[str] = []
    try:
        yield codes
    except Failed as error:
        codes.append(str(error))
    except Return:
        codes.append("RETURN")


DATABASE = hql.connect()


def played(text: str) -> tuple[list[str], Any]:
    """What a script says, and its last row or its code; RETURN leaves before there is one."""
    said: list[str] = []
    try:
        results = [r for r in DATABASE.session.execute(text, None, said) if r.has_rows]
    except Error as error:
        return said, error.code
    if not results:
        return said, "RETURN"
    (row,) = results[-1].to_table().to_pylist()
    return said, list(row.values())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps(DEPTH_MAX))
def test_scripts_do_what_the_model_says(script: Step) -> None:
    counters = ", ".join(f"@i{n} INT" for n in range(1, DEPTH_MAX + 1))
    text = (
        f"DECLARE @a INT, @b INT, @c INT, {counters};\n"
        "DECLARE @t TABLE (k INT PRIMARY KEY, v INT);\n"
        f"{script.text};\n"
        "SELECT @a AS a, @b AS b, @c AS c, (SELECT STRING_AGG(CONCAT(k, ':', v), ' ') "
        "WITHIN GROUP (ORDER BY k) FROM @t) AS rows"
    )
    world = World()
    with expecting() as codes:
        script.play(world)
    rows = " ".join(f"{k}:{'' if v is None else v}" for k, v in sorted(world.rows.items()))
    expected: Any = codes[0] if codes else [*world.variables.values(), rows or None]
    assert played(text) == (world.said, expected), text

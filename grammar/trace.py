"""What the parser makes of a text that may be unfinished: the terminals it took, where it stopped,
what may come next, and what a name there would be. For shells and editors.

Nothing is built. `Trace.states` is the parser's stack before token `index`, so a text that ends in
the middle of a statement gives the stack at its end.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hartonomous.grammar.driver import Leaf, Parser, TooDeep, Unexpected, builds_nothing
from hartonomous.grammar.lexer import Token
from hartonomous.grammar.tables import ANY, Rule, Tables

#: rules that a name goes through before one that tells what it is
_PASSING = frozenset(["_dotted", "name"])
_STOP = Token("STOP", "", 0, 0)


@dataclass(frozen=True, slots=True)
class Trace:
    """`taken` are (terminal, number of its first token) of what was read, `index` is the number
    of the first token that cannot stand there (or their count), `states` the stack before it."""

    taken: list[tuple[str, int]]
    index: int
    states: list[int]

    def terminals(self) -> list[str | None]:
        """For each token up to `index` the terminal that it is, or is a part of."""
        found: list[str | None] = [None] * self.index
        for place, (terminal, begin) in enumerate(self.taken):
            after = self.taken[place + 1][1] if place + 1 < len(self.taken) else self.index
            found[begin:after] = [terminal] * (after - begin)
        return found


class Tracer:
    """A parser of the tables' grammar that remembers what it took. Any thread may use it."""

    def __init__(self, tables: Tables) -> None:
        self._taken: list[tuple[str, int]] = []
        self._numbers: dict[int, int] = {}
        self._lock = threading.Lock()
        names = tables.symbols[: tables.terminal_count]
        self.parser = Parser(tables, builds_nothing(), {name: self._leaf(name) for name in names})

    def _leaf(self, terminal: str) -> Leaf:
        def take(token: Token, span: Any) -> None:
            self._taken.append((terminal, self._numbers[id(token)]))

        return take

    def trace(self, tokens: Sequence[Token], start: str = "batch") -> Trace:
        """How far the tokens, without $END, can be read."""
        with self._lock:
            taken: list[tuple[str, int]] = []
            self._taken = taken
            self._numbers = {id(token): number for number, token in enumerate(tokens)}
            try:
                self.parser.parse([*tokens, _STOP], start)
            except Unexpected as fault:
                return Trace(taken, fault.index, fault.states)
            except TooDeep:
                return Trace([], 0, [self.parser.tables.starts[start]])
        raise AssertionError("a stop token cannot be parsed")

    def may_end(self, trace: Trace) -> bool:
        """Whether a batch could end there."""
        return self.parser.accepts(trace.states, self.parser.tables.ids["$END"])

    def roles(self, states: list[int]) -> set[str]:
        """The rules that would take a name standing next, by any terminal behind it: `column`,
        `table`, `type`, `drop_view_statement` …; `name` alone where none is finished by it. Empty
        if no name can stand there."""
        tables = self.parser.tables
        if not self.parser.accepts(states, tables.ids["NAME"]):
            return set()
        stack = self._shift(states, tables.ids["NAME"])
        row = tables.row(stack[-1])
        roles = set()
        for terminal in range(tables.terminal_count):
            if row.get(ANY, row.get(terminal)) is not None:
                roles.add(next(self._told(stack, terminal), "name"))
        return roles

    def after(self, states: list[int], terminal: str) -> list[int] | None:
        """The stack once `terminal` is taken too; None if it cannot stand there."""
        number = self.parser.tables.ids[terminal]
        return self._shift(states, number) if self.parser.accepts(states, number) else None

    def _shift(self, states: list[int], terminal: int) -> list[int]:
        """The stack after a terminal that can stand there."""
        stack = list(states)
        while True:
            row = self.parser.tables.row(stack[-1])
            action = row.get(ANY)
            if action is None:
                action = row[terminal]
            if action >= 0:
                return [*stack, action]
            self._reduce(stack, ~action)

    def _told(self, states: list[int], terminal: int) -> Iterator[str]:
        """The rules that tell what the name on top of the stack is, if `terminal` follows."""
        stack = list(states)
        held = 1  # symbols above and including the one with the name
        while True:
            row = self.parser.tables.row(stack[-1])
            action = row.get(ANY, row.get(terminal))
            if action is None or action >= 0:
                return
            rule = self._reduce(stack, ~action)
            if rule.size < held:  # something beside the name: it says nothing
                held += 1 - rule.size
                continue
            held = 1
            if rule.name not in _PASSING and not rule.is_unit:
                yield rule.name

    def _reduce(self, stack: list[int], number: int) -> Rule:
        rule = Rule(self.parser.tables.rule_lines[number])
        if rule.size:
            del stack[-rule.size :]
        stack.append(self.parser.tables.row(stack[-1])[rule.symbol])
        return rule

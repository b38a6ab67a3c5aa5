"""The parser: reads the tables (tables.py) over tokens (lexer.py) and calls builders bottom-up.

A builder makes a rule's value from its children and the place of its text; a leaf makes a
terminal's. Rules whose name begins with `_` pass their children on to the rule that holds them;
`?rule`s with a single child pass that child on.

Words: a word is a keyword if the grammar can go on with that keyword at its place, else a name,
unless it is reserved. So every other keyword may name things. A compound terminal (`FOR__JSON`)
is taken before a shorter one if its words follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hartonomous.grammar.lexer import END, QUOTED, WORD, Token
from hartonomous.grammar.tables import ANY, Rule, Tables
from hartonomous.grammar.words import LATER_WORDS, RESERVED

#: makes a place from offsets (start, end)
Placer = Callable[[int, int], Any]
#: children and their place -> value
Builder = Callable[[list[Any], Any], Any]
#: a token and its place -> value
Leaf = Callable[[Token, Any], Any]

#: nesting that a text may have, in rules that build something: a consumer that recurses a few
#: calls a level stays far from Python's limit of 1,000
DEPTH_MAX = 200
#: height of the parser's stack, reached by open parentheses before they can be counted
STACK_MAX = 2_000


class Unexpected(Exception):
    """Token number `index` cannot stand where it stands; `states` is the parser's stack there."""

    def __init__(self, index: int, states: list[int]) -> None:
        super().__init__(index)
        self.index, self.states = index, states


class TooDeep(Exception):
    """The text nests deeper than DEPTH_MAX at `start`."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.start = start


@dataclass(frozen=True, slots=True)
class Tree:
    """What a rule without a builder makes."""

    name: str
    children: tuple[Any, ...]
    span: Any


def _tree(name: str, children: list[Any], span: Any) -> Tree:
    return Tree(name, tuple(children), span)


def _offsets(start: int, end: int) -> tuple[int, int]:
    return start, end


class Parser:
    """A grammar's parser with the builders of one consumer; it may be used by many threads."""

    def __init__(
        self, tables: Tables, builders: Mapping[str, Builder], leaves: Mapping[str, Leaf]
    ) -> None:
        self.tables = tables
        self._rules: list[Rule | None] = [None] * len(tables.rule_lines)
        self.builders = builders
        self._name = tables.ids["NAME"]
        self._statement = tables.ids["PRINT"]  # acceptable where a statement can begin
        self._kinds = {s: i for i, s in enumerate(tables.symbols[: tables.terminal_count])}
        self._kinds |= tables.literals
        self._nowhere = len(tables.symbols)  # no row knows it
        self._leaves = {self._kinds[kind]: leaf for kind, leaf in leaves.items()}
        self._builds_nothing: Parser | None = None
        #: (state below, state, next terminal) -> state after all rules that only pass one symbol
        self._ladders: dict[tuple[int, int, int], int] = {}
        self._words: dict[str, int] = {}
        self._compounds: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        for number, symbol in enumerate(tables.symbols[: tables.terminal_count]):
            words = symbol.strip("_").split("__")
            if len(words) > 1:
                rest = tuple("(" if w == "LPAR" else w for w in words[1:])
                self._compounds.setdefault(words[0], []).append((number, rest))
        for several in self._compounds.values():
            several.sort(key=lambda pair: -len(pair[1]))
        for text, number in tables.literals.items():
            if text[0].isalpha():
                self._words[text] = number

    @property
    def keywords(self) -> dict[str, int]:
        """Words that are terminals by themselves."""
        return self._words

    @property
    def compounds(self) -> dict[str, list[tuple[int, tuple[str, ...]]]]:
        """First word -> (terminal, words after it), longest first."""
        return self._compounds

    def parse(self, tokens: Sequence[Token], start: str, place: Placer = _offsets) -> Any:
        """The value of rule `start` over tokens that end with $END. Raises Unexpected, TooDeep."""
        tables = self.tables
        get_row = tables.row
        rules = self._rules
        ladders = self._ladders
        states = [tables.starts[start]]
        values: list[Any] = [None]
        starts = [0]
        ends = [0]
        depths = [0]
        index = 0
        token = tokens[0]
        terminal, width = -1, 1
        fixed = self._fixed(token)
        while True:
            row = get_row(states[-1])
            action = row.get(ANY)
            if action is None:
                if fixed >= 0:
                    terminal, width = fixed, 1
                else:
                    terminal, width = self._resolve(tokens, index, states, row)
                action = row.get(terminal)
                if action is None:
                    raise Unexpected(index, states)
            if action >= 0:
                if token.kind == END:
                    return values[-1]
                leaf = self._leaves.get(terminal)
                states.append(action)
                values.append(token if leaf is None else leaf(token, place(token.start, token.end)))
                starts.append(token.start)
                ends.append(tokens[index + width - 1].end)
                depths.append(0)
                index += width
                token = tokens[index]
                fixed = self._fixed(token)
                continue
            rule = rules[~action] or self._rule(~action)
            if rule.is_unit:  # one symbol that passes through: only its state changes
                if fixed < 0:
                    states[-1] = get_row(states[-2])[rule.symbol]
                    continue
                key = states[-2], states[-1], fixed
                target = ladders.get(key)
                if target is None:
                    target = ladders[key] = self._climb(*key)
                states[-1] = target
                continue
            size = rule.size
            if size:
                begin, end = starts[-size], ends[-1]
                depth = max(depths[-size:])
                children = rule.gather(values[-size:])
                del states[-size:], values[-size:], starts[-size:], ends[-size:], depths[-size:]
            else:
                begin = end = token.start
                depth = 0
                children = rule.gather([])
            if rule.inline:
                value: Any = children
            elif rule.expand_single and len(children) == 1:
                value = children[0]
            else:
                depth += 1
                build = rule.build or self._find_builder(rule)
                value = build(children, place(begin, end))
            if depth > DEPTH_MAX or len(states) > STACK_MAX:
                raise TooDeep(begin)
            states.append(get_row(states[-1])[rule.symbol])
            values.append(value)
            starts.append(begin)
            ends.append(end)
            depths.append(depth)

    def _climb(self, below: int, state: int, terminal: int) -> int:
        """The state once no rule is left that passes one symbol through (an operand climbs some
        ten levels of binding strength that way)."""
        while True:
            row = self.tables.row(state)
            action = row.get(ANY)
            if action is None:
                action = row.get(terminal, 0)
            if action >= 0:
                return state
            rule = self._rules[~action] or self._rule(~action)
            if not rule.is_unit:
                return state
            state = self.tables.row(below)[rule.symbol]

    def _rule(self, number: int) -> Rule:
        rule = self._rules[number] = Rule(self.tables.rule_lines[number])
        return rule

    def _find_builder(self, rule: Rule) -> Builder:
        build = self.builders.get(rule.name)
        if build is None:
            build = partial(_tree, rule.name)
        rule.build = build
        return build

    # --- words -----------------------------------------------------------------------------------

    def _fixed(self, token: Token) -> int:
        """The terminal of a token that can be only one; -1 for a word."""
        if token.kind == WORD:
            return -1
        return self._name if token.kind == QUOTED else self._kinds.get(token.kind, self._nowhere)

    def _resolve(
        self, tokens: Sequence[Token], index: int, states: list[int], row: dict[int, int]
    ) -> tuple[int, int]:
        """Terminal of the word at `index` and how many tokens it takes."""
        word = tokens[index].upper
        several = self._compounds.get(word)
        if several is not None:
            for terminal, rest in several:
                if terminal in row and _follows(tokens, index + 1, rest):
                    return terminal, 1 + len(rest)
        keyword = self._words.get(word, -1)
        if word in RESERVED:
            return keyword, 1
        name = self._name
        if keyword in row:
            action = row[keyword]
            may_be_name = name in row and row[name] != action
            if not may_be_name or self.accepts(states, keyword):
                return keyword, 1
        if word in LATER_WORDS and self._statement in row:
            return keyword, 1
        return name, 1

    # --- what could stand where ------------------------------------------------------------------

    def accepts(self, states: list[int], terminal: int) -> bool:
        """Whether the terminal would be shifted after the reductions it calls for."""
        stack = list(states)
        while True:
            row = self.tables.row(stack[-1])
            action = row.get(ANY)
            if action is None:
                action = row.get(terminal)
            if action is None:
                return False
            if action >= 0:
                return True
            rule = self._rules[~action] or self._rule(~action)
            if rule.size:
                del stack[-rule.size :]
            stack.append(self.tables.row(stack[-1])[rule.symbol])

    def acceptable(self, states: list[int]) -> set[str]:
        """Names of all terminals that could stand after `states`."""
        symbols = self.tables.symbols
        return {symbols[i] for i in range(self.tables.terminal_count) if self.accepts(states, i)}

    def states_before(self, tokens: Sequence[Token], start: str, index: int) -> list[int]:
        """The stack just before token `index`, which the text reaches, is taken."""
        try:
            self._bare().parse([*tokens[:index], _STOP], start)
        except Unexpected as fault:
            return fault.states
        raise AssertionError("a stop token cannot be parsed")

    def reach(self, tokens: Sequence[Token], start: str) -> int:
        """The number of tokens that can be parsed."""
        try:
            self._bare().parse(tokens, start)
        except Unexpected as fault:
            return fault.index
        except TooDeep:
            return 0
        return len(tokens)

    def _bare(self) -> Parser:
        """The same parser building nothing."""
        if self._builds_nothing is None:
            self._builds_nothing = Parser(self.tables, _Nothing(), {})
        return self._builds_nothing


def builds_nothing() -> Mapping[str, Builder]:
    """Builders for who only wants to know what can be parsed."""
    return _Nothing()


class _Nothing(dict[str, Builder]):
    """Builders that build nothing."""

    def get(self, name: str, default: Any = None) -> Builder:
        return lambda children, span: None


_STOP = Token("STOP", "", 0, 0)


def _follows(tokens: Sequence[Token], index: int, rest: tuple[str, ...]) -> bool:
    for token, wanted in zip(tokens[index : index + len(rest)], rest, strict=False):
        if (token.upper or token.kind) != wanted:
            return False
    return len(tokens) - index > len(rest)

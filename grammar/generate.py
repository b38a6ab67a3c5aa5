"""Makes the parser's tables with Lark: when a wheel is built, or on first use in a checkout.

Lark reads the joined fragments and analyses them (LALR(1)); its lexer and driver are not used.
Added to the fragments here: rules whose alternatives follow from rule names in statements/
(`GROUPS`), and a declaration of every compound terminal. States are numbered by a walk from the
start states, so the same grammar gives the same bytes.

Lark settles shift/reduce conflicts silently as shifts; they are collected in `conflicts` and a
test compares them with a reviewed list.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from array import array
from collections.abc import Iterator
from typing import Any

from hartonomous.grammar.tables import ANY, Tables, decode, digest_of, encode, join_fragments

STARTS = ("batch", "single_query", "single_condition")

#: rule whose alternatives are generated -> ending of the rules of statements/ that are its
#: alternatives
GROUPS = {
    "simple": "statement",
    "strict": "strict",
    "open": "open",
    "matched_control": "matched",
    "unmatched": "unmatched",
    "definition": "final",
}
_EXTRA = {"strict": ["with_change"]}


def complete(text: str) -> str:
    """The fragments with what follows from them."""
    lines = [text, "?single_query: query", "?single_condition: condition"]
    for group, ending in GROUPS.items():
        names = re.findall(rf"^\??(\w+_{ending}):", text, re.MULTILINE)
        lines.append(f"?{group}: {' | '.join(names + _EXTRA.get(group, []))}")
    compounds = sorted(set(re.findall(r"\b_?[A-Z]+(?:_[A-Z]+)*__[A-Z_]+\b", text)))
    lines.append(f"%declare {' '.join(compounds)}")
    return "\n".join(lines) + "\n"


def generate(text: str) -> bytes:
    """The tables' file for these fragments."""
    tables, _ = analyse(text)
    return encode(digest_of(text), tables)


def analyse(text: str) -> tuple[Tables, list[str]]:
    """Tables, and the conflicts that were settled as shifts, as `terminal: rule`."""
    from lark.common import ParserConf
    from lark.load_grammar import load_grammar
    from lark.parsers.lalr_analysis import LALR_Analyzer

    read: Any = load_grammar
    grammar, _ = read(complete(text), "hql", [], False)
    terminals, rules, _ = grammar.compile(list(STARTS), set())
    analyzer: Any = LALR_Analyzer(ParserConf(rules, {}, list(STARTS)), debug=True)
    with _Conflicts() as conflicts:
        analyzer.compute_lalr()
    return _make_tables(terminals, rules, analyzer.parse_table), conflicts.found


class _Conflicts(logging.Handler):
    """Collects what Lark logs about conflicts."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def __enter__(self) -> _Conflicts:
        self.logger = logging.getLogger("lark")
        self.before = self.logger.level, self.logger.propagate, list(self.logger.handlers)
        self.logger.setLevel(logging.DEBUG)
        self.logger.handlers = [self]
        self.logger.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        level, self.logger.propagate, self.logger.handlers = self.before
        self.logger.setLevel(level)

    @property
    def found(self) -> list[str]:
        """`terminal: rule` of each conflict, sorted."""
        pairs = zip(self.lines[::2], self.lines[1::2], strict=True)
        return sorted({f"{a.split(':')[0].rsplit(' ', 1)[1]}: {b.strip(' *')}" for a, b in pairs})


def _make_tables(terminals: Any, rules: Any, parse_table: Any) -> Tables:
    nonterminals = sorted({rule.origin.name for rule in rules})
    actions = [a for row in parse_table.states.values() for a in row]
    terminal_names = sorted(set(actions) - set(nonterminals))
    symbols = terminal_names + nonterminals
    ids = {name: i for i, name in enumerate(symbols)}
    texts = {t.name: t.pattern.value for t in terminals if t.pattern.type == "str"}
    ordered = sorted(rules, key=lambda r: (r.origin.name, r.order, str(r.expansion)))
    numbers = {rule: i for i, rule in enumerate(ordered)}
    order = _number_states(parse_table)
    rows = [_row(parse_table.states[state], ids, order, numbers) for state in order]
    for end in parse_table.end_states.values():
        rows[order[end]] = (ids["$END"], order[end])  # shifting the end accepts
    unique = list(dict.fromkeys(rows))
    places = {row: i for i, row in enumerate(unique)}
    offsets = array("I", [0])
    for row in unique:
        offsets.append(offsets[-1] + len(row))
    return Tables(
        symbols=symbols,
        terminal_count=len(terminal_names),
        literals={text: ids[name] for name, text in texts.items() if name in ids},
        starts={name: order[parse_table.start_states[name]] for name in STARTS},
        rule_lines=[_rule_line(rule, ids) for rule in ordered],
        states=array("H", [places[row] for row in rows]),
        offsets=offsets,
        rows=array("h", [cell for row in unique for cell in row]),
    )


def _number_states(parse_table: Any) -> dict[Any, int]:
    order: dict[Any, int] = {}
    waiting = [parse_table.start_states[name] for name in STARTS]
    while waiting:
        state = waiting.pop(0)
        if state in order:
            continue
        order[state] = len(order)
        row = parse_table.states[state]
        shifts = [(symbol, target) for symbol, (kind, target) in row.items() if _shifts(kind)]
        waiting += [target for _, target in sorted(shifts, key=lambda pair: pair[0])]
    return order


def _shifts(kind: Any) -> bool:
    return str(kind) == "Shift"


def _row(
    row: Any, ids: dict[str, int], order: dict[Any, int], numbers: dict[Any, int]
) -> tuple[int, ...]:
    cells = {
        ids[symbol]: order[target] if _shifts(kind) else ~numbers[target]
        for symbol, (kind, target) in row.items()
    }
    if len(set(cells.values())) == 1 and min(cells.values()) < 0:
        return (ANY, next(iter(cells.values())))
    return tuple(value for cell in sorted(cells.items()) for value in cell)


def _rule_line(rule: Any, ids: dict[str, int]) -> str:
    flags = "1" if rule.options.expand1 and not rule.alias else "0"
    name = rule.alias or rule.origin.name
    children, last = _children(rule)
    parts = (f"{i}:{inline:d}:{nones}" for i, inline, nones in children)
    size = len(rule.expansion)
    return " ".join([str(ids[rule.origin.name]), str(size), name, flags, str(last), *parts])


def _children(rule: Any) -> tuple[list[tuple[int, bool, int]], int]:
    """Which symbols leave a child, and where absent optional parts leave None (as Lark's
    parse_tree_builder has it)."""
    empty = rule.options.empty_indices or (False,) * len(rule.expansion)
    gaps = [len(ones) for ones in "".join("01"[e] for e in empty).split("0")]
    children, nones = [], 0
    for i, symbol in enumerate(rule.expansion):
        nones += gaps[i]
        if not (symbol.is_term and symbol.filter_out):
            inline = not symbol.is_term and symbol.name.startswith("_")
            children.append((i, inline, nones))
            nones = 0
    return children, nones + gaps[len(rule.expansion)]


def _figures() -> Iterator[str]:
    text = join_fragments()
    began = time.perf_counter()
    tables, conflicts = analyse(text)
    data = encode(digest_of(text), tables)
    made = time.perf_counter()
    decode(data)
    yield f"{len(tables.states)} states, {len(tables.offsets) - 1} rows, {len(data)} bytes"
    yield f"made in {made - began:.2f} s, loaded in {1000 * (time.perf_counter() - made):.1f} ms"
    yield f"{len(conflicts)} conflicts"
    yield from conflicts


if __name__ == "__main__":
    print("\n".join(_figures()), file=sys.stdout)

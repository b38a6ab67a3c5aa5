"""Text to statements: the tables' parser with HQL's builders, and what went wrong in words.

Every node has its place (`Span`); `Statement.span` cuts the statement's own text out of the text
that was parsed. Statements are frozen, so that batches are cached by text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache, lru_cache
from typing import Any

from hartonomous.grammar import driver, tables
from hartonomous.grammar.lexer import END, GO, LexicalFault, Token, tokenize
from hartonomous.hql import ast
from hartonomous.hql.ast import Span
from hartonomous.hql.errors import SyntaxFault
from hartonomous.hql.statements import STATEMENTS, Statement, parts
from hartonomous.hql.syntax import build_expressions, build_queries

#: characters of one text
TEXT_MAX = 4 << 20
#: texts whose statements are kept, and the length up to which they are
CACHED_MAX = 512
CACHED_TEXT_MAX = 16 << 10


def parse_batch(text: str) -> tuple[Statement, ...]:
    """The statements of one batch. Raises SyntaxFault, NotSupported."""
    if len(text) <= CACHED_TEXT_MAX:
        return _parse_cached(text)
    return _parse_batch(text)


def parse_script(text: str) -> tuple[tuple[Statement, ...], ...]:
    """The statements of each batch; a line that says GO ends one. Places are those of the whole
    text. All is parsed before anything is returned."""
    tokens = _tokenize(text)
    batches = []
    begin = 0
    for index, token in enumerate(tokens):
        if token.kind == GO or token.kind == END:
            end = Token(END, "", token.start, token.start)
            batches.append(_parse(text, [*tokens[begin:index], end], "batch"))
            begin = index + 1
    return tuple(batches)


def split_batches(text: str) -> Iterator[tuple[int, str]]:
    """Each batch with the number of its first line; a line that says GO ends one. What cannot be
    read stays in the last batch, and fails when that is parsed."""
    begin = 0
    for token in _tokens_up_to_fault(text):
        if token.kind == GO:
            yield text.count("\n", 0, begin) + 1, text[begin : token.start]
            begin = token.end
    yield text.count("\n", 0, begin) + 1, text[begin:]


def parse_query(text: str) -> ast.Query:
    """One query. Raises SyntaxFault, NotSupported."""
    query = _parse(text, _tokenize(text), "single_query")
    assert isinstance(query, ast.Query)
    return query


@lru_cache(CACHED_MAX)
def parse_expression(text: str) -> ast.Expression:
    """One expression or condition. Raises SyntaxFault."""
    expression = _parse(text, _tokenize(text), "single_condition")
    assert isinstance(expression, ast.Expression)
    return expression


@lru_cache(CACHED_MAX)
def _parse_cached(text: str) -> tuple[Statement, ...]:
    return _parse_batch(text)


def _parse_batch(text: str) -> tuple[Statement, ...]:
    batch = _parse(text, _tokenize(text), "batch")
    assert isinstance(batch, tuple)
    return batch


@cache
def get_parser() -> driver.Parser:
    """The parser, made once in a process."""
    return driver.Parser(tables.load(), Builders(), build_expressions.LEAVES)


class Builders(Mapping[str, driver.Builder]):
    """Rule -> its builder. A text of nothing but queries imports no other statement's module."""

    def __init__(self) -> None:
        self._known: dict[str, driver.Builder] = {
            **build_expressions.BUILDERS,
            **build_queries.BUILDERS,
            **parts.BUILDERS,
        }

    def __getitem__(self, rule: str) -> driver.Builder:
        if rule not in self._known:
            name = rule.removesuffix("_statement")
            if name in STATEMENTS:
                self._known[rule] = STATEMENTS[name].build
            else:  # a rule that only one statement uses; which one is not known before
                self._learn_all()
        return self._known[rule]

    def _learn_all(self) -> None:
        for name, statement in STATEMENTS.items():
            self._known[f"{name}_statement"] = statement.build
            self._known |= statement.rules

    def __iter__(self) -> Iterator[str]:
        self._learn_all()
        return iter(self._known)

    def __len__(self) -> int:
        self._learn_all()
        return len(self._known)


def _faults() -> Any:
    """The module that puts faults into words, imported when there is one."""
    from hartonomous.hql.syntax import faults as syntax_faults

    return syntax_faults


def _tokenize(text: str) -> list[Token]:
    if len(text) > TEXT_MAX:
        raise SyntaxFault(
            f"the text has {len(text):,} characters, {TEXT_MAX:,} can be read at once",
            hint="run it in parts; COPY loads many rows",
        )
    try:
        return tokenize(text)
    except LexicalFault as fault:
        raise _faults().describe_lexical(text, fault) from None


def _tokens_up_to_fault(text: str) -> list[Token]:
    tokens: list[Token] = []
    with suppress(LexicalFault):  # the batch it stands in raises it again
        tokenize(text, tokens)
    return tokens


def _parse(text: str, tokens: list[Token], start: str) -> Any:
    parser = get_parser()
    try:
        return parser.parse(tokens, start, _placer(text))
    except driver.Unexpected as fault:
        raise _faults().describe_unexpected(text, tokens, parser, start, fault) from None
    except driver.TooDeep as fault:
        raise _faults().describe_too_deep(text, fault.start) from None


def _placer(text: str) -> Callable[[int, int], Span]:
    """Offsets to Span."""
    if "\n" not in text:
        return lambda start, end: Span(1, start + 1, start, end)
    lines = [0]
    position = text.find("\n")
    while position >= 0:
        lines.append(position + 1)
        position = text.find("\n", position + 1)

    def place(start: int, end: int) -> Span:
        line = bisect_right(lines, start)
        return Span(line, start - lines[line - 1] + 1, start, end)

    return place

"""The parts of a text in colours: what is a keyword and what a name is told by the parser, so
`SELECT name FROM type` has two keywords.

No dependency on a terminal library: `spans` gives classes, `STYLE` their looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hartonomous.grammar.lexer import GO, QUOTED, WORD, LexicalFault, Token, tokenize
from hartonomous.grammar.words import RESERVED
from hartonomous.hql.shell.tracing import tracer

#: a longer text is coloured by its tokens alone, and one longer than that not at all
PARSED_MAX = 20_000
COLOURED_MAX = 50_000
#: characters that are no token, after which the text is read on
FAULTS_MAX = 20

#: class -> its look, in the notation of prompt_toolkit
STYLE = {
    "keyword": "bold ansiblue",
    "name": "",
    "function": "ansicyan",
    "string": "ansigreen",
    "number": "ansimagenta",
    "variable": "ansiyellow",
    "comment": "italic ansibrightblack",
    "operator": "",
    "fault": "ansired",
}

_KINDS = {
    "STRING": "string",
    "BINARY": "number",
    "INTEGER": "number",
    "DECIMAL": "number",
    "FLOAT": "number",
    "VECTOR": "number",
    "VARIABLE": "variable",
    "PARAMETER": "variable",
    "QUESTION": "variable",
    GO: "keyword",
    QUOTED: "name",
}


def spans(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, class) of the parts in their order; space between them has no class."""
    if len(text) > COLOURED_MAX:
        return
    tokens, faults = _read(text)
    classes = _classes(tokens, len(text) <= PARSED_MAX)
    parts = [(t.start, t.end, c) for t, c in zip(tokens, classes, strict=True)] + faults
    end = 0
    for start, stop, kind in sorted(parts):
        yield from _comments(text, end, start)
        yield start, stop, kind
        end = stop
    yield from _comments(text, end, len(text))


def _comments(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Between tokens there is only space and comments."""
    between = text[start:end]
    begun = start + len(between) - len(between.lstrip())
    if begun < end:
        yield begun, start + len(between.rstrip()), "comment"


def _read(text: str) -> tuple[list[Token], list[tuple[int, int, str]]]:
    """The tokens, and what is none: an open string to its end, other characters one by one."""
    tokens: list[Token] = []
    faults: list[tuple[int, int, str]] = []
    for _ in range(FAULTS_MAX):
        tokens.clear()
        try:
            tokenize(text, tokens)
        except LexicalFault as fault:
            start = fault.start
            if fault.is_unclosed:
                kind = "comment" if text.startswith("/*", start) else "string"
                faults.append((start, len(text), kind))
                return tokens, faults
            faults.append((start, start + 1, "fault"))
            text = f"{text[:start]} {text[start + 1 :]}"  # read on behind it
        else:
            tokens.pop()
            break
    return tokens, faults


def _classes(tokens: Sequence[Token], is_parsed: bool) -> list[str]:
    terminals: list[str | None] = []
    while is_parsed and len(terminals) < len(tokens):
        trace = tracer().trace(tokens[len(terminals) :])
        terminals += trace.terminals()
        # after an error, from the next statement on
        while len(terminals) < len(tokens):
            terminals.append(None)
            if tokens[len(terminals) - 1].kind in (";", GO):
                break
    terminals += [None] * (len(tokens) - len(terminals))
    following = [*tokens[1:], None]
    return [
        _class(token, terminal, after)
        for token, terminal, after in zip(tokens, terminals, following, strict=False)
    ]


def _class(token: Token, terminal: str | None, after: Token | None) -> str:
    if token.kind != WORD:
        return _KINDS.get(token.kind, "operator")
    if terminal is not None and terminal != "NAME":
        return "keyword"
    if terminal is None and token.upper in RESERVED:
        return "keyword"
    is_called = after is not None and after.kind == "(" and after.start == token.end
    return "function" if is_called else "name"

"""What to say about a text that does not parse: the line, a caret, what could stand there instead,
and the keyword that a misspelt word is nearest to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from hartonomous.grammar.driver import DEPTH_MAX, Parser, Unexpected
from hartonomous.grammar.later import WAYS_AROUND, find_later
from hartonomous.grammar.lexer import END, GO, QUOTED, WORD, LexicalFault, Token
from hartonomous.grammar.words import LATER_WORDS, RESERVED
from hartonomous.hql.errors import NotSupported, SyntaxFault
from hartonomous.hql.text_width import width

#: characters of a line that are shown around the caret
SHOWN_MAX = 80
#: keywords that are listed as what could stand at a place
LISTED_MAX = 8

#: tokens before a fault up to which the text is parsed again to find out what was meant
PARSED_AGAIN_MAX = 10_000

_MARKS = {
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "EQUAL": "=",
    "DOT": ".",
    "SEMICOLON": ";",
    "STAR": "*",
    "PLUS": "+",
    "MINUS": "-",
}
#: groups: what they are called; the terminals that must all be possible; what they stand for
_GROUPS = (
    (
        "an expression",
        {"NAME", "INTEGER", "STRING", "VARIABLE"},
        {
            *("BINARY", "CASE", "DECIMAL", "EXISTS", "FLOAT", "LEFT", "LPAR", "MINUS", "NOT"),
            *("NULL", "PARAMETER", "PLUS", "QUESTION", "RIGHT", "TILDE", "VECTOR", "_CAST__LPAR"),
            *("_CONVERT__LPAR", "_TRY_CAST__LPAR", "_TRY_CONVERT__LPAR"),
        },
    ),
    (
        "a constant",
        {"INTEGER", "STRING", "NULL"},
        {"BINARY", "DECIMAL", "FLOAT", "MINUS", "PARAMETER", "PLUS", "QUESTION", "VECTOR"},
    ),
    (
        "an operator",
        {"PLUS", "MINUS", "SUMMING"},
        {
            *("AND", "BETWEEN", "COLLATE", "COMPARISON", "DOT", "EQUAL", "IN", "IS", "LIKE", "OR"),
            *("SCALING", "STAR", "_AT__TIME__ZONE", "_NOT__BETWEEN", "_NOT__IN", "_NOT__LIKE"),
            "__ANON_0",
        },
    ),
)
_SINGLE = {
    "NAME": "a name",
    "INTEGER": "a whole number",
    "STRING": "a string",
    "VARIABLE": "a variable",
    "PARAMETER": "a parameter",
    "QUESTION": "a parameter",
    "ASSIGN": "an assignment such as +=",
    "LEFT": "a function",
    "RIGHT": "a function",
}
#: the order in which keywords are listed; the others come after them
_LIKELY = (
    *("END", "AS", "FROM", "JOIN", "ON", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION"),
    *("SET", "VALUES", "SELECT", "TABLE", "THEN", "ELSE"),
)


# --- faults --------------------------------------------------------------------------------------


def describe_lexical(text: str, fault: LexicalFault) -> SyntaxFault:
    """Characters that are no token."""
    return _fault(text, fault.start, fault.message, fault.hint)


def describe_too_deep(text: str, start: int) -> SyntaxFault:
    """Nesting beyond DEPTH_MAX."""
    message = f"this nests too deep: more than {DEPTH_MAX} levels"
    return _fault(text, start, message, "use IN for long chains of OR, or WITH for subqueries")


def describe_unexpected(
    text: str, tokens: Sequence[Token], parser: Parser, start: str, fault: Unexpected
) -> SyntaxFault | NotSupported:
    """A token that cannot stand where it stands."""
    later = find_later(tokens, fault.index)
    if later is not None:
        name, index = later
        line, column = place_of(text, tokens[index].start)
        hint = WAYS_AROUND.get(name)
        return NotSupported(f"not supported yet: {name}", line=line, column=column, hint=hint)
    token = tokens[fault.index]
    states, hint = fault.states, None
    if fault.index <= PARSED_AGAIN_MAX:
        states = parser.states_before(tokens, start, fault.index)
        hint = _hint(tokens, parser, start, fault.index)
    if tokens[0].upper == "HELP":
        hint = "a topic of several words or a keyword stands in quotes: HELP 'create table'"
    expected = _expected(parser, parser.acceptable(states), is_first=fault.index == 0)
    message = f"{_called(text, token)}: expected {expected}"
    return _fault(text, token.start, message, hint)


def _called(text: str, token: Token) -> str:
    if token.kind == END:
        return "the text ends too early"
    if token.kind == GO:
        return "GO ends a batch, and this is one"
    written = text[token.start : token.end]
    return f'"{written if len(written) <= 40 else written[:37] + "…"}" cannot stand here'


def _fault(text: str, start: int, message: str, hint: str | None) -> SyntaxFault:
    line, column = place_of(text, start)
    shown = show_line(text, start)
    return SyntaxFault(f"{message}\n{shown}", line=line, column=column, hint=hint)


def place_of(text: str, start: int) -> tuple[int, int]:
    """1-based line and column of an offset."""
    return text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)


def show_line(text: str, start: int) -> str:
    """The line that holds the offset, cut around it, and a caret below."""
    begin = text.rfind("\n", 0, start) + 1
    end = text.find("\n", start)
    line = text[begin : end if end >= 0 else len(text)].replace("\t", " ").rstrip("\r")
    column = start - begin
    before = after = ""
    if len(line) > SHOWN_MAX:
        first = max(0, min(column - SHOWN_MAX // 2, len(line) - SHOWN_MAX))
        before = "…" if first else ""
        after = "…" if first + SHOWN_MAX < len(line) else ""
        line, column = line[first : first + SHOWN_MAX], column - first
    return f"  {before}{line}{after}\n  {' ' * width(before + line[:column])}^"


# --- what could stand there ----------------------------------------------------------------------


def _expected(parser: Parser, terminals: set[str], is_first: bool) -> str:
    """Terminals in words: groups first, then keywords."""
    names: list[str] = []
    rest = set(terminals)
    for name, marks_of_it, others in _GROUPS:
        if rest >= marks_of_it:
            names.append(name)
            rest -= marks_of_it | others
    if "PRINT" in rest:
        names.append("a statement" if is_first else "a new statement")
        rest = {t for t in rest if not _begins_statement(parser, t)}
    marks = sorted(rest & _MARKS.keys())
    names += sorted({_SINGLE[t] for t in rest & _SINGLE.keys()})
    words = {_spelled(t) for t in rest - _MARKS.keys() - _SINGLE.keys() - {"$END", "COMPARISON"}}
    listed = [w for w in _LIKELY if w in words]
    listed += sorted(words - set(listed))
    if len(listed) > LISTED_MAX:
        return ", ".join([*names, *listed[:LISTED_MAX], "…"])
    names += [*listed, *(f'"{_MARKS[m]}"' for m in marks)]
    if "$END" in rest and not is_first:
        names.append("the end")
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)


def _begins_statement(parser: Parser, terminal: str) -> bool:
    begin = [parser.tables.starts["batch"]]
    return terminal != "SEMICOLON" and parser.accepts(begin, parser.tables.ids[terminal])


def _spelled(terminal: str) -> str:
    """A keyword or compound terminal as it is written."""
    words = terminal.strip("_").split("__")
    return " ".join("(" if word == "LPAR" else word for word in words).replace(" (", "(")


# --- the nearest keyword -------------------------------------------------------------------------


def _hint(tokens: Sequence[Token], parser: Parser, start: str, index: int) -> str | None:
    """A keyword that the word at the error, or the one before it, may be meant to be: the text
    must parse further with it."""
    for i in range(index, max(-1, index - 3), -1):
        token = tokens[i]
        if token.kind == WORD and token.upper not in RESERVED:
            near = _nearest(tokens, parser, start, i, index)
            if near:
                return f"did you mean {near}?"
    token = tokens[index]
    is_first = index == 0 or tokens[index - 1].kind == ";"
    if token.kind in (WORD, QUOTED) and is_first:
        call = Token(WORD, "EXEC", token.start, token.start, "EXEC")
        if token.upper not in RESERVED and _reaches_further(tokens, parser, start, index, call):
            return f"a procedure is called by EXEC {text_of(token)} …"
    if token.upper == "FETCH":
        return "FETCH cursor, FETCH NEXT FROM cursor, FETCH ABSOLUTE 5 FROM cursor"
    if token.kind == GO:
        return "run the batches one by one, or the text as a script"
    if token.kind == "::" or (index > 1 and tokens[index - 2].kind == "::"):
        return "type::Method(…) calls a method; CAST(x AS type) converts"
    if index and tokens[index - 1].kind == ",":
        without = [*tokens[: index - 1], *tokens[index:]]
        if parser.reach(without, start) > index:
            return f'there is a "," too many before {token.value or "the end"}'
    if _reaches_further(tokens, parser, start, index, Token(";", ";", 0, 0)):
        return f'";" is missing before {token.value}'
    is_operator = token.kind in ("=", "COMPARISON") or token.upper in _PREDICATE_WORDS
    if is_operator and "SUMMING" in parser.acceptable(parser.states_before(tokens, start, index)):
        return "a comparison as a value stands in parentheses"
    if token.upper in LATER_WORDS:
        return f"{token.upper} can begin a statement; as a name without AS it is quoted"
    quoted = Token(QUOTED, token.value, token.start, token.end)
    if token.upper in RESERVED:
        fixed = [*tokens[:index], quoted, *tokens[index + 1 :]]
        if parser.reach(fixed, start) == len(tokens):
            return f'{token.upper} is a reserved word; as a name it is quoted: "{token.value}"'
    return None


def text_of(token: Token) -> str:
    """A name as it may be written."""
    return f'"{token.value}"' if token.kind == QUOTED else str(token.value)


_PREDICATE_WORDS = {"AND", "BETWEEN", "IN", "IS", "LIKE", "NOT", "OR"}


def _reaches_further(
    tokens: Sequence[Token], parser: Parser, start: str, index: int, extra: Token
) -> bool:
    """Whether the token at `index` can be parsed once `extra` stands before it."""
    return parser.reach([*tokens[:index], extra, *tokens[index:]], start) > index + 1


def _nearest(
    tokens: Sequence[Token], parser: Parser, start: str, place: int, failed: int
) -> str | None:
    states = parser.states_before(tokens, start, place)
    words = _words(parser, states)
    for word in difflib.get_close_matches(tokens[place].upper, words, 3, 0.7):
        token = tokens[place]
        fixed = Token(WORD, word, token.start, token.end, word)
        reached = parser.reach([*tokens[:place], fixed, *tokens[place + 1 :]], start)
        if reached > failed:
            return word
    return None


def _words(parser: Parser, states: list[int]) -> Iterable[str]:
    """First words of all keyword terminals that could stand after `states`."""
    found = {t.strip("_").split("__")[0] for t in parser.acceptable(states)}
    known = parser.keywords.keys() | parser.compounds.keys()
    return sorted(found & known)

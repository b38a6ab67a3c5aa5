"""Place: one place in a text that is being written, and what fits there.

The grammar's tables say which keywords may follow, and what a name there would be (`Trace`,
`roles`); the text says which relations it can speak of (completion_scope.py), the session what
there is (completion_names.py). So only what fits is offered, and a keyword as far as nothing else
can follow it: GROUP BY, PRIMARY KEY.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from hartonomous.grammar.lexer import GO, QUOTED, WORD, LexicalFault, Token, tokenize
from hartonomous.grammar.trace import Trace
from hartonomous.grammar.words import RESERVED, STATEMENT_WORDS
from hartonomous.hql.shell import completion_names as known
from hartonomous.hql.shell.completion_names import Name, NamesInterface
from hartonomous.hql.shell.completion_scope import Reach, find_reach
from hartonomous.hql.shell.tracing import tracer

#: a text longer than this is completed by what stands around the place only
TEXT_MAX = 50_000
#: where a keyword's candidate stands: names that fit exactly come first, other names after it
_KEYWORD_ORDER = 3

#: kinds of tokens that nothing completes
_WHOLE = ("STRING", "INTEGER", "DECIMAL", "FLOAT", "BINARY", "VECTOR", QUOTED)

#: keywords in the order in which they are offered where nothing is written yet; others follow
_LIKELY = (
    *("SELECT", "FROM", "WHERE", "JOIN", "ON", "GROUP BY", "ORDER BY", "HAVING", "AS", "LIMIT"),
    *("AND", "OR", "SET", "VALUES", "INTO", "INSERT", "UPDATE", "DELETE FROM", "CREATE", "WITH"),
)


class Place:
    """One place in one text: what is written before it, and what fits there."""

    def __init__(self, text: str, cursor: int, names: NamesInterface) -> None:
        self.names = names
        if len(text) > TEXT_MAX:
            text, cursor = text[max(0, cursor - TEXT_MAX // 2) : cursor], min(cursor, TEXT_MAX // 2)
        self.text, self.cursor = text, cursor
        self.prefix, self.start = "", cursor
        self.quote = ""  # what opens a string or a quoted name that the place is in
        self.is_nowhere = False  # in a comment, behind a constant
        self.before = self._read(text[:cursor])

    def _read(self, text: str) -> list[Token]:
        """The tokens before the place, without what is written there."""
        tokens: list[Token] = []
        try:
            tokenize(text, tokens)
        except LexicalFault as fault:
            self._take_fault(text, fault)
        else:
            tokens.pop()
            end = tokens[-1].end if tokens else 0
            self.is_nowhere = "--" in text[end:].rpartition("\n")[2]
            if tokens and tokens[-1].end == len(text) and tokens[-1].kind in _WHOLE:
                self.is_nowhere = True
            if tokens and tokens[-1].end == len(text) and tokens[-1].kind in (WORD, GO, "VARIABLE"):
                last = tokens.pop()
                self.prefix, self.start = text[last.start :], last.start
        while any(t.kind == GO for t in tokens):
            tokens.pop(0)
        return tokens

    def _take_fault(self, text: str, fault: LexicalFault) -> None:
        """What is written is half of a token."""
        begun = text[fault.start :]
        self.start = fault.start
        if begun[0] in "@#":
            self.prefix = begun
            self.is_nowhere = len(begun) > 1
        elif fault.is_unclosed and not begun.startswith("/*"):
            self.quote = "'" if begun[0] in "Nn" else begun[0]
            self.start += begun.index(self.quote) + 1
            self.prefix = text[self.start :]
        else:
            self.is_nowhere = True

    # --- what the grammar says -------------------------------------------------------------------

    @cached_property
    def trace(self) -> Trace:
        """The tokens before the place as the parser sees them; from behind the last `;` if there
        is an error before that."""
        trace = tracer().trace(self.before)
        if trace.index < len(self.before):
            ends = [i for i, t in enumerate(self.before) if t.kind == ";"]
            if ends and ends[-1] >= trace.index:
                self.before = self.before[ends[-1] + 1 :]
                trace = tracer().trace(self.before)
        return trace

    @property
    def words(self) -> list[str]:
        """Words and marks before the place, in upper case."""
        return [token.upper or token.kind for token in self.before]

    def _keywords(self) -> Iterator[str]:
        """Keywords that may follow, each as far as nothing else can follow it."""
        trace = self.trace
        if trace.index == len(self.before):
            parser = tracer().parser
            for terminal in parser.acceptable(trace.states):
                text = _spelled(terminal)
                if text in parser.keywords:
                    yield text + self._forced(terminal)
                elif " " in text or (text[-1] == "(" and len(text) > 1):
                    yield text
        if self.before:  # it may be in the middle of a terminal of several words
            shorter = tracer().trace(self.before[:-1])
            last = self.before[-1].upper + " "
            if shorter.index == len(self.before) - 1 and last != " ":
                for terminal in tracer().parser.acceptable(shorter.states):
                    if (text := _spelled(terminal)).startswith(last):
                        yield text.removeprefix(last)

    def _forced(self, terminal: str) -> str:
        """The keywords that must come after `terminal`."""
        said = ""
        states = tracer().after(self.trace.states, terminal)
        while states is not None and len(said) < 40:
            following = tracer().parser.acceptable(states)
            only = following.pop() if len(following) == 1 else ""
            if only not in tracer().parser.keywords:
                break
            said += f" {only}"
            states = tracer().after(states, only)
        return said

    # --- what is offered -------------------------------------------------------------------------

    def offers(self) -> Iterator[Name]:
        """Everything that fits the place, whatever is written there yet."""
        if self.quote == "'":
            yield from self._in_string()
            return
        if self.quote and self.quote not in '"[':
            return
        if self.quote:
            yield from (_quoted(n, self.quote) for n in self._names() if n.text[-1] not in "()")
            return
        if self.prefix.startswith("@"):
            yield from self._variables()
            return
        trace = self.trace
        if trace.index == len(self.before):
            yield from self._names()
        if self.words[-1:] not in (["."], ["::"]):
            yield from self._said_keywords()

    def _said_keywords(self) -> Iterator[Name]:
        likely = {word: i for i, word in enumerate(_LIKELY)}
        words = sorted(self._keywords(), key=lambda w: (likely.get(w, len(likely)), w))
        sample = self.prefix or next(
            (self.text[t.start : t.end] for t in reversed(self.before) if t.upper in RESERVED), "A"
        )
        for word in words:
            yield Name(word.lower() if sample.islower() else word, "keyword", _KEYWORD_ORDER)

    def _names(self) -> Iterator[Name]:
        """Names that fit, by the rules that would take them."""
        words = self.words
        if words[-1:] == ["::"]:
            yield from known.statics(words[-2] if len(words) > 1 else "")
            return
        roles = tracer().roles(self.trace.states)
        if words[-1:] == ["."]:
            yield from self._qualified(roles)
            return
        for role in sorted(roles):
            yield from self._in_role(role)
        if roles == {"name"}:
            yield from self._by_words(words)

    def _in_role(self, role: str) -> Iterator[Name]:
        names = self.names
        match role:
            case "column":
                yield from self._expressions()
            case "table":
                yield from (Name(name, "common table", 0) for name, _ in self.reach.common)
                yield from names.relations()
                yield from names.schemas()
                yield from (Name(n.text, n.what, 2) for n in known.table_functions())
                yield from names.entries("routine")
            case "type":
                yield from known.types()
            case (
                "copy_source"
                | "delete_statement"
                | "drop_table_statement"
                | "references"
                | "truncate_table_statement"
                | "update_statistics_statement"
            ):
                yield from names.entries("table")
            case "drop_view_statement":
                yield from names.entries("view")
            case "drop_procedure_statement" | "drop_function_statement" | "execute_statement":
                yield from names.entries("routine")
            case "drop_model_statement":
                yield from names.entries("model")
            case "drop_schema_statement":
                yield from names.entries("schema")
            case "drop_space_statement" | "ingest_space":
                yield from names.entries("space")
            case "drop_index_statement":
                is_table = self.words[-1:] == ["ON"]
                yield from names.entries("table") if is_table else names.indexes()
            case "alter_drop_column":
                yield from self._columns()
            case "alter_drop_constraint":
                for relation in self.reach.relations:
                    yield from names.constraints(relation.source)
            case "__names_star_0":
                yield from self._columns()
            case "create_index_statement" if self.words[-1:] == ["USING"]:
                yield from _access_methods()
            case (
                "open_cursor_statement"
                | "close_cursor_statement"
                | "deallocate_statement"
                | "fetch_statement"
            ):
                yield from self._cursors()
            case "hint":
                yield from _hints()
            case "collate":
                yield from (Name(n, "collation") for n in ("NOCASE", "BINARY"))

    def _by_words(self, words: Sequence[str]) -> Iterator[Name]:
        """Where a name finishes no rule: by the words before it."""
        last, before = ([""] * 2 + list(words))[-1], ([""] * 2 + list(words))[-2]
        is_index = last == "ON" and "INDEX" in words[-5:]
        if (
            last in ("INTO", "UPDATE", "MERGE", "INSERT")
            or is_index
            or (last, before)
            == (
                "TABLE",
                "ALTER",
            )
        ):
            yield from self.names.entries("table")
        elif last == "SET" and next(
            (w for w in reversed(words[:-1]) if w in STATEMENT_WORDS), ""
        ) in ("UPDATE", "MERGE"):
            yield from self._columns()
        elif last in (",", "(", "COLUMN"):
            if self.reach.relations and not _defines(words):
                yield from self._columns()
        elif last == "MODEL" and before in ("EXPORT", "DROP", "FROM"):
            yield from self.names.entries("model")
        elif before == "ALTER" and last in ("PROCEDURE", "PROC", "FUNCTION"):
            yield from self.names.entries("routine")
        elif before == "ALTER" and last == "VIEW":
            yield from self.names.entries("view")

    # --- expressions -----------------------------------------------------------------------------

    @cached_property
    def reach(self) -> Reach:
        """What the place can speak of, by the text on both sides of it."""
        after: list[Token] = []
        rest = self.text[self.cursor :].lstrip("_$#@") if self.prefix else self.text[self.cursor :]
        skipped = len(self.text) - len(rest)
        try:
            tokenize(" " * skipped + rest, after)
            after.pop()
        except LexicalFault:
            pass  # what came before the fault is in the list
        return find_reach(self.text, [*self.before, *after], self.cursor)

    def _expressions(self) -> Iterator[Name]:
        relations = self.reach.relations
        yield from self._columns()
        yield from (Name(r.alias, "alias", 1) for r in relations if r.alias[:1] != "@")
        if not relations and self.prefix:
            yield from self.names.all_columns()
        yield from (Name(n.text, n.what, 2) for n in known.functions())
        yield from (Name(n.text, n.what, 2) for n in self.names.entries("routine"))

    def _columns(self) -> Iterator[Name]:
        for relation in self.reach.relations:
            yield from self.names.columns(relation, self.reach)

    def _qualified(self, roles: set[str]) -> Iterator[Name]:
        """Behind `name.`: columns of an alias, members of a schema, methods of a value."""
        owner = self.before[-2] if len(self.before) > 1 else None
        if owner is None or owner.kind not in (WORD, QUOTED):
            yield from known.methods()  # of a call or a parenthesis
            return
        name = str(owner.value).casefold()
        relation = next((r for r in self.reach.relations if r.alias.casefold() == name), None)
        if relation is not None and "table" not in roles:
            yield from self.names.columns(relation, self.reach)
            return
        if {"column", "function_name"} & roles and "table" not in roles:
            is_column = any(
                c.what == "GEOMETRY" and c.text.strip('"').casefold() == name
                for c in self._columns()
            )
            yield from known.methods() if is_column else ()
        else:
            yield from self.names.relations(str(owner.value))
        yield from self.names.entries("routine", schema=str(owner.value))

    def _variables(self) -> Iterator[Name]:
        """Variables of the session and of this text, and parameters of the function around."""
        called = self._called()
        if called is not None:
            yield from (Name(f"@{p} = ", "argument") for p in known.parameters_of(called[0]))
        seen = {t.value: None for t in self.before if t.kind == "VARIABLE"}
        yield from (Name(f"@{name}", "variable", 1) for name in seen if not name.startswith("@"))
        yield from self.names.variables()

    def _called(self) -> tuple[str, int] | None:
        """The function whose arguments the place is among, and the number of the argument."""
        depth = commas = 0
        for i in range(len(self.before) - 1, 0, -1):
            kind = self.before[i].kind
            if kind == ")":
                depth += 1
            elif kind == "(" and depth:
                depth -= 1
            elif kind == "(":
                name = self.before[i - 1]
                return (name.value, commas) if name.kind == WORD else None
            elif kind == "," and not depth:
                commas += 1
        return None

    def _cursors(self) -> Iterator[Name]:
        for at, token in enumerate(self.before[1:], 1):
            if token.upper == "CURSOR" and self.before[at - 1].kind in (WORD, QUOTED):
                yield Name(self.before[at - 1].value, "cursor")

    # --- strings ---------------------------------------------------------------------------------

    def _in_string(self) -> Iterator[Name]:
        """Files where a statement reads or writes one, models and spaces where a function takes
        one."""
        called = self._called()
        if self.words[-1:] in (["FROM"], ["TO"], ["INGEST"]):
            files = known.files(self.prefix.replace("''", "'"))
            yield from (Name(n.text.replace("'", "''"), n.what, n.order) for n in files)
        elif called is not None:
            parameters = known.parameters_of(called[0])
            parameter = parameters[called[1]] if called[1] < len(parameters) else ""
            if parameter in ("model", "space"):
                yield from self.names.entries(parameter)


def _spelled(terminal: str) -> str:
    """A keyword, or several that are one terminal, as they are written."""
    words = terminal.strip("_").split("__")
    return " ".join("(" if word == "LPAR" else word for word in words).replace(" (", "(")


def _quoted(name: Name, quote: str) -> Name:
    """A name for behind an opening quote, with the closing one."""
    bare = name.text[1:-1].replace('""', '"') if name.text.startswith('"') else name.text
    closed = bare.replace('"', '""') + '"' if quote == '"' else bare.replace("]", "]]") + "]"
    return Name(closed, name.what, name.order)


def _defines(words: Sequence[str]) -> bool:
    """Whether the list that the place is in is one of definitions: CREATE TABLE t (…."""
    verbs = [i for i, word in enumerate(words) if word in ("CREATE", "DECLARE", "OPTION")]
    others = [i for i, word in enumerate(words) if word in ("SELECT", "INSERT", "UPDATE")]
    return bool(verbs) and (not others or verbs[-1] > others[-1])


def _access_methods() -> Iterable[Name]:
    from hartonomous.storage.access import METHODS

    return [Name(name, "access method") for name in (*METHODS, "HASH")]


def _hints() -> Iterable[Name]:
    from hartonomous.hql.bind.options import HINTS

    return [Name(hint, "hint") for hint in HINTS]

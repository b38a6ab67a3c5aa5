"""Which relations a place in an unfinished text can speak of: tables, views, functions, derived and
common tables in FROM, INTO, UPDATE … of the query around the place, and of the queries around that.

Read from the tokens alone, since a text that is being written rarely parses: parentheses make a
tree of groups, and in each group that holds the place the clauses between the neighbouring
beginnings of statements are looked through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hartonomous.grammar.lexer import GO, QUOTED, WORD, Token
from hartonomous.grammar.words import RESERVED, STATEMENT_WORDS
from hartonomous.hql.frozen import frozen

#: words that begin a query or a change, and so end the one before
_BEGINNINGS = (STATEMENT_WORDS - {"FETCH", "SET", "VALUES", "WITH", "IF", "EXPLAIN"}) | {
    *("UNION", "EXCEPT", "INTERSECT"),
}
#: what such a word follows where it begins nothing: MERGE's branches, reference actions
_NO_BEGINNING_AFTER = {"THEN", "ON", "FOR"}
#: what follows such a word where it begins nothing: ALTER TABLE's parts
_NO_BEGINNING_BEFORE = {"COLUMN", "CONSTRAINT"}
#: words that a relation follows, and those that end a list of them
_BEFORE_RELATION = {
    *("FROM", "JOIN", "APPLY", "INTO", "INSERT", "UPDATE", "DELETE", "MERGE", "USING", "TABLE"),
    "COPY",
}
_AFTER_FROM = {
    *("WHERE", "GROUP", "ORDER", "HAVING", "SET", "OPTION", "LIMIT", "OFFSET", "FOR", "WHEN"),
}
_QUERY_BEGINS = {"SELECT", "WITH", "VALUES"}


@frozen
class Relation:
    """`alias` stands before a dot; `source` is its text in FROM; `columns` are names that an alias
    gives. `function` is the name of the function that makes the rows, or ""."""

    alias: str
    source: str
    columns: str = ""
    function: str = ""


@frozen
class Reach:
    """What a place can speak of: relations, the nearest first, and the texts of the common tables
    (`name AS (…)`) by name."""

    relations: tuple[Relation, ...]
    common: tuple[tuple[str, str], ...]


class Group:
    """What stands in a pair of parentheses, or the whole text: tokens and groups."""

    def __init__(self, start: int) -> None:
        self.start, self.end = start, -1
        self.items: list[Token | Group] = []


def find_reach(text: str, tokens: Sequence[Token], cursor: int) -> Reach:
    """What can be spoken of at offset `cursor`; `tokens` are those around it, without the word that
    stands there."""
    relations: list[Relation] = []
    common: dict[str, str] = {}
    for group, place in reversed(_path(_root(tokens, len(text)), cursor)):
        begin, end = _segment(group.items, place)
        relations += Scan(text, group.items[begin:end]).relations()
        for name, definition in _common_tables(text, group.items, place):
            common.setdefault(name, definition)
    by_alias: dict[str, Relation] = {}
    for relation in relations:
        by_alias.setdefault(relation.alias.casefold(), relation)
    return Reach(tuple(by_alias.values()), tuple(common.items()))


def _root(tokens: Sequence[Token], end: int) -> Group:
    open_groups = [Group(-1)]
    for token in tokens:
        if token.kind == "(":
            group = Group(token.start)
            open_groups[-1].items.append(group)
            open_groups.append(group)
        elif token.kind == ")" and len(open_groups) > 1:
            open_groups.pop().end = token.end
        else:
            open_groups[-1].items.append(token)
    for group in open_groups:
        group.end = end + 1
    return open_groups[0]


def _path(root: Group, cursor: int) -> list[tuple[Group, int]]:
    """The groups around the cursor, the outermost first, each with the number of the item that the
    cursor stands in or before."""
    path = []
    group: Group | None = root
    while group is not None:
        items = group.items
        place = next((i for i, x in enumerate(items) if _end(x) > cursor), len(items))
        path.append((group, place))
        inner = items[place] if place < len(items) else None
        group = inner if isinstance(inner, Group) and inner.start < cursor else None
    return path


def _end(item: Token | Group) -> int:
    """Where an item ends; a cursor right behind a parenthesis is outside of it."""
    return item.end if isinstance(item, Group) else max(item.end, item.start + 1)


def _upper(items: Sequence[Token | Group], index: int) -> str:
    """The word at `index` in upper case, else ""."""
    if not 0 <= index < len(items):
        return ""
    item = items[index]
    return item.upper if isinstance(item, Token) and item.kind == WORD else ""


def _mark(items: Sequence[Token | Group], index: int) -> str:
    """The kind of the token at `index`, "(" for a group, "" beyond the end."""
    if not 0 <= index < len(items):
        return ""
    item = items[index]
    return item.kind if isinstance(item, Token) else "("


def _is_beginning(items: Sequence[Token | Group], index: int) -> bool:
    if _mark(items, index) in (";", GO):
        return True
    return (
        _upper(items, index) in _BEGINNINGS
        and _upper(items, index - 1) not in _NO_BEGINNING_AFTER
        and _upper(items, index + 1) not in _NO_BEGINNING_BEFORE
    )


def _segment(items: Sequence[Token | Group], place: int) -> tuple[int, int]:
    """The items of the query or change around `place`."""
    begin = next((i for i in range(place - 1, -1, -1) if _is_beginning(items, i)), 0)
    end = next((i for i in range(place, len(items)) if _is_beginning(items, i)), len(items))
    return begin, end


def _common_tables(
    text: str, items: Sequence[Token | Group], place: int
) -> Iterator[tuple[str, str]]:
    """The common tables defined before `place`, by the last WITH that defines any."""
    for begin in range(place - 1, -1, -1):
        if _mark(items, begin) in (";", GO):
            return
        found = list(_definitions(text, items, begin + 1)) if _upper(items, begin) == "WITH" else []
        if found:
            yield from (pair for pair, index in found if index < place)
            return


def _definitions(
    text: str, items: Sequence[Token | Group], index: int
) -> Iterator[tuple[tuple[str, str], int]]:
    """`name [(…)] AS (…)`, separated by commas, from `index` on, with the number of the body."""
    if _upper(items, index) == "RECURSIVE":
        index += 1
    while _mark(items, index) in (WORD, QUOTED):
        name = items[index]
        assert isinstance(name, Token)
        index += 1 + (_mark(items, index + 1) == "(")
        if _upper(items, index) != "AS" or _mark(items, index + 1) != "(":
            return
        body = items[index + 1]
        yield (name.value, text[name.start : body.end]), index + 1
        if _mark(items, index + 2) != ",":
            return
        index += 3


class Scan:
    """Finds the relations among the items of one query or change."""

    def __init__(self, text: str, items: Sequence[Token | Group]) -> None:
        self.text, self.items = text, items
        self.index = 0
        self.after = ""  # the word before the relation that is read

    def relations(self, *, in_from: bool = False) -> list[Relation]:
        """In their order. `in_from`: the items are inside a FROM already."""
        found: list[Relation] = []
        if in_from:
            found += self._relation()
        while self.index < len(self.items):
            word, mark = _upper(self.items, self.index), _mark(self.items, self.index)
            before = _upper(self.items, self.index - 1)
            self.index += 1
            if word in _AFTER_FROM:
                in_from = False
            is_index = word == "ON" and any(
                _upper(self.items, i) == "INDEX" for i in range(self.index - 4, self.index)
            )
            if word == "FROM":
                if before == "DISTINCT" and self.index > 3:  # IS DISTINCT FROM
                    continue
                in_from = True
            if word in _BEFORE_RELATION or is_index or (mark == "," and in_from):
                self.after = word
                found += self._relation()
        return found

    def _relation(self) -> list[Relation]:
        """What stands at the index, which moves behind it."""
        mark = _mark(self.items, self.index)
        if mark == "(":
            group = self.items[self.index]
            assert isinstance(group, Group)
            self.index += 1
            if not _is_query(group):
                return Scan(self.text, group.items).relations(in_from=True)
            return self._aliased("", self.text[group.start : group.end])
        if mark == "VARIABLE":
            token = self.items[self.index]
            self.index += 1
            source = self.text[token.start : token.end]
            return self._aliased(source, source)
        return self._named()

    def _named(self) -> list[Relation]:
        """A table or view by its name, or a function's call."""
        if not self._at_name():
            return []
        begin = self.items[self.index].start
        while True:
            name = self.items[self.index]
            assert isinstance(name, Token)
            self.index += 1
            if _mark(self.items, self.index) != ".":
                break
            self.index += 1
            if not self._at_name():
                return []
        end, function = name.end, ""
        if _mark(self.items, self.index) == "(" and self.after in ("FROM", "JOIN", "APPLY", ""):
            function, end = name.value, self.items[self.index].end
            self.index += 1
            has_schema = _upper(self.items, self.index) == "WITH"
            if has_schema and _mark(self.items, self.index + 1) == "(":
                end = self.items[self.index + 1].end
                self.index += 2
        self._skip_time()
        return self._aliased(name.value, self.text[begin:end], function)

    def _skip_time(self) -> None:
        """FOR SYSTEM_TIME AS OF [COMMIT | BRANCH] value."""
        if _upper(self.items, self.index + 1) == "SYSTEM_TIME":
            self.index += 4
            if _upper(self.items, self.index) in ("COMMIT", "BRANCH"):
                self.index += 1
            self.index += 1

    def _aliased(self, name: str, source: str, function: str = "") -> list[Relation]:
        """The relation under its alias, with the names that the alias gives to columns."""
        has_as = _upper(self.items, self.index) == "AS"
        self.index += has_as
        columns = ""
        if self._at_name():
            token = self.items[self.index]
            assert isinstance(token, Token)
            name = token.value
            self.index += 1
            if _mark(self.items, self.index) == "(":
                group = self.items[self.index]
                columns = self.text[group.start : group.end]
                self.index += 1
        return [Relation(name, source, columns, function)]

    def _at_name(self) -> bool:
        mark = _mark(self.items, self.index)
        return mark == QUOTED or (mark == WORD and _upper(self.items, self.index) not in RESERVED)


def _is_query(group: Group) -> bool:
    """Whether a group is a query rather than a join in parentheses."""
    first: Token | Group | None = group
    while isinstance(first, Group):
        first = first.items[0] if first.items else None
    return first is not None and first.upper in _QUERY_BEGINS

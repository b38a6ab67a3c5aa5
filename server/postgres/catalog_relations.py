"""The relations of PostgreSQL's catalog with their columns, as relations.txt lists them: names and
types are those of PostgreSQL 16."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

#: a relation's columns: name and type
Columns = tuple[tuple[str, str], ...]


@cache
def _read() -> dict[tuple[str, str], Columns]:
    text = resources.files(__package__).joinpath("relations.txt").read_text(encoding="utf-8")
    out: dict[tuple[str, str], Columns] = {}
    for line in text.splitlines():
        name, _, listed = line.partition(": ")
        schema, _, relation = name.partition(".")
        columns = (column.partition(" ") for column in listed.split(", "))
        out[schema, relation] = tuple((column, kind) for column, _, kind in columns)
    return out


class _Relations(Mapping[tuple[str, str], Columns]):
    """By schema and name; the file is read when one is asked for."""

    def __getitem__(self, place: tuple[str, str]) -> Columns:
        return _read()[place]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(_read())

    def __len__(self) -> int:
        return len(_read())


RELATIONS = _Relations()

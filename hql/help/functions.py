"""Functions and operators as topics, from the registry."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hartonomous.hql.functions import FAMILIES
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.document import signature, synonyms
from hartonomous.hql.help.topics import Topic


def topics() -> Iterator[Topic]:
    for family, functions in FAMILIES:
        for function in functions:
            if not function.name.startswith("__"):
                page = partial(_page, family, function)
                others = tuple(synonyms(function))
                yield Topic(function.name, "function", function.doc, page, others)


def _page(family: str, function: Function) -> str:
    names = ", ".join((signature(function), *synonyms(function)))
    lines = [f"{names}    ({family.lower()})", "", function.doc]
    if function.columns:
        lines += ["", "Columns: " + ", ".join(f"{n} {t}" for n, t in function.columns)]
    return "\n".join([*lines, "", f"    {function.example}"])

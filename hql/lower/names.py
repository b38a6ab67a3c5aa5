"""Names inside a fragment: relations are `r<number>`, common tables `c<number>`, columns keep
their own names. Columns of a scan carry the table's alias (`orders.id`), because that is what the
engine's plan shows, and EXPLAIN shows it on."""

from __future__ import annotations

from typing import Any

from hartonomous.hql import plan as p
from hartonomous.hql.rules.tree import walk
from hartonomous.storage.catalog import fold


def quote(name: str) -> str:
    """A name as the engine takes it, whatever its characters."""
    return '"' + name.replace('"', '""') + '"'


class Names:
    """Names of the relations of one plan."""

    def __init__(self, plan: p.Plan) -> None:
        self._labels: dict[int, str | None] = {}
        taken: set[str] = set()
        for node in walk(plan):
            if not isinstance(node, p.Source) or node.relation in self._labels:
                continue
            if isinstance(node, (p.Scan, p.ArrowSource, p.Coefficients, p.Pairs)):
                label = node.alias
                if fold(label) in taken:
                    label = f"{label}#{node.relation}"
                taken.add(fold(label))
                self._labels[node.relation] = label
            else:
                self._labels[node.relation] = None

    def label(self, relation: int) -> str:
        """What a scan is called in EXPLAIN."""
        label = self._labels[relation]
        assert label is not None, relation
        return label

    def physical(self, relation: int, name: str) -> str:
        """The bare name of a column in what is registered for a relation."""
        label = self._labels[relation]
        return name if label is None else f"{label}.{name}"

    def column(self, column: p.Column) -> str:
        """A column as an expression."""
        return f"r{column.relation}.{quote(self.physical(column.relation, column.name))}"

    def columns(self, fields: tuple[Any, ...]) -> str:
        """A column list for an alias: `("a", "b")`."""
        return "(" + ", ".join(quote(f.name) for f in fields) + ")"

"""What golden scripts and twists change inside the engine: rules off, one-row batches.

Done from outside, so that the engine needs no switches that only tests would use.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

import pyarrow as pa

from hartonomous.hql import rules
from hartonomous.storage.table import TableView


class Hooks:
    """Changes of the engine that last until `undo`."""

    def __init__(self) -> None:
        self.active: dict[str, Any] = {}

    def set(self, name: str, value: str) -> None:
        """`rules`: on, off, or the name of the one to switch off; `batch`: off, or 1 row."""
        if name in self.active:
            self.active.pop(name).stop()
        match name, value:
            case ("rules", "on") | ("batch", "off"):
                return
            case "rules", _:
                self.active[name] = without_rules(value)
            case "batch", "1":
                self.active[name] = one_row_batches()
            case _:
                raise AssertionError(f"@set {name}={value} means nothing")
        self.active[name].start()

    def undo(self) -> None:
        while self.active:
            self.active.popitem()[1].stop()


def without_rules(which: str) -> Any:
    """Plans as the binder made them, or without one rule."""
    kept = tuple(rule for rule in rules.RULES if rule[0] != which)
    assert which == "off" or len(kept) < len(rules.RULES), f"no rule is called {which}"
    return mock.patch.object(rules, "RULES", () if which == "off" else kept)


def one_row_batches() -> Any:
    """Every scan hands out batches of one row."""
    scan = TableView.scan

    def cut(self: TableView, *args: Any, **kwargs: Any) -> Any:
        result = scan(self, *args, **kwargs)
        batches = result.table.to_batches(max_chunksize=1)
        object.__setattr__(result, "table", pa.Table.from_batches(batches, result.table.schema))
        return result

    return mock.patch.object(TableView, "scan", cut)

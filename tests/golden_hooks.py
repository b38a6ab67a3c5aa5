"""What golden scripts and twists change inside the engine: rules off, one-row batches.

Done from outside, so that the engine needs no switches that only tests would use.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

import pyarrow as pa

from hartonomous.storage.table import TableView


class Hooks:
    """Changes of the engine that last until `undo`."""

    def __init__(self) -> None:
        self.active: dict[str, Any] = {}

    def set(self, name: str, value: str) -> None:
        makers = {"rules": (no_rules, "on"), "batch": (one_row_batches, "off")}
        make, neutral = makers[name]
        if name in self.active:
            self.active.pop(name).stop()
        if value != neutral:
            self.active[name] = make()
            self.active[name].start()

    def undo(self) -> None:
        while self.active:
            self.active.popitem()[1].stop()


def no_rules() -> Any:
    """Plans run as the binder made them."""
    return mock.patch("hartonomous.hql.rules.RULES", ())


def one_row_batches() -> Any:
    """Every scan hands out batches of one row."""
    scan = TableView.scan

    def cut(self: TableView, *args: Any, **kwargs: Any) -> Any:
        result = scan(self, *args, **kwargs)
        batches = result.table.to_batches(max_chunksize=1)
        object.__setattr__(result, "table", pa.Table.from_batches(batches, result.table.schema))
        return result

    return mock.patch.object(TableView, "scan", cut)

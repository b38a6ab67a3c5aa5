"""StoredTable: what a system table that is stored consists of, and what may be done to it."""

from __future__ import annotations

from dataclasses import replace

from hartonomous.hql.frozen import frozen
from hartonomous.hql.types import Type


@frozen
class StoredTable:
    """A system table that is an ordinary table of the catalog, made when its first row comes.

    - `text`: its CREATE TABLE, without DEFAULT, CHECK and computed columns (what a column needs
      beyond its type and keys is its behaviour's), and the CREATE INDEX of its indexes.
    - `changeable`: users may INSERT, UPDATE, DELETE and COPY FROM; else only our own code writes.
    - `derived`: columns that are filled for users, and that they may not assign.
    - `named_by`: what names a row within its source, for tables that modalities fill, and last what
      orders rows of one name: reading a source again changes the row of that name.
    - `space`: the encoder whose vectors its VECTOR columns hold, if it is one and the same.
    - `behaviour`: `module:NAME` of a Behaviour (behaviour.py), imported when rows change.
    """

    name: str
    text: str
    changeable: bool = False
    derived: tuple[str, ...] = ()
    behaviour: str | None = None
    named_by: tuple[str, ...] = ()
    space: str | None = None

    def type_of(self, type_: Type) -> Type:
        """The type of a column, which is declared as `type_`."""
        return replace(type_, space=self.space) if type_.kind == "VECTOR" else type_

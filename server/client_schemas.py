"""Schemas that a server has sent: each once, by number, as later results name it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.hql.errors import WireFault
from hartonomous.hql.plan import Field, schema_of
from hartonomous.hql.types import NULL, parse_type, vector
from hartonomous.server.play import NOCASE_KEY, SPACE_KEY, TYPE_KEY
from hartonomous.server.wire import Frame

if TYPE_CHECKING:
    from collections.abc import Mapping

Known = tuple[tuple[Field, ...], pa.Schema]

#: types of columns that no text of HQL names: of nothing but NULL, of vectors of several lengths
UNNAMED = {str(type_): type_ for type_ in (NULL, vector(None))}


class Schemas:
    """Those of one connection."""

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}

    def take(self, frame: Frame) -> Known:
        """Fields and Arrow schema of a result, whose columns frame came. Raises WireFault."""
        number = frame["schema"]
        data = frame.get("arrow")
        if data is not None:
            self._known[number] = _read(data)
        known = self._known.get(number)
        if known is None:
            raise WireFault(f"a result has the schema {number}, which was not sent")
        return known


def _read(data: bytes) -> Known:
    try:
        sent = pa.ipc.read_schema(pa.py_buffer(data))
    except (pa.ArrowException, OSError) as fault:
        raise WireFault(f"a schema that cannot be read: {fault}") from fault
    fields = tuple([_field(column) for column in sent])
    schema = schema_of(fields)
    if not schema.equals(sent):
        raise WireFault("a schema whose columns have other types than it says")
    return fields, schema


def _field(column: pa.Field) -> Field:
    about: Mapping[bytes, bytes] = column.metadata or {}
    name = about[TYPE_KEY].decode()
    type_ = UNNAMED.get(name) or parse_type(name)
    if SPACE_KEY in about:
        type_ = replace(type_, space=about[SPACE_KEY].decode())
    return Field(column.name, type_, NOCASE_KEY in about)

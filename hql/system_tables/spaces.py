"""Spaces: every coordinate system, the default one first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.hql.system_tables.base import SystemTable, fields
from hartonomous.hql.types import BIGINT, FLOAT, GEOMETRY, INT, JSON, NVARCHAR, VARBINARY

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

_FIELDS = fields(
    SpaceName=NVARCHAR,
    SRID=INT,
    Encoders=JSON,
    Dimensions=INT,
    LandmarkCount=INT,
    Method=NVARCHAR,
    Seed=BIGINT,
    ProjectionHash=VARBINARY,
    Box=GEOMETRY,
    NeighbourhoodPreservation=FLOAT,
    SampleRows=INT,
)


def _spaces(context: Context) -> pa.Table:
    from hartonomous.hql.spaces.showing import space_rows

    return space_rows(context, _FIELDS)


SPACES = SystemTable(_FIELDS, _spaces)

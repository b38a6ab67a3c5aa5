"""The SQLAlchemy dialect: `create_engine("hql:////path/atlas.hdb")`, or `"hql://"` in memory.

Types that SQLAlchemy does not have itself are here: VECTOR, GEOMETRY and HQL's own names. See
docs/SQLALCHEMY.md.
"""

from hartonomous.hql.sqlalchemy.dialect import HQLDialect
from hartonomous.hql.sqlalchemy.types import (
    BIT,
    DATETIME2,
    DATETIMEOFFSET,
    GEOMETRY,
    TINYINT,
    UNIQUEIDENTIFIER,
    VECTOR,
)

__all__ = [
    "BIT",
    "DATETIME2",
    "DATETIMEOFFSET",
    "GEOMETRY",
    "TINYINT",
    "UNIQUEIDENTIFIER",
    "VECTOR",
    "HQLDialect",
]

"""HQL's types as SQLAlchemy's: what there is beside the generic ones, and how types are written.

A generic type becomes the nearest of HQL's: `String` NVARCHAR, `DateTime(timezone=True)`
DATETIMEOFFSET, `Uuid` UNIQUEIDENTIFIER. Values need next to no conversion, as HQL's Python values
are those that SQLAlchemy wants. `type_of` is the way back, for reflection.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import types as sa
from sqlalchemy.sql import functions
from sqlalchemy.sql.compiler import GenericTypeCompiler

from hartonomous.hql.geometry_value import Geometry
from hartonomous.hql.types import parse_type

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import Dialect
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.types import TypeEngine

#: what Numeric() without a precision becomes: DECIMAL alone would be (18,0), without a fraction
NUMERIC_DEFAULT = (38, 10)


class TINYINT(sa.Integer):
    """-128 to 127."""

    __visit_name__ = "TINYINT"


class BIT(sa.Boolean):
    """A truth value."""

    __visit_name__ = "BIT"


class DATETIME2(sa.DateTime):
    """A moment without a zone, microseconds."""

    __visit_name__ = "DATETIME2"


class DATETIMEOFFSET(sa.DateTime):
    """An instant; comes back in UTC."""

    __visit_name__ = "DATETIMEOFFSET"

    def __init__(self) -> None:
        super().__init__(timezone=True)


class UNIQUEIDENTIFIER(sa.Uuid[Any]):
    """A uuid.UUID."""

    __visit_name__ = "UNIQUEIDENTIFIER"

    def __init__(self, as_uuid: bool = True) -> None:
        super().__init__(as_uuid=as_uuid)  # type: ignore[call-overload]


class VECTOR(sa.UserDefinedType[Any]):
    """VECTOR(dimensions): comes back as float32[dimensions]. Takes lists and NumPy arrays, and
    compares by distance:

    >>> select(Item).order_by(Item.embedding.cosine_distance(query)).limit(10)
    """

    cache_ok = True
    __visit_name__ = "VECTOR"

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    @property
    def python_type(self) -> type[Any]:
        return np.ndarray

    def get_col_spec(self, **_: Any) -> str:
        return f"VECTOR({self.dimensions})"

    def bind_processor(self, dialect: Dialect) -> Any:
        def process(value: Any) -> Any:
            return None if value is None else np.asarray(value, dtype=np.float32)

        return process

    class comparator_factory(sa.UserDefinedType.Comparator[Any]):  # noqa: N801 (SQLAlchemy's name)
        """Distances: smaller is nearer."""

        def _distance(self, metric: str, other: Any) -> ColumnElement[float]:
            from sqlalchemy import literal, literal_column

            against = other if hasattr(other, "__clause_element__") else literal(other, self.type)
            return functions.func.VECTOR_DISTANCE(
                literal_column(f"'{metric}'"), self.expr, against, type_=sa.Float()
            )

        def cosine_distance(self, other: Any) -> ColumnElement[float]:
            """1 - cos of the angle; NULL for a zero vector."""
            return self._distance("cosine", other)

        def euclidean_distance(self, other: Any) -> ColumnElement[float]:
            """The length of the difference."""
            return self._distance("euclidean", other)

        def dot_distance(self, other: Any) -> ColumnElement[float]:
            """The negated dot product."""
            return self._distance("dot", other)


class GEOMETRY(sa.UserDefinedType[Any]):
    """A geometry: comes back as hql.Geometry. Takes those and whatever has a `__geo_interface__`.
    Every function of geometries is there as `func.STDistance(a, b)`, `func.STBuffer(a, 10)` …"""

    cache_ok = True
    __visit_name__ = "GEOMETRY"

    @property
    def python_type(self) -> type[Any]:
        return Geometry

    def get_col_spec(self, **_: Any) -> str:
        return "GEOMETRY"


class Numeric(sa.Numeric[Any]):
    """Numeric() comes back as Decimal, a quotient too, which HQL computes as FLOAT."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        if not self.asdecimal:
            return super().result_processor(dialect, coltype)
        return lambda value: Decimal(repr(value)) if isinstance(value, float) else value


class Date(sa.Date):
    def literal_processor(self, dialect: Dialect) -> Any:
        return lambda value: f"CAST('{value.isoformat()}' AS DATE)"


class Time(sa.Time):
    def literal_processor(self, dialect: Dialect) -> Any:
        return lambda value: f"CAST('{value.isoformat()}' AS TIME)"


class DateTime(sa.DateTime):
    def literal_processor(self, dialect: Dialect) -> Any:
        def process(value: Any) -> str:
            name = "DATETIME2" if value.tzinfo is None else "DATETIMEOFFSET"
            return f"CAST('{value.isoformat(' ')}' AS {name})"

        return process


class JSONIndexType(sa.JSON.JSONIndexType):
    """`column["name"]` and `column[3]`: a path of one step, as a constant in the text."""

    def literal_processor(self, dialect: Dialect) -> Any:
        return lambda value: _json_path((value,))


class JSONPathType(sa.JSON.JSONPathType):
    """`column[("name", 3)]`."""

    def literal_processor(self, dialect: Dialect) -> Any:
        return _json_path


def _json_path(steps: Any) -> str:
    """`'$."name"[3]'`, quoted."""
    path = "".join(
        f"[{step}]" if isinstance(step, int) else "." + json.dumps(step, ensure_ascii=False)
        for step in steps
    )
    return "'$" + path.replace("'", "''") + "'"


class HQLTypeCompiler(GenericTypeCompiler):
    """How types are written in CREATE TABLE and CAST. `visit_NAME` is called for the type whose
    `__visit_name__` is NAME."""

    def visit_TINYINT(self, type_: Any, **kw: Any) -> str:
        return "TINYINT"

    def visit_INTEGER(self, type_: Any, **kw: Any) -> str:
        return "INT"

    def visit_BIT(self, type_: Any, **kw: Any) -> str:
        return "BIT"

    def visit_boolean(self, type_: Any, **kw: Any) -> str:
        return "BIT"

    def visit_BOOLEAN(self, type_: Any, **kw: Any) -> str:
        return "BIT"

    def visit_NUMERIC(self, type_: Any, **kw: Any) -> str:
        if type_.precision is None:
            precision, scale = NUMERIC_DEFAULT
        else:
            precision, scale = type_.precision, type_.scale or 0
        return f"DECIMAL({precision},{scale})"

    def visit_DECIMAL(self, type_: Any, **kw: Any) -> str:
        return self.visit_NUMERIC(type_, **kw)

    def visit_FLOAT(self, type_: Any, **kw: Any) -> str:
        """A precision is one of binary digits: REAL has 24."""
        return "REAL" if type_.precision is not None and type_.precision <= 24 else "FLOAT"

    def visit_DOUBLE(self, type_: Any, **kw: Any) -> str:
        return "FLOAT"

    def visit_DOUBLE_PRECISION(self, type_: Any, **kw: Any) -> str:
        return "FLOAT"

    def visit_REAL(self, type_: Any, **kw: Any) -> str:
        return "REAL"

    def visit_VARCHAR(self, type_: Any, **kw: Any) -> str:
        name = f"NVARCHAR({type_.length})" if type_.length else "NVARCHAR"
        return f"{name} COLLATE {type_.collation}" if type_.collation else name

    def visit_CHAR(self, type_: Any, **kw: Any) -> str:
        return self.visit_VARCHAR(type_, **kw)

    def visit_NVARCHAR(self, type_: Any, **kw: Any) -> str:
        return self.visit_VARCHAR(type_, **kw)

    def visit_NCHAR(self, type_: Any, **kw: Any) -> str:
        return self.visit_VARCHAR(type_, **kw)

    def visit_TEXT(self, type_: Any, **kw: Any) -> str:
        return self.visit_VARCHAR(type_, **kw)

    def visit_CLOB(self, type_: Any, **kw: Any) -> str:
        return self.visit_VARCHAR(type_, **kw)

    def visit_VARBINARY(self, type_: Any, **kw: Any) -> str:
        return f"VARBINARY({type_.length})" if type_.length else "VARBINARY"

    def visit_BINARY(self, type_: Any, **kw: Any) -> str:
        return self.visit_VARBINARY(type_, **kw)

    def visit_BLOB(self, type_: Any, **kw: Any) -> str:
        return self.visit_VARBINARY(type_, **kw)

    def visit_large_binary(self, type_: Any, **kw: Any) -> str:
        return self.visit_VARBINARY(type_, **kw)

    def visit_DATETIME2(self, type_: Any, **kw: Any) -> str:
        return "DATETIME2"

    def visit_DATETIMEOFFSET(self, type_: Any, **kw: Any) -> str:
        return "DATETIMEOFFSET"

    def visit_DATETIME(self, type_: Any, **kw: Any) -> str:
        return "DATETIMEOFFSET" if type_.timezone else "DATETIME2"

    def visit_TIMESTAMP(self, type_: Any, **kw: Any) -> str:
        return self.visit_DATETIME(type_, **kw)

    def visit_TIME(self, type_: Any, **kw: Any) -> str:
        return "TIME"

    def visit_UNIQUEIDENTIFIER(self, type_: Any, **kw: Any) -> str:
        return "UNIQUEIDENTIFIER"

    def visit_uuid(self, type_: Any, **kw: Any) -> str:
        return "UNIQUEIDENTIFIER" if type_.native_uuid else "NVARCHAR(32)"

    def visit_UUID(self, type_: Any, **kw: Any) -> str:
        return "UNIQUEIDENTIFIER"

    def visit_JSON(self, type_: Any, **kw: Any) -> str:
        return "JSON"

    def visit_VECTOR(self, type_: Any, **kw: Any) -> str:
        return str(type_.get_col_spec())

    def visit_GEOMETRY(self, type_: Any, **kw: Any) -> str:
        return "GEOMETRY"


#: SQLAlchemy's types -> those that take their place
COLSPECS: dict[type[TypeEngine[Any]], type[TypeEngine[Any]]] = {
    sa.Numeric: Numeric,
    sa.Date: Date,
    sa.Time: Time,
    sa.DateTime: DateTime,
    sa.JSON.JSONIndexType: JSONIndexType,
    sa.JSON.JSONPathType: JSONPathType,
}

_PLAIN: dict[str, type[TypeEngine[Any]]] = {
    "NULL": sa.NullType,
    "BIT": BIT,
    "TINYINT": TINYINT,
    "SMALLINT": sa.SMALLINT,
    "INT": sa.INTEGER,
    "BIGINT": sa.BIGINT,
    "REAL": sa.REAL,
    "FLOAT": sa.FLOAT,
    "DATE": sa.DATE,
    "TIME": sa.TIME,
    "DATETIME2": DATETIME2,
    "DATETIMEOFFSET": DATETIMEOFFSET,
    "UNIQUEIDENTIFIER": UNIQUEIDENTIFIER,
    "JSON": sa.JSON,
    "GEOMETRY": GEOMETRY,
}


def type_of(text: str, collation: str | None = None) -> TypeEngine[Any]:
    """SQLAlchemy's type for one of HQL's by its text, as system tables and `description` give it.

    >>> type_of("DECIMAL(10,2)")
    DECIMAL(precision=10, scale=2)
    """
    type_ = parse_type(text) if text != "NULL" else None
    if type_ is None:
        return sa.NullType()
    match type_.kind:
        case "NVARCHAR":
            return sa.NVARCHAR(type_.a, collation=collation)
        case "VARBINARY":
            return sa.VARBINARY(type_.a)
        case "DECIMAL":
            return sa.DECIMAL(type_.a, type_.b)
        case "VECTOR":
            return VECTOR(type_.a or 0)
    return _PLAIN[type_.kind]()

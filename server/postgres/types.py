"""HQL's types as PostgreSQL's: the numbers (OIDs) and names that its clients know.

A BIT is a bool, a TINYINT an int2, a VECTOR a float4[], a GEOMETRY its text. Sizes, OIDs and names
are those of PostgreSQL's own pg_type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql import types as hql
from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.hql.plan import Field
    from hartonomous.hql.types import Type


@frozen
class Kind:
    """A type of PostgreSQL: `size` is -1 where values differ in length, `shown` its name in SQL,
    `category` a letter of pg_type.typcategory, `element` the OID of an array's elements."""

    oid: int
    name: str
    size: int
    category: str
    shown: str
    element: int = 0
    array: int = 0


KINDS = (
    Kind(16, "bool", 1, "B", "boolean", 0, 1000),
    Kind(17, "bytea", -1, "U", "bytea", 0, 1001),
    Kind(18, "char", 1, "Z", '"char"', 0, 1002),
    Kind(19, "name", 64, "S", "name", 18, 1003),
    Kind(20, "int8", 8, "N", "bigint", 0, 1016),
    Kind(21, "int2", 2, "N", "smallint", 0, 1005),
    Kind(23, "int4", 4, "N", "integer", 0, 1007),
    Kind(24, "regproc", 4, "N", "regproc", 0, 1008),
    Kind(25, "text", -1, "S", "text", 0, 1009),
    Kind(26, "oid", 4, "N", "oid", 0, 1028),
    Kind(114, "json", -1, "U", "json", 0, 199),
    Kind(199, "_json", -1, "A", "json[]", 114),
    Kind(700, "float4", 4, "N", "real", 0, 1021),
    Kind(701, "float8", 8, "N", "double precision", 0, 1022),
    Kind(705, "unknown", -2, "X", "unknown"),
    Kind(1000, "_bool", -1, "A", "boolean[]", 16),
    Kind(1001, "_bytea", -1, "A", "bytea[]", 17),
    Kind(1002, "_char", -1, "A", '"char"[]', 18),
    Kind(1003, "_name", -1, "A", "name[]", 19),
    Kind(1005, "_int2", -1, "A", "smallint[]", 21),
    Kind(1007, "_int4", -1, "A", "integer[]", 23),
    Kind(1008, "_regproc", -1, "A", "regproc[]", 24),
    Kind(1009, "_text", -1, "A", "text[]", 25),
    Kind(1015, "_varchar", -1, "A", "character varying[]", 1043),
    Kind(1016, "_int8", -1, "A", "bigint[]", 20),
    Kind(1021, "_float4", -1, "A", "real[]", 700),
    Kind(1022, "_float8", -1, "A", "double precision[]", 701),
    Kind(1028, "_oid", -1, "A", "oid[]", 26),
    Kind(1042, "bpchar", -1, "S", "character", 0, 1014),
    Kind(1014, "_bpchar", -1, "A", "character[]", 1042),
    Kind(1043, "varchar", -1, "S", "character varying", 0, 1015),
    Kind(1082, "date", 4, "D", "date", 0, 1182),
    Kind(1083, "time", 8, "D", "time without time zone", 0, 1183),
    Kind(1114, "timestamp", 8, "D", "timestamp without time zone", 0, 1115),
    Kind(1115, "_timestamp", -1, "A", "timestamp without time zone[]", 1114),
    Kind(1182, "_date", -1, "A", "date[]", 1082),
    Kind(1183, "_time", -1, "A", "time without time zone[]", 1083),
    Kind(1184, "timestamptz", 8, "D", "timestamp with time zone", 0, 1185),
    Kind(1185, "_timestamptz", -1, "A", "timestamp with time zone[]", 1184),
    Kind(1186, "interval", 16, "T", "interval", 0, 1187),
    Kind(1187, "_interval", -1, "A", "interval[]", 1186),
    Kind(1231, "_numeric", -1, "A", "numeric[]", 1700),
    Kind(1700, "numeric", -1, "N", "numeric", 0, 1231),
    Kind(2205, "regclass", 4, "N", "regclass", 0, 2210),
    Kind(2210, "_regclass", -1, "A", "regclass[]", 2205),
    Kind(2206, "regtype", 4, "N", "regtype", 0, 2211),
    Kind(2211, "_regtype", -1, "A", "regtype[]", 2206),
    Kind(2278, "void", 4, "P", "void"),
    Kind(2249, "record", -1, "P", "record"),
    Kind(2950, "uuid", 16, "U", "uuid", 0, 2951),
    Kind(2951, "_uuid", -1, "A", "uuid[]", 2950),
    Kind(3802, "jsonb", -1, "U", "jsonb", 0, 3807),
    Kind(3807, "_jsonb", -1, "A", "jsonb[]", 3802),
)
BY_OID = {kind.oid: kind for kind in KINDS}
BY_NAME = {kind.name: kind for kind in KINDS} | {kind.shown: kind for kind in KINDS}
#: other spellings that stand behind `$1::`
SPELLINGS = {"int": "int4", "decimal": "numeric", "float": "float8", "string": "text"}

_KIND_NAMES = {
    "NULL": "text",
    "BIT": "bool",
    "TINYINT": "int2",
    "SMALLINT": "int2",
    "INT": "int4",
    "BIGINT": "int8",
    "REAL": "float4",
    "FLOAT": "float8",
    "DECIMAL": "numeric",
    "NVARCHAR": "text",
    "JSON": "json",
    "VARBINARY": "bytea",
    "DATE": "date",
    "TIME": "time",
    "DATETIME2": "timestamp",
    "DATETIMEOFFSET": "timestamptz",
    "UNIQUEIDENTIFIER": "uuid",
    "VECTOR": "_float4",
    "GEOMETRY": "text",
}
_TYPES = {
    "bool": hql.BIT,
    "bytea": hql.VARBINARY,
    "int2": hql.SMALLINT,
    "int4": hql.INT,
    "int8": hql.BIGINT,
    "oid": hql.BIGINT,
    "float4": hql.REAL,
    "float8": hql.FLOAT,
    "date": hql.DATE,
    "time": hql.TIME,
    "timestamp": hql.DATETIME2,
    "timestamptz": hql.DATETIMEOFFSET,
    "uuid": hql.UNIQUEIDENTIFIER,
}


@frozen
class Column:
    """A column of a result. `modifier` is pg_attribute.atttypmod: the bound of a varchar, a
    numeric's precision and scale, else -1. `type` is HQL's, None for a column of the catalog."""

    name: str
    kind: Kind
    modifier: int = -1
    type: Type | None = None


def column_of(field: Field) -> Column:
    """A column of an HQL result."""
    kind, modifier = kind_of(field.type)
    return Column(field.name, kind, modifier, field.type)


def kind_of(type_: Type) -> tuple[Kind, int]:
    """PostgreSQL's type and modifier for an HQL type."""
    if type_.kind == "NVARCHAR" and type_.a is not None:
        return BY_NAME["varchar"], type_.a + 4
    kind = BY_NAME[_KIND_NAMES[type_.kind]]
    if type_.kind == "DECIMAL":
        return kind, ((type_.a or 18) << 16 | (type_.b or 0)) + 4
    return kind, -1


def type_of(oid: int) -> Type:
    """HQL's type for values of a parameter; texts and what HQL has no name for are NVARCHAR."""
    kind = BY_OID.get(oid)
    if kind is None:
        return hql.NVARCHAR
    if kind.name == "numeric":
        return hql.decimal(38, 10)
    return _TYPES.get(kind.name, hql.NVARCHAR)


def find_kind(name: str) -> Kind | None:
    """The type of a name as it stands behind `::`, without its numbers."""
    words = " ".join(name.lower().split())
    if words.endswith("[]"):
        element = find_kind(words.removesuffix("[]"))
        return BY_OID.get(element.array) if element is not None else None
    return BY_NAME.get(SPELLINGS.get(words, words))

"""The types of HQL: their names, their Arrow form, their form in the relational engine.

Text form is the canonical one (`DECIMAL(18,0)`, `VECTOR(3)`), and `parse_type(str(t)) == t`.
"""

from __future__ import annotations

import re
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING

from hartonomous.hql.errors import BindFault
from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    import pyarrow as pa

#: integer kinds from narrow to wide
INTEGERS = ("TINYINT", "SMALLINT", "INT", "BIGINT")
BITS = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "BIGINT": 64}

#: the longest bound of NVARCHAR and VARBINARY
LENGTH_MAX = 2**31 - 1

#: other spellings -> kind
SYNONYMS = {
    "INTEGER": "INT",
    "BOOL": "BIT",
    "BOOLEAN": "BIT",
    "DOUBLE": "FLOAT",
    "DOUBLE PRECISION": "FLOAT",
    "NUMERIC": "DECIMAL",
    "DEC": "DECIMAL",
    "VARCHAR": "NVARCHAR",
    "TEXT": "NVARCHAR",
    "NTEXT": "NVARCHAR",
    "CHAR": "NVARCHAR",
    "NCHAR": "NVARCHAR",
    "STRING": "NVARCHAR",
    "BLOB": "VARBINARY",
    "BINARY": "VARBINARY",
    "DATETIME": "DATETIME2",
    "TIMESTAMP": "DATETIME2",
    "UUID": "UNIQUEIDENTIFIER",
}

KINDS = (
    "NULL",  # the type of a bare NULL
    "BIT",
    *INTEGERS,
    "DECIMAL",
    "REAL",
    "FLOAT",
    "NVARCHAR",
    "VARBINARY",
    "DATE",
    "TIME",
    "DATETIME2",
    "DATETIMEOFFSET",
    "UNIQUEIDENTIFIER",
    "JSON",
    "VECTOR",
    "GEOMETRY",
)


@frozen
class Type:
    """One HQL type. `a` is precision (DECIMAL), maximal length (NVARCHAR characters, VARBINARY
    bytes; None = no bound) or dimensions (VECTOR; None only for a value of unknown length);
    `b` is scale (DECIMAL). `space` is the encoder whose vectors a VECTOR holds, None where that is
    not known: it is no part of the type's name, and types that differ in it alone are equal."""

    kind: str
    a: int | None = None
    b: int | None = None
    space: str | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        if self.kind == "DECIMAL":
            return f"DECIMAL({self.a},{self.b})"
        return self.kind if self.a is None else f"{self.kind}({self.a})"

    @property
    def is_integer(self) -> bool:
        return self.kind in BITS

    @property
    def is_exact(self) -> bool:
        return self.kind in BITS or self.kind == "DECIMAL"

    @property
    def is_float(self) -> bool:
        return self.kind in ("REAL", "FLOAT")

    @property
    def is_numeric(self) -> bool:
        return self.is_exact or self.is_float

    @property
    def is_string(self) -> bool:
        return self.kind in ("NVARCHAR", "JSON")

    @property
    def has_length(self) -> bool:
        """Whether values are of any length (up to `a`, if that is given)."""
        return self.is_string or self.kind == "VARBINARY"

    @property
    def is_temporal(self) -> bool:
        return self.kind in ("DATE", "TIME", "DATETIME2", "DATETIMEOFFSET")

    @property
    def is_wide(self) -> bool:
        """Never passes through the relational engine: there it is a BIGINT handle."""
        return self.kind in ("VECTOR", "GEOMETRY")

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type of a stored or returned value."""
        return _arrow(self)

    @property
    def relational(self) -> str:
        """The relational engine's type name for a value inside a fragment."""
        if self.kind == "DECIMAL":
            return f"DECIMAL({self.a},{self.b})"
        return _RELATIONAL[self.kind]


_RELATIONAL = {
    "NULL": "INTEGER",
    "BIT": "BOOLEAN",
    "TINYINT": "TINYINT",
    "SMALLINT": "SMALLINT",
    "INT": "INTEGER",
    "BIGINT": "BIGINT",
    "REAL": "FLOAT",
    "FLOAT": "DOUBLE",
    "NVARCHAR": "VARCHAR",
    "JSON": "VARCHAR",
    "VARBINARY": "BLOB",
    "UNIQUEIDENTIFIER": "BLOB",  # 16 bytes, big-endian as RFC 9562 writes them
    "DATE": "DATE",
    "TIME": "TIME",
    "DATETIME2": "TIMESTAMP",
    "DATETIMEOFFSET": "TIMESTAMP",  # the instant in UTC; the zone is put back on the way out
    "VECTOR": "BIGINT",  # handle
    "GEOMETRY": "BIGINT",  # handle
}


@cache
def _arrow(type_: Type) -> pa.DataType:
    import pyarrow as pa

    match type_.kind:
        case "DECIMAL":
            return pa.decimal128(type_.a or 18, type_.b or 0)
        case "VECTOR":
            return pa.list_(pa.float32(), type_.a if type_.a is not None else -1)
        case "GEOMETRY":
            point = pa.list_(pa.float64(), 3)
            return pa.struct(
                [
                    ("kind", pa.int8()),
                    ("radius", pa.float64()),
                    ("srid", pa.int32()),
                    ("rings", pa.list_(pa.int32())),
                    ("coords", pa.list_(point)),
                ]
            )
    return {
        "NULL": pa.null(),
        "BIT": pa.bool_(),
        "TINYINT": pa.int8(),
        "SMALLINT": pa.int16(),
        "INT": pa.int32(),
        "BIGINT": pa.int64(),
        "REAL": pa.float32(),
        "FLOAT": pa.float64(),
        "NVARCHAR": pa.string(),
        "JSON": pa.string(),
        "VARBINARY": pa.binary(),
        "UNIQUEIDENTIFIER": pa.binary(16),
        "DATE": pa.date32(),
        "TIME": pa.time64("us"),
        "DATETIME2": pa.timestamp("us"),
        "DATETIMEOFFSET": pa.timestamp("us", tz="UTC"),
    }[type_.kind]


NULL = Type("NULL")
BIT = Type("BIT")
TINYINT = Type("TINYINT")
SMALLINT = Type("SMALLINT")
INT = Type("INT")
BIGINT = Type("BIGINT")
REAL = Type("REAL")
FLOAT = Type("FLOAT")
NVARCHAR = Type("NVARCHAR")
VARBINARY = Type("VARBINARY")
DATE = Type("DATE")
TIME = Type("TIME")
DATETIME2 = Type("DATETIME2")
DATETIMEOFFSET = Type("DATETIMEOFFSET")
UNIQUEIDENTIFIER = Type("UNIQUEIDENTIFIER")
JSON = Type("JSON")
GEOMETRY = Type("GEOMETRY")


def decimal(precision: int = 18, scale: int = 0) -> Type:
    """DECIMAL(precision, scale), 1 <= precision <= 38, 0 <= scale <= precision."""
    if not (1 <= precision <= 38 and 0 <= scale <= precision):
        raise BindFault(
            f"DECIMAL({precision},{scale}) is not a type: precision is 1 to 38, "
            "scale 0 to precision",
            code="UNKNOWN_TYPE",
        )
    return Type("DECIMAL", precision, scale)


def vector(dimensions: int | None) -> Type:
    """VECTOR(dimensions), 1 to 65,535."""
    if dimensions is not None and not 1 <= dimensions <= 65_535:
        raise BindFault(
            f"VECTOR({dimensions}) is not a type: dimensions are 1 to 65535", code="UNKNOWN_TYPE"
        )
    return Type("VECTOR", dimensions)


_TEXT = re.compile(r"\s*([A-Za-z_0-9 ]+?)\s*(?:\(\s*(\w+)\s*(?:,\s*(\d+)\s*)?\))?\s*")


def parse_type(text: str) -> Type:
    """The type a text names; raises BindFault UNKNOWN_TYPE with the nearest name."""
    match = _TEXT.fullmatch(text)
    if not match:
        raise BindFault(f'"{text}" is not a type', code="UNKNOWN_TYPE")
    return make_type(match[1], *(m for m in match.groups()[1:] if m is not None))


def make_type(name: str, *arguments: str) -> Type:
    """A type from its name and the words in its parentheses (`MAX` included)."""
    upper = " ".join(name.upper().split())
    kind = SYNONYMS.get(upper, upper)
    if kind not in KINDS or kind == "NULL":
        import difflib

        near = difflib.get_close_matches(upper, [*KINDS[1:], *SYNONYMS], 1)
        raise BindFault(
            f'there is no type "{name}"',
            code="UNKNOWN_TYPE",
            hint=f"did you mean {near[0]}?" if near else None,
        )
    wrong = next((a for a in arguments if a.upper() != "MAX" and not a.isdecimal()), None)
    if wrong is not None:
        raise BindFault(f'"{wrong}" is neither a number nor MAX', code="UNKNOWN_TYPE")
    numbers = [None if a.upper() == "MAX" else int(a) for a in arguments]
    allowed = {"DECIMAL": 2, "NVARCHAR": 1, "VARBINARY": 1, "VECTOR": 1, "FLOAT": 1}
    allowed |= {"TIME": 1, "DATETIME2": 1, "DATETIMEOFFSET": 1}
    if len(numbers) > allowed.get(kind, 0):
        raise BindFault(f"{kind} takes no such arguments", code="UNKNOWN_TYPE")
    if kind == "DECIMAL":
        return decimal(*(n if n is not None else 38 for n in numbers))
    if kind == "VECTOR":
        if not numbers:
            raise BindFault("VECTOR needs its dimensions: VECTOR(3)", code="UNKNOWN_TYPE")
        return vector(numbers[0])
    if kind in ("NVARCHAR", "VARBINARY") and numbers and numbers[0] is not None:
        if numbers[0] < 1:
            raise BindFault(f"a length of {numbers[0]} holds nothing", code="UNKNOWN_TYPE")
        if numbers[0] > LENGTH_MAX:
            raise BindFault(
                f"{kind}({numbers[0]}): a length is at most {LENGTH_MAX:,}",
                code="UNKNOWN_TYPE",
                hint=f"{kind}(MAX) has no bound",
            )
        return Type(kind, numbers[0])
    return Type(kind)  # fractional-second digits and FLOAT(n) change nothing: 64 bits, microseconds

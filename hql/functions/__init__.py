"""The registry: every function and operator of HQL, by name."""

from __future__ import annotations

from hartonomous.hql.functions.aggregates import AGGREGATES
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.bits import BIT_FUNCTIONS
from hartonomous.hql.functions.code import CODE
from hartonomous.hql.functions.conditional import CONDITIONAL
from hartonomous.hql.functions.cursors import CURSORS
from hartonomous.hql.functions.dates import DATES
from hartonomous.hql.functions.embedding import EMBEDDING
from hartonomous.hql.functions.geometry import GEOMETRIES
from hartonomous.hql.functions.json import JSON_FUNCTIONS, JSON_TABLES
from hartonomous.hql.functions.json_change import JSON_CHANGES
from hartonomous.hql.functions.math import MATH
from hartonomous.hql.functions.models_generate import GENERATE
from hartonomous.hql.functions.models_likelihood import LIKELIHOODS
from hartonomous.hql.functions.models_predict import PREDICT
from hartonomous.hql.functions.models_tokens import DETOKENIZE, TOKENIZE
from hartonomous.hql.functions.moments import MOMENTS
from hartonomous.hql.functions.names import NAMES
from hartonomous.hql.functions.operators import OPERATORS
from hartonomous.hql.functions.patterns import PATTERNS
from hartonomous.hql.functions.session import SESSION
from hartonomous.hql.functions.spaces import SPACE_FUNCTIONS
from hartonomous.hql.functions.strings import STRINGS, TABLES
from hartonomous.hql.functions.system import SYSTEM
from hartonomous.hql.functions.text_forms import TEXT_FORMS
from hartonomous.hql.functions.vectors import VECTORS
from hartonomous.hql.functions.windows import WINDOWS

#: families, in the order of docs/FUNCTIONS.md
FAMILIES: tuple[tuple[str, tuple[Function, ...]], ...] = (
    ("Operators", OPERATORS),
    ("Choosing", CONDITIONAL),
    ("Numbers", (*MATH, *BIT_FUNCTIONS)),
    ("Strings", (*STRINGS, *TEXT_FORMS, *PATTERNS)),
    ("Dates and times", (*DATES, *MOMENTS)),
    ("JSON", (*JSON_FUNCTIONS, *JSON_CHANGES)),
    ("Vectors", VECTORS),
    ("Geometry", GEOMETRIES),
    ("Meaning", (*EMBEDDING, *SPACE_FUNCTIONS, *CODE)),
    ("Models", (GENERATE, *LIKELIHOODS, PREDICT, TOKENIZE, DETOKENIZE)),
    ("Aggregates", AGGREGATES),
    ("Windows", WINDOWS),
    ("Tables", (*TABLES, *JSON_TABLES)),
    ("System", (*SYSTEM, *NAMES)),
    ("Session", (*SESSION, *CURSORS)),
)

FUNCTIONS: dict[str, Function] = {f.name: f for _, family in FAMILIES for f in family}
_UPPER = {name.upper(): f for name, f in FUNCTIONS.items()}

#: other names -> name
SYNONYMS = {
    "ATAN2": "ATN2",
    "BINARY_CHECKSUM": "CHECKSUM",
    "CEIL": "CEILING",
    "CHARACTER_LENGTH": "LENGTH",
    "CHAR_LENGTH": "LENGTH",
    "CHR": "NCHAR",
    "COUNT_BIG": "COUNT",
    "CURRENT_TIMESTAMP": "GETDATE",
    "GETUTCDATE": "GETDATE",
    "GROUPING_ID": "GROUPING",
    "IFNULL": "ISNULL",
    "LN": "LOG",
    "OCTET_LENGTH": "DATALENGTH",
    "ORIGINAL_LOGIN": "SYSTEM_USER",
    "POW": "POWER",
    "REPEAT": "REPLICATE",
    "SESSION_USER": "CURRENT_USER",
    "STDDEV": "STDEV",
    "STDDEV_POP": "STDEVP",
    "STDDEV_SAMP": "STDEV",
    "SUBSTR": "SUBSTRING",
    "SUSER_NAME": "SYSTEM_USER",
    "SUSER_SNAME": "SYSTEM_USER",
    "SYSDATETIME": "GETDATE",
    "SYSUTCDATETIME": "GETDATE",
    "USER": "CURRENT_USER",
    "USER_NAME": "CURRENT_USER",
    "VARIANCE": "VAR",
    "VAR_POP": "VARP",
    "VAR_SAMP": "VAR",
}


def find(name: str) -> Function | None:
    """The function of this name or synonym, in any case."""
    function = FUNCTIONS.get(name)
    if function is None:
        upper = name.upper()
        function = _UPPER.get(SYNONYMS.get(upper, upper))
    return function


def operator(sign: str) -> Function:
    """The operator of this sign: `+`, `AND`, `IS NULL` …"""
    return FUNCTIONS[sign]


def names() -> list[str]:
    """Names that can be called, synonyms included, without operators and internal ones."""
    callable_names = [n for n in FUNCTIONS if n[0].isalpha() and n not in _OPERATOR_NAMES]
    return sorted([*callable_names, *SYNONYMS])


_OPERATOR_NAMES = frozenset(f.name for f in OPERATORS)

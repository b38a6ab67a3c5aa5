"""Queries on behalf of statements: bound, planned (both cached with the statement), started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.plan import BoundQuery, Field
from hartonomous.hql.result import Result

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

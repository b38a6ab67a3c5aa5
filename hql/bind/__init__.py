"""Names and types: a query's tree and a catalog in, a typed plan out.

Read queries.py first, then select.py, scope.py and expressions.py.
"""

from hartonomous.hql.bind.context import BindContext
from hartonomous.hql.bind.queries import bind_query

__all__ = ["BindContext", "bind_query"]

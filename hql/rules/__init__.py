"""Rewrites of the logical plan. Each is exact: with it or without, the same rows come back.

RULES is in the order of application; the comment says why a rule stands where it does. Any of them
can be switched off by name; `merge_queries` and `break_ties` are meaning, not optimisation, and
always run first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from hartonomous.hql.plan import Plan
from hartonomous.hql.rules.break_ties import break_ties
from hartonomous.hql.rules.coefficients import coefficients
from hartonomous.hql.rules.fold_limits import fold_limits
from hartonomous.hql.rules.hoist_native import hoist_native
from hartonomous.hql.rules.index_hints import index_hints
from hartonomous.hql.rules.match_rows import match_rows
from hartonomous.hql.rules.merge_queries import merge_queries
from hartonomous.hql.rules.ordered_top import ordered_top
from hartonomous.hql.rules.point_lookup import point_lookup
from hartonomous.hql.rules.prune_columns import prune_columns
from hartonomous.hql.rules.push_ranges import push_ranges
from hartonomous.hql.rules.seek_index import seek_index
from hartonomous.hql.rules.spatial_join import spatial_join
from hartonomous.hql.rules.top_k import top_k
from hartonomous.hql.rules.use_index import use_index, use_index_for_nearest

RULES: tuple[tuple[str, Callable[[Plan], Plan]], ...] = (
    ("prune_columns", prune_columns),  # first: it drops expressions the others would look at
    ("push_ranges", push_ranges),
    ("coefficients", coefficients),  # reads the ranges
    ("point_lookup", point_lookup),  # reads the ranges
    ("seek_index", seek_index),  # reads the ranges, and is not needed where there is a lookup
    ("use_index", use_index),  # before top_k, which copies scans with their regions
    ("spatial_join", spatial_join),
    ("top_k", top_k),  # before hoist_native, which would hide the distance
    ("nearest_index", use_index_for_nearest),
    ("ordered_top", ordered_top),  # reads the ranges; top_k has taken what is ordered by distance
    ("match_rows", match_rows),  # after the rules that find, count or limit rows in another way
    ("index_hints", index_hints),  # after all rules that choose an index
    ("hoist_native", hoist_native),
    ("fold_limits", fold_limits),
)

ALL = frozenset(name for name, _ in RULES)


def apply_rules(plan: Plan, off: Collection[str] = ()) -> Plan:
    """The plan after all rules whose name is not in `off`."""
    unknown = set(off) - ALL
    assert not unknown, f"no such rule: {unknown}"
    plan = break_ties(merge_queries(plan))
    for name, rule in RULES:
        if name not in off:
            plan = rule(plan)
    return plan

"""A plan as one text for the relational engine.

    Plan            [WITH …] body [ORDER BY …] [LIMIT … OFFSET …]
    SelectBlock     SELECT [DISTINCT] … FROM … WHERE … GROUP BY … HAVING …
    SetBlock        (left) UNION [ALL] (right)

Expressions are render.py's work; here is the shape around them, and what the text needs at
execution: sources to register, parameters, native values and calls. NULLs are always placed by
words (NULLS FIRST or LAST), conditions of LIMIT that the engine has not (WITH TIES, PERCENT) become
ranks, and a recursive common table counts its depth.
"""

from __future__ import annotations

from hartonomous.hql import plan as p
from hartonomous.hql.ast import NOWHERE
from hartonomous.hql.engine.render import render
from hartonomous.hql.functions.json import open_with_sql
from hartonomous.hql.lower.counts import checked_sql
from hartonomous.hql.lower.json_text import json_query
from hartonomous.hql.lower.names import Names, quote
from hartonomous.hql.lower.native import Natives
from hartonomous.hql.lower.recursion import Depth
from hartonomous.hql.rules.simple import is_known
from hartonomous.hql.rules.tree import children


class Fragment:
    """The text of one plan, and what it refers to."""

    def __init__(self, plan: p.Plan, natives: Natives, recursion_max: p.Expr | int) -> None:
        self.names = Names(plan)
        self.natives = natives
        self.inputs: dict[int, p.Scan | p.ArrowSource | p.Coefficients | p.Pairs] = {}
        self.parameters: dict[str, p.Parameter] = {}
        self.depth = Depth(recursion_max, self.expr)
        self.text = self.query(plan)

    # --- expressions -----------------------------------------------------------------------------

    def expr(self, expr: p.Expr) -> str:
        self._note_parameters(expr)
        return render(expr, self.names.column, self.query, self.natives.sql)

    def _note_parameters(self, expr: p.Expr) -> None:
        """The parameters that the text will name: not those that only native code reads."""
        stack: list[p.Expr] = [expr]
        while stack:
            node = stack.pop()
            if isinstance(node, p.Parameter) and not node.type.is_wide:
                self.parameters[node.name] = node
            elif isinstance(node, p.Call) and node.function.kernel is not None:
                if not is_known(node):
                    stack.extend(a for a in node.arguments if not is_known(a))
            else:
                stack.extend(c for c in children(node) if not isinstance(c, p.Plan))

    def _list(self, exprs: tuple[p.Expr, ...]) -> str:
        return ", ".join(map(self.expr, exprs))

    # --- queries ---------------------------------------------------------------------------------

    def query(self, plan: p.Plan) -> str:
        """The text of a whole query, without parentheses around it."""
        if plan.json is not None:
            return self._with(plan) + json_query(plan, self._clauses(plan), self.natives)
        return self._with(plan) + self._clauses(plan)

    def _with(self, plan: p.Plan) -> str:
        if not plan.ctes:
            return ""
        recursive = "RECURSIVE " if any(c.recursive for c in plan.ctes) else ""
        return f"WITH {recursive}" + ", ".join(map(self._cte, plan.ctes)) + " "

    def _cte(self, cte: p.Cte) -> str:
        columns = [quote(f.name) for f in cte.fields]
        if not cte.recursive:
            return f"c{cte.number}({', '.join(columns)}) AS ({self.query(cte.plan)})"
        text, has_depth = self.depth.recursive_query(cte, self)
        if has_depth:
            columns.append(quote(Depth.COLUMN))
        return f"c{cte.number}({', '.join(columns)}) AS ({text})"

    def _clauses(self, plan: p.Plan) -> str:
        if plan.limit is not None and (plan.limit_ties or plan.limit_percent):
            return self._ranked(plan)
        return self._body(plan) + self._order(plan.order_by) + self._limit(plan)

    def _body(self, plan: p.Plan) -> str:
        match plan.body:
            case p.SelectBlock():
                return self.select(plan.body)
            case p.ValuesBlock():
                return self._values(plan.body)
            case p.SetBlock():
                op = plan.body.op + (" ALL" if plan.body.all else "")
                return f"({self.query(plan.body.left)}) {op} ({self.query(plan.body.right)})"
            case p.Plan():
                columns = self.names.columns(plan.body.fields)
                return f"SELECT * FROM ({self.query(plan.body)}) AS q{columns}"

    def select(self, block: p.SelectBlock, *extra: str) -> str:
        """The text of a block; `extra` are more expressions for its list."""
        outputs = [f"{self.expr(o.expr)} AS {quote(o.name)}" for o in block.outputs]
        distinct = "DISTINCT " if block.distinct else ""
        text = f"SELECT {distinct}" + ", ".join([*outputs, *extra])
        if block.source is not None:
            text += f" FROM {self.source(block.source)}"
        if block.where is not None:
            text += f" WHERE {self.expr(block.where)}"
        text += self._group_by(block)
        if block.having is not None:
            text += f" HAVING {self.expr(block.having)}"
        return text

    def _group_by(self, block: p.SelectBlock) -> str:
        if block.group_by is None:
            return ""
        keys = [self._key(g) for g in block.group_by]
        if block.grouping_sets is not None:
            sets = (", ".join(keys[i] for i in indices) for indices in block.grouping_sets)
            return f" GROUP BY GROUPING SETS ({', '.join(f'({s})' for s in sets)})"
        return f" GROUP BY {', '.join(keys) if keys else '()'}"

    def _key(self, expr: p.Expr) -> str:
        """A grouping key; a bare number would be read as a position in the select list."""
        text = self.expr(expr)
        return f"CAST({text} AS {expr.type.relational})" if isinstance(expr, p.Constant) else text

    def _values(self, block: p.ValuesBlock) -> str:
        return "VALUES " + ", ".join(f"({self._list(row)})" for row in block.rows)

    # --- FROM ------------------------------------------------------------------------------------

    def source(self, source: p.Joined | p.Source) -> str:
        """A FROM clause, or one relation of it with its alias."""
        match source:
            case p.Joined():
                return self._joined(source)
            case p.Scan() | p.ArrowSource() | p.Coefficients() | p.Pairs():
                self.inputs[source.relation] = source
                return f"r{source.relation}"
            case p.Derived():
                columns = self.names.columns(source.fields)
                lateral = "LATERAL " if source.lateral else ""
                return f"{lateral}({self.query(source.plan)}) AS r{source.relation}{columns}"
            case p.CteReference():
                columns = self.names.columns(source.fields)
                return f"c{source.cte} AS r{source.relation}{columns}"
            case p.TableFunction():
                columns = self.names.columns(source.fields)
                lateral = "LATERAL " if source.lateral else ""
                return f"{lateral}{self._function(source)} AS r{source.relation}{columns}"
        raise AssertionError(source)

    def _function(self, source: p.TableFunction) -> str:
        render_function = source.function.render
        assert render_function is not None, source.function.name
        texts = [self.expr(a) for a in source.arguments]
        types = [a.type for a in source.arguments]
        span = source.arguments[0].span if source.arguments else NOWHERE
        if source.schema:
            return open_with_sql(texts, source.schema, span)
        return render_function(texts, types, source.fields[0].type, span)

    def _joined(self, join: p.Joined) -> str:
        # joins lean to the left; written without recursion, since there may be many
        chain = [join]
        while isinstance(chain[-1].left, p.Joined):
            chain.append(chain[-1].left)
        text = self.source(chain[-1].left)
        for step in reversed(chain):
            right = self.source(step.right)
            if isinstance(step.right, p.Joined):
                right = f"({right})"
            on = self._on(step)
            text = f"{text} {step.kind} JOIN {right}{on}"
        return text

    def _on(self, join: p.Joined) -> str:
        if join.kind == "CROSS":
            return ""
        return f" ON {self.expr(join.on)}" if join.on is not None else " ON TRUE"

    # --- ORDER BY and LIMIT ----------------------------------------------------------------------

    def _order(self, orders: tuple[p.Order, ...]) -> str:
        keys = [self._sort_key(o) for o in orders if not _is_fixed(o.expr)]
        return f" ORDER BY {', '.join(keys)}" if keys else ""

    def _sort_key(self, order: p.Order) -> str:
        if isinstance(order.expr, p.OutputColumn):
            return str(order.expr.index + 1) + direction(order)
        return self.expr(order.expr) + direction(order)

    def _limit(self, plan: p.Plan) -> str:
        text = ""
        for clause, count in (("LIMIT", plan.limit), ("OFFSET", plan.offset)):
            if count is not None:
                text += f" {clause} {checked_sql(self.expr(count), count)}"
        return text

    def _ranked(self, plan: p.Plan) -> str:
        """TOP … WITH TIES and TOP … PERCENT, by ranks over the block with its sort keys."""
        assert plan.limit is not None
        outputs = [f"c{i}" for i in range(len(plan.fields))]
        keys: list[str] = []
        hidden: list[str] = []
        for order in plan.order_by:
            if isinstance(order.expr, p.OutputColumn):
                keys.append(outputs[order.expr.index] + direction(order))
            elif not _is_fixed(order.expr):
                keys.append(f"k{len(hidden)}" + direction(order))
                hidden.append(self.expr(order.expr))
        body = (
            self.select(plan.body, *hidden)
            if isinstance(plan.body, p.SelectBlock)
            else self._body(plan)
        )
        columns = ", ".join([*outputs, *(f"k{i}" for i in range(len(hidden)))])
        order_by = f"ORDER BY {', '.join(keys)}" if keys else ""
        rank = "rank" if plan.limit_ties and keys else "row_number"
        count = checked_sql(self.expr(plan.limit), plan.limit, plan.limit_percent)
        if plan.limit_percent:
            count = f"ceil(count(*) OVER () * {count} / 100.0)"
        chosen = ", ".join(
            f"{c} AS {quote(f.name)}" for c, f in zip(outputs, plan.fields, strict=True)
        )
        return (
            f"SELECT {chosen} FROM (SELECT *, {rank}() OVER ({order_by}) AS place, "
            f"{count} AS wanted FROM ({body}) AS q({columns})) AS q "
            f"WHERE place <= wanted {order_by}"
        )


def direction(order: p.Order) -> str:
    """How a sort key sorts; NULLs are placed by words, always."""
    down = " DESC" if order.descending else " ASC"
    return down + (" NULLS FIRST" if order.nulls_first else " NULLS LAST")


def _is_fixed(expr: p.Expr) -> bool:
    """Whether a sort key is the same for all rows (the engine would take 1 for a position)."""
    while isinstance(expr, p.Cast):
        expr = expr.operand
    return isinstance(expr, (p.Constant, p.Parameter))

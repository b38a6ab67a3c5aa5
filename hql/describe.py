"""Plans as text: the logical tree, and expressions as a reader would write them.

For people and for golden scripts: deterministic, close to HQL, not meant to be parsed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hartonomous.hql import plan as p
from hartonomous.hql.rules.tree import walk

_INFIX = frozenset(["+", "-", "*", "/", "%", "&", "|", "^", "||", "AND", "OR", "LIKE"]) | frozenset(
    ["=", "<>", "<", "<=", ">", ">="]
)
_WORDS = ("IS DISTINCT FROM", "IS NOT DISTINCT FROM", "NOT LIKE")


@dataclass(slots=True)
class Tree:
    """A line of text and the trees below it."""

    text: str
    below: list[Tree] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The tree drawn with ├─ and └─."""
        out = [self.text]
        for place, child in enumerate(self.below):
            is_last = place == len(self.below) - 1
            first, *rest = child.lines()
            out.append(("└─ " if is_last else "├─ ") + first)
            out.extend(("   " if is_last else "│  ") + line for line in rest)
        return out


def describe_plan(plan: p.Plan) -> str:
    """The logical plan, one line for each block, join and relation."""
    return "\n".join(Describer(plan).query(plan).lines())


class Describer:
    """Knows the aliases of a plan's relations."""

    def __init__(self, plan: p.Plan) -> None:
        self._aliases: dict[int, str] = {}
        for node in walk(plan):
            if isinstance(node, p.Source):
                self._aliases.setdefault(node.relation, node.alias or f"r{node.relation}")

    # --- plans -----------------------------------------------------------------------------------

    def query(self, plan: p.Plan) -> Tree:
        tree = self._body(plan)
        if plan.order_by:
            keys = ", ".join(self.order(o, plan.fields) for o in plan.order_by)
            tree = Tree(f"order by {keys}", [tree])
        if plan.offset is not None:
            tree = Tree(f"offset {self.expr(plan.offset)}", [tree])
        if plan.limit is not None:
            percent = " percent" if plan.limit_percent else ""
            ties = " with ties" if plan.limit_ties else ""
            tree = Tree(f"limit {self.expr(plan.limit)}{percent}{ties}", [tree])
        if plan.json is not None:
            tree = Tree("for json", [tree])
        ctes = [
            Tree(f"{'recursive ' if c.recursive else ''}with {c.name}", [self.query(c.plan)])
            for c in plan.ctes
        ]
        return Tree("query", [*ctes, tree]) if ctes else tree

    def _body(self, plan: p.Plan) -> Tree:
        match plan.body:
            case p.SelectBlock():
                return self._select(plan.body)
            case p.ValuesBlock():
                return Tree(f"values ({len(plan.body.rows)} rows)")
            case p.SetBlock():
                sides = [self.query(plan.body.left), self.query(plan.body.right)]
                return Tree(plan.body.op.lower() + (" all" if plan.body.all else ""), sides)
            case p.Plan():
                return self.query(plan.body)

    def _select(self, block: p.SelectBlock) -> Tree:
        outputs = ", ".join(self._output(o) for o in block.outputs)
        tree = Tree(f"select {'distinct ' if block.distinct else ''}{outputs}")
        inner = [] if block.source is None else [self.source(block.source)]
        if block.where is not None:
            inner = [Tree(f"where {self.expr(block.where)}", inner)]
        if block.group_by is not None:
            keys = ", ".join(map(self.expr, block.group_by)) or "()"
            if block.grouping_sets is not None:
                sets = ", ".join(f"({', '.join(map(str, s))})" for s in block.grouping_sets)
                keys += f" sets {sets}"
            inner = [Tree(f"group by {keys}", inner)]
        if block.having is not None:
            inner = [Tree(f"having {self.expr(block.having)}", inner)]
        tree.below.extend([*inner, *self._subqueries(block)])
        return tree

    def _output(self, output: p.Output) -> str:
        text = self.expr(output.expr)
        is_own = isinstance(output.expr, p.Column) and output.expr.name == output.name
        return text if is_own else f"{text} as {output.name}"

    def _subqueries(self, block: p.SelectBlock) -> Iterator[Tree]:
        for node in walk((*block.outputs, *_some(block.where), *_some(block.having)), block=True):
            query = getattr(node, "query", None)
            if isinstance(query, p.Plan):
                yield Tree("subquery", [self.query(query)])

    # --- relations -------------------------------------------------------------------------------

    def source(self, source: p.Joined | p.Source) -> Tree:
        match source:
            case p.Joined():
                on = f" on {self.expr(source.on)}" if source.on is not None else ""
                sides = [self.source(source.left), self.source(source.right)]
                return Tree(f"{source.kind.lower()} join{on}", sides)
            case p.Scan():
                below = []
                if source.nearest is not None and source.nearest.filter is not None:
                    below = [self.query(source.nearest.filter)]
                return Tree(self.scan(source), below)
            case p.ArrowSource():
                shown = f"{source.alias}{_moment(source)}{self._columns(source)}"
                return Tree(f"rows of {source.key} as {shown}")
            case p.Coefficients():
                return Tree(self._coefficients(source))
            case p.Pairs():
                return Tree(self._pairs(source))
            case p.Derived():
                lateral = "lateral " if source.lateral else ""
                return Tree(f"{lateral}derived {source.alias}".rstrip(), [self.query(source.plan)])
            case p.CteReference():
                return Tree(f"common table {source.alias}")
            case p.TableFunction():
                given = source.arguments
                if source.function.of_row is not None and isinstance(given[0], p.Call):
                    given = given[0].arguments  # inside, it is a call for each row
                arguments = ", ".join(map(self.expr, given))
                return Tree(f"{source.function.name}({arguments}) as {source.alias}")
        raise AssertionError(source)

    def scan(self, scan: p.Scan) -> str:
        """A scan with what the rules have said about it."""
        name = scan.table.name
        parts = [f"scan {name}" + (f" as {scan.alias}" if scan.alias != name else "")]
        parts[0] += _moment(scan) + self._columns(scan)
        if scan.ranges and scan.lookup is None:
            parts.append("ranges: " + ", ".join(map(self._range, scan.ranges)))
        if scan.lookup is not None:
            pairs = zip(scan.lookup.columns, scan.lookup.values, strict=True)
            key = next(k.name for k in scan.table.keys if k.id == scan.lookup.key)
            parts.append(f"key {key}: " + ", ".join(f"{c} = {self.expr(v)}" for c, v in pairs))
        if scan.region is not None:
            parts.append(self._region(scan.region))
        if scan.seek is not None:
            parts.append(" or ".join(self._seek(scan, i) for i in (scan.seek, *scan.seeks)))
        parts.extend(map(self._matching, scan.matching))
        if scan.first is not None:
            count = " + ".join(map(self.expr, scan.first.count))
            end = " from the end" if scan.first.descending else ""
            parts.append(f"first {count}{end} of index {scan.first.index.title}")
        computed = {c.name: c.expr for c in scan.computed}
        if scan.nearest is not None:
            count = " + ".join(map(self.expr, scan.nearest.count))
            text = f"nearest {count} by {self.expr(computed.pop(scan.nearest.by))}"
            index = scan.nearest.index
            parts.append(text if index is None else f"index {index.title}: {text}")
        if computed:
            parts.append("computes " + ", ".join(map(self.expr, computed.values())))
        if scan.limit is not None:
            parts.append(f"limit {self.expr(scan.limit)}")
        return "; ".join(parts)

    def _coefficients(self, source: p.Coefficients) -> str:
        name = "TensorAtomCoefficients"
        parts = [f"scan {name}" + (f" as {source.alias}" if source.alias != name else "")]
        parts[0] += _moment(source) + self._columns(source)
        if source.ranges:
            parts.append("ranges: " + ", ".join(map(self._range, source.ranges)))
        if source.tests:
            parts.append("native: " + ", ".join(map(self._test, source.tests)))
        if source.partials is not None:
            named = (f"{x.aggregate}({x.column or '*'})" for x in source.partials)
            parts.append("by tensor atom: " + (", ".join(named) or "any"))
        return "; ".join(parts)

    def _test(self, test: p.Test) -> str:
        values = [self.expr(v) for v in test.values]
        if test.op == "BETWEEN":
            return f"{test.column} BETWEEN {values[0]} AND {values[1]}"
        if test.op in ("IN", "NOT IN"):
            return f"{test.column} {test.op} ({', '.join(values)})"
        return f"{test.column} {test.op} {values[0]}"

    def _pairs(self, pairs: p.Pairs) -> str:
        left, right = (self._aliases.get(r, f"r{r}") for r in (pairs.left, pairs.right))
        sides = f"{left}.{pairs.left_column} and {right}.{pairs.right_column}"
        if pairs.nearest is not None:
            what = f"nearest {self.expr(pairs.nearest)} of"
        else:
            near = pairs.distance
            what = "meeting" if near is None else f"within {self.expr(near)} of each other:"
        return f"pairs through index {pairs.index.title}, {what} {sides}"

    def _region(self, region: p.Region) -> str:
        near = "" if region.distance is None else f"within {self.expr(region.distance)} of "
        return f"index {region.index.title}: {near or 'meets '}{self.expr(region.of)}"

    def _seek(self, scan: p.Scan, index: p.Index) -> str:
        from hartonomous.hql.rules.seek_index import ordered_indexes, sought_columns

        entry = next(e for e in ordered_indexes(scan.table) if e.id == index.id)
        return f"index {index.title} ({', '.join(sought_columns(scan, entry))})"

    def _matching(self, matching: p.Matching) -> str:
        alias = self._aliases.get(matching.other, f"r{matching.other}")
        values = [f"{alias}.{v}" if isinstance(v, str) else self.expr(v) for v in matching.values]
        return f"rows that match {', '.join(values)} through index {matching.index.title}"

    def _columns(self, source: p.Source) -> str:
        return f" ({', '.join(f.name for f in source.fields)})"

    def _range(self, given: p.Range) -> str:
        if given.is_null:
            return f"{given.column} is null"
        if given.values is not None:
            return f"{given.column} in ({', '.join(map(self.expr, given.values))})"
        if given.low is not None and given.low == given.high:
            return f"{given.column} = {self.expr(given.low)}"
        text = given.column
        if given.like is not None:
            return f"{text} like {' escape '.join(map(self.expr, given.like))}"
        if given.low is not None:
            text = f"{self.expr(given.low)} {'<' if given.low_open else '<='} {text}"
        if given.high is not None:
            text = f"{text} {'<' if given.high_open else '<='} {self.expr(given.high)}"
        return text

    # --- expressions -----------------------------------------------------------------------------

    def expr(self, expr: p.Expr) -> str:
        match expr:
            case p.Column():
                alias = self._aliases.get(expr.relation, f"r{expr.relation}")
                return f"{alias}.{expr.name}"
            case p.Constant():
                return _constant(expr.value)
            case p.Parameter():
                return f"@{expr.name}"
            case p.Call():
                return self._call(expr)
            case p.Cast():
                word = "TRY_CAST" if expr.try_ else "CAST"
                return f"{word}({self.expr(expr.operand)} AS {expr.type})"
            case p.Case():
                whens = " ".join(f"WHEN {self.expr(a)} THEN {self.expr(b)}" for a, b in expr.whens)
                otherwise = f" ELSE {self.expr(expr.otherwise)}" if expr.otherwise else ""
                return f"CASE {whens}{otherwise} END"
            case p.InList():
                values = ", ".join(map(self.expr, expr.values))
                return f"{self.expr(expr.operand)}{_negated(expr)} IN ({values})"
            case p.InQuery():
                return f"{self.expr(expr.operand)}{_negated(expr)} IN (subquery)"
            case p.Quantified():
                return f"{self.expr(expr.left)} {expr.op} {expr.quantifier} (subquery)"
            case p.Exists():
                return "EXISTS (subquery)"
            case p.ScalarQuery():
                return "(subquery)"
            case p.Aggregate():
                return self._aggregate(expr)
            case p.Window():
                return self._window(expr)
            case p.OutputColumn():
                return f"#{expr.index + 1}"
        raise AssertionError(expr)

    def _call(self, call: p.Call) -> str:
        name, texts = call.function.name, [self.expr(a) for a in call.arguments]
        if len(texts) == 2 and (name in _INFIX or name in _WORDS):
            return f"({texts[0]} {name} {texts[1]})"
        if name in ("IS NULL", "IS NOT NULL"):
            return f"({texts[0]} {name})"
        if name == "BETWEEN":
            return f"({texts[0]} BETWEEN {texts[1]} AND {texts[2]})"
        if len(texts) == 1 and name in ("NOT", "-", "+", "~"):
            return f"({name}{' ' if name == 'NOT' else ''}{texts[0]})"
        return f"{name}({', '.join(texts)})"

    def _aggregate(self, expr: p.Aggregate | p.Window) -> str:
        distinct = "DISTINCT " if expr.distinct else ""
        arguments = ", ".join(map(self.expr, expr.arguments))
        if not expr.arguments and expr.function.kind == "aggregate":
            arguments = "*"
        text = f"{expr.function.name}({distinct}{arguments})"
        return text + (f" FILTER ({self.expr(expr.filter)})" if expr.filter is not None else "")

    def _window(self, expr: p.Window) -> str:
        parts = []
        if expr.partition_by:
            parts.append("PARTITION BY " + ", ".join(map(self.expr, expr.partition_by)))
        if expr.order_by:
            parts.append("ORDER BY " + ", ".join(self.order(o, ()) for o in expr.order_by))
        return f"{self._aggregate(expr)} OVER ({' '.join(parts)})"

    def order(self, order: p.Order, fields: tuple[p.Field, ...]) -> str:
        """A sort key; only what is not the default is said."""
        text = self.expr(order.expr)
        if isinstance(order.expr, p.OutputColumn) and order.expr.index < len(fields):
            text = fields[order.expr.index].name
        nulls = ""
        if order.nulls_first == order.descending:
            nulls = " nulls first" if order.nulls_first else " nulls last"
        return text + (" desc" if order.descending else "") + nulls


def _some(value: Any) -> tuple[Any, ...]:
    return () if value is None else (value,)


def _negated(expr: p.InList | p.InQuery) -> str:
    return " NOT" if expr.negated else ""


def _constant(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str):
        text = value if len(value) <= 40 else value[:39] + "…"
        return "'" + text.replace("'", "''") + "'"
    if isinstance(value, bytes):
        return "0x" + value[:20].hex().upper() + ("…" if len(value) > 20 else "")
    if hasattr(value, "tolist"):
        items = [f"{x:g}" for x in value.tolist()[:4]]
        return f"[{', '.join(items)}{', …' if len(value) > 4 else ''}]"
    is_number = isinstance(value, (int, float, Decimal))
    return str(value) if is_number else f"'{value}'"


def _moment(source: p.Scan | p.ArrowSource | p.Coefficients) -> str:
    return "" if source.moment is None else f" as of commit {source.moment.sequence}"

"""UPDATE or DELETE of one row by its key, for many sets of parameters: one statement over a table
of them.

    UPDATE t SET a = ?, n = n + ? WHERE id = ?
    UPDATE t SET a = s.p0, n = n + s.p1 FROM @sets AS s WHERE id = s.p2

Only where no set can see what another one did, so that all at once is the same as one after the
other: every set says the whole of a key, each another one; no assigned column is in a key; nothing
reads a table. And only where a set's values have the types on their own that they have in the
table: expressions mean the same then. Anything else, and whatever fails, is run set by set, so that
errors are the same, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import NoneType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.arrow_tables import find_field_type
from hartonomous.hql.changes.targets import find_entry
from hartonomous.hql.frozen import frozen
from hartonomous.hql.parameters import named
from hartonomous.hql.statements.delete import Delete
from hartonomous.hql.statements.update import Update
from hartonomous.hql.syntax import trees
from hartonomous.hql.system_schema.behaviour import find_behaviour
from hartonomous.hql.types import FLOAT, INT, NVARCHAR, Type, parse_type
from hartonomous.hql.values import parameter_value
from hartonomous.storage.catalog import TableEntry, fold
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

#: fewer sets are not worth another statement
SETS_MIN = 8
#: the table of sets, and its columns
SETS, COLUMN = "__sets", "__p"

#: parameters of a key, and kinds of values that they may have
Kinds = dict[str, tuple[str, ...]]

#: what may stand beside the key: it reads nothing but the row and its own set
_PLAIN = (
    *(ast.Literal, ast.ColumnName, ast.Identifier, ast.Placeholder, ast.Variable, ast.Binary),
    *(ast.Unary, ast.IsNull, ast.Between, ast.InList, ast.Like, ast.Case, ast.Cast, ast.TypeName),
)
#: kinds of key columns that equal parameters as Python's values do -> kinds of these parameters
_KEYS = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INT", "BIGINT"), ("INT", "BIGINT")),
    "NVARCHAR": ("NVARCHAR",),
    "DATE": ("DATE",),
}


@frozen
class ManyChanges:
    """The statement over the table of sets. `names` are the parameters, in the order of the
    table's columns, `keys` those that say the key with the kinds of values that they may have;
    `bare` are those of which the exact type says nothing."""

    statement: Update | Delete
    names: tuple[str, ...]
    keys: Kinds
    bare: frozenset[str]

    def table(self, sets: Sequence[Any]) -> pa.Table | None:
        """The table of some sets of parameters, or None if they must be taken one by one."""
        given = _by_name(sets)
        columns: dict[str, pa.Array] = {}
        for place, name in enumerate(self.names):
            if name not in given:
                return None
            try:
                array = _typed(name, given[name], self.keys.get(name), name in self.bare)
            except (Error, pa.ArrowException, ValueError, TypeError, OverflowError):
                return None  # run by itself the set says what is wrong with it
            if array is None:
                return None
            columns[f"{COLUMN}{place}"] = array
        if len(set(zip(*(given[name] for name in self.keys), strict=True))) < len(sets):
            return None
        return pa.table(columns)


def _by_name(sets: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """Values by parameter; parameters that some sets lack are left out."""
    if set(map(type, sets)) <= {tuple, list}:
        return {f"?{i}": values for i, values in enumerate(zip(*sets, strict=False))}
    taken = [named(given) for given in sets]
    names = set.intersection(*map(set, taken))
    return {name: [given[name] for given in taken] for name in names}


def _typed(
    name: str, values: Sequence[Any], kinds: Sequence[str] | None, is_bare: bool
) -> pa.Array | None:
    """The values in the type that each of them has, of a key one of `kinds`; None: there is no such
    type. Raises what values raise that HQL has not."""
    type_ = _plain_type(values)
    if type_ is None:
        typed = [parameter_value(name, value) for value in values]
        type_ = _common({t for t, v in typed if v is not None}, is_bare)
        values = [value for _, value in typed]
    if type_ is None or (kinds is not None and type_.kind not in kinds):
        return None
    array = pa.array(values, type_.arrow)
    return array if find_field_type(pa.field("", array.type)) == type_ else None


def _plain_type(values: Sequence[Any]) -> Type | None:
    """The type of values of which Python's says it; they are many."""
    match [kind for kind in set(map(type, values)) if kind is not NoneType]:
        case [kind] if kind is float:
            return FLOAT
        case [kind] if kind is str:
            return NVARCHAR
        case [kind] if kind is int:
            numbers = [value for value in values if value is not None]
            return INT if min(numbers) >= -(2**31) and max(numbers) < 2**31 else None
    return None


def _common(different: set[Type], is_bare: bool) -> Type | None:
    """The type of a column of values with these types, None if none says the same."""
    if len(different) == 1:
        return next(iter(different))
    if not is_bare or not different:
        return None
    if all(t.is_integer for t in different):
        return max(different, key=lambda t: pa.types.is_int64(t.arrow))
    if all(t.kind == "DECIMAL" for t in different):
        scale = max(t.b or 0 for t in different)
        whole = max((t.a or 0) - (t.b or 0) for t in different)
        return Type("DECIMAL", whole + scale, scale) if whole + scale <= 38 else None
    return None


def find_many_changes(statement: Any, context: Context) -> ManyChanges | None:
    """How a statement is run for many sets at once; None: one after the other."""
    if not isinstance(statement, (Update, Delete)) or statement.where is None:
        return None
    if statement.output is not None or statement.source is not None or statement.ctes is not None:
        return None
    table = _plain_table(statement, context)
    if table is None:
        return None
    conjuncts = _conjuncts(statement.where)
    values = [a.value for a in statement.assignments] if isinstance(statement, Update) else []
    if isinstance(statement, Update) and not _assigns_no_key(statement, table):
        return None
    if not all(isinstance(node, _PLAIN) for node in trees.walk((*conjuncts, *values))):
        return None
    own = {fold(table.name), *([fold(statement.alias.text)] if statement.alias else [])}
    keys: dict[str, str] = {}  # column -> parameter
    beside: list[ast.Expression] = []
    for conjunct in conjuncts:
        said = _key_part(conjunct, own)
        if said is None or said[0] in keys:
            beside.append(conjunct)
        else:
            keys[said[0]] = said[1]
    known = _key_parameters(table, keys)
    if known is None:
        return None
    compared = [c for c in conjuncts if _key_part(c, own) is None]
    names = sorted({_name(n) for n in trees.walk(statement) if _is_parameter(n)} - {None})
    inner = {_name(n) for e in (*compared, *values) if not _is_parameter(e) for n in trees.walk(e)}
    bare = frozenset(n for n in names if n not in inner)
    return ManyChanges(_over_sets(statement, names), tuple(names), known, bare)


def _plain_table(statement: Update | Delete, context: Context) -> TableEntry | None:
    """The stored table that is changed, if rows of it are changed by themselves."""
    if isinstance(statement.table, ast.Variable):
        return None
    entry = find_entry(context, statement.table)
    if not isinstance(entry, TableEntry) or find_behaviour(entry) is not None:
        return None
    is_own = any(key.table in (0, entry.id) for key in entry.foreign_keys)
    return None if is_own else entry


def _assigns_no_key(statement: Update, table: TableEntry) -> bool:
    in_keys = {c for key in table.keys for c in key.columns}
    in_keys.update(c for key in table.foreign_keys for c in key.columns)
    for assignment in statement.assignments:
        if assignment.variable is not None or not assignment.column:
            return False
        column = table.find_column(assignment.column[-1].text)
        if column is None or column.id in in_keys:
            return False
    return True


def _conjuncts(where: ast.Expression) -> list[ast.Expression]:
    if isinstance(where, ast.Binary) and where.op == "AND":
        return [*_conjuncts(where.left), *_conjuncts(where.right)]
    return [where]


def _key_part(conjunct: ast.Expression, own: set[str]) -> tuple[str, str] | None:
    """Column and parameter of `column = ?`."""
    if not isinstance(conjunct, ast.Binary) or conjunct.op != "=":
        return None
    for column, value in ((conjunct.left, conjunct.right), (conjunct.right, conjunct.left)):
        if isinstance(column, ast.ColumnName) and _is_parameter(value):
            owners = {fold(part.text) for part in column.parts[-2:-1]}
            if len(column.parts) <= 2 and owners <= own:
                return fold(column.parts[-1].text), _name(value)
    return None


def _key_parameters(table: TableEntry, said: Mapping[str, str]) -> Kinds | None:
    """The parameters that say a whole unique key, and kinds that they may have."""
    columns = {column.id: column for column in table.columns}
    for key in table.keys:
        found: Kinds = {}
        for column in (columns[i] for i in key.columns):
            parameter, kinds = said.get(fold(column.name)), _KEYS.get(parse_type(column.type).kind)
            if parameter is None or kinds is None or column.collation is not None:
                break
            found[parameter] = kinds
        if key.is_unique and len(found) == len(key.columns):
            return found
    return None


def _is_parameter(node: ast.Node) -> bool:
    return isinstance(node, (ast.Placeholder, ast.Variable))


def _name(node: Any) -> Any:
    """A parameter's name as `named` gives it; None of anything else."""
    if isinstance(node, ast.Variable):
        return fold(node.name)
    if isinstance(node, ast.Placeholder):
        return f"?{node.index}" if node.name is None else fold(node.name)
    return None


def _over_sets(statement: Update | Delete, names: Sequence[str]) -> Update | Delete:
    """The statement that reads its parameters from the table of sets."""
    places = {name: place for place, name in enumerate(names)}

    def column(node: ast.Node) -> ast.Expression:
        return trees.column(SETS, f"{COLUMN}{places[_name(node)]}", span=node.span)

    changed = _with_parameters(statement, column)
    assert isinstance(changed, (Update, Delete))
    return replace(changed, source=trees.rows(SETS, SETS))


def _with_parameters(value: Any, change: Callable[[ast.Node], ast.Expression]) -> Any:
    """A tree whose parameters are what `change` makes of them."""
    if isinstance(value, tuple):
        return tuple(_with_parameters(part, change) for part in value)
    if not isinstance(value, ast.Node):
        return value
    if _is_parameter(value):
        return change(value)
    return replace(value, **{n: _with_parameters(v, change) for n, v in trees.parts(value)})

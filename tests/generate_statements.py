"""Random valid statements as syntax trees: one strategy for each kind, built on generate.py."""

from __future__ import annotations

from typing import Any

from generate import (
    Strategy,
    cells,
    expressions,
    flags,
    integers,
    items,
    literals,
    maybe,
    names,
    objects,
    one_of,
    queries,
    relations,
    several,
    sources,
    strings,
    tables,
    types,
    variable_names,
    variables,
)
from hypothesis import strategies as st

from hartonomous.hql import ast
from hartonomous.hql.statements import STATEMENTS
from hartonomous.hql.statements import alter_table as alter
from hartonomous.hql.statements.declare import VariableDefinition
from hartonomous.hql.statements.execute import Argument
from hartonomous.hql.statements.merge import MergeClause
from hartonomous.hql.statements.parts import (
    Assignment,
    ColumnDefinition,
    Constraint,
    Output,
    ParameterDefinition,
    Securable,
    With,
)


def of(name: str, *parts: Strategy, **named: Strategy) -> Strategy:
    """Statements of the registry's class."""
    return st.builds(STATEMENTS[name], *parts, **named)


_targets = st.one_of(objects, st.builds(ast.Variable, variable_names))
_column_lists = st.just(()) | several(names, 1, 2)
_outputs = st.one_of(st.builds(Output, items), st.builds(Output, items, _targets, _column_lists))
_withs = maybe(st.builds(With, tables, flags))
_assignments = several(
    st.one_of(
        st.builds(Assignment, several(names, 1, 2), cells),
        st.builds(Assignment, st.just(()), expressions, variable_names),
    ),
    1,
    2,
)
_actions = one_of(None, "NO ACTION", "CASCADE", "SET NULL", "SET DEFAULT")
_constraint_names = maybe(names)


def _keys(least: int) -> Strategy:
    lists = several(names, 1, 2) if least else st.just(())
    return st.one_of(
        st.builds(Constraint, one_of("PRIMARY KEY", "UNIQUE"), _constraint_names, lists),
        st.builds(Constraint, st.just("CHECK"), _constraint_names, check=expressions),
        st.builds(
            Constraint,
            st.just("FOREIGN KEY"),
            _constraint_names,
            lists,
            st.none(),
            objects,
            _column_lists,
            _actions,
            _actions,
        ),
    )


_table_constraints = _keys(1)
_definitions = st.one_of(
    st.builds(
        ColumnDefinition,
        names,
        types,
        one_of(None, True, False),
        identity=one_of(None, None, (1, 1), (-5, 2)),
        collation=one_of(None, None, "NOCASE"),
        constraints=several(_keys(0), 0, 2),
    ),
    st.builds(
        ColumnDefinition,
        names,
        types,
        default=expressions,
        default_name=_constraint_names,
    ),
    st.builds(ColumnDefinition, names, st.none(), computed=expressions, persisted=flags),
)
_settings = st.just(()) | several(
    st.one_of(
        st.builds(ast.Option, one_of("FORMAT", "HEADER", "FIRST"), maybe(expressions)),
        st.just(ast.Option("HEADER", ast.Identifier("ON"))),
    ),
    1,
    2,
)
_sorted_columns = several(
    st.builds(ast.OrderItem, st.builds(lambda n: ast.ColumnName((n,)), names), flags), 1, 2
)
_modes = one_of("CREATE", "CREATE OR ALTER", "ALTER")
_paths = st.one_of(strings, variables)
_merge_clauses = several(
    st.one_of(
        st.builds(
            MergeClause,
            one_of("MATCHED", "NOT MATCHED BY SOURCE"),
            maybe(expressions),
            st.just("UPDATE"),
            _assignments,
        ),
        st.builds(MergeClause, st.just("MATCHED"), maybe(expressions), st.just("DELETE")),
        st.builds(
            MergeClause,
            st.just("NOT MATCHED"),
            maybe(expressions),
            st.just("INSERT"),
            st.just(()),
            _column_lists,
            st.just(()) | several(cells, 1, 2),
        ),
    ),
    1,
    2,
)
_execute_arguments = several(
    st.one_of(
        st.builds(Argument, maybe(variable_names), st.one_of(literals, expressions), flags),
        st.builds(Argument, maybe(variable_names), st.none()),
    ),
    0,
    2,
)
_declarations = several(
    st.one_of(
        st.builds(VariableDefinition, variable_names, types, maybe(expressions)),
        st.builds(
            VariableDefinition,
            variable_names,
            st.none(),
            st.none(),
            several(_definitions, 1, 2),
            several(_table_constraints, 0, 1),
        ),
    ),
    1,
    2,
)
_alterations = st.one_of(
    st.builds(alter.Add, several(st.one_of(_definitions, _table_constraints), 1, 2)),
    st.builds(alter.Drop, one_of("COLUMN", "CONSTRAINT"), several(names, 1, 2), flags),
    st.builds(alter.AlterColumn, names, types, one_of(None, True, False)),
    st.builds(alter.SetDefault, names, maybe(expressions)),
    st.builds(alter.Rename, maybe(names), names),
)
_plain_sources = queries.map(lambda q: None if str(q).startswith("(") else q)
query_statements = of("query", queries)
changes = st.one_of(
    of("insert", _targets, _column_lists, _plain_sources, maybe(_outputs), _withs),
    of("insert", _targets, _column_lists, queries),
    of(
        "update",
        _targets,
        maybe(names),
        _assignments,
        maybe(_outputs),
        maybe(relations),
        maybe(expressions),
        _withs,
    ),
    of(
        "delete",
        _targets,
        maybe(names),
        maybe(_outputs),
        maybe(relations),
        maybe(expressions),
        _withs,
    ),
    of(
        "merge",
        _targets,
        maybe(names),
        sources,
        expressions,
        _merge_clauses,
        maybe(_outputs),
        _withs,
    ),
)
definitions = st.one_of(
    of("create_table", objects, several(_definitions), several(_table_constraints, 0, 2), flags),
    of("alter_table", objects, _alterations),
    *(of(f"drop_{kind}", several(objects, 1, 2), flags) for kind in ("table", "view")),
    *(of(f"drop_{kind}", several(objects, 1, 2), flags) for kind in ("procedure", "function")),
    of("create_schema", names, flags),
    of("drop_schema", names, flags),
    of("create_view", objects, _column_lists, queries, _modes, flags),
    of(
        "create_index",
        names,
        objects,
        _sorted_columns,
        flags,
        one_of(None, "RTREE", "VECTOR", "BTREE", "HASH"),
        _settings,
        flags,
    ),
    of("drop_index", objects, maybe(objects), flags),
)
others = st.one_of(
    of("truncate_table", objects),
    of("begin_transaction", maybe(names)),
    of("commit", maybe(names)),
    of("rollback", maybe(names)),
    of("savepoint", names),
    of("copy", objects, _column_lists, st.none(), one_of("FROM", "TO"), _paths, _settings),
    of("copy", st.none(), st.just(()), queries, st.just("TO"), _paths, _settings),
    of(
        "explain",
        st.one_of(query_statements, changes),
        flags,
    ),
    of("verify_database"),
    of("checkpoint"),
    of("kill", st.one_of(integers, variables), flags),
    of("vacuum", maybe(objects)),
    of("backup_database", _paths),
    of("alter_database", one_of("retention", "odd one"), maybe(strings)),
    of("show_commits"),
    of("help", maybe(one_of("create table", "LEN", "sys.tables", "it's"))),
    of("update_statistics", objects),
    of("create_branch", names, st.none() | expressions),
    of("create_branch", names, st.none(), names),
    of("use_branch", names),
    of("drop_branch", names, flags),
    of("show_branches"),
    of("create_tag", names, maybe(expressions)),
    of("drop_tag", names, flags),
    of("show_tags"),
    of("diff_commit", expressions, expressions, maybe(objects)),
    of("merge_branch", names, one_of(None, "OURS", "THEIRS")),
    of("revert_commit", expressions),
)
_secrets = several(st.builds(ast.Option, one_of("PASSWORD", "SCRAM", "ODD"), literals), 1, 2)
_rights = several(one_of("SELECT", "ALL", "COPY FILES", "CREATE", "VIEW HISTORY", "CONTROL"), 1, 2)
_securables = st.one_of(
    st.builds(Securable, st.just("DATABASE")),
    st.builds(Securable, one_of("SCHEMA", "MODEL"), names),
    st.builds(Securable, one_of("TABLE", "VIEW", "PROCEDURE", "FUNCTION", ""), objects),
)
security_statements = st.one_of(
    of("create_user", names, st.just(()) | _secrets, flags),
    of("alter_user", names, _secrets),
    of("drop_user", names, flags),
    of("create_role", names, flags),
    of("drop_role", names, flags),
    of("alter_role", names, one_of("ADD", "DROP"), names),
    of("grant", _rights, maybe(_securables), several(names, 1, 2)),
    of("revoke", _rights, maybe(_securables), several(names, 1, 2)),
    of("create_policy", names, objects, names, expressions, maybe(expressions)),
    of("drop_policy", names, objects, flags),
    of("create_token", names, names, maybe(st.builds(ast.Option, st.just("EXPIRES"), literals))),
    of("drop_token", names, flags),
    of("execute_as", maybe(expressions)),
)
script_statements = st.one_of(
    of("declare", _declarations),
    of("declare_cursor", names, queries, one_of((), ("LOCAL", "FAST_FORWARD"))),
    of("open_cursor", names),
    of("close_cursor", names),
    of("deallocate", names),
    of("fetch", one_of("NEXT", "PRIOR", "FIRST", "LAST"), names, several(variable_names, 0, 2)),
    of("set_variable", variable_names, expressions),
    of("set_option", one_of("NOCOUNT", "odd one"), st.one_of(flags, strings)),
    of("break_loop"),
    of("continue_loop"),
    st.one_of(of("throw"), of("throw", expressions, expressions, expressions)),
    of("raise_error", expressions, expressions, expressions, several(expressions, 0, 2)),
    of("print_text", expressions),
    of("return_value", maybe(expressions)),
    of("wait_for", _paths),
    of("execute", objects, _execute_arguments, maybe(variable_names)),
    of("execute_text", expressions),
)
_simple = st.one_of(
    query_statements, changes, definitions, others, security_statements, script_statements
)


def _as_branch(statement: Any) -> Any:
    """A query that begins with a parenthesis must follow `;`."""
    return _block((statement,)) if str(statement).startswith("(") else statement


def _block(body: Any) -> Any:
    return STATEMENTS["block"](body)  # type: ignore[call-arg]


def _as_routine(body: Any) -> Any:
    """A body without BEGIN takes the rest of the batch; one with BEGIN is one block."""
    is_block = str(body[0]).startswith("BEGIN ") and body[0].title == "BEGIN"
    return (_block(body),) if is_block or str(body[0]).startswith("(") else body


_blocks: Strategy = st.deferred(
    lambda: st.one_of(
        of("block", several(_nested_statements, 1, 2)),
        of("try_catch", several(_nested_statements, 1, 2), several(_nested_statements, 0, 2)),
    )
)
_branches = st.one_of(_simple, _blocks).map(_as_branch)
_nested_statements: Strategy = st.one_of(
    _simple,
    _simple,
    _blocks,
    of("if_else", expressions, _branches, maybe(_branches)),
    of("while_loop", expressions, _branches),
)
_parameters = several(
    st.builds(ParameterDefinition, variable_names, types, maybe(expressions), flags), 0, 2
)
_routine_bodies = several(_nested_statements, 1, 2).map(_as_routine)
routines = st.one_of(
    of("create_procedure", objects, _parameters, _routine_bodies, _modes),
    of("create_function", objects, _parameters, types, _routine_bodies, st.none(), _modes),
    of("create_function", objects, _parameters, st.none(), st.just(()), queries, _modes),
)
#: any statement; a routine is the last of its batch
statements = st.one_of(_nested_statements, routines)

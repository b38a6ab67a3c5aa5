"""Statements. Adding one = grammar/statements/NAME.lark, NAME.py and NAME.md (its help) here, a
line in STATEMENTS and a golden script. The key is the name of both files; the grammar rule is
`NAME_statement`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping

from hartonomous.hql.statements.base import Statement as Statement


class Registry(Mapping[str, type[Statement]]):
    """Name -> class. A module is imported when its class is asked for: a cold `hql -c "SELECT 1"`
    needs one of them."""

    def __init__(self, classes: Mapping[str, str]) -> None:
        self._classes = classes

    def __getitem__(self, name: str) -> type[Statement]:
        class_name = self._classes[name]
        module = importlib.import_module(f"{__name__}.{name}")
        found: type[Statement] = getattr(module, class_name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)


STATEMENTS = Registry(
    {
        "alter_database": "AlterDatabase",
        "alter_role": "AlterRole",
        "alter_table": "AlterTable",
        "alter_user": "AlterUser",
        "backup_database": "BackupDatabase",
        "begin_transaction": "BeginTransaction",
        "block": "Block",
        "break_loop": "BreakLoop",
        "checkpoint": "Checkpoint",
        "close_cursor": "CloseCursor",
        "commit": "Commit",
        "continue_loop": "ContinueLoop",
        "copy": "Copy",
        "create_branch": "CreateBranch",
        "create_function": "CreateFunction",
        "create_index": "CreateIndex",
        "create_model": "CreateModel",
        "create_policy": "CreatePolicy",
        "create_procedure": "CreateProcedure",
        "create_role": "CreateRole",
        "create_schema": "CreateSchema",
        "create_space": "CreateSpace",
        "create_table": "CreateTable",
        "create_tag": "CreateTag",
        "create_token": "CreateToken",
        "create_user": "CreateUser",
        "create_view": "CreateView",
        "deallocate": "Deallocate",
        "declare": "Declare",
        "declare_cursor": "DeclareCursor",
        "delete": "Delete",
        "diff_commit": "DiffCommit",
        "drop_branch": "DropBranch",
        "drop_function": "DropFunction",
        "drop_index": "DropIndex",
        "drop_model": "DropModel",
        "drop_policy": "DropPolicy",
        "drop_procedure": "DropProcedure",
        "drop_role": "DropRole",
        "drop_schema": "DropSchema",
        "drop_space": "DropSpace",
        "drop_table": "DropTable",
        "drop_tag": "DropTag",
        "drop_token": "DropToken",
        "drop_user": "DropUser",
        "drop_view": "DropView",
        "execute": "Execute",
        "execute_as": "ExecuteAs",
        "execute_text": "ExecuteText",
        "explain": "Explain",
        "export_model": "ExportModel",
        "fetch": "Fetch",
        "grant": "Grant",
        "help": "Help",
        "if_else": "IfElse",
        "ingest": "Ingest",
        "insert": "Insert",
        "insert_execute": "InsertExecute",
        "kill": "Kill",
        "merge": "Merge",
        "merge_branch": "MergeBranch",
        "open_cursor": "OpenCursor",
        "print_text": "PrintText",
        "query": "QueryStatement",
        "raise_error": "RaiseError",
        "return_value": "ReturnValue",
        "revert_commit": "RevertCommit",
        "revoke": "Revoke",
        "rollback": "Rollback",
        "savepoint": "Savepoint",
        "set_option": "SetOption",
        "set_variable": "SetVariable",
        "show_branches": "ShowBranches",
        "show_commits": "ShowCommits",
        "show_tags": "ShowTags",
        "throw": "Throw",
        "truncate_table": "TruncateTable",
        "try_catch": "TryCatch",
        "update": "Update",
        "update_statistics": "UpdateStatistics",
        "use_branch": "UseBranch",
        "vacuum": "Vacuum",
        "verify_database": "VerifyDatabase",
        "wait_for": "WaitFor",
        "while_loop": "WhileLoop",
    }
)

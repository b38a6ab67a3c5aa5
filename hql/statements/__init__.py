"""Statements. Adding one = grammar/statements/NAME.lark, NAME.py here, a line in STATEMENTS and a
golden script. The key is the name of both files; the grammar rule is `NAME_statement`."""

from hartonomous.hql.statements.alter_table import AlterTable
from hartonomous.hql.statements.base import Statement as Statement
from hartonomous.hql.statements.begin_transaction import BeginTransaction
from hartonomous.hql.statements.block import Block
from hartonomous.hql.statements.break_loop import BreakLoop
from hartonomous.hql.statements.checkpoint import Checkpoint
from hartonomous.hql.statements.close_cursor import CloseCursor
from hartonomous.hql.statements.commit import Commit
from hartonomous.hql.statements.continue_loop import ContinueLoop
from hartonomous.hql.statements.copy import Copy
from hartonomous.hql.statements.create_function import CreateFunction
from hartonomous.hql.statements.create_index import CreateIndex
from hartonomous.hql.statements.create_procedure import CreateProcedure
from hartonomous.hql.statements.create_schema import CreateSchema
from hartonomous.hql.statements.create_table import CreateTable
from hartonomous.hql.statements.create_view import CreateView
from hartonomous.hql.statements.deallocate import Deallocate
from hartonomous.hql.statements.declare import Declare
from hartonomous.hql.statements.declare_cursor import DeclareCursor
from hartonomous.hql.statements.delete import Delete
from hartonomous.hql.statements.drop_function import DropFunction
from hartonomous.hql.statements.drop_index import DropIndex
from hartonomous.hql.statements.drop_procedure import DropProcedure
from hartonomous.hql.statements.drop_schema import DropSchema
from hartonomous.hql.statements.drop_table import DropTable
from hartonomous.hql.statements.drop_view import DropView
from hartonomous.hql.statements.execute import Execute
from hartonomous.hql.statements.execute_text import ExecuteText
from hartonomous.hql.statements.explain import Explain
from hartonomous.hql.statements.fetch import Fetch
from hartonomous.hql.statements.if_else import IfElse
from hartonomous.hql.statements.insert import Insert
from hartonomous.hql.statements.merge import Merge
from hartonomous.hql.statements.open_cursor import OpenCursor
from hartonomous.hql.statements.print_text import PrintText
from hartonomous.hql.statements.query import QueryStatement
from hartonomous.hql.statements.raise_error import RaiseError
from hartonomous.hql.statements.return_value import ReturnValue
from hartonomous.hql.statements.rollback import Rollback
from hartonomous.hql.statements.savepoint import Savepoint
from hartonomous.hql.statements.set_option import SetOption
from hartonomous.hql.statements.set_variable import SetVariable
from hartonomous.hql.statements.show_commits import ShowCommits
from hartonomous.hql.statements.throw import Throw
from hartonomous.hql.statements.truncate_table import TruncateTable
from hartonomous.hql.statements.try_catch import TryCatch
from hartonomous.hql.statements.update import Update
from hartonomous.hql.statements.update_statistics import UpdateStatistics
from hartonomous.hql.statements.verify_database import VerifyDatabase
from hartonomous.hql.statements.wait_for import WaitFor
from hartonomous.hql.statements.while_loop import WhileLoop

STATEMENTS: dict[str, type[Statement]] = {
    "alter_table": AlterTable,
    "begin_transaction": BeginTransaction,
    "block": Block,
    "break_loop": BreakLoop,
    "checkpoint": Checkpoint,
    "close_cursor": CloseCursor,
    "commit": Commit,
    "continue_loop": ContinueLoop,
    "copy": Copy,
    "create_function": CreateFunction,
    "create_index": CreateIndex,
    "create_procedure": CreateProcedure,
    "create_schema": CreateSchema,
    "create_table": CreateTable,
    "create_view": CreateView,
    "deallocate": Deallocate,
    "declare": Declare,
    "declare_cursor": DeclareCursor,
    "delete": Delete,
    "drop_function": DropFunction,
    "drop_index": DropIndex,
    "drop_procedure": DropProcedure,
    "drop_schema": DropSchema,
    "drop_table": DropTable,
    "drop_view": DropView,
    "execute": Execute,
    "execute_text": ExecuteText,
    "explain": Explain,
    "fetch": Fetch,
    "if_else": IfElse,
    "insert": Insert,
    "merge": Merge,
    "open_cursor": OpenCursor,
    "print_text": PrintText,
    "query": QueryStatement,
    "raise_error": RaiseError,
    "return_value": ReturnValue,
    "rollback": Rollback,
    "savepoint": Savepoint,
    "set_option": SetOption,
    "set_variable": SetVariable,
    "show_commits": ShowCommits,
    "throw": Throw,
    "truncate_table": TruncateTable,
    "try_catch": TryCatch,
    "update": Update,
    "update_statistics": UpdateStatistics,
    "verify_database": VerifyDatabase,
    "wait_for": WaitFor,
    "while_loop": WhileLoop,
}

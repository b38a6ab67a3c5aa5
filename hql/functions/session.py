"""Functions of what the session knows: the error in CATCH, the transaction, the last identity.

Each stands for a value of hql/scripts/status.py, looked up when the statement starts.
"""

from __future__ import annotations

from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.resolve import scalar
from hartonomous.hql.types import BIGINT, INT, NVARCHAR, Type


def _of_session(name: str, type_: Type, doc: str, example: str | None = None) -> Function:
    return scalar(
        name, (), type_, None, doc, example or f"{name}()",
        volatile=True, of_session=f"{name.lower()}()",
    )  # fmt: skip


SESSION: tuple[Function, ...] = (
    _of_session("ERROR_MESSAGE", NVARCHAR,
                "In CATCH: what the error says. NULL elsewhere, as its kin below."),
    _of_session("ERROR_CODE", NVARCHAR, "In CATCH: the error's stable code (`DIVISION_BY_ZERO`)."),
    _of_session("ERROR_NUMBER", INT,
                "In CATCH: the number of THROW, 50000 of RAISERROR, else SQL Server's for such an "
                "error, and 40000 where it has none."),
    _of_session("ERROR_SEVERITY", INT, "In CATCH: the severity of RAISERROR, else 16."),
    _of_session("ERROR_STATE", INT, "In CATCH: the state of THROW or RAISERROR, else 1."),
    _of_session("ERROR_LINE", INT, "In CATCH: the line of the batch or routine."),
    _of_session("ERROR_PROCEDURE", NVARCHAR,
                "In CATCH: the procedure or function where the error happened; NULL for a batch."),
    _of_session("XACT_STATE", INT,
                "1 in a transaction, 0 outside. After a conflict there is none any more."),
    _of_session("SCOPE_IDENTITY", BIGINT,
                "The last IDENTITY value that this batch or routine gave out itself; `@@IDENTITY` "
                "is the session's last."),
    _of_session("CURRENT_USER", NVARCHAR,
                "The user whose rights the session has; `dbo` while nobody is asked who they are."),
    _of_session("SYSTEM_USER", NVARCHAR,
                "The user who came in, also after EXECUTE AS; the operating system's while nobody "
                "is asked."),
)  # fmt: skip

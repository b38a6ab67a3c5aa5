"""IF … ELSE."""

from __future__ import annotations

from typing import ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line


@frozen
class IfElse(Statement):
    """IF condition statement [ELSE statement]"""

    condition: Expression
    then: Statement
    otherwise: Statement | None = None
    title: ClassVar[str] = "IF"

    def __str__(self) -> str:
        return line("IF", self.condition, self.then, self.otherwise and f"ELSE {self.otherwise}")

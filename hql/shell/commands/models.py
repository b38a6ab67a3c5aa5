r"""\dm: models; +: size and origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command
from hartonomous.hql.shell.commands.listing import list_matching

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    list_matching(shell, given, "models", _query(given.flags))


def _query(flags: frozenset[str]) -> str:
    more = ", Bytes AS bytes, Runnable AS runnable, Protected AS protected" if "+" in flags else ""
    return f"""SELECT '' AS [schema], ModelName AS name, Architecture AS architecture,
        Version AS version, ParameterCount AS parameters{more} FROM Models ORDER BY ModelName"""


MODELS = Command(
    ("dm",),
    "[pattern]",
    "models; +: size and origin",
    "Looking around",
    _run,
    "+",
    completes="model",
)

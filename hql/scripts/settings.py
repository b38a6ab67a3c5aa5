"""What SET changes for a session. A routine and a text of EXEC have settings of their own, which
begin as the caller's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hartonomous.hql import ast
from hartonomous.hql.bind.context import fault, nearest
from hartonomous.hql.frozen import frozen


@frozen
class Settings:
    """`no_count`: changes do not say how many rows they changed. `xact_abort`: any error rolls the
    open transaction back."""

    no_count: bool = False
    xact_abort: bool = False


def _always_on(settings: Settings, is_on: bool) -> Settings | None:
    return settings if is_on else None


#: name -> the settings with it on or off; None where that cannot be. What can only be ON is how HQL
#: always works, and scripts for SQL Server begin by saying it.
OPTIONS: Final[Mapping[str, Callable[[Settings, bool], Settings | None]]] = {
    "NOCOUNT": lambda settings, is_on: Settings(is_on, settings.xact_abort),
    "XACT_ABORT": lambda settings, is_on: Settings(settings.no_count, is_on),
    "ANSI_NULLS": _always_on,
    "ANSI_PADDING": _always_on,
    "ANSI_WARNINGS": _always_on,
    "ARITHABORT": _always_on,
    "CONCAT_NULL_YIELDS_NULL": _always_on,
    "QUOTED_IDENTIFIER": _always_on,
}


def changed(settings: Settings, name: str, value: object, span: ast.Span) -> Settings:
    """The settings after `SET name ON | OFF`. BIND for another name or value."""
    option = OPTIONS.get(name.upper())
    if option is None:
        known = ", ".join(OPTIONS)
        hint = nearest(name, OPTIONS) or f"settings are {known}; SET @{name} = … is for variables"
        raise fault(span, f'there is no setting "{name}"', "BIND", hint)
    if not isinstance(value, bool):
        raise fault(span, f"{name} is ON or OFF", "BIND", f"SET {name} ON")
    after = option(settings, value)
    if after is None:
        raise fault(span, f"{name} is always ON", "BIND", "HQL has no other way")
    return after

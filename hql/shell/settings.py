r"""What can be set in the shell by \set, and by the commands that have a setting of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hartonomous.hql.frozen import frozen

#: how rows are written
FORMATS: Final = ("table", "csv", "json", "arrow", "markdown")
#: numbers of a vector that may be shown
VECTOR_NUMBERS_MAX = 100_000


class SettingFault(Exception):
    """A setting that there is not, or a value that it cannot have."""


@dataclass
class Settings:
    """One shell's settings; `change` checks what a person wrote. SETTINGS says what each is for."""

    border: int = 2
    colours: bool = True
    expanded: str = "off"
    footer: bool = True
    format: str = "table"
    null: str = "NULL"
    overflow: str = "cut"
    pager: str = "auto"
    timing: bool = False
    vector: int = 4

    def change(self, name: str, text: str) -> None:
        """Sets `name` to what `text` says. Raises SettingFault."""
        setattr(self, name, get_setting(name).read(text))

    def reset(self, name: str) -> None:
        """Sets `name` back to what it is at first. Raises SettingFault."""
        get_setting(name)
        setattr(self, name, getattr(Settings(), name))

    def show(self, name: str) -> str:
        """The value as it would be written."""
        get_setting(name)
        value = getattr(self, name)
        return ("off", "on")[value] if isinstance(value, bool) else str(value)


@frozen
class Setting:
    """What a setting is for, what it may be (empty: any text or number), and how that is read."""

    about: str
    choices: tuple[str, ...]
    read: Callable[[str], Any]


def _choice(about: str, *choices: str) -> Setting:
    def read(text: str) -> str:
        folded = {"true": "on", "false": "off"}.get(text.lower(), text.lower())
        if folded not in choices:
            raise SettingFault(f"{text!r} is none of {', '.join(choices)}")
        return folded

    return Setting(about, choices, read)


def _switch(about: str) -> Setting:
    choice = _choice(about, "on", "off")
    return Setting(about, choice.choices, lambda text: choice.read(text) == "on")


def _number(about: str, low: int, high: int) -> Setting:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise SettingFault(f"{text!r} is no number from {low} to {high}")
        return int(text)

    return Setting(about, (), read)


SETTINGS: Final[dict[str, Setting]] = {
    "border": _number("a table's lines: 0 none, 1 between its cells, 2 around it too", 0, 2),
    "expanded": _choice(
        "a line for each value; auto: where a row is too wide", "off", "on", "auto"
    ),
    "footer": _switch("the line that says how many rows there are"),
    "format": _choice("how rows are written", *FORMATS),
    "null": Setting("what stands for NULL in tables", (), str),
    "overflow": _choice(
        "cells too wide for the screen: cut, wrap, or scroll", "cut", "wrap", "scroll"
    ),
    "pager": _choice("auto: for what is longer or wider than the screen", "auto", "on", "off"),
    "timing": _switch("the time that each statement takes"),
    "vector": _number("how many numbers of a vector tables show", 1, VECTOR_NUMBERS_MAX),
}


def get_setting(name: str) -> Setting:
    """Raises SettingFault with the nearest name."""
    if name in SETTINGS:
        return SETTINGS[name]
    import difflib

    near = difflib.get_close_matches(name, SETTINGS, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise SettingFault(f"there is no setting {name!r}{meant}")

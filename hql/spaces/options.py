"""What CREATE SPACE … WITH (…) says: encoders by modality, and how landmarks are chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any, Final

from hartonomous.hql import ast, encoders
from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault, NotSupported
from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.using import Models
from hartonomous.kernels.landmarks import METHODS
from hartonomous.storage.errors import Error

#: modalities that have encoders, and those that will
ENCODED: Final = ("text", "code")
LATER: Final = ("image", "audio", "video")
LANDMARKS_MAX: Final = 4_096


@frozen
class SpaceOptions:
    """`encoders`: modality → encoder; `srid` None: the next free one."""

    encoders: dict[str, str] = field(default_factory=dict)
    landmarks: int = 256
    method: str = "farthest"
    seed: int = 0
    srid: int | None = None


def read_options(options: tuple[ast.Option, ...], models: Models) -> SpaceOptions:
    """The settings; BIND with its place for one that is none, or given twice."""
    given: dict[str, Any] = {}
    made: dict[str, str] = {}
    for option in options:
        name = option.name.lower()
        if name in given or name in made:
            raise place(BindFault(f"{option.name} is given twice"), option)
        if name in LATER:
            raise place(NotSupported(f"not supported yet: {name} in CREATE SPACE"), option)
        if name in ENCODED:
            made[name] = _encoder(option, models)
        else:
            given[name] = _setting(name, option)
    if len(set(made.values())) > 1:
        message = "encoders of one space give vectors of one space: " + ", ".join(made.values())
        raise place(BindFault(message), options[0])
    return SpaceOptions(made, **given)


def _encoder(option: ast.Option, models: Models) -> str:
    value = _plain(option.value)
    if not isinstance(value, str):
        raise place(BindFault(f"{option.name} names an encoder: 'wordllama'"), option)
    try:
        return encoders.find(value, models).name
    except Error as error:
        raise place(error, option) from None


#: setting -> whether a value is one, and what it has to be
_SETTINGS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "landmarks": (
        lambda v: _is_whole(v) and 1 <= v <= LANDMARKS_MAX,
        f"a number from 1 to {LANDMARKS_MAX:,}",
    ),
    "method": (lambda v: v in METHODS, "one of " + ", ".join(f"'{m}'" for m in METHODS)),
    "seed": (lambda v: _is_whole(v) and 0 <= v < 2**63, "a whole number, not negative"),
    "srid": (lambda v: _is_whole(v) and 0 < v < 2**31, "a number from 1 to 2,147,483,647"),
}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _setting(name: str, option: ast.Option) -> Any:
    if name not in _SETTINGS:
        known = ", ".join([*ENCODED, *(s.upper() for s in _SETTINGS)])
        fault = BindFault(f"{option.name} is no setting of a space", hint=f"there are: {known}")
        raise place(fault, option)
    value = _plain(option.value)
    value = value.lower() if isinstance(value, str) else value
    is_one, wanted = _SETTINGS[name]
    if not is_one(value):
        raise place(BindFault(f"{option.name} is {wanted}"), option)
    return value


def _plain(value: ast.Expression | ast.Identifier | None) -> Any:
    """The value of a literal; None for anything else."""
    return value.value if isinstance(value, ast.Literal) else None

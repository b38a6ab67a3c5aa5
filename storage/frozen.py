"""`@frozen`: frozen dataclasses with slots that cost next to nothing to define.

`@dataclass(frozen=True, slots=True)` compiles six functions for every class, about 0.4 ms; the
syntax tree, statements, plans and what the store keeps are some 200 classes, which a cold
`hql -c "SELECT 1"` would pay for with a fifth of its time. Here `__init__` is compiled when the
first object is made, and the other functions are shared. `dataclasses.fields`, `replace`,
`is_dataclass` and `match` work as with dataclasses; so does
`field(default=…, compare=False, repr=False, init=False)`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")

_MISSING = dataclasses.MISSING
#: what dataclasses.fields() looks for in a Field
_FIELD: Any = dataclasses._FIELD  # type: ignore[attr-defined]


@overload
def frozen(cls: type[T]) -> type[T]: ...
@overload
def frozen(*, kw_only: bool) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def frozen(cls: type[Any] | None = None, *, kw_only: bool = False) -> Any:
    """Makes a class with annotations a frozen dataclass with slots."""
    if cls is None:
        return lambda decorated: _freeze(decorated, kw_only)
    return _freeze(cls, kw_only)


def _freeze(cls: type[Any], kw_only: bool) -> type[Any]:
    fields: dict[str, dataclasses.Field[Any]] = {}
    for base in reversed(cls.__mro__[1:]):
        fields |= getattr(base, "__dataclass_fields__", {})
    namespace = dict(cls.__dict__)
    own = [
        name
        for name, annotation in namespace.get("__annotations__", {}).items()
        if not str(annotation).startswith(("ClassVar", "typing.ClassVar"))
    ]
    slots = [name for name in own if name not in fields]
    for name in own:
        given = namespace.pop(name, _MISSING)
        item: Any = (
            given if isinstance(given, dataclasses.Field) else dataclasses.field(default=given)
        )
        item.name, item.type, item._field_type = name, cls.__annotations__[name], _FIELD
        if item.kw_only is _MISSING:
            item.kw_only = kw_only
        fields[name] = item
    namespace.pop("__dict__", None)
    namespace.pop("__weakref__", None)
    compared = [f.name for f in fields.values() if f.compare]
    namespace["__slots__"] = tuple(slots)
    namespace["__dataclass_fields__"] = fields
    namespace["__dataclass_params__"] = _PARAMETERS
    namespace["__match_args__"] = tuple(f.name for f in fields.values() if f.init and not f.kw_only)
    namespace["_compared"] = staticmethod(attrgetter(*compared) if compared else _nothing)
    for function in (_equal, _hash, _represent, _refuse_set, _refuse_delete, _state, _set_state):
        namespace.setdefault(function.__name__, function)
    metaclass: Any = type(cls)
    made: type[Any] = metaclass(cls.__name__, cls.__bases__, namespace)
    made.__qualname__ = cls.__qualname__
    _compile_later(made)
    return made


def _compile_later(cls: type[Any]) -> None:
    def __init__(self: Any, *arguments: Any, **named: Any) -> None:
        init = _compile(cls)
        cls.__init__ = init
        init(self, *arguments, **named)

    cls.__init__ = __init__


def _compile(cls: type[Any]) -> Callable[..., None]:
    """The class's `__init__`, which sets the slots directly."""
    scope: dict[str, Any] = {}
    positional: list[str] = []
    named: list[str] = []
    lines: list[str] = []
    for item in cls.__dataclass_fields__.values():
        name = item.name
        scope[f"set_{name}"] = getattr(cls, name).__set__
        argument = name
        if item.default is not _MISSING:
            scope[f"default_{name}"] = item.default
            argument = f"{name}=default_{name}"
        elif item.default_factory is not _MISSING:
            scope[f"default_{name}"] = scope["unset"] = _MISSING
            scope[f"make_{name}"] = item.default_factory
            argument = f"{name}=default_{name}"
        value = name if item.init else f"default_{name}"
        if item.default_factory is not _MISSING:
            value = f"make_{name}() if {value} is unset else {value}"
        lines.append(f"    set_{name}(self, {value})")
        if item.init:
            (named if item.kw_only else positional).append(argument)
    arguments = ["self", *positional, *(["*", *named] if named else [])]
    after = ["    self.__post_init__()"] if hasattr(cls, "__post_init__") else []
    text = "\n".join([f"def __init__({', '.join(arguments)}):", *lines, *after, "    pass"])
    exec(text, scope)
    init: Callable[..., None] = scope["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _nothing(self: Any) -> tuple[()]:
    return ()


def _named(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def rename(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__name__ = name
        return function

    return rename


@_named("__eq__")
def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self is other or self._compared(self) == self._compared(other)


@_named("__hash__")
def _hash(self: Any) -> int:
    return hash((self.__class__, self._compared(self)))


@_named("__repr__")
def _represent(self: Any) -> str:
    shown = (f for f in self.__dataclass_fields__.values() if f.repr)
    parts = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in shown)
    return f"{type(self).__qualname__}({parts})"


@_named("__setattr__")
def _refuse_set(self: Any, name: str, value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


@_named("__delattr__")
def _refuse_delete(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


@_named("__getstate__")
def _state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__dataclass_fields__]


@_named("__setstate__")
def _set_state(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__dataclass_fields__, state, strict=True):
        object.__setattr__(self, name, value)


@dataclasses.dataclass(frozen=True, slots=True)
class _Parameters:
    """What dataclasses keeps of how a class was made."""

    init: bool = True
    repr: bool = True
    eq: bool = True
    order: bool = False
    unsafe_hash: bool = False
    frozen: bool = True


_PARAMETERS = _Parameters()

"""CREATE MODEL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Identifier, Literal, Node, Option, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.parts import settings
from hartonomous.hql.syntax.build_expressions import as_tuple
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class ModelArchitecture(Node):
    """ARCHITECTURE llama(layers = 4, …)"""

    name: Identifier
    options: tuple[Option, ...]

    def __str__(self) -> str:
        return f"ARCHITECTURE {self.name}{settings(self.options).removeprefix('WITH ')}"


@frozen
class FromModel(Identifier):
    """A setting's value `FROM MODEL x`; `text` is x, `number` too if it is an id."""

    number: int | None = None

    def __str__(self) -> str:
        return f"FROM MODEL {self.text if self.number is not None else Identifier(self.text)}"


@frozen
class CreateModel(Statement):
    """CREATE MODEL [IF NOT EXISTS] m FROM path | ARCHITECTURE a(…) [WITH (SEED = 1, …)].
    `origin`: a string, a variable, a placeholder, or the architecture."""

    name: Identifier
    origin: Expression | ModelArchitecture
    options: tuple[Option, ...] = ()
    if_not_exists: bool = False
    title: ClassVar[str] = "CREATE MODEL"
    right: ClassVar[str] = "CREATE"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_not_exists, name, origin, options = children
        return cls(name, origin, options or (), bool(if_not_exists), span=span)

    def __str__(self) -> str:
        is_new = isinstance(self.origin, ModelArchitecture)
        return line(
            "CREATE MODEL",
            "IF NOT EXISTS" if self.if_not_exists else "",
            self.name,
            self.origin if is_new else f"FROM {self.origin}",
            _settings(self.options),
        )

    def run(self, context: Context) -> Result:
        """Imports the model's files, or makes a new one."""
        from hartonomous.hql.models.creating import run_create_model

        return run_create_model(self, context)


def _settings(options: tuple[Option, ...]) -> str:
    parts = [
        f"{o.name} = {o.value}"
        if isinstance(o.value, FromModel)
        else settings((o,)).removeprefix("WITH (").removesuffix(")")
        for o in options
    ]
    return f"WITH ({', '.join(parts)})" if parts else ""


def _architecture(children: list[Any], span: Span) -> ModelArchitecture:
    name, options = children
    return ModelArchitecture(name, options, span=span)


def _tokenizer(children: list[Any], span: Span) -> Option:
    name, _, model = children
    if isinstance(model, Literal):
        assert isinstance(model.value, int), model
        origin = FromModel(str(model.value), number=model.value, span=model.span)
    else:
        origin = FromModel(model.text, span=model.span)
    return Option(name.text.upper(), origin, span=span)


CreateModel.rules = {
    "model_files": lambda children, span: children[-1],
    "model_architecture": _architecture,
    "model_settings": as_tuple,
    "model_tokenizer": _tokenizer,
}

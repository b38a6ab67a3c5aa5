"""The sandbox of chat templates: jinja2's immutable one, with every operation metered
(chat_meter.py).

Jinja's own sandbox guards attributes; it lets a template multiply strings, loop and recurse. Here
- every loop step, call, filter, test, comparison, literal, operator and output spends from a
  meter, which also looks at the clock: between two looks lies one operation on bounded values;
- every value an operation makes is weighed as the tree it prints as (a list that holds another
  twice weighs twice), so nothing grows by doubling;
- operations whose result is much larger than what they are given look before they run;
- filters, methods and globals are lists of what is let in, not of what is kept out.
Nothing is evaluated while compiling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from jinja2 import Template, nodes, pass_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Cycler, Joiner, Namespace

from hartonomous.hql.models.chat_filters import FILTERS
from hartonomous.hql.models.chat_meter import (
    NODE,
    STEP,
    fits,
    format_fits,
    replace_fits,
    spend,
    strip_fits,
    weigh,
    weighed,
    whole,
)
from hartonomous.hql.models.tokenizers.base import model_input

#: bits of a whole number
BITS_MAX: Final = 4096

#: methods of values that a template may call
METHODS: Final[tuple[tuple[type | tuple[type, ...], frozenset[str]], ...]] = (
    (
        str,
        frozenset(
            [
                "capitalize",
                "casefold",
                "count",
                "endswith",
                "find",
                "index",
                "isalnum",
                "isalpha",
                "isascii",
                "isdecimal",
                "isdigit",
                "isidentifier",
                "islower",
                "isnumeric",
                "isspace",
                "istitle",
                "isupper",
                "join",
                "lower",
                "lstrip",
                "partition",
                "removeprefix",
                "removesuffix",
                "replace",
                "rfind",
                "rindex",
                "rpartition",
                "rsplit",
                "rstrip",
                "split",
                "splitlines",
                "startswith",
                "strip",
                "swapcase",
                "title",
                "upper",
            ]
        ),
    ),
    (dict, frozenset(["copy", "get", "items", "keys", "values"])),
    ((list, tuple), frozenset(["copy", "count", "index"])),
    (Cycler, frozenset(["current", "next", "reset"])),
    (Macro, frozenset(["arguments", "name"])),
)


class MeteredCode(CodeGenerator):
    """Jinja's code generator, with calls of the meter woven in."""

    def _weighed(self, visit: Callable[[Any, Frame], None], node: nodes.Node, frame: Frame) -> None:
        self.write("environment.weighed(")
        visit(node, frame)
        self.write(")")

    def visit(self, node: nodes.Node, *args: Any, **named: Any) -> Any:
        spend(1)  # compiling has the deadline too
        return super().visit(node, *args, **named)

    def visit_Output(self, node: nodes.Output, frame: Frame) -> None:
        constant = sum(len(n.data) for n in node.nodes if isinstance(n, nodes.TemplateData))
        self.writeline(f"environment.spend({1 + constant})", node)
        super().visit_Output(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.texts_joined((")
        for item in node.nodes:
            self.visit(item, frame)
            self.write(", ")
        self.write("))")

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:
        self._weighed(super().visit_Compare, node, frame)

    def visit_Test(self, node: nodes.Test, frame: Frame) -> None:
        self._weighed(super().visit_Test, node, frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        self._weighed(super().visit_Getitem, node, frame)

    def visit_List(self, node: nodes.List, frame: Frame) -> None:
        self._weighed(super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        self._weighed(super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
        if node.ctx == "load":
            self._weighed(super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)


class Generation(Extension):
    """`{% generation %}…{% endgeneration %}` marks what training learns; a prompt has it as is."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of all chat templates. Renders inside `metered` only."""

    code_generator_class = MeteredCode
    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%", "**"))

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[loopcontrols, Generation],
            optimized=False,
            finalize=_finalize,
            cache_size=0,
        )
        self.filters = dict(FILTERS)
        self.globals = {
            "range": safe_range,
            "namespace": lambda *given, **named: Namespace(_map(*given, **named)),
            "dict": _map,
            "cycler": Cycler,
            "joiner": Joiner,
            "raise_exception": _raise_exception,
        }

    spend = staticmethod(spend)
    weighed = staticmethod(weighed)

    def texts_joined(self, parts: tuple[Any, ...]) -> str:
        """`a ~ b`."""
        fits(sum(weigh(part) for part in parts))
        text: str = weighed("".join(map(str, parts)))
        return text

    def step(self) -> str:
        """Called at the beginning of every loop's body: the call is what is paid for."""
        return ""

    def _generate(self, source: nodes.Template, *args: Any, **named: Any) -> str:
        for loop in list(source.find_all(nodes.For)):
            step = nodes.Call(nodes.EnvironmentAttribute("step"), [], [], None, None)
            loop.body.insert(0, nodes.ExprStmt(step, lineno=loop.lineno))
        return super()._generate(source, *args, **named)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if not super().is_safe_attribute(obj, attr, value):
            return False
        if isinstance(obj, (Namespace, LoopContext)):
            return True
        return any(isinstance(obj, kinds) and attr in names for kinds, names in METHODS)

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        raise model_input(
            f"the model's chat template reaches for {attribute!r:.60} of a {type(obj).__name__}"
        )

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        def bounded(*args: Any, **named: Any) -> str:
            format_fits(value.__self__, [args, named])
            return wrapped(*args, **named)

        return bounded

    def call(__self, __context: Context, __obj: Any, *args: Any, **named: Any) -> Any:
        spend(STEP)
        text = getattr(__obj, "__self__", None)
        if isinstance(text, str):
            args = _guarded(text, __obj.__name__, args)
        return weighed(super().call(__context, __obj, *args, **named))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        spend(1)
        if operator == "*":
            for value, times in ((left, right), (right, left)):
                if isinstance(value, (str, list, tuple)) and isinstance(times, int):
                    fits((NODE + weigh(value)) * max(times, 0))
        elif operator == "%" and isinstance(left, str):
            format_fits(left, right)
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            _number_fits(left.bit_length() * right)
        elif operator == "+":
            fits(weigh(left) + weigh(right))
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int):
            _number_fits(result.bit_length())
        return weighed(result)


def output(template: Template, variables: Mapping[str, Any], characters_max: int) -> str:
    """What a template writes; refuses more than so many characters."""
    pieces: list[str] = []
    total = 0
    for piece in template.generate(variables):
        total += len(piece)
        if total > characters_max:
            raise model_input("the model's chat template writes more than any prompt")
        pieces.append(piece)
    return "".join(pieces)


@pass_context
def _finalize(context: Context, value: Any) -> Any:
    """Before a value is written; needing the context keeps Jinja from doing it while compiling."""
    if isinstance(value, Iterator):
        value = whole(value)
    if not isinstance(value, str):
        weigh(value)
        value = str(value)
    return weighed(value)


def _number_fits(bits: int) -> None:
    if bits > BITS_MAX:
        raise model_input("the model's chat template computes a number larger than any prompt's")


def _guarded(text: str, name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of a method of a text, looked at first where the method could make much."""
    if name == "replace" and len(args) >= 2:
        replace_fits(text, *args[:3])
    elif name == "join" and args:
        items = whole(args[0])
        fits(len(text) * len(items))
        return (items,)
    elif name in ("strip", "lstrip", "rstrip") and args:
        strip_fits(args[0])
    return args


def _map(*given: Any, **named: Any) -> dict[str, Any]:
    """dict() of maps and names. Not of pairs: their keys could be chosen to collide."""
    if len(given) > 1 or not all(isinstance(item, dict) for item in given):
        raise model_input("the model's chat template makes a map of what is none")
    return {**(given[0] if given else {}), **named}


def _raise_exception(message: Any) -> None:
    raise model_input(f"the model's chat template refuses these messages: {str(message)[:300]}")

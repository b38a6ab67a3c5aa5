"""Definitions in Python source, and what each of them does, whatever its locals are called.

A source is walked once. The walk writes a *tree text*: tokens in prefix order, from which the tree
could be read back, so that equal texts are equal trees. What it leaves out does not count: layout,
comments, docstrings, type comments, the `u` of a string, how a string was quoted or split. Fields
that are empty are left out too, so that fields that later versions of Python add change nothing.

A definition's own text is a slice of it, in which names become:

    bound by a function, lambda, comprehension or type parameter list inside   the number of its
        (parameters, variables, loop targets, imports, `except … as`,          first appearance
        captures, nested functions and classes)
    the definition's own name, where it comes from outside (recursion)         one mark
    anything else: globals, builtins, what an enclosing function binds,        the name itself
        members of classes, attributes, names of arguments in calls

AstHash is SHA-256 of that text. Scopes are Python's (reference manual, section 4.2): class bodies
are not seen from the functions in them; the first iterable of a comprehension, defaults,
annotations and decorators belong to the scope outside; `:=` binds outside of comprehensions;
`global` and `nonlocal` are followed.
"""

from __future__ import annotations

import ast
import hashlib
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any, Final

from hartonomous.hql.modalities.python_parts import (
    Scope,
    constant_text,
    fields_of,
    pair_number,
    without_docstring,
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
OWN_NAME: Final = "\0self"


@dataclass(slots=True)
class Found:
    """A definition. `pairs`: for each node but the first the number of (its parent's type, its
    own), 0 … PAIRS - 1."""

    node: Definition
    name: str  # qualified, PEP 3155
    ast_hash: bytes = b""
    pairs: list[int] = field(default_factory=list)


def find_definitions(tree: ast.Module) -> list[Found]:
    """All definitions, in the order in which they begin."""
    walk = _Walk()
    walk.run(tree)
    return walk.definitions()


class _Walk:
    """One walk. The stack holds what is still to be written, last first: nodes with their scope
    and their parent's type, tokens, and ends of definitions."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.names: list[tuple[int, Scope, str]] = []  # place in tokens, scope, name
        self.pairs: list[int] = []
        self.scopes = 0
        self.stack: list[Any] = []
        #: definition, places in tokens, pairs and scopes where it begins and ends
        self.slices: list[tuple[Found, list[int]]] = []

    def run(self, tree: ast.Module) -> None:
        scope = self._scope("module", None, "")
        self._push_all(tree.body, scope, "Module")
        stack = self.stack
        while stack:
            item = stack.pop()
            if type(item) is str:
                self.tokens.append(item)
            elif type(item) is int:
                self.slices[item][1].extend(self._places())
            else:
                node, scope, parent = item
                self._node(node, scope, parent)

    def _places(self) -> tuple[int, int, int]:
        return len(self.tokens), len(self.pairs), self.scopes

    def _scope(self, kind: str, parent: Scope | None, path: str) -> Scope:
        made = Scope(kind, parent, self.scopes, path)
        self.scopes += 1
        return made

    # --- writing ---------------------------------------------------------------------------------

    def _push(self, items: list[Any]) -> None:
        """Items to be written next, in their order."""
        items.reverse()
        self.stack.extend(items)

    def _push_all(self, nodes: list[Any], scope: Scope, parent: str) -> None:
        self._push([(n, scope, parent) for n in nodes])

    def _name(self, scope: Scope, name: str) -> None:
        self.names.append((len(self.tokens), scope, name))
        self.tokens.append(name)

    def _node(self, node: Any, scope: Scope, parent: Any) -> None:
        kind = type(node).__name__
        if kind == "arg":
            self.pairs.append(pair_number("arguments", kind))
            self._argument(node, scope, parent)
        elif kind == "Name":
            self.pairs.append(pair_number(parent, kind))
            if not isinstance(node.ctx, ast.Load):
                scope.bound.add(node.id)
            self._name(scope, node.id)
        elif kind == "Constant":
            self.pairs.append(pair_number(parent, type(node.value).__name__))
            self.tokens.append(constant_text(node.value))
        else:
            self.pairs.append(pair_number(parent, kind))
            special = _SPECIAL.get(kind)
            if special is None:
                self._any(node, kind, scope)
            else:
                special(self, node, scope)

    def _any(self, node: Any, kind: str, scope: Scope) -> None:
        """A node's type, the fields that it has, and their values."""
        present = []
        items: list[Any] = []
        for name in fields_of(node.__class__):
            value = getattr(node, name, None)
            if value is None or value == []:
                continue
            present.append(name)
            if isinstance(value, ast.AST):
                items.append((value, scope, kind))
            elif isinstance(value, list):
                items += self._list(value, scope, kind)
            else:
                items.append(constant_text(value))
        self.tokens.append(" ".join([kind, *present]))
        self._push(items)

    @staticmethod
    def _list(values: list[Any], scope: Scope, kind: str) -> list[Any]:
        items: list[Any] = [f"[{len(values)}"]
        for value in values:
            is_node = isinstance(value, ast.AST)
            items.append((value, scope, kind) if is_node else constant_text(value))
        return items

    # --- definitions and other scopes ------------------------------------------------------------

    def _begin(self, node: Definition, scope: Scope) -> list[Any]:
        """Writes how a definition begins; the items that end it."""
        is_global = node.name in scope.globals
        found = Found(node, node.name if is_global else scope.path + node.name)
        self.slices.append((found, [*self._places()]))
        end = len(self.slices) - 1
        self.tokens.append(type(node).__name__)
        scope.bound.add(node.name)
        self._name(scope, node.name)
        return [end]

    def _types(self, node: Any, scope: Scope) -> tuple[Scope, list[Any]]:
        """The scope of a definition's type parameters, and what to write for them."""
        parameters = getattr(node, "type_params", None)
        if not parameters:
            return scope, []
        inner = self._scope("types", scope, scope.path)
        return inner, self._list(parameters, inner, "types")

    def _function(self, node: Function, scope: Scope) -> None:
        kind = type(node).__name__
        end = self._begin(node, scope)
        outer, types = self._types(node, scope)
        inner = self._scope("function", outer, f"{self.slices[end[0]][0].name}.<locals>.")
        items = self._list(node.decorator_list, scope, "decorators")
        items += types
        items += self._arguments(node.args, scope, outer, inner)
        items += ["-"] if node.returns is None else ["->", (node.returns, outer, "returns")]
        items += self._list(without_docstring(node.body), inner, kind)
        self._push(items + end)

    def _lambda(self, node: ast.Lambda, scope: Scope) -> None:
        inner = self._scope("function", scope, scope.path)
        self.tokens.append("Lambda")
        items = self._arguments(node.args, scope, scope, inner)
        self._push([*items, (node.body, inner, "Lambda")])

    def _arguments(
        self, given: ast.arguments, scope: Scope, annotations: Scope, inner: Scope
    ) -> list[Any]:
        """Parameters are bound in `inner`, defaults belong to `scope`."""
        last = [a for a in (given.vararg, given.kwarg) if a is not None]
        parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs, *last]
        counts = len(given.posonlyargs), len(given.args), len(given.kwonlyargs)
        stars = given.vararg is not None, given.kwarg is not None
        items: list[Any] = [f"arguments {counts} {stars}"]
        for parameter in parameters:
            inner.bound.add(parameter.arg)
            items.append((parameter, inner, annotations))
        items += self._list(given.defaults, scope, "defaults")
        items += self._list(given.kw_defaults, scope, "defaults")
        return items

    def _argument(self, node: ast.arg, inner: Scope, annotations: Scope) -> None:
        self._name(inner, node.arg)
        if node.annotation is None:
            self.tokens.append("-")
        else:
            self._push([":", (node.annotation, annotations, "annotation")])

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        end = self._begin(node, scope)
        outer, types = self._types(node, scope)
        inner = self._scope("class", outer, f"{self.slices[end[0]][0].name}.")
        items = self._list(node.decorator_list, scope, "decorators")
        items += types
        items += self._list(node.bases, outer, "bases")
        items += self._list(node.keywords, outer, "ClassDef")
        items += self._list(without_docstring(node.body), inner, "ClassDef")
        self._push(items + end)

    def _comprehension(self, node: Any, scope: Scope) -> None:
        kind = type(node).__name__
        inner = self._scope("comprehension", scope, scope.path)
        items: list[Any] = [f"{kind} {len(node.generators)}"]
        for i, part in enumerate(node.generators):
            items += ["async" if part.is_async else "for", (part.target, inner, "comprehension")]
            items.append((part.iter, inner if i else scope, "comprehension"))
            items += self._list(part.ifs, inner, "comprehension")
        results = (node.key, node.value) if kind == "DictComp" else (node.elt,)
        items += [(n, inner, kind) for n in results]
        self._push(items)

    # --- other nodes that bind names -------------------------------------------------------------

    def _named(self, node: ast.NamedExpr, scope: Scope) -> None:
        binder = scope
        while binder.kind == "comprehension" and binder.parent is not None:
            binder = binder.parent
        binder.bound.add(node.target.id)
        self.tokens.append("NamedExpr")
        self._name(binder, node.target.id)
        self._push([(node.value, scope, "NamedExpr")])

    def _global(self, node: ast.Global, scope: Scope) -> None:
        scope.globals.update(node.names)
        self.tokens.append(" ".join(["Global", *node.names]))

    def _nonlocal(self, node: ast.Nonlocal, scope: Scope) -> None:
        scope.nonlocals.update(node.names)
        self.tokens.append(f"Nonlocal {len(node.names)}")
        for name in node.names:
            self._name(scope, name)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        module = f" {node.level or 0} {node.module}" if isinstance(node, ast.ImportFrom) else ""
        self.tokens.append(f"{type(node).__name__}{module} {len(node.names)}")
        for alias in node.names:
            is_path = alias.asname is None and "." in alias.name
            self.tokens.append(f"{alias.name} {'path' if is_path else ''}")
            if alias.name != "*":
                name = alias.asname or alias.name.partition(".")[0]
                scope.bound.add(name)
                self._name(scope, name)

    def _capture(self, node: Any, scope: Scope) -> None:
        """except … as name, and patterns that capture."""
        name = getattr(node, "rest" if isinstance(node, ast.MatchMapping) else "name")
        self.tokens.append("as" if name is not None else "-")
        if name is not None:
            scope.bound.add(name)
            self._name(scope, name)
        self._any(node, type(node).__name__, scope)

    def _type_parameter(self, node: Any, scope: Scope) -> None:
        scope.bound.add(node.name)
        self._name(scope, node.name)
        self._any(node, type(node).__name__, scope)

    def _type_alias(self, node: Any, scope: Scope) -> None:
        self.tokens.append("TypeAlias")
        inner, types = self._types(node, scope)
        self._push([(node.name, scope, "TypeAlias"), *types, (node.value, inner, "TypeAlias")])

    def _joined(self, node: ast.JoinedStr, scope: Scope) -> None:
        """An f-string: pieces of text side by side are one."""
        pieces: list[Any] = []
        for value in node.values:
            text = value.value if isinstance(value, ast.Constant) else None
            if text is None:
                pieces.append((value, scope, "JoinedStr"))
            elif pieces and isinstance(pieces[-1], list):
                pieces[-1].append(text)
            elif text:
                pieces.append([text])
        items = [constant_text("".join(p)) if isinstance(p, list) else p for p in pieces]
        self._push([f"JoinedStr {len(items)}", *items])

    # --- results ---------------------------------------------------------------------------------

    def definitions(self) -> list[Found]:
        places = [place for place, _, _ in self.names]
        owners = [scope.owner(name) for _, scope, name in self.names]
        members = [scope.kind == "class" and name in scope.bound for _, scope, name in self.names]
        for found, (token, pair, first, token_end, pair_end, last) in self.slices:
            text = self.tokens[token:token_end]
            numbers: dict[tuple[int, str], str] = {}
            start = bisect_left(places, token)
            for i in range(start, bisect_left(places, token_end, start)):
                name = self.names[i][2]
                if first <= owners[i] < last:
                    new = numbers.setdefault((owners[i], name), f"\0{len(numbers)}")
                    text[places[i] - token] = new
                elif name == found.node.name and not (
                    members[i] and first <= self.names[i][1].number < last
                ):
                    text[places[i] - token] = OWN_NAME
            found.ast_hash = hashlib.sha256("\n".join(text).encode()).digest()
            found.pairs = self.pairs[pair + 1 : pair_end]
        return [found for found, _ in self.slices]


_SPECIAL: Final[dict[str, Any]] = {
    "FunctionDef": _Walk._function,
    "AsyncFunctionDef": _Walk._function,
    "ClassDef": _Walk._class,
    "Lambda": _Walk._lambda,
    "ListComp": _Walk._comprehension,
    "SetComp": _Walk._comprehension,
    "GeneratorExp": _Walk._comprehension,
    "DictComp": _Walk._comprehension,
    "NamedExpr": _Walk._named,
    "Global": _Walk._global,
    "Nonlocal": _Walk._nonlocal,
    "Import": _Walk._import,
    "ImportFrom": _Walk._import,
    "ExceptHandler": _Walk._capture,
    "MatchAs": _Walk._capture,
    "MatchStar": _Walk._capture,
    "MatchMapping": _Walk._capture,
    "TypeVar": _Walk._type_parameter,
    "ParamSpec": _Walk._type_parameter,
    "TypeVarTuple": _Walk._type_parameter,
    "TypeAlias": _Walk._type_alias,
    "JoinedStr": _Walk._joined,
}

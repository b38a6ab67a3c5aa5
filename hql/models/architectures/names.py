"""Names of tensors in files and in the database, and what is done to rows on the way.

A rule pairs a file's name with canonical ones, `{n}` standing for the layer:

    model.layers.{n}.self_attn.q_proj.weight  <->  layer{n}.attention.query.weight
    model.layers.{n}.self_attn.qkv_proj.weight <-> three names: a fused tensor and its parts

Rules are tried in order when a model is written, and each canonical name goes into the first file's
tensor whose parts are all there; so a fused form that is only read stands last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.hql.models.formats.source import SourceTensor

_NUMBER: Final = re.compile(r"(?<![^.])(\d+)(?=\.)")
_LAYER: Final = re.compile(r"^layer(\d+)\.")


def layer_of(name: str) -> int | None:
    """The layer that a canonical name says."""
    found = _LAYER.match(name)
    return int(found[1]) if found else None


@frozen
class Rule:
    """`rows`: how many rows each of several names has of the file's tensor. `recipe`: what the file
    did to the canonical rows (recipes.py), for all of the rule's names."""

    file: str
    names: tuple[str, ...]
    recipe: dict[str, Any] = field(default_factory=dict)
    rows: tuple[int, ...] = ()


@frozen
class Placement:
    """A canonical tensor and the tensor of a file that holds it, or the part of its rows that the
    recipe says."""

    source: SourceTensor
    name: str
    layer: int | None = None
    recipe: dict[str, Any] = field(default_factory=dict)


@frozen
class FileTensor:
    """A tensor of a file to be written, made of canonical ones."""

    name: str
    parts: tuple[tuple[str, dict[str, Any]], ...]


@frozen
class Names:
    """The rules of one format. `prefixes` are what may stand before a file's name (and is not part
    of the rules' `file`), the first of which is written; `bare` are rules of names that stand
    without; `unread`: patterns of files' names that no forward pass needs."""

    rules: tuple[Rule, ...]
    prefixes: tuple[str, ...] = ("",)
    unread: tuple[str, ...] = ()
    bare: tuple[Rule, ...] = ()

    def find(self, file_name: str) -> tuple[Rule, int | None] | None:
        """The rule of a file's tensor, and its layer."""
        rule = next((rule for rule in self.bare if rule.file == file_name), None)
        if rule is not None:
            return rule, None
        for prefix in self.prefixes:
            if file_name.startswith(prefix):
                rest = file_name.removeprefix(prefix)
                number = _NUMBER.search(rest)
                shape = _NUMBER.sub("{n}", rest, count=1)
                rule = next((rule for rule in self.rules if rule.file in (shape, rest)), None)
                if rule is not None:
                    layer = int(number[1]) if number and "{n}" in rule.file else None
                    return rule, layer
        return None

    def place(self, tensors: Iterable[SourceTensor]) -> tuple[list[Placement], list[str]]:
        """The canonical tensors in the files' order, and the files' names that are not known, which
        keep their own."""
        placed: list[Placement] = []
        unknown = []
        for tensor in tensors:
            found = self.find(tensor.name)
            if found is None:
                placed.append(Placement(tensor, tensor.name))
                if not any(re.search(pattern, tensor.name) for pattern in self.unread):
                    unknown.append(tensor.name)
            else:
                placed.extend(_parts(tensor, *found))
        return placed, unknown

    def write(self, names: Iterable[str]) -> list[FileTensor]:
        """What a file holds of canonical tensors, in their order; a name without a rule stays."""
        left = dict.fromkeys(names)
        taken: dict[str, FileTensor] = {}
        for name in left:
            if name not in taken:
                file = self._file(name, left)
                taken |= {part: file for part, _ in file.parts}
        return list({taken[name].name: taken[name] for name in left}.values())

    def _file(self, name: str, there: dict[str, None]) -> FileTensor:
        layer = layer_of(name)
        shape = name if layer is None else _LAYER.sub("layer{n}.", name)
        for rule in (*self.rules, *self.bare):
            if shape in rule.names or name in rule.names:
                parts = tuple(_expand(rule, layer))
                if all(part in there for part, _ in parts):
                    file = rule.file if layer is None else rule.file.replace("{n}", str(layer))
                    prefix = "" if rule in self.bare else self.prefixes[0]
                    return FileTensor(prefix + file, parts)
        return FileTensor(name, ((name, {}),))


def _expand(rule: Rule, layer: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The canonical names of a rule with their recipes."""
    start, total = 0, sum(rule.rows)
    for index, shape in enumerate(rule.names):
        name = shape if layer is None else shape.replace("{n}", str(layer))
        recipe = dict(rule.recipe)
        if rule.rows:
            recipe |= {"rows": [start, start + rule.rows[index]], "of": total}
            start += rule.rows[index]
        yield name, recipe


def _parts(tensor: SourceTensor, rule: Rule, layer: int | None) -> Iterator[Placement]:
    for name, recipe in _expand(rule, layer):
        yield Placement(tensor, name, layer, recipe)


def rules(
    pairs: dict[str, str],
    ends: tuple[str, ...] = ("weight",),
    recipes: dict[str, dict[str, Any]] | None = None,
) -> tuple[Rule, ...]:
    """Rules from {file's name: canonical name} for tensors ending in each of `ends`; `recipes` by
    canonical name without its end."""
    recipes = recipes or {}
    return tuple(
        Rule(f"{file}.{end}", (f"{name}.{end}",), recipes.get(name, {}))
        for file, name in pairs.items()
        for end in ends
    )

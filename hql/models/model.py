"""Model: a configuration and an ordered tuple of tensors; how one is added and found.

What equal models share (configuration, tensors, tokenizer, row data) stands in objects, the list of
them in the *manifest*, an object itself: importing a model again costs a catalog entry. What a
model has to itself (name, ids, SRIDs, protection) stands in the entry's definition.
docs/FORMAT.md has the manifest's bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault
from hartonomous.hql.frozen import frozen
from hartonomous.storage.catalog import ModelEntry, VersionEntry, fold
from hartonomous.storage.tensors import PackRef, TensorPack, open_pack, put_object

if TYPE_CHECKING:
    from hartonomous.storage.catalog import Catalog
    from hartonomous.storage.database import Database
    from hartonomous.storage.transaction import Transaction

#: SRIDs that the program allots are this and the number of a catalog entry
SRID_BASE = 1_000_000


@frozen
class Tensor:
    """A tensor as rows: `rows` output units of `length` inputs each. One of rank 0 or 1 is one
    row, one of rank 3 or more is (first dimension, the rest in C order)."""

    name: str  # canonical
    source_name: str  # as the file has it
    layer: int | None
    dtype: str  # kernels/blocks.py
    rows: int
    length: int
    shape: tuple[int, ...]  # as in the file, C order, output first
    pack: PackRef
    row_data: str  # object: row_data.py
    unit_kind: str
    #: what export must undo (permutation, fused part, transposition, +1 …), plain values
    recipe: Mapping[str, Any] = field(default_factory=dict)
    #: its first row's atom is model.first_atom + first_row; add_model sets it
    first_row: int = 0

    @property
    def parameter_count(self) -> int:
        return self.rows * self.length


@frozen
class Version:
    """A version of a model. `sequence` is the commit that made it, 0 before it is committed;
    `parents` are content hashes."""

    number: int
    manifest: str
    content_hash: str
    sequence: int
    parents: tuple[str, ...]
    figures: Mapping[str, Any]


@frozen
class ModelDraft:
    """What add_model needs. Values of `config` are JSON's, of `source` msgpack's."""

    name: str
    architecture: str
    config: Mapping[str, Any]
    tensors: tuple[Tensor, ...]
    #: object: float32[all rows], the ImportanceScore of every row in the tensors' order
    importance: str
    is_runnable: bool
    #: object: msgpack map (tokenizers), None without text
    tokenizer: str | None = None
    #: format, and what is needed to export the same file
    source: Mapping[str, Any] = field(default_factory=dict)
    #: row length -> object: float32[3, length], the projection of rows of that length
    projections: Mapping[int, str] = field(default_factory=dict)
    #: label -> object: anything else that must be kept
    attachments: Mapping[str, str] = field(default_factory=dict)
    parent: int | None = None  # the model it was made from
    parents: tuple[str, ...] = ()  # content hashes of the versions it was made from
    figures: Mapping[str, Any] = field(default_factory=dict)  # more for ModelVersions.Figures
    is_protected: bool = False


@frozen
class Model:
    """A model in its newest version, as a catalog has it."""

    id: int
    name: str
    architecture: str
    config: Mapping[str, Any]
    tensors: tuple[Tensor, ...]
    tokenizer: str | None
    importance: str
    version: int
    first_atom: int
    parameter_count: int
    bytes: int  # of the tensors, as they are stored
    content_hash: str  # of all that decides what it computes
    is_runnable: bool
    is_protected: bool
    source: Mapping[str, Any]
    projections: Mapping[int, str]
    attachments: Mapping[str, str]
    srids: Mapping[int, int]  # row length -> SRID of its projection
    parent: int | None
    versions: tuple[Version, ...]
    entry: ModelEntry = field(repr=False)
    database: Database = field(compare=False, repr=False)
    _by_name: Mapping[str, Tensor] = field(compare=False, repr=False)

    def tensor(self, name: str) -> Tensor | None:
        """By its canonical name."""
        return self._by_name.get(name)

    def pack(self, name: str) -> TensorPack:
        """The bytes of the tensor of that name, which there is. Corruption names it."""
        return self.pack_of(self._by_name[name])

    def pack_of(self, tensor: Tensor) -> TensorPack:
        label = f'tensor "{tensor.name}" of model "{self.name}"'
        return open_pack(self.database, tensor.pack, label)

    @property
    def row_count(self) -> int:
        """Rows of all tensors: its atoms are first_atom and the following ones."""
        return self.tensors[-1].first_row + self.tensors[-1].rows if self.tensors else 0


def add_model(transaction: Transaction, draft: ModelDraft) -> Model:
    """Add a model to the transaction's catalog, as version 1. Its objects are those that the same
    transaction wrote, or another model's. Raises AlreadyExists, ReadOnly."""
    from hartonomous.hql.models.manifest import contents_of, pack_manifest

    contents = contents_of(draft)
    manifest = put_object(transaction, pack_manifest(contents))
    counters = transaction.database.counters
    taken = {s.srid for s in transaction.catalog.spaces()} | set(srids_of(transaction.catalog))
    srids = {}
    for length in sorted(draft.projections):
        srids[str(length)] = _free_srid(counters.reserve_entry_id, taken)
    definition = {
        "first_atom": counters.reserve_row_ids(max(1, contents.row_count)),
        "parent": draft.parent,
        "protected": draft.is_protected,
        "srids": srids,
    }
    figures = {
        "parameters": contents.parameter_count,
        "bytes": contents.bytes,
        "tensors": len(contents.tensors),
        **draft.figures,
    }
    version = VersionEntry(1, manifest, 0, draft.parents, json.dumps(figures))
    text = json.dumps(definition)
    entry = ModelEntry(0, draft.name, text, (version,), definer=transaction.definer)
    made = transaction.create(entry)
    assert isinstance(made, ModelEntry)
    return model_of(made, transaction.catalog, transaction.database)


def all_models(catalog: Catalog, database: Database) -> tuple[Model, ...]:
    """Every model, in the order in which they were made."""
    return tuple(model_of(entry, catalog, database) for entry in catalog.models())


def find_model(catalog: Catalog, database: Database, given: str | int) -> Model:
    """The model of that name, in any case, or id; BindFault UNKNOWN_MODEL with the nearest."""
    return model_of(find_entry(catalog, given), catalog, database)


def find_entry(catalog: Catalog, given: str | int) -> ModelEntry:
    """As find_model, without reading the model."""
    entries = catalog.models()
    for entry in entries:
        if entry.id == given or (isinstance(given, str) and fold(entry.name) == fold(given)):
            return entry
    from hartonomous.hql.bind.context import nearest

    known = [e.name for e in entries]
    near = nearest(given, known) if isinstance(given, str) else None
    shown = f'"{given}"' if isinstance(given, str) else f"number {given}"
    listed = "there are: " + ", ".join(known) if known else "CREATE MODEL name FROM 'folder'"
    raise BindFault(f"there is no model {shown}", code="UNKNOWN_MODEL", hint=near or listed)


def model_of(entry: ModelEntry, catalog: Catalog, database: Database) -> Model:
    """The model of an entry. Corruption if its manifest is damaged."""
    from hartonomous.hql.models.manifest import read_contents

    contents = read_contents(database, entry.manifest, entry.name)
    own: dict[str, Any] = json.loads(entry.definition)
    return Model(
        id=entry.id,
        name=entry.name,
        architecture=contents.architecture,
        config=contents.config,
        tensors=contents.tensors,
        tokenizer=contents.tokenizer,
        importance=contents.importance,
        version=entry.versions[-1].number,
        first_atom=own["first_atom"],
        parameter_count=contents.parameter_count,
        bytes=contents.bytes,
        content_hash=contents.content_hash,
        is_runnable=contents.is_runnable,
        is_protected=own["protected"] or bool(spaces_served(catalog, entry.name)),
        source=contents.source,
        projections=contents.projections,
        attachments=contents.attachments,
        srids={int(length): srid for length, srid in own["srids"].items()},
        parent=own["parent"],
        versions=tuple(_version(v, database, entry.name) for v in entry.versions),
        entry=entry,
        database=database,
        _by_name=contents.by_name,
    )


def spaces_served(catalog: Catalog, name: str) -> list[str]:
    """The names of spaces that have the model for an encoder."""
    return [
        space.name
        for space in catalog.spaces()
        if fold(name) in map(fold, json.loads(space.definition)["encoders"].values())
    ]


def srids_of(catalog: Catalog) -> dict[int, str]:
    """The SRIDs of all models' projections, with the models' names."""
    return {
        srid: entry.name
        for entry in catalog.models()
        for srid in json.loads(entry.definition)["srids"].values()
    }


def _version(version: VersionEntry, database: Database, name: str) -> Version:
    from hartonomous.hql.models.manifest import read_contents

    return Version(
        version.number,
        version.manifest,
        read_contents(database, version.manifest, name).content_hash,
        version.sequence,
        version.parents,
        json.loads(version.figures),
    )


def _free_srid(next_number: Callable[[], int], taken: set[int]) -> int:
    """An SRID of a number that no entry gets, so that it is never used again."""
    while (srid := SRID_BASE + next_number()) in taken:
        pass
    return srid

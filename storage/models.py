"""What storage knows of a model's manifest: which objects the model needs.

A manifest is an object of msgpack, a map of `objects`, a list of [name (32 bytes), label] (tensor
packs, row data, tokenizer and so on, and for each what to call it in an error), and `model`, bytes
that are hql's (hql/models/manifest.py). Garbage collection, checkpoints and VERIFY DATABASE follow
it.
"""

from __future__ import annotations

from collections.abc import Iterable

from hartonomous.storage.catalog import Entry, ModelEntry
from hartonomous.storage.decoding import decoding, unpack
from hartonomous.storage.errors import Corruption
from hartonomous.storage.objects import Objects


def labels_of(objects: Objects, manifest: str) -> dict[str, str]:
    """Name -> label of every object that a model's manifest needs, the manifest itself included.
    Corruption if it cannot be read."""
    kept = objects.kept(manifest)
    if "labels" not in kept:
        with decoding(f"model manifest {manifest}"):
            listed = unpack(objects.read(manifest))["objects"]
            kept["labels"] = {manifest: "manifest", **{n.hex(): label for n, label in listed}}
    labels: dict[str, str] = kept["labels"]
    return labels


def model_objects(objects: Objects, entries: Iterable[Entry]) -> set[str]:
    """The names of all objects that the models among some catalog entries need, in any version.
    Corruption if a manifest cannot be read."""
    names: set[str] = set()
    for entry in entries:
        if isinstance(entry, ModelEntry):
            for version in entry.versions:
                names.update(labels_of(objects, version.manifest))
    return names


def readable_objects(objects: Objects, entries: Iterable[Entry]) -> set[str]:
    """As model_objects; a model whose manifest cannot be read adds nothing."""
    names: set[str] = set()
    for entry in entries:
        try:
            names |= model_objects(objects, [entry])
        except Corruption:
            continue
    return names

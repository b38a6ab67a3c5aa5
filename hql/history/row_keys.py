"""What rows of two moments are matched by beside their ids: the values of a key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from hartonomous.hql.system_schema import definition_of
from hartonomous.storage.catalog import KeyEntry, TableEntry
from hartonomous.storage.chunk import Int64
from hartonomous.storage.keyhash import fixed_words


def match_key(table: TableEntry) -> KeyEntry | None:
    """The key that rows of two branches are matched by; None: their ids."""
    wanted = "UNIQUE" if is_atoms_table(table) else "PRIMARY KEY"
    return next((k for k in table.keys if k.kind == wanted), None)


def is_atoms_table(table: TableEntry) -> bool:
    """Whether rows of the table are atoms."""
    stored = definition_of(table)
    return stored is not None and stored.name == "Atoms"


def codes_of(columns: Sequence[pa.Array]) -> Int64:
    """Numbers that are equal where the values of all columns are, int64[N]; no NULLs."""
    codes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
            words = [column.dictionary_encode().indices.to_numpy().astype(np.int64)]
        else:
            words = [word.view(np.int64) for word in fixed_words(column)]
        for word in words:
            _, index = np.unique(word, return_inverse=True)
            count = int(index.max(initial=0)) + 1
            _, codes = np.unique(codes * count + index, return_inverse=True)
    return codes.astype(np.int64)

"""The default space: principal directions of the default encoder's whole table of tokens.

Every token is a landmark, as a text's vector is a mean of tokens' vectors; for the same reason no
point lies outside the tokens' box. To compute the directions takes a second and a linear algebra
library whose last bits differ from machine to machine, so they are a file of the package, 3 KB,
made by `python -m hartonomous.hql.spaces.default` and compared with the table by a test.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Final

from hartonomous.hql import encoders
from hartonomous.storage.catalog import SpaceEntry

#: below it are EPSG's codes and Esri's; spaces of users come after it
SRID: Final = 1_000_000
FILE: Final = "text.space"


@cache
def entry() -> SpaceEntry:
    """What the catalog would hold of it: a line of JSON, then the matrix."""
    definition, _, projection = (files(__package__) / FILE).read_bytes().partition(b"\n")
    return SpaceEntry(0, "text", SRID, projection, definition.decode())


def compute() -> bytes:
    """The bytes of the file."""
    from hartonomous.hql.spaces.measuring import encoder_box, measure
    from hartonomous.kernels.projection import principal_directions

    encoder = encoders.get()
    anchors = encoder.anchors()
    matrix = principal_directions(anchors)
    definition = {
        "encoders": {"text": encoder.name},
        "landmarks": len(anchors),
        "method": None,
        "seed": None,
        "box": encoder_box(encoder, matrix),
        **measure(anchors, matrix, 0),
    }
    return json.dumps(definition).encode() + b"\n" + matrix.astype("<f4").tobytes()


if __name__ == "__main__":
    from pathlib import Path

    (Path(__file__).parent / FILE).write_bytes(compute())

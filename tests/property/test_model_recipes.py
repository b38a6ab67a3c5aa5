"""Laws of what files do to rows: redone after undone gives the file's bytes, whatever they are;
names go there and back; percentile ranks against their definition."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hartonomous.hql.models import recipes
from hartonomous.hql.models.architectures import ARCHITECTURES
from hartonomous.hql.models.architectures.base import config_from_map, config_to_map
from hartonomous.hql.models.architectures.fields import Fields
from hartonomous.hql.models.formats.source import held
from hartonomous.hql.models.importance import percentile_ranks
from hartonomous.kernels.blocks import BLOCKS, row_bytes

#: enough for any architecture
SIZES = {"layers": 12, "width": 8, "heads": 4, "mlp": 6, "vocabulary": 11, "context": 5} | {
    "inputs": 3,
    "hidden": 4,
    "outputs": 2,
    "tied": False,
}


@st.composite
def stored(draw: Any) -> tuple[np.ndarray, str, tuple[int, ...], list[dict[str, Any]]]:
    """A file's tensor: bytes, type, shape, and the recipes of its parts."""
    heads, half = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    dtype = draw(st.sampled_from(sorted(BLOCKS)))
    plain = BLOCKS[dtype][0] == 1
    rows = [2 * heads * half * draw(st.integers(1, 2)) for _ in range(draw(st.integers(1, 3)))]
    recipe: dict[str, Any] = draw(st.sampled_from([{}, {"rotary": heads}]))
    shape: tuple[int, ...] = (sum(rows), BLOCKS[dtype][0] * draw(st.integers(1, 3)))
    if plain and draw(st.booleans()):
        recipe = recipe | {"transposed": True}
    if plain and draw(st.booleans()):
        shape = (sum(rows),)
    parts, start = [], 0
    for count in rows:
        cut = {"rows": [start, start + count], "of": sum(rows)} if len(rows) > 1 else {}
        parts.append(recipe | cut)
        start += count
    if recipe.get("transposed") and len(shape) == 2:
        shape = shape[::-1]
    count, length = recipes.matrix_shape(shape)
    size = count * row_bytes(dtype, length)
    seed = draw(st.integers(0, 2**32 - 1))
    data = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    return data, dtype, shape, parts


@given(stored())
def test_redone_after_undone_is_the_file(case: Any) -> None:
    data, dtype, shape, parts = case
    made = [(recipes.undo(data, dtype, shape, recipe), recipe) for recipe in parts]
    for rows, recipe in made:
        wanted = recipes.canonical_shape(shape, recipe)
        count, length = recipes.matrix_shape(wanted)
        assert rows.shape == (count, row_bytes(dtype, length))
    assert np.array_equal(recipes.redo(made, dtype, len(shape) < 2), data)


@given(st.integers(1, 5), st.integers(1, 8))
def test_rotary_rows_are_neighbours_in_the_file(heads: int, half: int) -> None:
    order = recipes.rotary_order(2 * heads * half, heads).reshape(heads, 2, half)
    assert np.array_equal(order[:, 1], order[:, 0] + 1)
    assert np.array_equal(order[:, 0].ravel(), np.arange(0, 2 * heads * half, 2))


def test_every_name_goes_there_and_back() -> None:
    for architecture in ARCHITECTURES.values():
        config = architecture.make_config(Fields(SIZES))
        assert config_from_map(config_to_map(config)) == config
        layout = {shape.name: shape.shape for shape in architecture.layout(config)}
        for format in ("safetensors", "gguf"):
            if format == "gguf" and architecture.gguf_name is None:
                continue
            names = architecture.names(config, format)
            files = names.write(layout)
            assert len({file.name for file in files}) == len(files)
            tensors = []
            for file in files:
                assert names.find(file.name) is not None, file.name
                tensors.append(held(file.name, "F32", (1,), bytes))
            placed, unknown = names.place(tensors)
            assert not unknown
            assert {p.name for p in placed} == set(layout), architecture.name
            by_file = {file.name: dict(file.parts) for file in files}
            for placement in placed:
                assert by_file[placement.source.name][placement.name] == placement.recipe


@given(st.lists(st.integers(0, 6).map(float), min_size=1, max_size=30))
def test_percentile_ranks(values: list[float]) -> None:
    found = percentile_ranks(np.array(values))
    for value, rank in zip(values, found, strict=True):
        if len(values) == 1:
            assert rank == 1
            continue
        less = sum(v < value for v in values)
        equal = sum(v == value for v in values) - 1
        assert rank == (less + equal / 2) / (len(values) - 1)

"""CREATE MODEL: an import, or a new model with weights drawn by a seed.

New weights are the same on every machine: whole numbers from Philox keyed by the seed and the
tensor's name, twelve of 16 bits added up (Irwin-Hall; mean and variance of a normal number, no
tails beyond six standard deviations), scaled by one multiplication in float64 and rounded once.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from hartonomous.hql.changes.new_names import check_word
from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault, FileFault
from hartonomous.hql.models.architectures import ARCHITECTURES
from hartonomous.hql.models.architectures.base import Shape, config_to_map
from hartonomous.hql.models.architectures.fields import Fields, Survey
from hartonomous.hql.models.architectures.names import Placement, layer_of
from hartonomous.hql.models.formats.source import held
from hartonomous.hql.models.importing import import_model
from hartonomous.hql.models.model import Model, find_model
from hartonomous.hql.models.options import located, path_at, read_options
from hartonomous.hql.models.storing import Incoming, store_model
from hartonomous.hql.models.tokenizers import pack
from hartonomous.hql.result import Result
from hartonomous.hql.security.files import reading, within
from hartonomous.hql.statements.create_model import FromModel, ModelArchitecture
from hartonomous.storage.catalog import fold
from hartonomous.storage.errors import AlreadyExists, Error

if TYPE_CHECKING:
    from hartonomous.hql import ast
    from hartonomous.hql.context import Context
    from hartonomous.hql.models.architectures.base import Architecture, Config
    from hartonomous.hql.statements.create_model import CreateModel

#: bytes of a tokenizer.json that is named
TOKENIZER_BYTES_MAX: Final = 128 << 20
#: parameters of a new model: 16 GiB; a tensor is drawn in memory
PARAMETERS_MAX: Final = 1 << 32
#: numbers of 16 bits in a weight: their sum has a mean of 6 x 65535 and this variance
_PARTS: Final = 12
#: weights drawn at once
_AT_ONCE: Final = 1 << 18
_DEVIATION: Final = float(np.sqrt(_PARTS * (65_536.0**2 - 1) / 12))


def run_create_model(statement: CreateModel, context: Context) -> Result:
    """CREATE MODEL."""
    name = statement.name.text
    check_word(statement.name)
    if any(fold(entry.name) == fold(name) for entry in context.catalog.models()):
        if statement.if_not_exists:
            return Result()
        raise place(AlreadyExists(f'the model "{name}" already exists'), statement.name)
    try:
        if isinstance(statement.origin, ModelArchitecture):
            _make_model(statement, statement.origin, context)
        else:
            given = read_options(statement.options, context, ["TOKENIZER"], "an import")
            with reading(context.session.files):
                tokenizer, _ = _tokenizer(given.get("TOKENIZER"), context)
                path = path_at(statement.origin, context)
                import_model(name, path, tokenizer, context)
    except Error as error:
        raise located(error, statement.origin) from error.__cause__
    return Result()


# --- tokenizers ----------------------------------------------------------------------------------


def _tokenizer(
    given: tuple[Any, ast.Option] | None, context: Context
) -> tuple[bytes | str | None, int | None]:
    """(packed tokenizer or name of its object, tokens that a vocabulary must have at least)."""
    if given is None:
        return None, None
    value, option = given
    if isinstance(option.value, FromModel):
        origin = option.value
        given_name = origin.text if origin.number is None else origin.number
        try:
            model = find_model(context.catalog, context.transaction.database, given_name)
        except Error as error:
            raise located(error, origin) from error.__cause__
        if model.tokenizer is None:
            raise place(BindFault(f'the model "{model.name}" has no tokenizer'), option)
        return model.tokenizer, model.config.get("vocabulary")
    if value == "bytes":
        return pack({"kind": "bytes"}), 256
    if isinstance(value, str) and value.endswith(".json"):
        path = within(context, value, option)
        return pack({"kind": "json", "files": {"tokenizer.json": _read(path)}}), None
    hint = "TOKENIZER = 'bytes', TOKENIZER = 'path/tokenizer.json' or TOKENIZER = FROM MODEL x"
    raise place(BindFault(f"{value!r} is no tokenizer", hint=hint), option)


def _read(path: str) -> bytes:
    from pathlib import Path

    from hartonomous.hql.models.formats.files import read_whole

    if "\0" in path:
        raise FileFault(f"{path!r} is no path")
    return read_whole(Path(path).expanduser(), TOKENIZER_BYTES_MAX)


# --- new models ----------------------------------------------------------------------------------


def _make_model(statement: CreateModel, origin: ModelArchitecture, context: Context) -> Model:
    architecture = ARCHITECTURES.get(origin.name.text.lower())
    if architecture is None:
        message = f'there is no architecture "{origin.name.text}"'
        hint = "there are: " + ", ".join(ARCHITECTURES)
        raise place(BindFault(message, hint=hint), origin)
    settings = read_options(statement.options, context, ["SEED", "TOKENIZER"], "a new model")
    seed = _seed(settings.get("SEED"))
    tokenizer, tokens = _tokenizer(settings.get("TOKENIZER"), context)
    given = read_options(origin.options, context, None, architecture.name)
    values = {name.lower(): value for name, (value, _) in given.items()}
    if tokens is not None and "vocabulary" not in values and architecture.name != "mlp":
        values["vocabulary"] = tokens
    made = _made_config(architecture, values, given)
    config = config_to_map(made)
    if tokens is not None and config.get("vocabulary", 0) < tokens:
        message = f"a tokenizer of {tokens:,} tokens for a vocabulary of"
        raise BindFault(f"{message} {config.get('vocabulary', 0):,}")
    layout = architecture.layout(made)
    parameters = sum(math.prod(shape.shape) for shape in layout)
    if parameters > PARAMETERS_MAX:
        raise BindFault(f"{parameters:,} parameters: a new model has {PARAMETERS_MAX:,} at most")
    placements = [_new_tensor(shape, seed) for shape in layout]
    incoming = Incoming(
        statement.name.text,
        architecture.name,
        config,
        placements,
        is_runnable=True,
        tokenizer=tokenizer,
        source={"format": ""},
        figures={"seed": seed},
    )
    return store_model(incoming, context)


def _made_config(
    architecture: Architecture, values: dict[str, Any], given: dict[str, tuple[Any, ast.Option]]
) -> Config:
    """The configuration of a new model's settings. A setting that the architecture has not is said
    before one that is wrong or missing, as it may be that one misspelt."""
    from hartonomous.hql.bind.context import nearest

    fields = Fields(values, architecture.name, BindFault)
    try:
        made, known, error = architecture.make_config(fields), fields.read, None
    except Error as found:
        survey = Survey()
        architecture.make_config(survey)
        made, known, error = None, fields.read | survey.read, found
    for name, (_, option) in given.items():
        if name.lower() not in known:
            near = nearest(name, known)
            listed = f"{architecture.name} has: " + ", ".join(sorted(known))
            message = f"{architecture.name} has no {option.name.lower()}"
            raise place(BindFault(message, hint=f"{near} {listed}" if near else listed), option)
    if error is not None:
        raise error
    assert made is not None
    return made


def _seed(given: tuple[Any, ast.Option] | None) -> int:
    if given is None:
        return 0
    value, option = given
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise place(BindFault("SEED is a whole number, not negative"), option)
    return value


def _new_tensor(shape: Shape, seed: int) -> Placement:
    tensor = held(shape.name, "F32", shape.shape, lambda: new_weights(shape, seed))
    return Placement(tensor, shape.name, layer_of(shape.name))


def new_weights(shape: Shape, seed: int) -> npt.NDArray[np.float32]:
    """float32 of the shape, filled as it says."""
    count = math.prod(shape.shape)
    if shape.fill != "normal":
        return np.full(shape.shape, float(shape.fill == "ones"), "<f4")
    digest = hashlib.sha256(shape.name.encode("utf-8")).digest()
    numbers = np.random.Philox(key=[seed, int.from_bytes(digest[:8], "little")])
    out = np.empty(count, "<f4")
    for start in range(0, count, _AT_ONCE):
        some = min(_AT_ONCE, count - start)
        words = numbers.random_raw(some * _PARTS // 4 + (-some * _PARTS) % 4)
        parts = words.astype("<u8").view("<u2")[: some * _PARTS].reshape(some, _PARTS)
        sums = parts.sum(axis=1, dtype=np.int64) - _PARTS * 65_535 // 2
        out[start : start + some] = sums * (shape.scale / _DEVIATION)
    return out.reshape(shape.shape)

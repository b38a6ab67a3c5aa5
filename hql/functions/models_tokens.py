"""Texts as tokens and back: TOKENIZE, DETOKENIZE."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault, ExecutionFault
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.models import (
    BATCH_ROWS,
    OfModels,
    by_model,
    in_models,
    model_name,
    models_of,
    named_model,
    rows_of,
    values_of,
)
from hartonomous.hql.functions.native_table import native_table
from hartonomous.hql.functions.resolve import P, exactly, resolver, scalar
from hartonomous.hql.models.using import Models, tokenizer_of
from hartonomous.hql.types import INT, NVARCHAR, Type

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.models.tokenizers import Tokenizer
    from hartonomous.hql.plan import Expr

#: rows of a batch of tokens
TOKEN_ROWS = 8192

_COLUMNS = (("Seq", INT), ("TokenId", INT), ("Token", NVARCHAR))


def _tokens(tokenizer: Tokenizer, text: str) -> list[tuple[int, int, str]]:
    """(Seq, TokenId, Token) of a text, with the special tokens that the tokenizer adds."""
    return [(n, token, tokenizer.token(token)) for n, token in enumerate(tokenizer.encode(text))]


def _of_row(models: Models, model: Any, text: Any) -> pa.Array:
    """The kernel: a JSON array of (Seq, TokenId, Token) for each row."""
    return _by_tokenizer(models, model, text, lambda t, given: json.dumps(_tokens(t, given)))


def _by_tokenizer(
    models: Models, model: Any, values: Any, compute: Callable[[Tokenizer, Any], str]
) -> pa.Array:
    """What `compute` makes of each row's value with the tokenizer of its model; NULL of NULL."""
    import pyarrow as pa

    rows = rows_of([model, values])
    given = values_of(values, rows)
    out: list[str | None] = [None] * rows
    for name, numbers in by_model(values_of(model, rows)):
        tokenizer = tokenizer_of(models.find(name))
        for row in numbers:
            if given[row] is not None:
                out[row] = compute(tokenizer, given[row])
    return pa.array(out, pa.string())


def _rows(models: Models, model: str | int | None, text: str | None) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    if model is None or text is None:
        return
    found = _tokens(tokenizer_of(models.find(model)), text)
    schema = pa.schema([(name, type_.arrow) for name, type_ in _COLUMNS])
    for first in range(0, len(found), TOKEN_ROWS):
        columns = zip(*found[first : first + TOKEN_ROWS], strict=True)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _tokenize_in(function: Function, arguments: Sequence[Expr], context: BindContext) -> Function:
    named_model(function.name, arguments[0], context)
    assert function.rows is not None
    return replace(function, rows=OfModels(function.rows, models_of(context)))


# --- DETOKENIZE ----------------------------------------------------------------------------------


def _token_list(given: Type) -> Type | None:
    """A vector of token ids, or a text that holds a JSON list of them."""
    if given.kind == "VECTOR":
        return given
    return NVARCHAR if given.is_string or given.kind == "NULL" else None


def _resolve_detokenize(
    types: Sequence[Type], constants: Sequence[Any]
) -> tuple[Type, tuple[Type, ...]]:
    if len(types) == 2 and _token_list(types[1]) is None:
        raise BindFault(
            f"DETOKENIZE: argument 2 (tokens) cannot be {types[1]}",
            code="TYPE_MISMATCH",
            hint="DETOKENIZE('m', [15496, 995]) or a JSON list: '[15496, 995]'",
        )
    return _DETOKENIZE_TYPES(types, constants)


def detokenize(models: Models, model: Any, tokens: Any) -> pa.Array:
    """The kernel of DETOKENIZE: the text of each row's tokens, special ones left out."""
    return _by_tokenizer(models, model, tokens, lambda t, given: t.decode(_ids(given, t)))


def _ids(given: str | Sequence[float], tokenizer: Tokenizer) -> list[int]:
    """Whole numbers, each a token of the tokenizer."""
    values: Any = given
    if isinstance(given, str):
        try:
            values = json.loads(given)
        except (ValueError, RecursionError) as error:
            raise _no_list(f"the tokens are no JSON: {error}") from None
    if not isinstance(values, list):
        raise _no_list("the tokens are not a list")
    ids = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
            raise _no_list(f"{json.dumps(value)} is not the number of a token")
        tokenizer.token(int(value))  # refuses what is none
        ids.append(int(value))
    return ids


def _no_list(message: str) -> ExecutionFault:
    return ExecutionFault(f"DETOKENIZE: {message}", code="BAD_VALUE", hint="like '[15496, 995]'")


_MODEL = P("model", model_name)
_TEXT = (_MODEL, P("text", exactly(NVARCHAR)))
_TOKENS = (_MODEL, P("tokens", _token_list))
_DETOKENIZE_TYPES = resolver("DETOKENIZE", _TOKENS, NVARCHAR)

_TOKENIZE_ROW = replace(
    scalar("__TOKENIZE", _TEXT, NVARCHAR, None, "TOKENIZE of a row.", "", kernel=_of_row,
           batch_rows=BATCH_ROWS),
    in_catalog=in_models,
)  # fmt: skip

TOKENIZE = native_table(
    "TOKENIZE",
    _TEXT,
    resolver("TOKENIZE", _TEXT, NVARCHAR),
    _COLUMNS,
    _TOKENIZE_ROW,
    _rows,
    "The tokens that the model's tokenizer makes of a text, special ones included.",
    "SELECT Seq, TokenId, Token FROM TOKENIZE('smollm', 'some text')",
    _tokenize_in,
)

DETOKENIZE = replace(
    scalar(
        "DETOKENIZE",
        _TOKENS,
        NVARCHAR,
        None,
        "The text of tokens: a vector of their ids, or a JSON list.",
        "DETOKENIZE('smollm', [72, 105])",
        resolve=_resolve_detokenize,
        kernel=detokenize,
        batch_rows=BATCH_ROWS,
    ),
    in_catalog=in_models,
)

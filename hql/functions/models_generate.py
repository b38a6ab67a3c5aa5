"""GENERATE: a prompt, or messages of a conversation, continued by a language model.

A row's text depends on the model, its prompt, its settings and `@seed`, and on no other row: random
numbers are keyed by (seed, 0, step). Rows that the engine hands over together are generated side by
side.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.errors import BindFault, ExecutionFault
from hartonomous.hql.frozen import frozen
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
from hartonomous.hql.functions.native_table import Columns, native_table, unnest
from hartonomous.hql.functions.resolve import P, approximate, exactly, resolver, scalar, whole
from hartonomous.hql.models.using import Models, Use
from hartonomous.hql.types import FLOAT, INT, NVARCHAR, Type

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.models.inference.generation import Settings, Step
    from hartonomous.hql.plan import Expr

COLUMNS: Columns = (("Text", NVARCHAR), ("TokenCount", INT), ("StopReason", NVARCHAR))
TRACE_COLUMNS: Columns = (
    ("Step", INT),
    ("TokenId", INT),
    ("Token", NVARCHAR),
    ("LogProb", FLOAT),
)

_PARAMETERS: Final = (
    P("model", model_name),
    P("prompt", exactly(NVARCHAR), optional=True),
    P("max_tokens", whole, optional=True),
    P("temperature", approximate, optional=True),
    P("top_k", whole, optional=True),
    P("top_p", approximate, optional=True),
    P("repetition_penalty", approximate, optional=True),
    P("stop", exactly(NVARCHAR), optional=True),
    P("seed", whole, optional=True),
    P("messages", exactly(NVARCHAR), optional=True),
    P("trace", whole, optional=True),
)
_NAMES: Final = tuple(p.name for p in _PARAMETERS)
#: settings that are handed on as they are; what they must be is said there
_PLAIN: Final = ("max_tokens", "temperature", "top_k", "top_p", "repetition_penalty", "seed")


@frozen
class Asked:
    """What one row asks for."""

    prompt: str | None
    messages: str | None
    settings: tuple[tuple[str, Any], ...]  # those that are given
    stop: tuple[str, ...] = field(default=())


def _asked(values: dict[str, Any]) -> Asked | None:
    """The row's wish; None if it has neither prompt nor messages."""
    prompt, messages = values.get("prompt"), values.get("messages")
    if prompt is None and messages is None:
        return None
    if prompt is not None and messages is not None:
        raise ExecutionFault(
            "GENERATE takes a prompt or @messages, not both",
            code="BAD_VALUE",
            hint='put the prompt into the messages: {"role": "user", "content": …}',
        )
    given = tuple((n, values[n]) for n in _PLAIN if values.get(n) is not None)
    return Asked(prompt, messages, given, _stop_strings(values.get("stop")))


def _stop_strings(given: str | None) -> tuple[str, ...]:
    """A JSON list of strings, else one string as it is."""
    if given is None:
        return ()
    if given.lstrip().startswith("["):
        try:
            found = json.loads(given)
        except (ValueError, RecursionError):
            return (given,)
        if isinstance(found, list) and all(isinstance(s, str) for s in found):
            return tuple(found)
    return (given,)


def _messages(given: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise _no_messages(f"no JSON: {error}") from None
    is_list = isinstance(found, list) and all(isinstance(m, dict) for m in found)
    if not is_list or not found or not all({"role", "content"} <= m.keys() for m in found):
        raise _no_messages("not a list of objects with role and content")
    return list(found)


def _no_messages(why: str) -> ExecutionFault:
    return ExecutionFault(
        f"GENERATE: @messages is {why}",
        code="BAD_VALUE",
        hint='[{"role": "user", "content": "Hello"}]',
    )


class _Generation:
    """A model at work for some rows."""

    def __init__(self, use: Use) -> None:
        self._use = use
        self.network, self.tokenizer = use.language("GENERATE"), use.tokenizer

    def tokens(self, asked: Asked) -> list[int]:
        """The tokens of the prompt: what the tokenizer puts before it, nothing behind."""
        if asked.messages is not None:
            text = self.tokenizer.chat(_messages(asked.messages))
            return self.tokenizer.encode(text, add_special=False)
        assert asked.prompt is not None
        plain = self.tokenizer.encode(asked.prompt, add_special=False)
        return [*self.tokenizer.special.prefix, *plain]

    def settings(self, asked: Asked) -> Settings:
        from hartonomous.hql.models.inference.generation import Settings

        return Settings(
            **dict(asked.settings), stop=asked.stop, end_tokens=self.tokenizer.end_tokens
        )

    def steps(self, asked: Sequence[Asked]) -> Iterator[Step]:
        """The steps of rows side by side, by number; none of an empty prompt that the tokenizer
        puts nothing before."""
        from hartonomous.hql.models.inference.generation import ROWS_MAX, generate_rows

        given = [self.tokens(a) for a in asked]
        rows = [n for n, tokens in enumerate(given) if tokens or asked[n].messages is not None]
        if not rows:
            return
        prompts = [given[n] for n in rows]
        settings = [self.settings(asked[n]) for n in rows]
        longest = max(map(len, prompts)) + max(s.max_tokens for s in settings)
        self._use.hold(self.network, min(longest, self.network.context), min(len(rows), ROWS_MAX))
        request = self._use.request
        request.rows += len(prompts)
        request.tokens_in += sum(map(len, prompts))
        for step in generate_rows(
            self.network,
            prompts,
            settings,
            make_detokeniser=self.tokenizer.stream,
            check=self._use.check,
        ):
            request.tokens_out += 1
            yield replace(step, row=rows[step.row])

    def traced(self, step: Step) -> tuple[int, int, str, float]:
        """A row of the trace."""
        return step.step, step.token, self.tokenizer.token(step.token), step.logprob


class _Text:
    """A row's text as it grows."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.tokens = 0
        self.reason = ""

    def add(self, step: Step) -> None:
        self.parts.append(step.text)
        self.tokens += 1
        self.reason = step.stop_reason or ""

    @property
    def row(self) -> tuple[str, int, str]:
        return "".join(self.parts), self.tokens, self.reason


# --- inside the engine ---------------------------------------------------------------------------


def _generate(models: Models, model: Any, *arguments: Any) -> pa.Array:
    """The kernel of a row: JSON arrays of (Text, TokenCount, StopReason), or of the trace."""
    import pyarrow as pa

    rows = rows_of([model, *arguments])
    columns = dict(zip(_NAMES[1:], (values_of(a, rows) for a in arguments), strict=False))
    asked = [_asked({n: c[row] for n, c in columns.items()}) for row in range(rows)]
    is_traced = bool(columns.get("trace", [None])[0])
    out: list[str | None] = [None] * rows
    for name, numbers in by_model(values_of(model, rows)):
        wanted = [(row, wish) for row in numbers if (wish := asked[row]) is not None]
        if not wanted:
            continue
        with models.using(name, "GENERATE") as use:
            found = _continued(_Generation(use), [wish for _, wish in wanted], is_traced)
        for (row, _), made in zip(wanted, found, strict=True):
            out[row] = json.dumps(made)
    return pa.array(out, pa.string())


def _continued(work: _Generation, asked: Sequence[Asked], is_traced: bool) -> list[list[Any]]:
    """The rows of each wish."""
    texts = [_Text() for _ in asked]
    traces: list[list[Any]] = [[] for _ in asked]
    for step in work.steps(asked):
        texts[step.row].add(step)
        if is_traced:
            traces[step.row].append(work.traced(step))
    return traces if is_traced else [[text.row] if text.tokens else [] for text in texts]


# --- as they come --------------------------------------------------------------------------------


def _rows(models: Models, model: str | int | None, *given: Any) -> Iterator[pa.RecordBatch]:
    """The rows of one prompt; with @trace a row for each token as it comes."""
    values = dict(zip(_NAMES[1:], given, strict=False))
    asked = _asked(values)
    if asked is None or model is None:
        return
    with models.using(model, "GENERATE") as use:
        work = _Generation(use)
        text = _Text()
        for step in work.steps([asked]):
            text.add(step)
            if values.get("trace"):
                yield _batch(TRACE_COLUMNS, work.traced(step))
        if text.tokens and not values.get("trace"):
            yield _batch(COLUMNS, text.row)


def _batch(columns: Columns, row: tuple[Any, ...]) -> pa.RecordBatch:
    import pyarrow as pa

    schema = pa.schema([(name, type_.arrow) for name, type_ in columns])
    arrays = [pa.array([v], f.type) for v, f in zip(row, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


# --- binding -------------------------------------------------------------------------------------

_TYPES = resolver("GENERATE", _PARAMETERS, NVARCHAR)


def _resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
    if len(types) == 1:
        raise BindFault(
            "GENERATE takes a prompt, or @messages",
            code="ARGUMENTS",
            hint="GENERATE('m', 'Once upon a time', @max_tokens = 64)",
        )
    trace = _NAMES.index("trace")
    if len(types) > trace and types[trace].kind != "NULL" and constants[trace] not in (0, 1):
        raise BindFault(
            "GENERATE: @trace is the constant 0 or 1, as the columns depend on it",
            code="ARGUMENTS",
        )
    return _TYPES(types, constants)


def _generate_in(function: Function, arguments: Sequence[Expr], context: BindContext) -> Function:
    """The function over the statement's models, with the columns that @trace asks for."""
    from hartonomous.hql.plan import Constant

    named_model(function.name, arguments[0], context)
    assert function.rows is not None
    rows = OfModels(function.rows, models_of(context))
    trace = arguments[_NAMES.index("trace")] if len(arguments) == len(_NAMES) else None
    if isinstance(trace, Constant) and trace.value:
        columns = TRACE_COLUMNS
        return replace(function, rows=rows, columns=columns, render=unnest(columns))
    return replace(function, rows=rows)


_GENERATE_ROW = replace(
    scalar("__GENERATE", _PARAMETERS, NVARCHAR, None, "GENERATE of a row.", "", kernel=_generate,
           null_on_null=False, batch_rows=BATCH_ROWS),
    in_catalog=in_models,
)  # fmt: skip

GENERATE = native_table(
    "GENERATE",
    _PARAMETERS,
    _resolve,
    COLUMNS,
    _GENERATE_ROW,
    _rows,
    "How the model continues a prompt, or answers `@messages`, a JSON list of {role, content}: "
    "`@max_tokens` (64), `@temperature` (0: always the likeliest), `@top_k`, `@top_p`, "
    "`@repetition_penalty`, `@stop` (a string or a JSON list), `@seed`. With `@trace = 1` a row "
    "for each token: (Step, TokenId, Token, LogProb). A NULL prompt has no row, nor "
    "has an empty one where the tokenizer adds no beginning token to go on from.",
    "SELECT Text, TokenCount, StopReason FROM GENERATE('smollm', 'Once', @max_tokens = 8)",
    _generate_in,
)

"""How likely texts are to a language model: LOGPROB, PERPLEXITY, BITS_PER_BYTE.

    LOGPROB         sum over a text's tokens but the first of ln p(token | those before it)
    PERPLEXITY      exp(-(sum of LOGPROB over windows of all texts) / tokens predicted)
    BITS_PER_BYTE   -(the same sum) / ln 2 / UTF-8 bytes of the texts

A text of more than `@window` tokens is cut into windows of that many, one after the other. What
the tokenizer puts before a text (a beginning token) is put before every window, and what it puts
behind follows the last. Each window gives up its first token: the beginning token where there is
one, so that every token of the text is scored. So a text that is not cut has the sum of LOGPROB,
to the bit, and PERPLEXITY of one is exp(-LOGPROB / (tokens - 1)). Sums over rows are exact
(math.fsum), so that no order of rows shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.models import (
    BATCH_ROWS,
    by_model,
    in_models,
    model_name,
    rows_of,
    values_of,
)
from hartonomous.hql.functions.resolve import P, exactly, resolver, scalar, whole
from hartonomous.hql.models.using import Models, Use
from hartonomous.hql.types import FLOAT, NVARCHAR

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from hartonomous.hql.models.inference.network import Network
    from hartonomous.hql.models.tokenizers import Tokenizer
    from hartonomous.hql.models.tokenizers.base import SpecialTokens

#: tokens of a window, where the model's context is not shorter
WINDOW: Final = 2048


# --- LOGPROB -------------------------------------------------------------------------------------


def log_probabilities(models: Models, model: Any, text: Any, completion: Any = None) -> pa.Array:
    """The kernel of LOGPROB: float64 of each row, NULL where an argument is."""
    import pyarrow as pa

    arguments = [model, text] if completion is None else [model, text, completion]
    rows = rows_of(arguments)
    given, texts, *more = [values_of(a, rows) for a in arguments]
    completions = more[0] if more else None
    out: list[float | None] = [None] * rows
    for name, numbers in by_model(given):
        with models.using(name, "LOGPROB") as use:
            network, tokenizer = use.language("LOGPROB"), use.tokenizer
            rows_told, lists, firsts = [], [], []
            for row in numbers:
                if texts[row] is None or (completions is not None and completions[row] is None):
                    continue
                if completions is None:
                    tokens, first = tokenizer.encode(texts[row]), 1
                else:
                    tokens, first = completed(tokenizer, texts[row], completions[row])
                rows_told.append(row)
                lists.append(tokens)
                firsts.append(first)
            scores = _scores(use, network, lists)
            for row, first, found in zip(rows_told, firsts, scores, strict=True):
                out[row] = math.fsum(found[first - 1 :])
                use.request.rows += 1
    return pa.array(out, pa.float64())


def completed(tokenizer: Tokenizer, prompt: str, completion: str) -> tuple[list[int], int]:
    """The tokens of both as one text, and the first that is the completion's: the first in which
    the text differs from the prompt, at least the second."""
    tokens = tokenizer.encode(prompt + completion)
    before = [*tokenizer.special.prefix, *tokenizer.encode(prompt, add_special=False)]
    first = 0
    while first < min(len(before), len(tokens)) and before[first] == tokens[first]:
        first += 1
    return tokens, max(first, 1)


def _scores(
    use: Use, network: Network, lists: Sequence[Sequence[int]]
) -> Iterator[npt.NDArray[np.float64]]:
    """float64[T-1] of each list of T tokens."""
    use.hold(network, max(map(len, lists), default=0))
    found = network.log_probabilities_of(lists, use.check)
    for tokens, scores in zip(lists, found, strict=True):
        use.request.tokens_in += len(tokens)
        yield scores


# --- over the rows of a query --------------------------------------------------------------------


class _Sums:
    """What a group of texts adds up to."""

    def __init__(self) -> None:
        self.logs: list[float] = []
        self.tokens = self.bytes = 0


def _sums(use: Use, texts: Sequence[str], window: int | None) -> _Sums:
    """The sums over all windows of all texts."""
    network, tokenizer = use.language(use.request.kind), use.tokenizer
    special = tokenizer.special
    size = _window(window, network.context, len(special.prefix) + len(special.suffix))
    sums = _Sums()
    for first in range(0, len(texts), BATCH_ROWS):
        lists: list[list[int]] = []
        for text in texts[first : first + BATCH_ROWS]:
            windows = _windows(tokenizer.encode(text, add_special=False), size, special)
            if not windows:
                continue
            sums.bytes += len(text.encode("utf-8", "surrogatepass"))
            lists += windows
            use.request.rows += 1
        for scored in _scores(use, network, lists):
            sums.logs.append(math.fsum(scored))
            sums.tokens += len(scored)
    return sums


def _window(given: int | None, context: int, added: int) -> int:
    """Tokens of a window; BAD_VALUE for one that the model does not hold."""
    most = context - added
    if given is None:
        return min(WINDOW, most)
    if not 2 <= given <= most:
        raise ExecutionFault(
            f"@window is {given}; it must be from 2 to {most}, what the model's context holds",
            code="BAD_VALUE",
        )
    return given


def _windows(tokens: Sequence[int], size: int, special: SpecialTokens) -> list[list[int]]:
    """Consecutive windows of a text's tokens with what the tokenizer adds; of one token alone,
    which predicts nothing, there is none."""
    parts = [list(tokens[start : start + size]) for start in range(0, len(tokens), size)] or [[]]
    parts[-1] += special.suffix
    windows = [[*special.prefix, *part] for part in parts]
    return [window for window in windows if len(window) > 1]


def perplexity(sums: _Sums) -> float | None:
    """NULL of no token."""
    if not sums.tokens:
        return None
    return math.exp(-math.fsum(sums.logs) / sums.tokens)


def bits_per_byte(sums: _Sums) -> float | None:
    """NULL of no token."""
    if not sums.tokens:
        return None
    return -math.fsum(sums.logs) / math.log(2) / sums.bytes


def _over_texts(kind: str, measure: Callable[[_Sums], float | None]) -> Callable[..., pa.Array]:
    """The kernel of an aggregate over texts: string[N] of all groups, int64[G+1] offsets, the
    other arguments' values -> float64[G]."""

    def kernel(
        models: Models, texts: pa.Array, offsets: Sequence[int], model: Any, window: Any = None
    ) -> pa.Array:
        import pyarrow as pa

        given = model.as_py()
        size = None if window is None else window.as_py()
        out: list[float | None] = []
        for start, stop in zip(offsets, offsets[1:], strict=False):
            if given is None or start == stop:
                out.append(None)
                continue
            with models.using(given, kind) as use:
                group = texts.slice(start, stop - start).to_pylist()
                out.append(measure(_sums(use, group, size)))
        return pa.array(out, pa.float64())

    return kernel


_MODEL = P("model", model_name)
_PARAMETERS = (_MODEL, P("query", exactly(NVARCHAR)), P("window", whole, optional=True))


def _of_query(
    name: str, measure: Callable[[_Sums], float | None], doc: str, example: str
) -> Function:
    return Function(
        name=name,
        kind="scalar",
        resolve=resolver(name, _PARAMETERS, FLOAT),
        kernel=_over_texts(name, measure),
        parameters=tuple(p.name for p in _PARAMETERS),
        doc=doc,
        example=example,
        null_on_null=False,
        in_catalog=in_models,
        query=1,
    )


LIKELIHOODS: tuple[Function, ...] = (
    replace(
        scalar(
            "LOGPROB",
            (
                _MODEL,
                P("text", exactly(NVARCHAR)),
                P("completion", exactly(NVARCHAR), optional=True),
            ),
            FLOAT,
            None,
            "The natural logarithm of a text's probability, its first token given; with a "
            "completion, of the completion's after the text.",
            "LOGPROB('smollm', 'The capital of France is', ' Paris')",
            kernel=log_probabilities,
            batch_rows=BATCH_ROWS,
        ),
        in_catalog=in_models,
    ),
    _of_query(
        "PERPLEXITY",
        perplexity,
        "How many tokens the model hesitates between, on average, over the texts of a query. Texts "
        "of more than `@window` tokens (2,048, or the context) are cut into windows. The first "
        "token of a window is not scored: the beginning token where the tokenizer adds one, which "
        "it does to every window. Of a text that is not cut it is EXP(-LOGPROB / tokens scored).",
        "PERPLEXITY('smollm', (SELECT Statement FROM Commits))",
    ),
    _of_query(
        "BITS_PER_BYTE",
        bits_per_byte,
        "How many bits the model needs for a byte of the query's texts: compares models of "
        "different tokenizers. Windows as in PERPLEXITY.",
        "BITS_PER_BYTE('smollm', (SELECT Statement FROM Commits))",
    ),
)

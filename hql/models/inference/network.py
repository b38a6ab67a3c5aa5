"""A transformer that runs: tokens in, hidden rows, logits and log-probabilities out.

A causal model reads a text in chunks of 128 tokens counted from its beginning, and a chunk holds
tokens of one sequence only: so what it makes of a text depends on nothing but the text. New tokens
of several sequences are multiplied together, each row as if it were alone. An encoder reads texts
whole; several at once if its products compute every row as if it were alone, which compiled ones
do and BLAS does not.

Everything here may be called from several threads at once; a State belongs to one of them.
`check` is called between chunks and between layers, and may raise to stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.models.inference.body import Body, Check, Chunk, Step, Whole
from hartonomous.hql.models.inference.forms import Forms, forms_for
from hartonomous.hql.models.inference.layers import make_norm
from hartonomous.hql.models.inference.state import State, too_long
from hartonomous.hql.models.inference.weights import Floats, Matrix, Weights

if TYPE_CHECKING:
    from hartonomous.hql.models.architectures.base import TransformerConfig

Tokens = npt.NDArray[np.int64]

#: tokens of one chunk of a prefill
CHUNK_TOKENS: Final = 128
#: tokens of texts that an encoder reads together
WHOLE_TOKENS: Final = 512


class Network:
    """A transformer in memory. `forms` overrules the choice by size, for tests."""

    def __init__(
        self,
        config: TransformerConfig,
        weights: Weights,
        content_hash: str = "",
        forms: Forms | None = None,
    ) -> None:
        self.config, self.content_hash = config, content_hash
        self._forms = forms or forms_for(parameter_count(config))
        self._embedding = weights.matrix("embedding.token.weight")
        self._positions = self._types = None
        if config.positions == "learned":
            self._positions = weights.matrix("embedding.position.weight")
        if config.types:
            self._types = weights.matrix("embedding.type.weight").gather(np.zeros(1, np.int64))
        self._embedding_norm = (
            make_norm(config, weights, "norm.embedding") if config.embedding_norm else None
        )
        self._body = Body(config, weights, self._forms)
        self._head: Matrix | None = None
        if config.has_head:
            self._head = self._embedding if config.tied else weights.matrix("head.weight")
        self._head_bias = weights.vector("head.bias")

    @property
    def width(self) -> int:
        return self.config.width

    @property
    def vocabulary(self) -> int:
        return self.config.vocabulary

    @property
    def context(self) -> int:
        return self.config.context

    @property
    def bytes(self) -> int:
        """Memory of its own; what is mapped does not count."""
        matrices = {id(m): m for m in (self._embedding, self._head, self._positions) if m}
        return self._body.bytes + sum(matrix.bytes for matrix in matrices.values())

    def start(self) -> State:
        """A sequence without tokens."""
        config = self.config
        return State(config.layers, config.kv_heads, config.head_size, config.context)

    def prefill(self, state: State, tokens: Sequence[int], check: Check | None = None) -> Floats:
        """The state reads more tokens, at least one; float32[V], the logits after the last. Chunks
        begin where the state stands. ExecutionFault MODEL_INPUT."""
        last = None
        for rows in self._chunks(state, self._checked(tokens), check):
            last = rows[-1:]
        assert last is not None, "a prefill without tokens"
        logits: Floats = self._logits(last.copy(), is_exact=True)[0]
        return logits

    def step(self, states: Sequence[State], tokens: Sequence[int]) -> Floats:
        """Each state reads one token; float32[B,V], the logits after it."""
        numbers = self._checked(tokens)
        assert len(states) == len(numbers), (len(states), len(numbers))
        for state in states:
            state.reserve(1)
        positions = np.array([state.length for state in states], np.int64)
        rows = self._embed(numbers, positions)
        rows = self._body.run(rows, Step(states), None)
        for state in states:
            state.length += 1
        return self._logits(rows, is_exact=False)

    def hidden(self, tokens: Sequence[int], check: Check | None = None) -> Floats:
        """float32[T,C]: the rows after the last layer and its norm. ExecutionFault MODEL_INPUT."""
        numbers = self._checked(tokens)
        if not len(numbers):
            return np.empty((0, self.config.width), np.float32)
        if self.config.causal:
            return np.concatenate(list(self._chunks(self.start(), numbers, check)))
        return self._whole([numbers], check)

    def hidden_texts(
        self, texts: Sequence[Sequence[int]], check: Check | None = None
    ) -> Iterator[Floats]:
        """hidden() of each text, none of them empty, to the bit; an encoder reads some together."""
        if self.config.causal or not self._forms.is_compiled:
            for text in texts:
                yield self.hidden(text, check)
            return
        group: list[Tokens] = []
        for text in texts:
            group.append(self._checked(text))
            if sum(map(len, group)) >= WHOLE_TOKENS:
                yield from self._apart(group, check)
                group = []
        if group:
            yield from self._apart(group, check)

    def _apart(self, group: list[Tokens], check: Check | None) -> Iterator[Floats]:
        ends = np.cumsum([len(text) for text in group])
        return iter(np.split(self._whole(group, check), ends[:-1]))

    def _whole(self, group: list[Tokens], check: Check | None) -> Floats:
        """float32[R,C] of whole texts one after the other."""
        lengths = [len(text) for text in group]
        if max(lengths) > self.config.context:
            raise too_long(max(lengths), self.config.context)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
        positions = np.concatenate([np.arange(length) for length in lengths])
        rows = self._embed(np.concatenate(group), positions)
        return self._body.run(rows, Whole(self.config, offsets), check)

    def logits(self, tokens: Sequence[int], check: Check | None = None) -> Floats:
        """float32[T,V] of a sequence. ExecutionFault MODEL_INPUT."""
        parts = list(self._logits_by_chunk(self._checked(tokens), check))
        return np.concatenate(parts) if parts else np.empty((0, self.vocabulary), np.float32)

    def log_probabilities(
        self, tokens: Sequence[int], check: Check | None = None
    ) -> npt.NDArray[np.float64]:
        """float64[T-1]: natural logarithm of the probability of each token but the first, given
        those before it. ExecutionFault MODEL_INPUT."""
        numbers = self._checked(tokens)
        out = np.empty(max(len(numbers) - 1, 0), np.float64)
        first = 0
        for logits in self._logits_by_chunk(numbers, check):
            told = logits[: len(out) - first]  # the last row tells of a token that is not there
            if len(told):
                following = numbers[first + 1 : first + 1 + len(told)]
                chosen = told[np.arange(len(told)), following].astype(np.float64)
                out[first : first + len(told)] = chosen - self._forms.log_sum_exp(told)
            first += len(logits)
        return out

    def log_probabilities_of(
        self, texts: Sequence[Sequence[int]], check: Check | None = None
    ) -> Iterator[npt.NDArray[np.float64]]:
        """log_probabilities() of each text, to the bit; short ones are read some together."""
        group: list[Tokens] = []
        for text in texts:
            numbers = self._checked(text)
            if not self._is_short(numbers):
                yield from self._told(group, check)
                group = []
                yield self.log_probabilities(text, check)
                continue
            group.append(numbers)
            if sum(map(len, group)) >= WHOLE_TOKENS:
                yield from self._told(group, check)
                group = []
        yield from self._told(group, check)

    def _is_short(self, numbers: Tokens) -> bool:
        """Whether a text is one chunk, which may stand beside others'."""
        longest = min(CHUNK_TOKENS, self.config.context)
        is_language = self.config.causal and self._head is not None
        return is_language and self._forms.is_compiled and 1 < len(numbers) <= longest

    def _told(self, group: list[Tokens], check: Check | None) -> Iterator[npt.NDArray[np.float64]]:
        """float64[T-1] of each short text."""
        if not group:
            return
        rows = np.concatenate([part[:-1] for part in self._apart(group, check)])
        following = np.concatenate([numbers[1:] for numbers in group])
        found = np.empty(len(rows), np.float64)
        for first in range(0, len(rows), CHUNK_TOKENS):
            logits = self._logits(rows[first : first + CHUNK_TOKENS], is_exact=True)
            chosen = logits[np.arange(len(logits)), following[first : first + len(logits)]]
            found[first : first + len(logits)] = chosen - self.log_sum_exp(logits)
        yield from np.split(found, np.cumsum([len(numbers) - 1 for numbers in group])[:-1])

    def log_sum_exp(self, logits: Floats) -> npt.NDArray[np.float64]:
        """float32[N,V] -> float64[N]: what logits less it are log-probabilities."""
        found: npt.NDArray[np.float64] = self._forms.log_sum_exp(logits)
        return found

    def _logits_by_chunk(self, numbers: Tokens, check: Check | None) -> Iterator[Floats]:
        if self._head is None:
            raise ExecutionFault(
                "this model is an encoder: it has no probabilities of tokens",
                code="MODEL_INPUT",
                hint="EMBED gives its vectors; a language model is needed here",
            )
        if not self.config.causal:
            yield self._logits(self.hidden(numbers.tolist(), check), is_exact=True)
            return
        for rows in self._chunks(self.start(), numbers, check):
            yield self._logits(rows, is_exact=True)

    def _chunks(self, state: State, numbers: Tokens, check: Check | None) -> Iterator[Floats]:
        """Hidden rows, chunk by chunk; chunks end at multiples of CHUNK_TOKENS of the sequence."""
        state.reserve(len(numbers))
        first = 0
        while first < len(numbers):
            count = min(CHUNK_TOKENS - state.length % CHUNK_TOKENS, len(numbers) - first)
            positions = np.arange(state.length, state.length + count)
            rows = self._embed(numbers[first : first + count], positions)
            rows = self._body.run(rows, Chunk(state, count), check)
            state.length += count
            first += count
            yield rows

    def _checked(self, tokens: Sequence[int]) -> Tokens:
        numbers = np.asarray(tokens, np.int64).reshape(-1)
        outside = numbers[(numbers < 0) | (numbers >= self.config.vocabulary)]
        if len(outside):
            raise ExecutionFault(
                f"there is no token {outside[0]}: the model has {self.config.vocabulary:,}",
                code="MODEL_INPUT",
                hint="use the tokenizer that belongs to the model",
            )
        return numbers

    def _embed(self, numbers: Tokens, positions: Tokens) -> Floats:
        rows = self._embedding.gather(numbers)
        if self.config.embedding_scale != 1.0:
            rows = rows * np.float32(self.config.embedding_scale)
        if self._positions is not None:
            rows = rows + self._positions.gather(positions)
        if self._types is not None:
            rows = rows + self._types
        if self._embedding_norm is not None:
            rows = self._body.normalise(rows, self._embedding_norm)
        return rows

    def _logits(self, rows: Floats, is_exact: bool) -> Floats:
        assert self._head is not None
        logits = self._head.multiply_rows(rows) if is_exact else self._head.multiply(rows)
        if len(self._head_bias):
            logits += self._head_bias
        cap = self.config.logit_softcap
        if cap:
            logits = np.float32(cap) * np.tanh(logits / np.float32(cap))
        return logits


def parameter_count(config: TransformerConfig) -> int:
    """How many numbers the layers and embeddings have, about: what decides the form."""
    attention = config.width * config.head_size * 2 * (config.heads + config.kv_heads)
    mlp = config.width * config.mlp * (3 if config.gated else 2)
    heads = 1 if config.tied or not config.has_head else 2
    return config.layers * (attention + mlp) + heads * config.vocabulary * config.width

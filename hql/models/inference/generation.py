"""Generation: prompts in, tokens out one at a time, several rows side by side.

Each row ends for itself: at an end token, before a stop string, at its limit, or where the context
is full. What a row gives depends on the model, its prompt, the settings and (seed, row, step), and
on no other row: new tokens are multiplied together, each as if it were alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.inference.body import Check
from hartonomous.hql.models.inference.network import Network
from hartonomous.hql.models.inference.state import State, too_long
from hartonomous.hql.models.inference.stopping import Detokeniser, NoText, StoppableText
from hartonomous.hql.models.inference.weights import Floats
from hartonomous.kernels import sampling

#: rows that run side by side; more wait for their turn
ROWS_MAX = 8
#: least and most; beyond, logits divided by them leave what their type holds, to no other effect
#: than a limit has: the likeliest token always, all tokens alike, no token twice
TEMPERATURES = (0.0001, 10_000.0)
PENALTIES = (0.01, 100.0)


@frozen(kw_only=True)
class Settings:
    """How tokens are chosen (kernels/sampling.py) and when a row ends. temperature 0 is greedy,
    top_k 0 and top_p 1 keep all tokens, repetition_penalty 1 changes nothing."""

    max_tokens: int = 64
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    end_tokens: frozenset[int] = frozenset()

    def check(self) -> None:
        """ExecutionFault BAD_VALUE names the first setting out of its bounds."""
        heat = TEMPERATURES[0] <= self.temperature <= TEMPERATURES[1]
        penalty = PENALTIES[0] <= self.repetition_penalty <= PENALTIES[1]
        for name, is_good, bounds in (
            ("max_tokens", self.max_tokens >= 1, "at least 1"),
            ("temperature", self.temperature == 0 or heat, f"0, or {_range(TEMPERATURES)}"),
            ("top_k", self.top_k >= 0, "0 (all) or more"),
            ("top_p", 0 < self.top_p <= 1, "above 0, at most 1"),
            ("repetition_penalty", penalty, _range(PENALTIES)),
        ):
            if not is_good:
                raise ExecutionFault(
                    f"@{name} is {getattr(self, name)}; it must be {bounds}", code="BAD_VALUE"
                )


def _range(bounds: tuple[float, float]) -> str:
    return f"from {bounds[0]:g} to {bounds[1]:,g}"


@frozen
class Step:
    """A token of a row. `logprob`: natural logarithm of its probability as the model has it, before
    penalty, temperature and cuts. `text`: what the row's text grew by, without what may still
    become a stop string. `stop_reason`: None, or at the row's last step 'end' (this token is an end
    token), 'stop' (a stop string), 'length' (max_tokens), 'context' (it is full)."""

    row: int
    step: int
    token: int
    logprob: float
    text: str
    stop_reason: str | None


def generate(
    network: Network,
    prompt: Sequence[int],
    settings: Settings,
    *,
    row: int = 0,
    detokeniser: Detokeniser | None = None,
    check: Check | None = None,
) -> Iterator[Step]:
    """The steps of one prompt; `row` is part of the key of its random numbers. `check` is called
    before each token and inside the prefill. ExecutionFault MODEL_INPUT, BAD_VALUE."""
    make = (lambda: detokeniser) if detokeniser is not None else NoText
    return generate_rows(
        network, [prompt], settings, first_row=row, make_detokeniser=make, check=check
    )


def generate_rows(
    network: Network,
    prompts: Sequence[Sequence[int]],
    settings: Settings | Sequence[Settings],
    *,
    first_row: int = 0,
    make_detokeniser: Callable[[], Detokeniser] = NoText,
    check: Check | None = None,
) -> Iterator[Step]:
    """The steps of all prompts, prompt n being row first_row + n: of the first ROWS_MAX rows as
    they come, then of the next. With settings for each prompt each draws as if it were row 0
    alone."""
    if isinstance(settings, Settings):
        wishes = [_Wish(settings, first_row + n) for n in range(len(prompts))]
    else:
        wishes = [_Wish(each, 0) for each in settings]
    for wish in wishes:
        wish.settings.check()
    for prompt in prompts:
        if not len(prompt):
            raise ExecutionFault(
                "the prompt has no tokens", code="MODEL_INPUT", hint="begin with some text"
            )
        if len(prompt) > network.context:
            raise too_long(len(prompt), network.context)
    for first in range(0, len(prompts), ROWS_MAX):
        group = prompts[first : first + ROWS_MAX]
        of_group = wishes[first : first + ROWS_MAX]
        row = first_row + first
        yield from _generate_group(network, group, row, of_group, make_detokeniser, check)


@frozen
class _Wish:
    """How a prompt is continued; `key` is part of the key of its random numbers."""

    settings: Settings
    key: int


class _Row:
    """A row on its way."""

    def __init__(
        self, number: int, prompt: Sequence[int], wish: _Wish, detokeniser: Detokeniser
    ) -> None:
        settings = wish.settings
        self.number, self.settings, self._key = number, settings, wish.key
        self.text = StoppableText(detokeniser, settings.stop)
        self.steps = self.last_token = 0
        self._occurred: set[int] = set(prompt) if settings.repetition_penalty != 1.0 else set()

    def choose(self, logits: Floats, log_total: float, is_full: bool) -> Step:
        """The next token of float32[V]; `is_full`: the context has no room for another."""
        settings, number = self.settings, self.steps
        self.steps += 1
        occurred = np.fromiter(self._occurred, np.int64, len(self._occurred))
        changed = sampling.penalise(logits, occurred, settings.repetition_penalty)
        chance = 0.0
        if settings.temperature:
            chance = sampling.uniform(settings.seed, self._key, number)
        token = sampling.draw(changed, settings.temperature, settings.top_k, settings.top_p, chance)
        if settings.repetition_penalty != 1.0:
            self._occurred.add(token)
        self.last_token = token
        logprob = float(logits[token]) - log_total
        if math.isnan(logprob):
            raise ExecutionFault(
                "the model gives no probabilities: its logits are no numbers",
                code="MODEL_INPUT",
                hint="look for weights that are NaN or infinite, or too large for its activations",
            )
        is_end = token in settings.end_tokens
        text = "" if is_end else self.text.push(token)
        reason = "end" if is_end else self._reason(is_full)
        if reason is not None:
            text += self.text.finish()
            reason = "stop" if self.text.is_stopped else reason
        return Step(self.number, number, token, logprob, text, reason)

    def _reason(self, is_full: bool) -> str | None:
        if self.text.is_stopped:
            return "stop"
        if self.steps >= self.settings.max_tokens:
            return "length"
        return "context" if is_full else None


def _generate_group(
    network: Network,
    prompts: Sequence[Sequence[int]],
    first: int,
    wishes: Sequence[_Wish],
    make_detokeniser: Callable[[], Detokeniser],
    check: Check | None,
) -> Iterator[Step]:
    pairs = zip(prompts, wishes, strict=True)
    rows = [_Row(first + n, p, w, make_detokeniser()) for n, (p, w) in enumerate(pairs)]
    states, logits = _prefill(network, prompts, check)
    while rows:
        totals = network.log_sum_exp(logits)
        steps = [
            row.choose(logits[n], float(totals[n]), states[n].length >= network.context)
            for n, row in enumerate(rows)
        ]
        yield from steps
        going = [n for n, step in enumerate(steps) if step.stop_reason is None]
        rows, states = [rows[n] for n in going], [states[n] for n in going]
        if rows:
            if check is not None:
                check()
            logits = network.step(states, [row.last_token for row in rows])


def _prefill(
    network: Network, prompts: Sequence[Sequence[int]], check: Check | None
) -> tuple[list[State], Floats]:
    """A state for each prompt, and float32[B,V]; equal prompts are read once."""
    known: dict[tuple[int, ...], int] = {}
    states: list[State] = []
    logits: list[Floats] = []
    for number, prompt in enumerate(prompts):
        twin = known.setdefault(tuple(prompt), number)
        if twin < number:
            states.append(states[twin].copy())
            logits.append(logits[twin])
            continue
        states.append(network.start())
        logits.append(network.prefill(states[-1], prompt, check))
    return states, np.stack(logits)

"""In which form a network's kernels run: in NumPy, or compiled.

It is decided once, by the number of parameters, so that a model gives the same bits whatever else
the process has loaded. Small models (tests, examples) never import numba, which costs 0.35 s and
some seconds of compiling when it is new.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from hartonomous.hql.frozen import frozen
from hartonomous.kernels import activation, attention, norm, sampling

#: parameters from which a network runs compiled
COMPILED_PARAMETERS: Final = 1 << 20


@frozen
class Forms:
    """The kernels of a transformer; arguments as their modules say."""

    is_compiled: bool
    add_normalise: Callable[..., Any]
    activate: Callable[..., Any]
    gate: Callable[..., Any]
    attend: Callable[..., Any]
    log_sum_exp: Callable[..., Any]


IN_NUMPY: Final = Forms(
    False,
    norm.add_normalise_reference,
    activation.activate_reference,
    activation.gate_reference,
    attention.attend_reference,
    sampling.log_sum_exp_reference,
)


@cache
def compiled() -> Forms:
    """The compiled kernels; imports numba."""
    from hartonomous.kernels import (
        activation_compiled,
        attention_compiled,
        norm_compiled,
        sampling_compiled,
    )

    return Forms(
        True,
        norm_compiled.add_normalise,
        activation_compiled.activate,
        activation_compiled.gate,
        attention_compiled.attend,
        sampling_compiled.log_sum_exp,
    )


def forms_for(parameters: int) -> Forms:
    """The kernels that a model of so many parameters runs with."""
    return compiled() if parameters >= COMPILED_PARAMETERS else IN_NUMPY

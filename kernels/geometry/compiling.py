"""Kernels in two forms: as Python runs them, and as numba compiles them.

Compiling the geometry kernels takes 3 to 25 s of a processor, once in an installation, loading them
half a second, once in a process: far longer than a few small values take as plain Python. So they
are plain functions that Python can run as they are. `@inner` and `@entry` only mark them, with the
options that they are compiled with; `compiled` makes the other form when it is asked for, and
`run` chooses. Both forms give the same bits: compiled code reorders nothing, fuses nothing and
divides as NumPy does.

A kernel is given NumPy arrays and takes numbers out of them, so that what it divides by is a NumPy
number (which makes an infinity of a division by 0) or is known not to be 0, and it calls of `math`
only what is defined for everything that it may meet. It names the kernels that it calls; one that
is reached as an attribute of a module would not be compiled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.options import OPTIONS

#: what Python calls
ENTRY = OPTIONS
#: what only compiled code calls: without the doors for others, which take time to compile
INNER: dict[str, Any] = {**ENTRY, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

#: seconds that Python may take over one call, by the caller's estimate
CALL_LIMIT = 0.2
#: seconds that Python may take over all calls of a process: what compiling would have cost
PROCESS_LIMIT = 10.0

_options: dict[object, dict[str, Any]] = {}
_compiled: dict[object, Any] = {}
_lock = threading.RLock()
_spent = 0.0


def entry(function: Callable[..., Any]) -> Any:
    """Marks a kernel that Python calls, by `run`."""
    _options[function] = ENTRY
    return function


def inner(function: Callable[..., Any]) -> Any:
    """Marks a kernel that only kernels call."""
    _options[function] = INNER
    return function


def run(kernel: Callable[..., Any], seconds: float, *arguments: Any) -> Any:
    """What `kernel`, an entry, gives. `seconds`: an estimate of how long Python would take."""
    if _is_for_python(kernel, seconds):
        with np.errstate(all="ignore"):
            return kernel(*arguments)
    return compiled(kernel)(*arguments)


def _is_for_python(kernel: object, seconds: float) -> bool:
    """Whether the call is small and the compiled form is not loaded; counts what Python does."""
    global _spent
    if seconds > CALL_LIMIT or _spent + seconds > PROCESS_LIMIT or is_loaded(kernel):
        return False
    _spent += seconds
    return True


def is_loaded(kernel: object) -> bool:
    """Whether a kernel has been compiled, or taken from numba's cache, in this process."""
    made = _compiled.get(kernel)
    return made is not None and len(made.overloads) > 0


def compiled(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """The compiled form of a kernel, which compiles or loads itself at its first call."""
    made = _compiled.get(kernel)
    if made is None:
        with _lock:
            made = _twin(kernel)
    form: Callable[..., Any] = made
    return form


def _twin(kernel: Any) -> Any:
    """numba's form of a copy of the kernel whose globals hold the twins of the kernels it names."""
    if kernel in _compiled:
        return _compiled[kernel]
    import numba

    code, names = kernel.__code__, kernel.__globals__
    own = {"__name__": kernel.__module__}
    copy = FunctionType(code, own, kernel.__name__, kernel.__defaults__)
    made = numba.njit(**_options[kernel])(copy)
    resolve = made.get_call_template
    unliteral: Any = numba.types.unliteral

    def get_call_template(types: Any, named: Any) -> Any:
        return resolve([unliteral(t) for t in types], named)

    # else numba compiles a form of its own for each constant that a kernel is called with
    made.get_call_template = get_call_template
    for name in code.co_names:
        if name in names:
            value = names[name]
            known = isinstance(value, FunctionType) and value in _options
            own[name] = _twin(value) if known else value
    _compiled[kernel] = made  # only now: other threads look without the lock
    return made


def fixed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A read-only view: to numba that is another type, and one form of each kernel is enough."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view

"""How compiled kernels are compiled: the options of numba.njit."""

from __future__ import annotations

from typing import Any

#: what Python calls: nothing that reorders additions; compiled once, found in the cache later
ENTRY: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}
#: what only compiled code calls: without the doors for others, which take time to compile
INNER: dict[str, Any] = {**ENTRY, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

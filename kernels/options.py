"""The options that every kernel is compiled with; importing this imports no numba."""

from __future__ import annotations

from typing import Any

#: without the GIL, kept in the cache, dividing as NumPy does; nothing that reorders additions
OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}

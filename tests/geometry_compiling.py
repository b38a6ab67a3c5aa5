"""Which form of the geometry kernels a test runs: as Python runs them, or compiled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hartonomous.kernels.geometry import compiling


@contextmanager
def in_python() -> Iterator[None]:
    """Whatever the size, and though compiled ones be loaded: nothing is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "_is_for_python", lambda kernel, seconds: True)
        yield


@contextmanager
def in_compiled_form() -> Iterator[None]:
    """However small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "_is_for_python", lambda kernel, seconds: False)
        yield


@pytest.fixture(autouse=True, scope="module")
def python_is_enough() -> Iterator[None]:
    """For modules that import it: a compiled form is as good, and takes 10 s to make."""
    with in_python():
        yield

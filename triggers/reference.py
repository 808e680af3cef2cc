"""The OpenAPI document and the page that shows it, as answers: what the functions of the same name serve.

Both files stand beside this module, which is how the bundler knows that they belong into the bundle.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from common.answers import Answer, Download

OPENAPI_FILE = Path(__file__).with_name("openapi.json")
PAGE_FILE = Path(__file__).with_name("docs.html")

FIVE_MINUTES = "public, max-age=300"
PAGE_POLICY = (
    "default-src 'none'; connect-src *; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page runs its own script and nothing else; it may call the API wherever the operator points it."""


@functools.cache
def _content(file: Path) -> tuple[bytes, str]:
    content = file.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def openapi_document() -> Answer[Download]:
    """Return ``openapi.json`` as committed."""
    content, etag = _content(OPENAPI_FILE)
    return Answer(
        content=Download(chunks=[content], content_type="application/json", filename=None),
        headers={"ETag": etag, "Cache-Control": FIVE_MINUTES},
    )


def docs_page() -> Answer[Download]:
    """Return the page."""
    content, etag = _content(PAGE_FILE)
    headers = {
        "ETag": etag,
        "Cache-Control": FIVE_MINUTES,
        "Content-Security-Policy": PAGE_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    page = Download(chunks=[content], content_type="text/html; charset=utf-8", filename=None)
    return Answer(content=page, headers=headers)

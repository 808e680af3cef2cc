"""The page on which operations are read and tried, as an answer.

The page stands beside this module, which is how the bundler knows that it belongs into the bundle.
"""

from __future__ import annotations

from pathlib import Path

from common.answers import Answer, Download
from triggers.pages import committed

PAGE_FILE = Path(__file__).with_name("docs.html")

POLICY = (
    "default-src 'none'; connect-src 'self' http: https:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page runs its own script and loads nothing; it may call the API at any address that a person points it to."""


def docs_page() -> Answer[Download]:
    """Return the page."""
    headers = {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return committed(PAGE_FILE, "text/html; charset=utf-8", headers)

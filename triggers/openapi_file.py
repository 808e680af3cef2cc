"""The committed OpenAPI document, as an answer.

The document stands beside this module, which is how the bundler knows that it belongs into the bundle.
"""

from __future__ import annotations

from pathlib import Path

from common.answers import Answer, Download
from triggers.pages import committed

OPENAPI_FILE = Path(__file__).with_name("openapi.json")


def openapi_document() -> Answer[Download]:
    """Return ``openapi.json`` as committed; any page may read it."""
    return committed(OPENAPI_FILE, "application/json", {})

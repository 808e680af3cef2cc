"""Serve the page on which operations are read and tried."""

from typing import Annotated

from common.answers import Answer, Download
from triggers import http
from triggers.docs_page import docs_page


@http.get("/v1/docs", public=True, rate="none", timeout=10)
def docs() -> Answer[Annotated[Download, "text/html"]]:
    """Show every HTTP operation with its schemas and examples, and a form that sends real requests.

    The page is one HTML file that loads nothing but the OpenAPI document; a key typed into it stays in memory.
    """
    return docs_page()

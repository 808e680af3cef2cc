"""Serve the OpenAPI document."""

from typing import Annotated

from common.answers import Answer, Download
from triggers import http
from triggers.openapi_file import openapi_document


@http.get("/v1/openapi.json", public=True, rate="none", timeout=10)
def openapi() -> Answer[Annotated[Download, "application/json"]]:
    """Describe every HTTP operation in OpenAPI 3.1, for people, generators and the front door."""
    return openapi_document()

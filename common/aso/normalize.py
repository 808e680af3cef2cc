"""When two keywords are the same keyword, and two addresses the same address."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

from common.errors import FieldError, Unprocessable
from common.identifiers import derived_uuid

DEFAULT_PORTS = {"http": 80, "https": 443}


def normalized_keyword(keyword: str) -> str:
    """Return the form in which keywords are compared: NFKC, case folded, white space collapsed.

    Folding can undo the normal form and the other way round, so both are repeated until nothing changes; the result
    normalises to itself.
    """
    if keyword.isascii():
        return " ".join(keyword.lower().split())
    text, previous = keyword, None
    while text != previous:
        previous = text
        text = " ".join(unicodedata.normalize("NFKC", text.casefold()).split())
    return text


def holds_term(keyword: str, terms: Iterable[str]) -> bool:
    """Tell whether a keyword holds one of some normalised terms as whole words."""
    words = f" {normalized_keyword(keyword)} "
    return any(f" {term} " in words for term in terms)


def keyword_id_of(tenant_id: str, keyword: str) -> str:
    """Return the id of a tenant's keyword: the same however it is spelt (case, width, white space)."""
    return str(derived_uuid("aso.keyword", tenant_id, normalized_keyword(keyword)))


def normalized_url(url: str) -> str:
    """Return the form in which addresses are compared.

    Scheme and host in lower case, without default port, trailing slashes of the path and fragment. Path and query keep
    their case: servers tell them apart.

    Raises:
        Unprocessable: ``invalid_url``: not an absolute http or https address, or one with a user name.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _invalid_url(str(error)) from error
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS or not host or parts.username is not None or any(map(str.isspace, url)):
        raise _invalid_url("an absolute http or https address without user name and spaces is needed")
    if ":" in host:
        host = f"[{host}]"
    netloc = host if port is None or port == DEFAULT_PORTS[scheme] else f"{host}:{port}"
    return urlunsplit((scheme, netloc, parts.path.rstrip("/"), parts.query, ""))


def _invalid_url(why: str) -> Unprocessable:
    message = f"not an address that can be published at: {why}"
    return Unprocessable(
        "invalid_url", message, errors=[FieldError(pointer="/url", code="invalid_url", message=message)]
    )

"""Pages of addresses: when two addresses are one page."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode

from common.hosts import host_of, is_registrable, parts_of

SAME_SITE_PREFIXES = ("www.", "m.", "mobile.", "amp.")
"""Leading labels that serve the same pages to other devices."""

TRACKING = re.compile(r"utm_\w+|[gd]clid|fbclid|gbraid|wbraid|msclkid|yclid|mc_[ce]id|srsltid|_g[al]", re.IGNORECASE)
"""Query parameters that name a click, not a page."""

_PATH_SAFE = "/:@!$&'()*+,;=-._~"


def page_key(address: str) -> str | None:
    """Return the form in which pages are compared: host, path and query; None where there is no host.

    Without scheme, port, fragment, tracking parameters, trailing slashes of the path, and a leading ``www.``, ``m.``,
    ``mobile.`` or ``amp.``; escapes of the path in one spelling. Path and query keep their case and the query its
    order: servers tell them apart.
    """
    parts, host = parts_of(address), host_of(address)
    if parts is None or host is None:
        return None
    path = quote(unquote(parts.path), safe=_PATH_SAFE).rstrip("/")
    pairs = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not TRACKING.fullmatch(pair[0])]
    query = f"?{urlencode(pairs)}" if pairs else ""
    return f"{_device_free(host)}{path}{query}"


def same_page(one: str, other: str) -> bool:
    """Tell whether two addresses are one page; see ``page_key``. What has no host is no page, not even of itself."""
    key = page_key(one)
    return key is not None and key == page_key(other)


def _device_free(host: str) -> str:
    for prefix in SAME_SITE_PREFIXES:
        bare = host.removeprefix(prefix)
        if bare != host and is_registrable(bare):
            return bare
    return host

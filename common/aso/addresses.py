"""Hosts and pages of addresses: whose site a result belongs to, and when two addresses are one page.

A *host* is compared in lower case, as ASCII (IDNA 2008 with the UTS 46 mapping), without port, trailing dot and leading
``www.`` (which stays where it is part of what was registered, as in ``www.gov.uk``). A *registrable host* is the part
somebody registers, by the public suffix list with its private section, so that ``a.github.io`` and ``b.github.io`` are
two sites and ``blog.example.co.uk`` is one with ``example.co.uk``. Addresses of machines (IPv4, IPv6) and names without
a dot are their own registrable host.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

SAME_SITE_PREFIXES = ("www.", "m.", "mobile.", "amp.")
"""Leading labels that serve the same pages to other devices."""

TRACKING = re.compile(r"utm_\w+|[gd]clid|fbclid|gbraid|wbraid|msclkid|yclid|mc_[ce]id|srsltid|_g[al]", re.IGNORECASE)
"""Query parameters that name a click, not a page."""

_LABELS = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_PATH_SAFE = "/:@!$&'()*+,;=-._~"


def host_of(address: str) -> str | None:
    """Return the host of an address or of a bare host name; None where there is none.

    ``https://WWW.Bücher.de:8443/x`` and ``bücher.de.`` are both ``xn--bcher-kva.de``; IPv6 comes without brackets.
    """
    parts = _split(address)
    if parts is None:
        return None
    host = (parts.hostname or "").removesuffix(".")
    machine = _machine(host)
    if machine is not None:
        return machine
    name = _ascii(host)
    if name is None:
        return None
    bare = name.removeprefix("www.")
    return bare if bare != name and is_registrable(bare) else name


def registrable_host(address: str) -> str | None:
    """Return the registrable host of an address or host name; None where there is no host.

    A host that is itself a public suffix (``github.io``) is its own registrable host.
    """
    host = host_of(address)
    return None if host is None else _registrable(host)


def is_registrable(host: str) -> bool:
    """Tell whether somebody can have registered a host of ``host_of``: it has a dot and is no suffix and no machine."""
    return _machine(host) is None and "." in host and _suffixes().privatesuffix(host) is not None


def is_within(address: str, hosts: Iterable[str]) -> bool:
    """Tell whether an address lies on one of the hosts or below it (``a.example.com`` is below ``example.com``)."""
    host = host_of(address)
    return host is not None and any(host == each or host.endswith(f".{each}") for each in hosts)


def page_key(address: str) -> str | None:
    """Return the form in which pages are compared: host, path and query; None where there is no host.

    Without scheme, port, fragment, tracking parameters, trailing slashes of the path, and a leading ``www.``, ``m.``,
    ``mobile.`` or ``amp.``; escapes of the path in one spelling. Path and query keep their case and the query its
    order: servers tell them apart.
    """
    parts, host = _split(address), host_of(address)
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


def _split(address: str) -> SplitResult | None:
    """Return the parts of an absolute http(s) address, or of a host name read as one."""
    text = address.strip()
    if not text or any(map(str.isspace, text)):
        return None
    if "://" not in text:
        text = f"http://[{text}]" if _machine(text) is not None and ":" in text else f"http://{text.removeprefix('//')}"
    try:
        parts = urlsplit(text)
        _ = parts.port  # a property that refuses what is no port
    except ValueError:
        return None
    return parts if parts.scheme in {"http", "https"} and parts.hostname else None


def _machine(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _ascii(host: str) -> str | None:
    """Return a name in its ASCII form, or None where it is no host name."""
    if not host.isascii():
        import idna

        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError:
            return None
    host = host.lower()
    return host if len(host) <= 253 and _LABELS.fullmatch(host) else None


def _device_free(host: str) -> str:
    for prefix in SAME_SITE_PREFIXES:
        bare = host.removeprefix(prefix)
        if bare != host and is_registrable(bare):
            return bare
    return host


@functools.lru_cache(maxsize=4096)
def _registrable(host: str) -> str:
    if _machine(host) is not None or "." not in host:
        return host
    return _suffixes().privatesuffix(host) or host


@functools.cache
def _suffixes() -> PublicSuffixList:
    # Reading the list takes tens of milliseconds, so it is not read where no host is asked for.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()

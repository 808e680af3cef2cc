"""Hosts of addresses: whose site an address belongs to.

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
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_LABELS = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")


def host_of(address: str) -> str | None:
    """Return the host of an address or of a bare host name; None where there is none.

    ``https://WWW.Bücher.de:8443/x`` and ``bücher.de.`` are both ``xn--bcher-kva.de``; IPv6 comes without brackets.
    """
    parts = parts_of(address)
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


def parts_of(address: str) -> SplitResult | None:
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

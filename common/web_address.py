"""Addresses on the web that strangers give us: what they must look like, and which hosts we never call.

A function runs inside the project's network, next to a metadata server that hands out its credentials. So an address
from outside is taken apart here, once, and only what was understood is called: http and https, a name or a plain IP
address, a port that web servers use. Which IP addresses are public follows the IANA registries of special-purpose
addresses (https://www.iana.org/assignments/iana-ipv4-special-registry, .../iana-ipv6-special-registry), as a positive
list for IPv6: everything that carries an IPv4 address within (mapped, 6to4, Teredo, NAT64) is refused as a whole.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from common.errors import Unprocessable

SCHEMES = {"http": 80, "https": 443}
PORTS = frozenset({80, 443, 8080, 8443})
"""Ports that web servers use; on any other, something else may answer that takes a request line for a command."""

LONGEST = 2048
"""Characters of an address."""

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_KEPT = "%/:=&?~#+!$,;'@()*[]"
"""Characters besides letters, digits and ``_.-~`` that stay as they are; a ``%`` was an escape before it came here."""

INTERNAL_NAMES = ("localhost", "local", "internal", "localdomain", "home.arpa", "intranet", "lan", "corp", "onion")
"""Last labels of names that no public name has (RFC 6761, RFC 8375, Google Cloud's ``internal``)."""

_BLOCKED_IPV4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
_BLOCKED_IPV6 = tuple(ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


@dataclass(frozen=True, kw_only=True, slots=True)
class WebAddress:
    """An address that was understood.

    Attributes:
        scheme: ``http`` or ``https``.
        host: Name in ASCII lower case without a trailing dot, or an IP address without brackets.
        port: Port.
        target: Path and query as they go into the request line.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as the ``Host`` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == SCHEMES[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        """The whole address."""
        return f"{self.origin}{self.target}"


class FetchRefused(Unprocessable):
    """422: an address that is not called, whatever answers there."""


def web_address(url: str) -> WebAddress:
    """Take an address apart.

    Raises:
        FetchRefused: ``invalid_url``: not an absolute http or https address, with a user name, with characters that
            clients disagree about, or with an IP address in another than the usual form; ``blocked_address``: a name
            of an internal network.
    """
    if len(url) > LONGEST:
        raise _invalid(url, f"it is longer than {LONGEST} characters")
    if _UNSAFE.search(url):
        raise _invalid(url, "it has white space, control characters or a backslash in it")
    try:
        parts = urlsplit(url)
        given, port = parts.hostname, parts.port
    except ValueError as error:
        raise _invalid(url, str(error)) from error
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES or not given:
        raise _invalid(url, "it is no absolute http or https address")
    if "@" in parts.netloc:
        raise _invalid(url, "it carries a user name")
    host = _host(url, given)
    target = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe=_KEPT)
    return WebAddress(scheme=scheme, host=host, port=SCHEMES[scheme] if port is None else port, target=target)


def joined(base: WebAddress, location: str) -> WebAddress:
    """Return the address that a redirect or a link on ``base`` leads to.

    Raises:
        FetchRefused: As ``web_address``.
    """
    try:
        return web_address(urljoin(base.url, location.strip()))
    except ValueError as error:
        raise _invalid(location, str(error)) from error


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the public internet."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in network for network in _BLOCKED_IPV4)
    if found.scope_id is not None:
        return False
    return found in _PUBLIC_IPV6 and not any(found in network for network in _BLOCKED_IPV6)


def is_loopback(address: str) -> bool:
    """Tell whether an IP address is this machine's own, as IPv4 or IPv6 has it."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_internal_name(host: str) -> bool:
    """Tell whether a name can only be meant for an internal network: one of theirs, or a name without any dot."""
    if is_ip(host):
        return False
    return "." not in host or any(host == name or host.endswith(f".{name}") for name in INTERNAL_NAMES)


def is_ip(host: str) -> bool:
    """Tell whether a host is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def blocked(host: str, why: str) -> FetchRefused:
    """Return the refusal of a host that is not called."""
    return FetchRefused("blocked_address", f"{host!r} is not fetched: {why}.", details={"host": host})


def _host(url: str, given: str) -> str:
    if ":" in given:
        if "%" in given or not is_ip(given):
            raise _invalid(url, "its host is no IPv6 address")
        return str(ipaddress.IPv6Address(given))
    host = _ascii(url, given).removesuffix(".")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # The system's resolver takes 2130706433, 0x7f.1 and 0177.0.0.1 for 127.0.0.1; nobody means a web site by it.
        if not is_ip(host):
            raise _invalid(url, "its host is a number, and no IP address in the usual form")
        return host
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid(url, "its host is no name")
    return host


def _ascii(url: str, given: str) -> str:
    if given.isascii():
        return given.lower()
    import idna

    try:
        return idna.encode(given, uts46=True).decode("ascii").lower()
    except idna.IDNAError as error:
        raise _invalid(url, "its host is no name") from error


def _invalid(url: str, why: str) -> FetchRefused:
    return FetchRefused("invalid_url", f"{url[:200]!r} is no address to fetch: {why}.")

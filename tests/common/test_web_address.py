"""Addresses taken apart: what is public, and that what was understood is what is sent."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.web_address import FetchRefused, is_loopback, is_public, joined, web_address


@given(st.ip_addresses())
def test_nothing_counts_as_public_that_the_registries_keep_private(ip: ipaddress.IPv4Address) -> None:
    if is_public(str(ip)):
        assert ip.is_global
        kinds = (ip.is_multicast, ip.is_private, ip.is_loopback, ip.is_link_local, ip.is_reserved)
        assert not any(kinds)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_hidden_in_ipv6_is_never_public(ip: ipaddress.IPv4Address) -> None:
    bits = int(ip)
    hidden = [0xFFFF << 32 | bits, bits, (0x64FF9B << 96) | bits, (0x2002 << 112) | (bits << 80)]
    assert not any(is_public(str(ipaddress.IPv6Address(each))) for each in hidden)


@pytest.mark.parametrize(
    ("ip", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("172.15.255.255", True),
        ("172.16.0.0", False),
        ("172.31.255.255", False),
        ("172.32.0.0", True),
        ("2001:db8::1", False),
        ("2001::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("no ip", False),
    ],
)
def test_public(ip: str, *, public: bool) -> None:
    assert is_public(ip) is public


def test_this_machine() -> None:
    assert [is_loopback(ip) for ip in ("127.0.0.1", "127.9.9.9", "::1", "10.0.0.1", "x")] == [
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("url", "understood"),
    [
        ("HTTP://Example.COM", "http://example.com/"),
        ("https://example.com.:443/a?b#c", "https://example.com/a?b"),
        ("https://bücher.example/ä?ö=%C3%A4", "https://xn--bcher-kva.example/%C3%A4?%C3%B6=%C3%A4"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("http://example.com:80/%zz", "http://example.com/%zz"),
        ("http://[2606:4700::0:1]:8080/", "http://[2606:4700::1]:8080/"),
        ("https://example.com//double//", "https://example.com//double//"),
    ],
)
def test_understood(url: str, understood: str) -> None:
    assert web_address(url).url == understood
    assert web_address(understood).url == understood


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/",
        "http:/example.com",
        "http:example.com",
        "http://",
        "http://exa mple.com/",
        "http://example.com/a\r\nX-Injected: 1",
        "http://example.com\\@internal/",
        "http://example.com/\x00",
        "http://a@example.com/",
        "http://:@example.com/",
        "http://example.com:99999/",
        "http://example.com:-1/",
        "http://example.com:80a/",
        "http://-a.example/",
        "http://a..b/",
        "http://[::1/",
        "http://[1.2.3.4]/",
        "http://256.1.1.1/",
        "http://1.2.3/",
        f"http://{'a' * 64}.example/",
        f"http://example.com/{'a' * 2048}",
    ],
)
def test_not_understood(url: str) -> None:
    with pytest.raises(FetchRefused) as refused:
        web_address(url)
    assert refused.value.code == "invalid_url"


@given(st.text(max_size=60))
def test_a_request_line_has_no_room_for_anything_else(text: str) -> None:
    for url in (text, f"http://example.com/{text}", f"http://{text}/", f"http://example.com/?{text}"):
        try:
            address = web_address(url)
        except FetchRefused:
            continue
        assert re.fullmatch(r"/[!-~]*", address.target)
        assert re.fullmatch(r"[!-~]+", address.authority)
        assert web_address(address.url) == address


def test_joined() -> None:
    base = web_address("https://example.com/a/b?c")
    assert joined(base, " ../d ").url == "https://example.com/d"
    assert joined(base, "//other.example").url == "https://other.example/"
    with pytest.raises(FetchRefused):
        joined(base, "mailto:somebody@example.com")

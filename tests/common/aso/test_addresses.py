"""Hosts and pages: what is the same site, what is the same page, and what is neither."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.addresses import page_key, same_page
from common.hosts import host_of, is_registrable, is_within, registrable_host


@pytest.mark.parametrize(
    ("address", "host", "registrable"),
    [
        ("https://WWW.Bücher.de:8443/x?y#z", "xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("bücher.de.", "xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("straße.de", "xn--strae-oqa.de", "xn--strae-oqa.de"),
        ("//a.b.example.co.uk/x", "a.b.example.co.uk", "example.co.uk"),
        ("http://user:secret@example.com/", "example.com", "example.com"),
        ("one.github.io", "one.github.io", "one.github.io"),
        ("github.io", "github.io", "github.io"),
        ("www.gov.uk", "www.gov.uk", "www.gov.uk"),
        ("http://[::1]:8080/a", "::1", "::1"),
        ("::1", "::1", "::1"),
        ("http://192.168.1.1:80/", "192.168.1.1", "192.168.1.1"),
        ("localhost:3000", "localhost", "localhost"),
        ("my_shop.example.com", "my_shop.example.com", "example.com"),
    ],
)
def test_a_host_has_one_form_however_it_is_written(address: str, host: str, registrable: str) -> None:
    assert host_of(address) == host
    assert registrable_host(address) == registrable


@pytest.mark.parametrize(
    "text",
    ["", "  ", "two words", "http://", "///x", "ftp://example.com", "javascript:alert(1)", "-a.com", "a..b", "x:99999"],
)
def test_what_has_no_host_has_none(text: str) -> None:
    assert host_of(text) is None
    assert registrable_host(text) is None
    assert page_key(text) is None
    assert not same_page(text, text)


@pytest.mark.parametrize("host", ["co.uk", "com", "localhost", "192.168.1.1", "::1", "github.io"])
def test_suffixes_and_machines_cannot_be_registered(host: str) -> None:
    assert not is_registrable(host)


def test_a_host_covers_what_lies_below_it_and_nothing_that_only_ends_alike() -> None:
    assert is_within("https://shop.example.com/x", ["example.com"])
    assert is_within("https://www.example.com", ["example.com"])
    assert not is_within("https://notexample.com/", ["example.com"])
    assert not is_within("https://example.com/", ["shop.example.com"])
    assert not is_within("https://example.com.evil.org/", ["example.com"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://www.example.com/a/", "http://example.com/a"),
        ("https://m.example.com/a", "https://example.com/a#part"),
        ("https://example.com/a?utm_source=x&id=3", "https://example.com/a?id=3&gclid=9"),
        ("https://example.com/caf%C3%A9", "https://example.com/café"),
        ("https://example.com", "https://example.com/"),
    ],
)
def test_one_page_is_the_same_however_it_was_reached(one: str, other: str) -> None:
    assert same_page(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.com/a", "https://example.com/b"),
        ("https://example.com/a", "https://example.com/a/b"),
        ("https://example.com/a", "https://example.com/A"),
        ("https://example.com/?id=1", "https://example.com/?id=2"),
        ("https://example.com/a", "https://example.org/a"),
        ("https://blog.example.com/a", "https://shop.example.com/a"),
        ("https://m.com/a", "https://com/a"),
    ],
)
def test_two_pages_of_one_site_are_two_pages(one: str, other: str) -> None:
    assert not same_page(one, other)


@given(st.text(max_size=60) | st.from_regex(r"(https?://)?[a-z0-9.-]{1,20}(:\d{1,5})?/?[a-z]{0,5}", fullmatch=True))
def test_no_text_breaks_it_and_the_form_is_its_own_form(text: str) -> None:
    host = host_of(text)
    page_key(text)
    if host is not None:
        assert host_of(host) == host
        again = registrable_host(text)
        assert again is not None
        assert registrable_host(again) == again

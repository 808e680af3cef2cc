"""When keywords and addresses are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.normalize import keyword_id_of, normalized_keyword, normalized_url
from common.errors import Unprocessable

TEXT = st.text(max_size=60)


@given(TEXT)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalized_keyword(text)
    assert normalized_keyword(once) == once
    assert once == once.strip()
    assert "  " not in once


@given(TEXT)
def test_spelling_does_not_matter(text: str) -> None:
    spaced = f"\t{text.replace(' ', '   ')}\u00a0\n"
    assert normalized_keyword(spaced) == normalized_keyword(text)
    assert normalized_keyword(text.casefold()) == normalized_keyword(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("QR  Code", "qr code"),
        ("\uff31\uff32", "qr"),  # full-width letters
        ("STRASSE", "stra\u00dfe"),
        ("caf\u00e9", "cafe\u0301"),
        ("\ufb01nd", "find"),  # ligature
    ],
)
def test_the_same_keyword_has_one_id(one: str, other: str) -> None:
    assert keyword_id_of("demo", one) == keyword_id_of("demo", other)
    assert keyword_id_of("demo", one) != keyword_id_of("other", one)


def test_accents_tell_keywords_apart() -> None:
    assert keyword_id_of("demo", "cafe") != keyword_id_of("demo", "caf\u00e9")


@pytest.mark.parametrize(
    "same",
    [
        "https://example.com/a",
        "HTTPS://EXAMPLE.com/a",
        "https://example.com:443/a",
        "https://example.com/a/",
        "https://example.com/a#part",
    ],
)
def test_these_addresses_are_the_same(same: str) -> None:
    assert normalized_url(same) == "https://example.com/a"


@pytest.mark.parametrize(
    "other",
    [
        "http://example.com/a",
        "https://example.com:8443/a",
        "https://example.com/A",
        "https://example.com/a?page=2",
        "https://www.example.com/a",
    ],
)
def test_these_addresses_differ(other: str) -> None:
    assert normalized_url(other) != "https://example.com/a"


@pytest.mark.parametrize(
    "address", ["https://example.com", "https://example.com/", "http://[::1]:80/x/", "https://x.y/?q=1#f"]
)
def test_a_normal_address_is_normal(address: str) -> None:
    once = normalized_url(address)
    assert normalized_url(once) == once


@pytest.mark.parametrize(
    "wrong",
    [
        *("example.com", "/path", "ftp://example.com/", "https://", "https://user:secret@example.com/"),
        *("https://example.com:port/", "https://[::1/", "https://exa mple.com/", "javascript:alert(1)"),
    ],
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        normalized_url(wrong)
    assert refusal.value.code == "invalid_url"
    assert refusal.value.errors[0].pointer == "/url"
    assert "secret" not in refusal.value.detail

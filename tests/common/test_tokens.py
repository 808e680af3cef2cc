"""Tokens: taking them apart, and their times."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Unauthenticated
from common.tokens import LEEWAY, check_times, read_token, unauthenticated, unsigned_token

NOW = 1_800_000_000.0
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES))
def test_an_unsigned_token_reads_back(claims: dict[str, object]) -> None:
    token = read_token(unsigned_token(claims))
    assert token.claims == claims
    assert token.is_unsigned


@given(st.text() | st.lists(st.text(alphabet="abcXYZ019-_=", max_size=12), max_size=4).map(".".join))
def test_garbage_is_refused_as_such(text: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        read_token(text)
    assert refused.value.code == "credential_invalid"


def test_deeply_nested_claims_are_refused() -> None:
    part = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    with pytest.raises(Unauthenticated):
        read_token(f"{part}.{part}.x")


@pytest.mark.parametrize("signature", ["c2lnbmVk", "x"])
def test_a_token_with_a_signature_is_not_unsigned(signature: str) -> None:
    assert not read_token(unsigned_token({}) + signature).is_unsigned


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"exp": NOW + 60, "iat": NOW}, None),
        ({"exp": NOW - LEEWAY + 1, "iat": NOW + LEEWAY}, None),
        ({"exp": NOW - LEEWAY, "iat": NOW - 3600}, "credential_expired"),
        ({"exp": NOW + 60, "iat": NOW + LEEWAY + 1}, "credential_invalid"),
        ({"exp": NOW + 60, "iat": NOW, "nbf": NOW + 60}, "credential_invalid"),
        ({"exp": NOW + 60, "iat": NOW, "auth_time": NOW + 60}, "credential_invalid"),
        ({"iat": NOW}, "credential_invalid"),
        ({"exp": NOW + 60}, "credential_invalid"),
        ({"exp": "tomorrow", "iat": NOW}, "credential_invalid"),
        ({"exp": True, "iat": NOW}, "credential_invalid"),
        (json.loads('{"exp": NaN, "iat": 0}'), "credential_invalid"),
        (json.loads('{"exp": Infinity, "iat": 0}'), "credential_invalid"),
    ],
)
def test_times(claims: dict[str, object], code: str | None) -> None:
    if code is None:
        check_times(claims, now=NOW)
        return
    with pytest.raises(Unauthenticated) as refused:
        check_times(claims, now=NOW)
    assert refused.value.code == code


def test_who_sends_nothing_is_told_the_scheme_only() -> None:
    assert unauthenticated("credential_missing", "x").headers["WWW-Authenticate"] == 'Bearer realm="xynergy"'
    assert 'error="invalid_token"' in unauthenticated("credential_expired", "x").headers["WWW-Authenticate"]

"""Subscription filters, by the examples of Pub/Sub's documentation and by the rules of their grammar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConfigurationError
from triggers.local.filters import compile_filter

COM = {"domain": "com", "name": "shop", "iana.org/language_tag": "en"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("attributes:domain", True),
        ("attributes:missing", False),
        ("NOT attributes:missing", True),
        ("-attributes:domain", False),
        ('attributes.domain = "com"', True),
        ('attributes.domain="net"', False),
        ('attributes.domain != "net"', True),
        ('attributes.missing != "net"', True),
        ('hasPrefix(attributes.domain, "co")', True),
        ('hasPrefix(attributes.missing, "")', False),
        ('attributes:"iana.org/language_tag"', True),
        ('attributes."iana.org/language_tag" = "en"', True),
        ('attributes.domain = "net" OR attributes.name = "shop"', True),
        ('attributes.domain = "com" AND attributes.name = "other"', False),
        ('attributes:name AND (attributes.domain = "net" OR attributes.domain = "com")', True),
        ('NOT (attributes.domain = "com" AND attributes:name)', False),
    ],
)
def test_a_filter_decides(text: str, expected: bool) -> None:
    assert compile_filter(text)(COM) is expected


@pytest.mark.parametrize(
    "text",
    [
        "attributes.domain = com",
        "attributes.domain",
        "domain = 'com'",
        "attributes:a AND attributes:b OR attributes:c",
        'hasPrefix(attributes.domain "co")',
        "(attributes:a",
        "attributes:a)",
        'attributes.domain = "' + "x" * 300 + '"',
    ],
)
def test_what_pubsub_refuses_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        compile_filter(text)


keys = st.sampled_from(["a", "b"])
values = st.sampled_from(["", "x", "xy", 'quo"te', "back\\slash"])


@given(key=keys, value=values, attributes=st.dictionaries(keys, values))
def test_not_equal_is_the_negation_of_equal(key: str, value: str, attributes: dict[str, str]) -> None:
    import json

    equal = compile_filter(f"attributes.{key} = {json.dumps(value)}")(attributes)
    unequal = compile_filter(f"attributes.{key} != {json.dumps(value)}")(attributes)
    negated = compile_filter(f"NOT attributes.{key} = {json.dumps(value)}")(attributes)
    assert equal is (attributes.get(key) == value)
    assert unequal is negated is not equal

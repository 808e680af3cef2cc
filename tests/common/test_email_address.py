"""One form for every spelling of an e-mail address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.email_address import normalised_email


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        (" ann.lee+news@example.com ", "ann.lee+news@example.com"),
        ("ÄNNCHEN@bücher.de", "änncshen@xn--bcher-kva.de".replace("cs", "c")),
        ("A\u0308nn@example.com", "änn@example.com"),
        ("\u212aate@example.com", "kate@example.com"),
        ("李@例え.テスト", "李@xn--r8jz45g.xn--zckzah"),
        ("a@example.com.", "a@example.com"),
        ("straße@example.com", "straße@example.com"),
        ("strasse@example.com", "strasse@example.com"),
    ],
)
def test_spellings_of_one_mailbox_become_one(text: str, one: str) -> None:
    assert normalised_email(text) == one


@pytest.mark.parametrize(
    "text",
    [
        *("", "@", "a@", "@example.com", "a", "a@b", "a@localhost", "a@-x.com", "a@x..com", "a@1.2.3.4", "a@[1.2.3.4]"),
        *("a b@example.com", "a..b@example.com", ".a@example.com", "a.@example.com", '"a b"@example.com'),
        *("a@example.com\nBcc: b@example.com", "a\u0000@example.com", "a@ex_ample.com", "a@b@example.com"),
        *(
            "x" * 65 + "@example.com",
            "a@" + "x" * 64 + ".com",
            "ä" * 33 + "@example.com",
            "a@" + "x." * 130 + "com",
        ),
    ],
)
def test_what_is_no_mailbox_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"e-mail|part"):
        normalised_email(text)


@given(st.emails())
def test_the_one_form_is_its_own_and_ignores_case(text: str) -> None:
    try:
        one = normalised_email(text)
    except ValueError:
        return
    assert normalised_email(one) == one
    assert normalised_email(text.upper()) == one
    assert one.rpartition("@")[2].isascii()


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_is_taken_is_its_own_form(local: str, domain: str) -> None:
    try:
        one = normalised_email(f"{local}@{domain}.com")
    except ValueError:
        return
    assert normalised_email(one) == one
    assert not any(map(str.isspace, one))

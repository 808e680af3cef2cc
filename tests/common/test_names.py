"""Names in any script: one spelling, one line, and nothing that hides or turns around what is read."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from common.names import LONGEST, Name

ADAPTER: TypeAdapter[str] = TypeAdapter(Name)

WRITTEN = [
    "Ådalen 有限公司",
    "Müller & Söhne",
    "شركة الأفق",
    "חברת אופק",
    "\u200fאופק",  # noqa: RUF001 - a mark that begins right-to-left text
    "می‌خواهم",  # Persian needs the zero-width non-joiner
    "क्‍ष",  # Devanagari the joiner
    "👩‍👩‍👧 & Co",
    "葛\U000e0100飾",  # a variant of an ideograph
    "Nguyễn",
    "!",
    "7",
    "a" * LONGEST,
]


@pytest.mark.parametrize("name", WRITTEN)
def test_every_script_is_taken(name: str) -> None:
    assert ADAPTER.validate_python(name) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "string_too_short"),
        ("x" * (LONGEST + 1), "string_too_long"),
        ("a\x00b", "name_characters"),
        ("a\nb", "name_characters"),
        ("a\u0085b", "name_characters"),
        ("a\u2028b", "name_characters"),
        ("evil\u202eexe.txt", "name_characters"),
        ("\u202aab\u202c", "name_characters"),
        ("a\u2066b\u2069", "name_characters"),
        ("a\ufdd0", "name_characters"),
        ("a\U0001fffe", "name_characters"),
        ("a\U000e0041", "name_characters"),
        ("\u200b\u200d\u2060\ufeff", "name_invisible"),
        ("\u3164\u115f\uffa0", "name_invisible"),
        ("\u2800", "name_invisible"),
        ("\u0301", "name_invisible"),
        ("\u00ad", "name_invisible"),
    ],
)
def test_what_hides_or_turns_around_is_refused(name: str, code: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        ADAPTER.validate_python(name)
    assert [error["type"] for error in refusal.value.errors()] == [code]


@given(st.text(min_size=1, max_size=40))
def test_what_is_taken_is_composed_visible_and_taken_again_as_it_is(text: str) -> None:
    try:
        name = ADAPTER.validate_python(text)
    except ValidationError:
        return
    assert name == unicodedata.normalize("NFC", name)
    assert name == name.strip() != ""
    assert not any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in name)
    assert ADAPTER.validate_python(name) == name


@given(st.sampled_from(WRITTEN))
def test_two_spellings_of_one_text_are_one_name(name: str) -> None:
    spellings = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    assert len({ADAPTER.validate_python(each) for each in spellings if len(each) <= LONGEST}) == 1

"""Tokens: what browsers see in the markup of real pages, and no markup that takes long."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.pages import markup
from common.aso.pages.markup import MAX_ATTRIBUTES, End, Start, Text, Token, decoded, tokens
from common.aso.pages.page import read
from common.errors import Unprocessable


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain &amp; simple", [Text("plain & simple")]),
        ("<P CLASS='a b' Id=x hidden>", [Start("p", {"class": "a b", "id": "x", "hidden": ""})]),
        ('<a href="1" href="2">', [Start("a", {"href": "1"})]),
        ("<a href = x >y</A >", [Start("a", {"href": "x"}), Text("y"), End("a")]),
        ("<a title='1 &lt; 2 > 1'>", [Start("a", {"title": "1 < 2 > 1"})]),
        ("<br/><img src=a/b.png/>", [Start("br"), Start("img", {"src": "a/b.png/"})]),
        ("1 < 2 and <3", [Text("1 < 2 and "), Text("<3")]),
        ("a<!-- <p> -- > -->b", [Text("a"), Text("b")]),
        ("a<!-->b<!--->c", [Text("a"), Text("b"), Text("c")]),
        ("a<!-- --!>b", [Text("a"), Text("b")]),
        ("a<!-- never closed <p>", [Text("a")]),
        ("<!DOCTYPE html><?php x ?>y</ z>", [Text("y")]),
        ("<![CDATA[x]]>y", [Text("y")]),
        ("<script>if (a<b) '<p>'</script >x", [Start("script", {}, "if (a<b) '<p>'"), Text("x")]),
        ("<style></styles></style>", [Start("style", {}, "</styles>")]),
        ("<script>never closed <p>", [Start("script", {}, "never closed <p>")]),
        ("<title>A &amp; <b></title>", [Start("title", {}, "A & <b>")]),
        ("<TEXTAREA><p></textarea>", [Start("textarea", {}, "<p>")]),
        ("x<a href='never closed><p>", [Text("x")]),
        ("x<a href", [Text("x")]),
        ("<a = b ==c>x", [Start("a", {"b": "=c"}), Text("x")]),
        ("&#x1F600;&#99999999999999999999;&copy", [Text("\U0001f600\ufffd©")]),
    ],
)
def test_tokens(source: str, expected: list[Token]) -> None:
    assert list(tokens(source)) == expected


def test_numbers_of_many_digits_name_no_character() -> None:
    assert decoded(f"&#{'9' * 10_000};&#x{'f' * 10_000}; &#65;") == "\ufffd\ufffd A"


PIECES = [
    "<",
    ">",
    "</",
    "<!--",
    "-->",
    "<p ",
    "a=",
    '"',
    "'",
    "&amp;",
    "&#1",
    "x",
    " ",
    "=",
    "/",
    "<script>",
    "</script>",
    "<title>",
    "\0",
    "ö",
    "<!",
    "<?",
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=80))
def test_any_text_is_a_page(source: str) -> None:
    found = list(tokens(source))
    assert sum(len(token.text) for token in found if isinstance(token, Text)) <= len(source)
    read(source)


UNITS = {
    "comments": "<!--",
    "declarations": "<!",
    "attributes": "<a b=1 ",
    "opened": "<",
    "names": "<a",
    "single quotes": "<a x='",
    "double quotes": '<a b="" ',
    "end tags": "</a",
    "closed end tags": "</a>",
    "nested": "<div>",
    "scripts": "<script>",
    "half scripts": "<script></scrip",
    "titles": "<title>",
    "ampersands": "&",
    "entities": "&a",
    "numbers": "&#9",
    "digits": "9",
    "slashes": "<a /",
    "equal signs": "=",
    "headings": "<h1>",
    "links": "<a href=x>y",
    "paragraphs": "<p>x",
    "formatting": "<b a=1><p>",
    "sections": "<nav><div>",
    "instructions": "<?",
    "cdata": "<![CDATA[",
}


@pytest.mark.parametrize("name", UNITS)
def test_no_markup_takes_long(name: str) -> None:
    """Half a megabyte each: with a reader whose time grows with the square of it this test does not end in time."""
    unit = UNITS[name]
    with contextlib.suppress(Unprocessable):
        read(unit * (500_000 // len(unit)))


def test_too_many_tags_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markup, "MAX_TAGS", 100)
    with pytest.raises(Unprocessable) as refusal:
        read("<b>" * 101)
    assert refusal.value.code == "page_too_complex"
    assert read("<b>" * 100).blocks == []


def test_a_flood_of_attributes_is_cut() -> None:
    [tag] = tokens("<a " + " ".join(f"a{number}={number}" for number in range(100_000)) + ">")
    assert isinstance(tag, Start)
    assert len(tag.attributes) == MAX_ATTRIBUTES

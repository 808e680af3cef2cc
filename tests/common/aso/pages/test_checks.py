"""Checks of a page: each passes, warns and fails where it should, and the score is what they add up to."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.pages import checks, page
from common.aso.pages.looks import Look
from common.aso.pages.score_models import Check
from common.aso.pages.words import Haystack

WORDS = "The reader shows what a code holds. It works with every camera that you have. "
GOOD = f"""<html lang=en><head><title>QR code scanner: read any code with your camera</title>
<meta name=description
content="Scan a code: this QR code scanner works online with every camera, free of charge, on all phones.">
<meta name=viewport content="width=device-width"><link rel=canonical href="https://example.com/qr-code-scanner">
<link rel=alternate hreflang=en href="https://example.com/qr-code-scanner"><link rel=alternate hreflang=de-AT href=/de>
<script type="application/ld+json">{{"@graph": [{{"@type": ["HowTo", "Article"]}}]}}</script></head>
<body><h1>QR code scanner</h1><p>This QR code scanner is free. {WORDS * 20}</p>
<h2>How the QR code scanner works</h2><p>{WORDS} You can scan a code here, too.</p><h3>More</h3>
<img src=a.png alt="QR code scanner at work"><a href="/hub">Hub</a><a href="/b">More</a>
<a href="https://www.iso.org/">The standard</a></body></html>"""
URL = "https://example.com/qr-code-scanner"


def look(html: str = GOOD, keyword: str = "QR code scanner", url: str | None = URL, **options: object) -> Look:
    return Look(page.read(html), keyword, url=url, **options)  # type: ignore[arg-type]


def found(html: str = GOOD, **options: object) -> dict[str, Check]:
    return {check.check: check for check in checks.checked(look(html, **options))}  # type: ignore[arg-type]


def test_a_good_page_has_every_point() -> None:
    every = found(secondary=["scan a code"])
    assert {name: check.status for name, check in every.items() if check.status != "pass"} == {}
    assert checks.score(list(every.values())) == 100
    assert all(check.advice is None for check in every.values())


def changed(pattern: str, by: str) -> str:
    html, number = re.subn(pattern, by, GOOD, flags=re.DOTALL)
    assert number
    return html


@pytest.mark.parametrize(
    ("name", "html", "status"),
    [
        ("indexable", changed("<body", "<meta name=ROBOTS content='index, NOINDEX'><body"), "fail"),
        ("indexable", changed("<body", "<meta name=googlebot content=none><body"), "fail"),
        ("indexable", changed("<body", "<meta name=robots content=noarchive><body"), "pass"),
        ("keyword_in_title", changed("<title>.*?</title>", "<title>Scanner of any QR style code here</title>"), "warn"),
        (
            "keyword_in_title",
            changed("<title>.*?</title>", "<title>QR code scanners are great for you</title>"),
            "fail",
        ),
        ("keyword_in_title", changed("<title>.*?</title>", ""), "fail"),
        ("title_length", changed("<title>.*?</title>", "<title>QR</title>"), "warn"),
        ("title_length", changed("<title>.*?</title>", f"<title>{'Wide ' * 20}</title>"), "warn"),
        ("title_length", changed("<title>.*?</title>", "<title> </title>"), "fail"),
        ("keyword_in_h1", changed("<h1>.*?</h1>", "<h1>Scanner</h1>"), "fail"),
        ("single_h1", changed("<h1>.*?</h1>", ""), "fail"),
        ("single_h1", changed("<h1>.*?</h1>", "<h1></h1>"), "fail"),
        ("single_h1", changed("<h2>", "<h1>x</h1><h2>"), "warn"),
        ("heading_order", changed("<h3>", "<h5>x</h5><h3>"), "warn"),
        ("keyword_in_opening", changed("This QR code scanner is", "This is"), "fail"),
        ("keyword_in_opening", changed("This QR code scanner is", "A scanner of a code like QR is"), "warn"),
        ("keyword_in_subheadings", changed("<h2>.*?</h2>", "<h2>Your scanner</h2>"), "warn"),
        ("keyword_in_subheadings", changed("<h2>.*?</h2>", "<h2>Other</h2>"), "fail"),
        ("meta_description", changed("<meta name=description.*?>", "<meta name=description content='Short.'>"), "warn"),
        ("meta_description", changed("<meta name=description.*?>", ""), "fail"),
        ("keyword_in_meta_description", changed("this QR code scanner works", "it works"), "fail"),
        ("keyword_density", changed("QR code scanner", "thing"), "fail"),
        ("keyword_density", changed("is free", f"is free {'QR code scanner ' * 30}"), "fail"),
        ("keyword_in_alt_texts", changed("alt=.*?>", "alt=''>"), "warn"),
        ("keyword_in_alt_texts", changed("<img.*?>", ""), "not_applicable"),
        ("alt_texts", changed("alt=.*?>", "alt=''>"), "pass"),
        ("alt_texts", changed("alt=.*?>", ">"), "fail"),
        ("alt_texts", changed("<img", "<img src=b.png><img alt><img"), "warn"),
        ("word_count", changed(re.escape(WORDS * 20), WORDS * 5), "warn"),
        ("word_count", changed(re.escape(WORDS * 20), ""), "fail"),
        (
            "readability",
            changed(re.escape(WORDS * 20), "incomprehensibility notwithstanding institutionalization " * 60),
            "fail",
        ),
        ("internal_links", changed("<a href=./b.>", "<a>"), "warn"),
        ("internal_links", changed("<a href=./b.>", "<a href=/b rel=nofollow>"), "warn"),
        ("internal_links", changed("<a href=./(b|hub).>", "<a href=#x>"), "fail"),
        ("external_links", changed("<a href=.https.*?>", ""), "warn"),
        ("canonical", changed("<link rel=canonical.*?>", ""), "warn"),
        ("canonical", changed("<body", "<link rel=canonical href=/other><body"), "fail"),
        ("canonical", changed("(<link rel=canonical href=).*?>", r"\1/other>"), "warn"),
        ("canonical", changed("(<link rel=canonical href=).*?>", r"\1/qr-code-scanner/>"), "pass"),
        ("viewport", changed("<meta name=viewport.*?>", ""), "fail"),
        ("lang", changed("<html lang=en>", "<html>"), "warn"),
        ("hreflang", changed("hreflang=de-AT", "hreflang=german"), "fail"),
        ("hreflang", changed("hreflang=de-AT", "hreflang=en"), "warn"),
        ("hreflang", changed("hreflang=en href=.*?>", "hreflang=x-default href=/x>"), "warn"),
        ("structured_data", changed("<script.*?</script>", ""), "warn"),
        ("structured_data", changed("<script.*?</script>", "<p itemscope>"), "pass"),
        ("structured_data", changed('"@graph"', "@graph"), "fail"),
        ("structured_data", changed(r"\{\"@graph.*?</script>", "[" * 100_000 + "</script>"), "fail"),
    ],
)
def test_what_each_check_sees(name: str, html: str, status: str) -> None:
    check = found(html)[name]
    assert check.status == status, check
    assert (check.advice is None) == (status in {"pass", "not_applicable"})


def test_the_address_and_the_servers_word_count() -> None:
    assert found(url="https://example.com/other")["keyword_in_url"].status == "fail"
    assert found(url="https://example.com/QR%20Code_scanner?x")["keyword_in_url"].status == "pass"
    assert found(url=None)["keyword_in_url"].status == "not_applicable"
    assert found(robots_header="noindex")["indexable"].status == "fail"
    assert found(secondary=["scan a code", "missing"])["secondary_keywords"].status == "warn"
    assert found(secondary=["missing"])["secondary_keywords"].evidence["missing"] == ["missing"]


def test_subdomains_of_the_site_are_internal() -> None:
    html = "<a href=https://blog.example.co.uk/>1</a><a href=https://other.co.uk/>2</a><a href='javascript:x'>3</a><a href='http://[x'>4</a>"
    internal, external = look(html, url="https://www.example.co.uk/").own_links
    assert ([link.text for link in internal], [link.text for link in external]) == (["1"], ["2"])


def test_plain_text_is_held_to_its_words_only() -> None:
    text = Look(page.of_text(f"QR code scanner.\n\n{WORDS * 20}"), "qr code scanner", is_text=True, locale="en")
    every = {check.check: check.status for check in checks.checked(text)}
    assert {name for name, status in every.items() if status != "not_applicable"} == {
        "keyword_in_opening",
        "keyword_density",
        "word_count",
        "readability",
    }
    assert checks.score(checks.checked(text)) == 100


@pytest.mark.parametrize(
    ("text", "phrase", "count", "position"),
    [
        ("The QR-Code scanner", "qr code", 1, 1),
        ("QR codes", "qr code", 0, None),
        ("ＱＲ　ｃｏｄｅ!", "QR Code", 1, 0),  # noqa: RUF001
        ("STRASSE", "Straße", 1, 0),
        ("a a a", "a a", 1, 0),
        ("a b a b", "a b", 2, 0),
        ("naïve", "naive", 0, None),
        ("二维码扫描器在线", "扫描器", 1, 3),
        ("anything", "?!", 0, None),
        ("don’t stop", "don't", 1, 0),  # noqa: RUF001
    ],
)
def test_whole_words_are_found_however_they_are_spelt(text: str, phrase: str, count: int, position: int | None) -> None:
    haystack = Haystack(text)
    assert (haystack.count(phrase), haystack.position(phrase)) == (count, position)


@given(
    st.lists(
        st.sampled_from(["<h1>", "<p>", "<title>", "qr", "code", " ", "</p>", "<a href=/x>", "<img>", "."]), max_size=30
    )
)
def test_any_page_has_a_score_and_always_the_same(pieces: list[str]) -> None:
    html = "".join(pieces)
    once, again = checks.checked(look(html)), checks.checked(look(html))
    assert once == again
    assert 0 <= checks.score(once) <= 100
    assert [check.check for check in once] == list(checks.RULES)


def test_a_better_page_never_scores_less() -> None:
    before = checks.score(list(found(changed("<h1>.*?</h1>", "<h1>Reader</h1>")).values()))
    assert before < checks.score(list(found().values()))


def test_the_definition_is_told_apart() -> None:
    """Whoever changes checks or weights changes the definition, so that scores of two definitions are not compared."""
    weights = {name: rule.weight for name, rule in checks.RULES.items()}
    assert (checks.DEFINITION, len(weights), sum(weights.values())) == ("1", 24, 116)

"""Sitemaps: every kind, every mistake, every bomb."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.pages import sitemap
from common.aso.pages.sitemap import Entry, read

SPACES = (
    "xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' xmlns:news='http://www.google.com/schemas/sitemap-news/0.9' "
    "xmlns:i='http://www.google.com/schemas/sitemap-image/1.1' xmlns:xhtml='http://www.w3.org/1999/xhtml'"
)


def urlset(*entries: str, head: str = "<?xml version='1.0' encoding='UTF-8'?>") -> str:
    return f"{head}<urlset {SPACES}>{''.join(entries)}</urlset>"


def url(loc: str = "https://example.com/a", more: str = "") -> str:
    return f"\n<url><loc>{loc}</loc>{more}</url>"


def test_pages_with_all_they_can_say() -> None:
    found = read(
        urlset(
            url(" https://example.com/a?b=1&amp;c ", "<lastmod>2026-01-31</lastmod><priority>0.5</priority>"),
            url(more="<news:news><news:publication_date>2026-01-30</news:publication_date></news:news>"),
            url(more="<i:image><i:loc>x.png</i:loc></i:image><i:image><i:caption>none</i:caption></i:image>"),
            url(more="<xhtml:link rel='alternate' hreflang='de' href='https://example.com/de'/>"),
            "\n<url><lastmod>2026</lastmod></url>",
            url("<![CDATA[https://example.com/cdata]]>"),
        ).encode()
    )
    assert (found.kind, found.problems, found.packed) == ("urlset", {}, False)
    assert found.entries == [
        Entry(line=2, loc="https://example.com/a?b=1&c", lastmod="2026-01-31"),
        Entry(line=3, loc="https://example.com/a", news_date="2026-01-30", is_news=True),
        Entry(line=4, loc="https://example.com/a", images=2, images_without_loc=1),
        Entry(line=5, loc="https://example.com/a"),
        Entry(line=6, lastmod="2026"),
        Entry(line=7, loc="https://example.com/cdata"),
    ]


def test_an_index() -> None:
    text = f"<sitemapindex {SPACES}><sitemap><loc>https://example.com/1.xml.gz</loc><lastmod>2026-01-01</lastmod></sitemap></sitemapindex>"
    found = read(text.encode())
    assert (found.kind, [entry.loc for entry in found.entries]) == ("index", ["https://example.com/1.xml.gz"])


@pytest.mark.parametrize(
    "body",
    [
        urlset(url("https://example.com/ö")).encode(),
        b"\xef\xbb\xbf" + urlset(url("https://example.com/ö")).encode(),
        urlset(url("https://example.com/ö"), head="<?xml version='1.0' encoding='UTF-16'?>").encode("utf-16"),
        urlset(url("https://example.com/ö"), head="<?xml version='1.0' encoding='ISO-8859-1'?>").encode("latin-1"),
        urlset(url("https://example.com/ö"), head="<?xml version='1.0' encoding='windows-1252'?>").encode("cp1252"),
        urlset(url("https://example.com/&#246;"), head="").encode("ascii"),
        gzip.compress(urlset(url("https://example.com/ö")).encode()),
        "https://example.com/ö\r\n\n".encode(),
        b"\xef\xbb\xbf" + "https://example.com/ö".encode(),
    ],
)
def test_encodings_packing_and_text(body: bytes) -> None:
    found = read(body)
    assert ([entry.loc for entry in found.entries], found.problems) == (["https://example.com/ö"], {})


LAUGHS = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">
<!ENTITY l1 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
<!ENTITY l2 "&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;"><!ENTITY l3 "&l2;&l2;&l2;&l2;&l2;&l2;&l2;&l2;">]>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>&l3;</loc></url></urlset>"""
EXTERNAL = """<!DOCTYPE urlset [<!ENTITY secret SYSTEM "file:///etc/passwd">]>
<urlset><url><loc>&secret;</loc></url></urlset>"""
REMOTE = """<!DOCTYPE urlset SYSTEM "http://127.0.0.1:9/x.dtd"><urlset><url><loc>x</loc></url></urlset>"""
PARAMETER = """<!DOCTYPE urlset [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]><urlset/>"""
SPACES_ONLY = """<!DOCTYPE urlset><urlset><url><loc>x</loc></url></urlset>"""


@pytest.mark.parametrize("text", [LAUGHS, EXTERNAL, REMOTE, PARAMETER, SPACES_ONLY])
def test_document_types_are_not_read(text: str) -> None:
    found = read(text.encode())
    assert (list(found.problems), found.entries) == (["dtd_refused"], [])


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<urlset><url>", "malformed_xml"),
        (urlset(url("a & b")).encode(), "malformed_xml"),
        (urlset(url("&undefined;")).encode(), "malformed_xml"),
        (b"<html><body>Not found</body></html>", "unknown_root"),
        (b"<rss></rss>", "unknown_root"),
        (b"Page not found", "unknown_root"),
        (b"", "malformed_xml"),
        (b"   ", "malformed_xml"),
        (b"<urlset/>", "wrong_namespace"),
        (b"<urlset xmlns='https://www.sitemaps.org/schemas/sitemap/0.9'/>", "wrong_namespace"),
        (urlset().encode(), "empty_sitemap"),
        (urlset("<url>" + "<a>" * 30 + "</a>" * 30 + "</url>").encode(), "nested_too_deep"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-10], "gzip_damaged"),
        (b"\x1f\x8bno gzip", "gzip_damaged"),
        (urlset(head="<?xml version='1.0' encoding='x-klingon'?>").encode(), "unsupported_encoding"),
        (urlset(head="<?xml version='1.0' encoding='zip'?>").encode(), "unsupported_encoding"),
        (b"\x89PNG\xff", "unsupported_encoding"),
        ("ö".encode("latin-1") + b"://", "unsupported_encoding"),
    ],
)
def test_mistakes(body: bytes, problem: str) -> None:
    assert problem in read(body).problems


def test_what_was_read_before_a_mistake_counts() -> None:
    found = read(urlset(url(), url(), "<broken").encode())
    assert (len(found.entries), list(found.problems)) == (2, ["malformed_xml"])


def test_no_more_entries_than_the_protocol_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemap, "MAX_ENTRIES", 100)
    found = read(urlset(*[url()] * 101).encode())
    assert (len(found.entries), list(found.problems)) == (100, ["too_many_urls"])
    assert read(urlset(*[url()] * 100).encode()).problems == {}
    text = read(b"https://example.com/\n" * 101)
    assert (len(text.entries), list(text.problems)) == (100, ["too_many_urls"])


def test_no_more_bytes_than_the_protocol_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemap, "MAX_BYTES", 1000)
    assert list(read(b" " * 1001).problems) == ["too_large"]
    bomb = gzip.compress(b" " * 50_000_000)
    tracemalloc.start()
    try:
        assert list(read(bomb).problems) == ["too_large"]
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [
        b"<urlset>" + b"<a>" * 1_000_000,
        b"<urlset " + b"a" * 10_000_000,
        b"<urlset><!--" + b" -" * 5_000_000,
        b"<urlset><![CDATA[" + b"]" * 10_000_000,
        b"<urlset " + b" ".join(b"a%d=''" % number for number in range(50_000)) + b">",
        b"<urlset><url><loc>" + b"a" * 10_000_000,
        b"<urlset a='" + b"&#65;" * 2_000_000,
    ],
    ids=["nested", "name", "comment", "cdata", "attributes", "text", "characters"],
)
def test_no_sitemap_takes_long(body: bytes) -> None:
    found = read(body)
    assert found.problems
    assert sum(len(entry.loc) for entry in found.entries) <= 2 * sitemap.LONGEST


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    found = read(body)
    assert found.entries or found.problems


@given(
    st.lists(st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=20), max_size=8)
)
def test_what_is_written_is_read(names: list[str]) -> None:
    locs = [f"https://example.com/{name}" for name in names]
    found = read(gzip.compress(urlset(*map(url, locs)).encode()))
    assert [entry.loc for entry in found.entries] == locs
    assert [entry.line for entry in found.entries] == list(range(2, len(locs) + 2))

"""What is read of a page, and in which charset."""

from __future__ import annotations

import pytest

from common.aso.pages.decoding import page_text
from common.aso.pages.page import Image, Link, Page, of_text, read

PAGE = """<!doctype html>
<html lang="en-GB">
<head>
  <title> QR codes  &amp; more </title><base href="/shop/">
  <meta name="Description" content=" First. "><meta name=description content=Second.>
  <meta property="og:title" content="OG"><meta name=robots content="noindex, nofollow">
  <link rel="canonical" href="https://example.com/a"><link rel=alternate hreflang=de href=/de>
  <link rel=stylesheet href=x.css>
  <script type="application/ld+json">{"@type": "Article"}</script><script>var words = "not counted";</script>
  <style>p { content: "not counted" }</style>
</head>
<body>
  <header><nav><ul><li><a href="/">Home</a><li><a href=/b rel="ugc nofollow">Blog</a></ul></nav>Site name</header>
  <main>
    <header><h1>Scan a <em>QR</em> code</h1></header>
    <p>First <b>para</b>graph<br>goes on. <a href="#part">Within</a></p>
    <svg><title>Drawing</title><text>not counted</text></svg>
    <h2><img src=h.png alt="Picture of"> steps</h2>
    <ul><li>One<li>Two</ul>
    <table><tr><td>Cell<td>Other</table>
    <a href=/c><img src=c.png alt="A camera"></a><img src=d.png><img src=e.png alt="">
    <noscript><p>Not counted.</p></noscript><template>Not counted.</template>
    <div itemscope>Rated</div>
    <footer>Author</footer>
  </main>
  <footer>Imprint <a href="mailto:a@example.com">Mail</a></footer>
</body></html>"""


@pytest.fixture(scope="module")
def page() -> Page:
    return read(PAGE)


def test_the_head(page: Page) -> None:
    assert (page.title, page.language, page.base) == ("QR codes & more", "en-GB", "/shop/")
    assert page.meta["description"] == ["First.", "Second."]
    assert page.meta["og:title"] == ["OG"]
    assert page.canonicals == ["https://example.com/a"]
    assert page.hreflangs == [("de", "/de")]
    assert (page.json_ld, page.microdata) == (['{"@type": "Article"}'], 1)


def test_the_body(page: Page) -> None:
    assert page.headings == [(1, "Scan a QR code"), (2, "Picture of steps")]
    assert page.blocks == ["First paragraph", "goes on. Within", "One", "Two", "Cell", "Other", "Rated", "Author"]
    assert page.images == [
        Image("h.png", "Picture of"),
        Image("c.png", "A camera"),
        Image("d.png", None),
        Image("e.png", ""),
    ]
    assert page.links == [
        Link("/", "Home", nofollow=False),
        Link("/b", "Blog", nofollow=True),
        Link("#part", "Within", nofollow=False),
        Link("/c", "A camera", nofollow=False),
        Link("mailto:a@example.com", "Mail", nofollow=False),
    ]
    assert page.resolved("https://example.com/x", "y") == "https://example.com/shop/y"


def test_what_is_left_open_ends_with_what_is_around_it() -> None:
    page = read("<div><nav><a href=x>Menu</div><p>Text <h2>Heading<p>lost in it</h2></p><article><header>In</article>")
    assert page.blocks == ["Text", "In"]
    assert page.headings == [(2, "Heading lost in it")]
    assert read("</nav></nav></p>still here").blocks == ["still here"]


def test_plain_text() -> None:
    assert of_text("One\nline.\r\n\r\n Two \n\n\n").blocks == ["One line.", "Two"]


@pytest.mark.parametrize(
    ("body", "charset", "expected"),
    [
        ("ö".encode(), None, "ö"),
        ("ö".encode(), "utf-8", "ö"),
        ("ö".encode("latin-1"), None, "ö"),
        ("ö".encode("latin-1"), "ISO-8859-1", "ö"),
        ("€".encode("cp1252"), "iso-8859-1", "€"),
        (b"\xef\xbb\xbf" + "ö".encode(), "iso-8859-1", "ö"),
        ("ö".encode("utf-16"), None, "ö"),
        (b"\xfe\xff" + "ö".encode("utf-16-be"), "utf-8", "ö"),
        (b"<meta charset='windows-1251'>" + "ж".encode("cp1251"), None, "<meta charset='windows-1251'>ж"),
        (
            b'<meta content="text/html; charset=koi8-r">' + "ж".encode("koi8-r"),
            None,
            '<meta content="text/html; charset=koi8-r">ж',
        ),
        (b"<meta charset=utf-16>" + "ö".encode(), None, "<meta charset=utf-16>ö"),
        ("ö".encode(), "idna", "ö"),
        ("ö".encode(), "zlib", "ö"),
        ("ö".encode(), "no charset", "ö"),
        (b"\xff", "utf-8", "\ufffd"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
    ],
)
def test_charsets(body: bytes, charset: str | None, expected: str) -> None:
    assert page_text(body, charset) == expected

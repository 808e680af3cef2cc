"""Sitemaps, robots.txt and content held against one another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.models import ContentPiece
from common.aso.pages import robots, site_findings
from common.aso.pages.site_findings import (
    MEANINGS,
    Findings,
    Site,
    look_at_entries,
    look_at_robots,
    of_site,
    parsed_date,
)
from common.aso.pages.sitemap import Entry
from common.errors import Unprocessable

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def piece(url: str | None, status: str = "published", updated: datetime = NOW) -> ContentPiece:
    return ContentPiece.model_validate(
        {
            "content_id": f"piece of {url}",
            "tenant_id": "demo",
            "content_type": "hub",
            "keyword_primary": "x",
            "title": "x",
            "url": url,
            "status": status,
            "created_at": NOW,
            "updated_at": updated,
        }
    )


def look(*entries: Entry, text: str = "", pieces: tuple[ContentPiece, ...] = (), https: bool = True) -> dict[str, int]:
    findings = Findings()
    rules = robots.read(text.encode()).rules_for("Googlebot")
    site = Site(host="example.com", is_https=https, rules=rules, now=NOW)
    assert look_at_entries(findings, [("s.xml", entry) for entry in entries], site, pieces) == len(entries)
    return dict(findings.counts.items())


def at(loc: str = "https://example.com/a", **more: object) -> Entry:
    return Entry(line=1, loc=loc, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("entry", "codes"),
    [
        (at(), set()),
        (at(lastmod="2026-11-01"), set()),
        (at(""), {"missing_loc"}),
        (at("/relative"), {"invalid_url"}),
        (at("ftp://example.com/"), {"invalid_url"}),
        (at("https://[x/"), {"invalid_url"}),
        (at("https:///x"), {"invalid_url"}),
        (at("https://example.com/" + "a" * 2048), {"url_too_long"}),
        (at("https://www.example.com/"), {"wrong_host"}),
        (at("https://other.example/"), {"wrong_host"}),
        (at("http://example.com/"), {"http_on_https_site"}),
        (at("https://example.com/#x"), {"not_canonical"}),
        (at("https://Example.com/x"), {"not_canonical"}),
        (at("https://example.com:443/x"), {"not_canonical"}),
        (at("https://example.com/a/../b"), {"not_canonical"}),
        (at("https://example.com//a"), {"not_canonical"}),
        (at("https://example.com/a;jsessionid=1"), {"not_canonical"}),
        (at("https://example.com/a?page=2"), {"parametrised_url"}),
        (at(lastmod="yesterday"), {"invalid_lastmod"}),
        (at(lastmod="2026-02-30"), {"invalid_lastmod"}),
        (at(lastmod=""), {"invalid_lastmod"}),
        (at(lastmod="2026-11-23"), {"future_lastmod"}),
        (at(is_news=True, news_date="2026-11-20T12:00:00Z"), set()),
        (at(is_news=True, news_date="2026-11-19T11:59:00Z"), {"news_too_old"}),
        (at(is_news=True), {"invalid_news_date"}),
        (at(images=2, images_without_loc=1), {"image_without_loc"}),
    ],
)
def test_each_entry(entry: Entry, codes: set[str]) -> None:
    assert look(entry).keys() == codes


def test_what_is_on_an_http_site() -> None:
    assert look(at("http://example.com/"), https=False) == {}


def test_duplicates_and_rules() -> None:
    text = "User-agent: *\nDisallow: /a\nUser-agent: googlebot\nDisallow: /*.pdf$\n"
    found = look(at(), at(), at("https://example.com/x.pdf"), text=text)
    assert found == {"duplicate_url": 1, "blocked_by_robots": 1}


def test_our_own_pieces() -> None:
    pieces = (
        piece("https://example.com/a/"),
        piece("https://www.example.com/b"),
        piece("https://example.com/gone"),
        piece("https://example.com/fresh", updated=NOW - timedelta(days=3)),
    )
    found = look(
        at("https://example.com/a", lastmod="2026-11-01"),
        at("https://example.com/b", lastmod="2026-11-20"),
        at("https://example.com/fresh", lastmod="2026-11-12"),
        at("https://example.com/strange"),
        pieces=pieces,
    )
    assert found == {"stale_lastmod": 1, "not_in_content": 1, "missing_from_sitemap": 1}


def test_which_pieces_are_the_sites() -> None:
    pieces = [
        piece("https://blog.example.com/a"),
        piece("https://example.org/a"),
        piece("https://example.com/b", status="draft"),
        piece(None),
    ]
    assert of_site(pieces, "www.example.com") == pieces[:1]
    assert of_site(pieces, None) == pieces[:2]


def test_robots() -> None:
    def found(text: str) -> set[str]:
        findings = Findings()
        look_at_robots(findings, robots.read(text.encode()), "Googlebot")
        return set(findings.counts)

    assert found("User-agent: *\nDisallow:\nSitemap: https://example.com/s.xml") == set()
    assert found("User-agent: *\nDisallow: /\nnonsense") == {
        "robots_blocks_everything",
        "robots_names_no_sitemap",
        "robots_strange_line",
    }
    assert found("Sitemap: /s.xml\nUser-agent: bing\nDisallow: /") == {"robots_relative_sitemap"}
    assert "robots_too_large" in found("#" * robots.LIMIT + "\n")


def test_more_patterns_than_time_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_findings, "COMPARISONS", 100)
    text = "User-agent: *\n" + "".join(f"Disallow: /*{number}x\n" for number in range(60))
    with pytest.raises(Unprocessable) as refusal:
        look(at(), at("https://example.com/b"), text=text)
    assert refusal.value.code == "robots_too_complex"


def test_examples_are_few_and_short_and_errors_come_first() -> None:
    findings = Findings()
    for number in range(50):
        findings.add("parametrised_url", url=f"https://example.com/{number}" + "x" * 1000)
    findings.add("missing_loc", where="s.xml:1")
    first, second = findings.listed()
    assert (first.code, second.code, second.count, len(second.examples)) == ("missing_loc", "parametrised_url", 50, 20)
    assert all(len(example.url or "") == 500 for example in second.examples)
    assert [findings.total(severity) for severity in ("error", "warning", "notice")] == [1, 0, 50]
    assert all(len(message.split()) > 2 for _, message in MEANINGS.values())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-03", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-04", datetime(2026, 3, 4, tzinfo=UTC)),
        ("2026-03-04T05:06Z", datetime(2026, 3, 4, 5, 6, tzinfo=UTC)),
        ("2026-03-04T05:06:07+02:00", datetime(2026, 3, 4, 3, 6, 7, tzinfo=UTC)),
        ("2026-03-04T05:06:07.25Z", datetime(2026, 3, 4, 5, 6, 7, 250000, tzinfo=UTC)),
        ("2026-13-01", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-3-4", None),
        ("04.03.2026", None),
        ("20260304", None),
        ("2026-03-04 05:06:07", None),
    ],
)
def test_dates(text: str, moment: datetime | None) -> None:
    assert parsed_date(text) == moment


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_entry_is_looked_at(loc: str, lastmod: str) -> None:
    look(at(loc, lastmod=lastmod), at(f"https://{loc}", lastmod=lastmod), pieces=(piece("https://example.com/x"),))

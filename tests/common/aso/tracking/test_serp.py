"""What a result page says: organic positions, which own page, the page that targets the keyword, competitors."""

from __future__ import annotations

from common.aso.models import CompetitorRanking
from common.aso.site.service import Site
from common.aso.tracking.serp import Serp, SerpPage, SerpQuery, findings, is_enough

SITE = Site(hosts=("example.com",), competitors=("rival.com", "other.org"))
URLS = (
    "https://wiki.example.org/a",
    "https://www.rival.com/x",
    "https://shop.example.com/other-page",
    "https://blog.rival.com/y",
    "https://www.example.com/scan/?utm_source=serp",
)


def test_the_best_own_page_ranks_and_the_target_is_told_apart_from_it() -> None:
    found = findings(Serp(urls=URLS, ended=True), SITE, 30, "https://example.com/scan")
    assert (found.position, found.url) == (3, "https://shop.example.com/other-page")
    assert found.target_position == 5
    assert [(page.position, page.url) for page in found.own_pages] == [(3, URLS[2]), (5, URLS[4])]


def test_another_page_of_the_site_is_not_the_target() -> None:
    found = findings(Serp(urls=URLS[:3], ended=True), SITE, 30, "https://shop.example.com/scan")
    assert found.position == 3
    assert found.target_position is None


def test_a_competitor_stands_where_its_best_page_does_and_nowhere_is_null() -> None:
    found = findings(Serp(urls=URLS, ended=True), SITE, 30)
    assert list(found.competitors) == [
        CompetitorRanking(competitor="rival.com", position=2),
        CompetitorRanking(competitor="other.org", position=None),
    ]


def test_a_host_that_only_ends_alike_is_not_ours() -> None:
    urls = ("https://notexample.com/", "https://example.com.evil.net/")
    assert findings(Serp(urls=urls, ended=True), SITE, 10).position is None


def test_not_found_goes_as_deep_as_was_looked() -> None:
    assert findings(Serp(urls=URLS[:2]), SITE, 30).depth == 2
    assert findings(Serp(urls=URLS[:2], ended=True), SITE, 30).depth == 30
    assert findings(Serp(ended=True), SITE, 30).depth == 30


def test_pages_that_overlap_count_a_result_once() -> None:
    first = Serp().extended(SerpPage(urls=URLS[:3]), 30)
    both = first.extended(SerpPage(urls=URLS[2:]), 30)
    assert both.urls == URLS
    assert not both.ended
    assert both.extended(SerpPage(urls=URLS[2:]), 30).ended, "a page that shows nothing new is the last"
    assert both.extended(SerpPage(urls=("https://a.net/",)), 4).urls == URLS[:4]


def test_turning_pages_ends_when_nothing_new_can_be_said() -> None:
    assert not is_enough(Serp(urls=URLS), SITE)
    assert is_enough(Serp(urls=(*URLS, "https://other.org/")), SITE)
    assert is_enough(Serp(urls=URLS[:3]), Site(hosts=("example.com",)))


def test_a_query_knows_country_and_pages() -> None:
    query = SerpQuery(keyword="a", locale="de", device="desktop", depth=25)
    assert (query.language, query.country, query.pages) == ("de", "DE", 3)
    assert SerpQuery(keyword="a", locale="en-GB", device="desktop", depth=10).country == "GB"

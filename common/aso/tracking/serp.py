"""A result page as every provider's answer is read into one, and what it says about a site."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from common.aso.addresses import same_page
from common.aso.models import CompetitorRanking, Device, Locale, OwnPage
from common.aso.site.service import Site

PAGE = 10
"""Results of one page; prices are per page."""

OWN_PAGES = 10
LONGEST_URL = 2048

Feature = Literal[
    "ads",
    "ai_overview",
    "discussions",
    "featured_snippet",
    "images",
    "jobs",
    "knowledge_panel",
    "local_pack",
    "people_also_ask",
    "shopping",
    "sitelinks",
    "top_stories",
    "videos",
]
"""What a result page shows besides organic results, named alike for all providers."""

_MARKETS = (
    "csCZ daDK deDE elGR enUS esES fiFI frFR heIL hiIN huHU idID itIT jaJP koKR nbNO nlNL noNO plPL ptPT "
    "roRO ruRU svSE thTH trTR ukUA viVN "
)
COUNTRY_OF = {pair[:2]: pair[2:] for pair in _MARKETS.split()}
"""The country that is meant where a locale names only a language."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SerpQuery:
    """What to look up.

    Attributes:
        keyword: The search.
        locale: ``en`` or ``en-US``.
        device: ``desktop``, ``mobile`` or ``tablet``.
        depth: Organic results to look at.
    """

    keyword: str
    locale: Locale
    device: Device
    depth: int

    @property
    def language(self) -> str:
        """ISO 639 code."""
        return self.locale.partition("-")[0]

    @property
    def country(self) -> str:
        """ISO 3166 code; that of the language's biggest market where the locale names none."""
        return self.locale.partition("-")[2] or COUNTRY_OF.get(self.language, "US")

    @property
    def pages(self) -> int:
        """Pages of ten results."""
        return -(-self.depth // PAGE)


@dataclass(frozen=True, kw_only=True, slots=True)
class SerpPage:
    """What one answer of a provider shows.

    Attributes:
        urls: Addresses of the organic results, best first.
        features: What else is on it.
        more: Whether there may be results after these.
    """

    urls: tuple[str, ...] = ()
    features: frozenset[Feature] = frozenset()
    more: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Serp:
    """The organic results of one provider, page after page, down to the depth that was asked for."""

    urls: tuple[str, ...] = ()
    features: frozenset[Feature] = frozenset()
    ended: bool = False

    def extended(self, page: SerpPage, depth: int) -> Serp:
        """Return the results with one more page of them.

        Pages may overlap, because results move while they are turned: what was shown before is not counted again.
        """
        known = set(self.urls)
        fresh = [url for url in dict.fromkeys(page.urls) if url not in known]
        return Serp(
            urls=(*self.urls, *fresh)[:depth],
            features=self.features | page.features,
            ended=self.ended or not page.more or not fresh,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What a result page says about a site; positions count organic results only, from 1.

    Attributes:
        position: Rank of the best own page; None if none was found.
        url: That page.
        depth: How far down was looked.
        own_pages: Own pages, the best first.
        target_position: Rank of the page that targets the keyword.
        competitors: One entry for each competitor.
        features: What else the page shows, sorted.
    """

    position: int | None
    url: str | None
    depth: int
    own_pages: tuple[OwnPage, ...] = ()
    target_position: int | None = None
    competitors: tuple[CompetitorRanking, ...] = ()
    features: tuple[str, ...] = field(default=())


def findings(serp: Serp, site: Site, depth: int, target_url: str | None = None) -> Findings:
    """Return what results say about a site.

    A result is the site's own by its host; which page ranks is told by its address, and the page that targets the
    keyword by host and path: another page of the site is not it.

    Args:
        serp: The results.
        site: Own hosts and competitors.
        depth: Results asked for; that deep was looked also where there were no more.
        target_url: The page that targets the keyword.
    """
    own: list[OwnPage] = []
    rivals: dict[str, int] = {}
    target: int | None = None
    for position, url in enumerate(serp.urls, 1):
        if site.owns(url):
            own.append(OwnPage(position=position, url=url[:LONGEST_URL]))
            if target is None and target_url is not None and same_page(url, target_url):
                target = position
        elif (rival := site.competitor_of(url)) is not None:
            rivals.setdefault(rival, position)
    return Findings(
        position=own[0].position if own else None,
        url=own[0].url if own else None,
        depth=depth if serp.ended else max(1, len(serp.urls)),
        own_pages=tuple(own[:OWN_PAGES]),
        target_position=target,
        competitors=tuple(CompetitorRanking(competitor=each, position=rivals.get(each)) for each in site.competitors),
        features=tuple(sorted(serp.features)),
    )


def is_enough(serp: Serp, site: Site) -> bool:
    """Tell whether further pages can say nothing new: the site and every competitor are found."""
    return _found(serp.urls, site) >= 1 + len(site.competitors)


def _found(urls: Iterable[str], site: Site) -> int:
    seen = {"" if site.owns(url) else site.competitor_of(url) for url in urls}
    return len(seen - {None})


def unique(urls: Sequence[object]) -> tuple[str, ...]:
    """Return what is an address among the values of an answer, in order."""
    return tuple(url for url in urls if isinstance(url, str) and url.startswith(("http://", "https://")))

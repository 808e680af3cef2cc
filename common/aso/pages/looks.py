"""A page as the checks look at it: read once, its texts searched for the keyword once."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from common.aso.addresses import page_key
from common.aso.pages.page import Link, Page
from common.aso.pages.readability import measured
from common.aso.pages.score_models import Readability
from common.aso.pages.words import Haystack, words_of
from common.hosts import registrable_host

FIRST_WORDS = 100


@dataclass(frozen=True)
class Look:
    """What is looked at.

    Attributes:
        page: The page.
        keyword: What it is meant to be found for.
        secondary: What else.
        url: Where it is; None where that is not known.
        locale: Language that the caller names.
        is_text: Whether the page is plain text, of which only words can be checked.
        robots_header: What the server's ``X-Robots-Tag`` says.
    """

    page: Page
    keyword: str
    secondary: Sequence[str] = ()
    url: str | None = None
    locale: str | None = None
    is_text: bool = False
    robots_header: str = ""

    @functools.cached_property
    def body(self) -> Haystack:
        """The text without boilerplate, headings included."""
        return Haystack("\n".join([*(text for _, text in self.page.headings), *self.page.blocks]))

    @functools.cached_property
    def word_count(self) -> int:
        """Words of the text without boilerplate, headings included."""
        texts = [*(text for _, text in self.page.headings), *self.page.blocks]
        return sum(len(words_of(text)) for text in texts)

    @functools.cached_property
    def opening(self) -> Haystack:
        """The first words of the text below the headings."""
        words, room = list[str](), FIRST_WORDS
        for block in self.page.blocks:
            taken = words_of(block)[:room]
            words += taken
            room -= len(taken)
            if not room:
                break
        return Haystack(" ".join(words))

    @functools.cached_property
    def readability(self) -> Readability:
        """How hard it is to read."""
        return measured(self.page.blocks, given=self.locale, page=self.page.language)

    @functools.cached_property
    def description(self) -> str | None:
        """The meta description."""
        return next(iter(self.page.meta.get("description", [])), None)

    @functools.cached_property
    def own_links(self) -> tuple[list[Link], list[Link]]:
        """Links to the page's own site, and to others; links within the page and to no page are neither."""
        internal, external = list[Link](), list[Link]()
        own, here = registrable_host(self.url or ""), page_key(self.url or "")
        for link in self.page.links:
            target = self.page.resolved(self.url, link.href)
            if not target or link.href.startswith("#"):
                continue
            scheme = urlsplit_scheme(target)
            if scheme not in {"", "http", "https"} or (here is not None and page_key(target) == here):
                continue
            is_internal = scheme == "" or (own is not None and registrable_host(target) == own)
            (internal if is_internal else external).append(link)
        return internal, external

    @functools.cached_property
    def path(self) -> str | None:
        """Path and query of the address as words."""
        if self.url is None:
            return None
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return None
        return f"{unquote(parts.path)} {unquote(parts.query)}"

    @functools.cached_property
    def robots(self) -> set[str]:
        """Directives for all robots, of the page and of its server."""
        told = [*self.page.meta.get("robots", []), *self.page.meta.get("googlebot", []), self.robots_header]
        found = {part.strip().lower() for text in told for part in text.split(",")}
        return found | ({"noindex", "nofollow"} if "none" in found else set())


def urlsplit_scheme(address: str) -> str:
    """Return the scheme of an address in lower case; what cannot be taken apart has one that no page has."""
    try:
        return urlsplit(address).scheme.lower()
    except ValueError:
        return "invalid"

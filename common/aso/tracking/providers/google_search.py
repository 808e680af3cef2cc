"""Google's Programmable Search: ``GET /customsearch/v1`` (https://developers.google.com/custom-search/v1/reference).

The key is ``<API key>:<engine id>``. Ten results a call, down to 100 in all. It searches the whole web only where the
engine is set up so, shows no device's page and no features, and its order is not exactly that of google.com: it is the
cheap last link of a chain, not a substitute for a look at the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from common.aso.tracking.deployment import Name
from common.aso.tracking.providers.port import ProviderError, Request, no_page, of_status, rows_of
from common.aso.tracking.serp import PAGE, SerpPage, SerpQuery, unique

DEEPEST = 100
QUOTA = frozenset({"dailyLimitExceeded", "quotaExceeded", "rateLimitExceeded", "userRateLimitExceeded"})
BAD_KEY = frozenset({"keyInvalid", "keyExpired", "accessNotConfigured", "API_KEY_INVALID", "SERVICE_DISABLED"})


class GoogleSearch:
    """The adapter."""

    name: Name = "google_search"
    at_once = False

    def supports(self, query: SerpQuery) -> bool:
        """Desktop only, down to 100."""
        return query.device == "desktop" and query.depth <= DEEPEST

    def request(self, base: str, key: str, query: SerpQuery, start: int) -> Request:
        """See ``Adapter``."""
        api_key, _, engine = key.partition(":")
        if not api_key or not engine:
            raise ProviderError(self.name, "credential", "key_malformed")
        parameters = {
            "key": api_key,
            "cx": engine,
            "q": query.keyword,
            "num": PAGE,
            "start": start + 1,
            "hl": query.language,
            "gl": query.country.lower(),
        }
        return Request(url=f"{base}/customsearch/v1?{urlencode(parameters)}")

    def page(self, status: int, answer: Any) -> SerpPage:
        """See ``Adapter``."""
        reasons = _reasons(answer)
        if reasons & QUOTA:
            raise ProviderError(self.name, "quota", "quota_exceeded")
        if reasons & BAD_KEY:
            raise ProviderError(self.name, "credential", "key_refused")
        failure = of_status(self.name, status)
        if failure is not None:
            raise failure
        if not isinstance(answer, Mapping) or not isinstance(answer.get("searchInformation"), Mapping):
            raise no_page(self.name)
        results = rows_of(answer, "items")
        following = answer.get("queries")
        more = isinstance(following, Mapping) and bool(following.get("nextPage"))
        if not results and str(answer["searchInformation"].get("totalResults", "")) not in {"0", ""} and more:
            raise no_page(self.name)
        return SerpPage(urls=unique([result.get("link") for result in results]), more=bool(results) and more)


def _reasons(answer: Any) -> set[str]:
    error = answer.get("error") if isinstance(answer, Mapping) else None
    if not isinstance(error, Mapping):
        return set()
    return {str(each.get("reason")) for name in ("errors", "details") for each in rows_of(error, name)}

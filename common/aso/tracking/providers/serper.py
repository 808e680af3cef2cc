"""Serper: ``POST /search`` with the key in a header (https://serper.dev).

Ten results a page, turned by ``page``. It shows the page as a desktop gets it, and only that. ``organic`` is there also
where it is empty. Used-up credits are a 400 that says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from common.aso.tracking.deployment import Name
from common.aso.tracking.providers.port import ProviderError, Request, no_page, of_status, rows_of
from common.aso.tracking.serp import PAGE, Feature, SerpPage, SerpQuery, unique

FEATURES: Mapping[str, Feature] = {
    "ads": "ads",
    "aiOverview": "ai_overview",
    "answerBox": "featured_snippet",
    "images": "images",
    "knowledgeGraph": "knowledge_panel",
    "peopleAlsoAsk": "people_also_ask",
    "places": "local_pack",
    "shopping": "shopping",
    "topStories": "top_stories",
    "videos": "videos",
}


class Serper:
    """The adapter."""

    name: Name = "serper"
    at_once = False

    def supports(self, query: SerpQuery) -> bool:
        """Desktop only."""
        return query.device == "desktop"

    def request(self, base: str, key: str, query: SerpQuery, start: int) -> Request:
        """See ``Adapter``."""
        body = {
            "q": query.keyword,
            "gl": query.country.lower(),
            "hl": query.language,
            "num": PAGE,
            "page": start // PAGE + 1,
        }
        headers = {"X-API-KEY": key, "Content-Type": "application/json"}
        return Request(url=f"{base}/search", headers=headers, content=json.dumps(body).encode())

    def page(self, status: int, answer: Any) -> SerpPage:
        """See ``Adapter``."""
        said = str(answer.get("message", "")) if isinstance(answer, Mapping) else ""
        if status == 400 and "credits" in said.lower():
            raise ProviderError(self.name, "quota", "no_credits")
        failure = of_status(self.name, status)
        if failure is not None:
            raise failure
        if not isinstance(answer, Mapping) or not isinstance(answer.get("organic"), list):
            raise no_page(self.name)
        results = rows_of(answer, "organic")
        features = {feature for name, feature in FEATURES.items() if answer.get(name)}
        if any(result.get("sitelinks") for result in results):
            features.add("sitelinks")
        return SerpPage(
            urls=unique([result.get("link") for result in results]), features=frozenset(features), more=bool(results)
        )

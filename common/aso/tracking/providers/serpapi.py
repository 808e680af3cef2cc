"""SerpApi: ``GET /search.json`` with the key in the query (https://serpapi.com/search-api).

Ten results a page, turned by ``start``. An empty result is said in words (``error``) or by
``search_information.organic_results_state``. Running out of searches and going too fast are both 429.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from common.aso.tracking.deployment import Name
from common.aso.tracking.providers.port import Request, no_page, of_status, rows_of
from common.aso.tracking.serp import PAGE, Feature, SerpPage, SerpQuery, unique

FEATURES: Mapping[str, Feature] = {
    "ads": "ads",
    "ai_overview": "ai_overview",
    "answer_box": "featured_snippet",
    "discussions_and_forums": "discussions",
    "immersive_products": "shopping",
    "inline_images": "images",
    "inline_shopping": "shopping",
    "inline_videos": "videos",
    "jobs_results": "jobs",
    "knowledge_graph": "knowledge_panel",
    "local_results": "local_pack",
    "related_questions": "people_also_ask",
    "shopping_results": "shopping",
    "top_stories": "top_stories",
}
NO_RESULTS = "hasn't returned any results"


class SerpApi:
    """The adapter."""

    name: Name = "serpapi"
    at_once = False

    def supports(self, query: SerpQuery) -> bool:
        """Any device and locale."""
        del query
        return True

    def request(self, base: str, key: str, query: SerpQuery, start: int) -> Request:
        """See ``Adapter``."""
        parameters = {
            "engine": "google",
            "q": query.keyword,
            "hl": query.language,
            "gl": query.country.lower(),
            "device": query.device,
            "start": start,
            "num": PAGE,
            "api_key": key,
        }
        return Request(url=f"{base}/search.json?{urlencode(parameters)}")

    def page(self, status: int, answer: Any) -> SerpPage:
        """See ``Adapter``."""
        said = answer.get("error") if isinstance(answer, Mapping) else None
        if isinstance(said, str) and NO_RESULTS in said:
            return SerpPage(more=False)
        failure = of_status(self.name, status)
        if failure is not None:
            raise failure
        if not isinstance(answer, Mapping) or said is not None:
            raise no_page(self.name)
        results = rows_of(answer, "organic_results")
        information = answer.get("search_information")
        state = str(information.get("organic_results_state", "")) if isinstance(information, Mapping) else ""
        if not results and "empty" not in state.lower():
            raise no_page(self.name)
        features = {feature for name, feature in FEATURES.items() if answer.get(name)}
        if any(result.get("sitelinks") for result in results):
            features.add("sitelinks")
        return SerpPage(
            urls=unique([result.get("link") for result in results]),
            features=frozenset(features),
            more=bool(results) and bool(_next(answer)),
        )


def _next(answer: Mapping[str, Any]) -> bool:
    pagination = answer.get("serpapi_pagination") or answer.get("pagination")
    return bool(pagination.get("next")) if isinstance(pagination, Mapping) else False

"""DataForSEO: ``POST /v3/serp/google/organic/live/advanced`` (https://docs.dataforseo.com/v3/serp/google/organic).

The key is ``<login>:<password>``. One call brings all results down to the depth; every ten of them are paid for.
Success is told by ``status_code`` of the answer and of its task (20000), and a search without results by 40102.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from common.aso.tracking.deployment import Name
from common.aso.tracking.providers.port import ProviderError, Request, no_page, of_status, rows_of
from common.aso.tracking.serp import Feature, SerpPage, SerpQuery, unique

OK = 20000
NO_RESULTS = 40102
QUOTA = frozenset({40200, 40202, 40203, 40204, 40209, 40210})
"""Payment required, limits of rate, of cost and of access, insufficient funds."""

FEATURES: Mapping[str, Feature] = {
    "ai_overview": "ai_overview",
    "answer_box": "featured_snippet",
    "discussions_and_forums": "discussions",
    "featured_snippet": "featured_snippet",
    "images": "images",
    "jobs": "jobs",
    "knowledge_graph": "knowledge_panel",
    "local_pack": "local_pack",
    "map": "local_pack",
    "paid": "ads",
    "people_also_ask": "people_also_ask",
    "popular_products": "shopping",
    "shopping": "shopping",
    "top_stories": "top_stories",
    "video": "videos",
}

_NUMERIC = (
    "AE784 AR32 AT40 AU36 BE56 BG100 BR76 CA124 CH756 CL152 CO170 CZ203 DE276 DK208 EE233 EG818 ES724 "
    "FI246 FR250 GB826 GR300 HK344 HR191 HU348 ID360 IE372 IL376 IN356 IT380 JP392 KE404 KR410 LT440 "
    "LU442 LV428 MX484 MY458 NG566 NL528 NO578 NZ554 PE604 PH608 PK586 PL616 PT620 RO642 RS688 RU643 "
    "SA682 SE752 SG702 SI705 SK703 TH764 TR792 TW158 UA804 US840 VN704 ZA710 "
)
COUNTRIES = {pair[:2]: int(pair[2:]) for pair in _NUMERIC.split()}
"""Numeric codes of ISO 3166; a location code of Google's is 2000 and that."""


class DataForSeo:
    """The adapter."""

    name: Name = "dataforseo"
    at_once = True

    def supports(self, query: SerpQuery) -> bool:
        """Desktop and mobile, in the countries above."""
        return query.device in {"desktop", "mobile"} and query.country in COUNTRIES

    def request(self, base: str, key: str, query: SerpQuery, start: int) -> Request:
        """See ``Adapter``."""
        del start
        if ":" not in key:
            raise ProviderError(self.name, "credential", "key_malformed")
        body = [
            {
                "keyword": query.keyword,
                "language_code": query.language,
                "location_code": 2000 + COUNTRIES[query.country],
                "device": query.device,
                "depth": query.depth,
            }
        ]
        credential = base64.b64encode(key.encode()).decode()
        headers = {"Authorization": f"Basic {credential}", "Content-Type": "application/json"}
        url = f"{base}/v3/serp/google/organic/live/advanced"
        return Request(url=url, headers=headers, content=json.dumps(body).encode())

    def page(self, status: int, answer: Any) -> SerpPage:
        """See ``Adapter``."""
        code = answer.get("status_code") if isinstance(answer, Mapping) else None
        tasks = rows_of(answer, "tasks")
        if code == OK and tasks:
            code = tasks[0].get("status_code")
        if code == NO_RESULTS:
            return SerpPage(more=False)
        if isinstance(code, int) and code != OK:
            raise self._failure(code)
        failure = of_status(self.name, status)
        if failure is not None:
            raise failure
        results = rows_of(tasks[0], "result") if tasks else []
        if code != OK or not results:
            raise no_page(self.name)
        items = rows_of(results[0], "items")
        organic = [item for item in items if item.get("type") == "organic"]
        if not organic and results[0].get("items_count") != 0:
            raise no_page(self.name)
        features = {FEATURES[kind] for item in items if (kind := str(item.get("type"))) in FEATURES}
        if any(item.get("links") for item in organic):
            features.add("sitelinks")
        return SerpPage(urls=unique([item.get("url") for item in organic]), features=frozenset(features), more=False)

    def _failure(self, code: int) -> ProviderError:
        if code in QUOTA:
            return ProviderError(self.name, "quota", f"status_{code}")
        if 40100 <= code < 40200 or code in {40300, 40301}:
            return ProviderError(self.name, "credential", f"status_{code}")
        if code >= 50000 or code in {40401, 40601, 40602}:
            return ProviderError(self.name, "transient", f"status_{code}")
        return ProviderError(self.name, "rejected", f"status_{code}")

"""The Search Console API's one method we call: ``searchanalytics.query``, with its paging and its ways to say no.

https://developers.google.com/webmaster-tools/v1/searchanalytics/query and
https://developers.google.com/webmaster-tools/limits as of November 2026: at most 25,000 rows a page; days are Pacific;
final data is two to three days behind and kept for 16 months; 1,200 queries a minute for a site and for a user, and a
load quota over ten minutes and a day that long ranges and many splits use up faster.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from common import fetch
from common.aso.performance.models import SearchType
from common.aso.search_console_api.authorization import DEPENDENCY, Authorization
from common.calls import retrying
from common.context import Context
from common.errors import Forbidden, Unavailable, Unprocessable, XynergyError

PAGE_ROWS = 25_000
PACIFIC = ZoneInfo("America/Los_Angeles")
HISTORY_DAYS = 486
"""Days that Search Console answers for: 16 months, without the two that are not final."""
LIMITS = fetch.Limits(max_bytes=32_000_000, seconds=60.0, redirects=0)
"""A page of 25,000 rows has some 6 MB."""
RATE_PAUSE = 60.0
LOAD_PAUSE = 900.0
"""Seconds until a window of the quota has passed: a minute of queries, ten minutes of load and some more."""
LONGEST_PAUSE = 26 * 3600.0
RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
LOAD_REASONS = frozenset({"quotaExceeded"})
DAY_REASONS = frozenset({"dailyLimitExceeded"})


class QuotaExceeded(XynergyError):
    """The API asks to come back later; nothing is wrong.

    Attributes:
        reason: The API's word, such as ``quotaExceeded``.
        retry_after: Seconds after which it makes sense.
    """

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(f"Search Console's quota is used up ({reason})")
        self.reason = reason
        self.retry_after = min(max(1.0, retry_after), LONGEST_PAUSE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One call.

    Attributes:
        site: The property.
        first: First day, Pacific.
        last: Last day.
        dimensions: What rows are split by, in the order of their keys.
        search_type: Which results.
        start_row: Rows to leave out.
    """

    site: str
    first: date
    last: date
    dimensions: Sequence[str]
    search_type: SearchType = "web"
    start_row: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiRow:
    """One row of an answer: its keys in the order of the question's dimensions, and its figures."""

    keys: tuple[str, ...]
    clicks: int
    impressions: int
    position: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchConsole:
    """The API as somebody.

    Attributes:
        context: Circumstances; the deadline bounds every call.
        authorization: Says who calls.
        admit: Called before each call, repeated ones too; raises where no more may be made.
    """

    context: Context
    authorization: Authorization
    admit: Callable[[], None]

    def page(self, question: Question) -> list[ApiRow]:
        """Return one page; fewer than ``PAGE_ROWS`` rows are the last one.

        Raises:
            QuotaExceeded: Come back later.
            Forbidden: ``not_verified``: the property is not there, or not for this account.
            Unprocessable: ``search_console_refused``: the API does not understand the question.
            Unavailable: It does not answer, or broke off: nothing of the page is known.
        """
        return retrying(self.context, DEPENDENCY, lambda: self._page(question))

    def _page(self, question: Question) -> list[ApiRow]:
        self.admit()
        base = self.context.clients.settings.search_console_url.rstrip("/")
        url = f"{base}/webmasters/v3/sites/{quote(question.site, safe='')}/searchAnalytics/query"
        headers = {"content-type": "application/json", "accept": "application/json", **self.authorization.headers()}
        content = json.dumps(_body(question)).encode()
        try:
            answer = fetch.post(self.context, url, content, limits=LIMITS, headers=headers)
        except fetch.FetchFailed as error:
            if error.transient:
                raise Unavailable(DEPENDENCY, f"Search Console did not answer ({error.code})") from error
            raise
        if answer.status != 200:
            raise _problem(answer, question.site)
        return _rows(answer.body, len(question.dimensions))


def _body(question: Question) -> dict[str, Any]:
    return {
        "startDate": question.first.isoformat(),
        "endDate": question.last.isoformat(),
        "dimensions": list(question.dimensions),
        "type": question.search_type,
        "rowLimit": PAGE_ROWS,
        "startRow": question.start_row,
        "dataState": "final",
    }


def _rows(body: bytes, width: int) -> list[ApiRow]:
    """Read an answer; half of one is none."""
    try:
        return [_row(row, width) for row in json.loads(body).get("rows", [])]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unavailable(DEPENDENCY, "Search Console's answer cannot be read") from error


def _row(row: Mapping[str, Any], width: int) -> ApiRow:
    keys = tuple(map(str, row.get("keys", ())))
    if len(keys) != width:
        raise ValueError(f"{len(keys)} keys instead of {width}")
    return ApiRow(
        keys=keys,
        clicks=round(row["clicks"]),
        impressions=round(row["impressions"]),
        position=float(row["position"]),
    )


def _problem(answer: fetch.Fetched, site: str) -> Exception:
    reason, message = _told(answer.body)
    retry_after = _retry_after(answer)
    if reason in DAY_REASONS:
        return QuotaExceeded(reason, retry_after or _until_midnight())
    if answer.status == 429 or reason in RATE_REASONS | LOAD_REASONS:
        pause = LOAD_PAUSE if reason in LOAD_REASONS else RATE_PAUSE
        return QuotaExceeded(reason or "rateLimitExceeded", retry_after or pause)
    if answer.status >= 500 or answer.status == 408:
        return Unavailable(DEPENDENCY, f"Search Console answers {answer.status}")
    if answer.status == 401:
        return Unavailable(DEPENDENCY, "Search Console does not take the token", retry_after=60)
    if answer.status in {403, 404}:
        detail = f"{site} is no property that this platform may read: add its service account as a user of the property"
        return Forbidden("not_verified", f"{detail} in Search Console. It says: {message}")
    return Unprocessable("search_console_refused", f"Search Console refuses the question: {message}")


def _told(body: bytes) -> tuple[str, str]:
    """Return reason and message of an error, empty where it is told in another form."""
    try:
        error = json.loads(body)["error"]
        return str(error["errors"][0]["reason"]), str(error["message"])[:300]
    except (ValueError, TypeError, KeyError, IndexError):
        return "", "no reason"


def _retry_after(answer: fetch.Fetched) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _until_midnight() -> float:
    now = datetime.now(PACIFIC)
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), PACIFIC)
    return (midnight - now).total_seconds() + 60


def today() -> date:
    """Return the API's day."""
    return datetime.now(PACIFIC).date()

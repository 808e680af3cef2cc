"""The query for decaying pages against the rules in Python."""

from __future__ import annotations

from datetime import date, timedelta

from common.aso.detectors.decay_query import decaying
from common.context import Context
from tests.common.aso.detectors.conftest import Recorder, fact

TODAY = date(2026, 11, 20)
NEWEST = TODAY - timedelta(days=2)


def days_of(page: str, weeks: list[float | None], **fields: object):
    last = len(weeks) - 1
    for week, visits in enumerate(weeks):
        if visits is None:
            continue
        for day in range(7):
            moment = NEWEST - timedelta(days=7 * (last - week) + day)
            yield fact(moment, page=page, clicks=round(visits / 7), impressions=round(visits) + 10, **fields)


def test_it_runs(tenant: Context, recorded: Recorder) -> None:
    recorded(
        list(days_of("https://example.com/a", [70 * 0.9**w for w in range(16)]))
        + list(days_of("https://example.com/b", [70] * 16))
    )
    found = decaying(tenant, TODAY, 10)
    assert [page.page_key for page in found.pages] == ["https://example.com/a"]

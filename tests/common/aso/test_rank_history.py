"""History by day, in which gaps are gaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.aso import rank_history, ranks
from common.aso.normalize import keyword_id_of
from common.aso.rank_models import HistoryQuery, RankHistory
from common.context import Context
from common.errors import NotFound, Unprocessable
from tests.common.security import context_of

TODAY = datetime.now(UTC).date()


def day(days_ago: int) -> str:
    return (TODAY - timedelta(days=days_ago)).isoformat()


def history(context: Context, keyword: str = "scan", **query: Any) -> RankHistory:
    return rank_history.read(context, keyword_id_of(context.tenant_id, keyword), HistoryQuery.model_validate(query))


def record(context: Context, *rows: dict[str, Any]) -> None:
    results = ranks.record(context, [{"keyword": "scan", **row} for row in rows], create_missing=True)
    assert results.created == len(rows), results


def test_every_day_is_a_rank_or_a_gap_with_its_reason(context: Context) -> None:
    record(
        context,
        {"date": day(5), "state": "ranked", "position": 12.5, "url": "https://example.com/"},
        {"date": day(4), "state": "check_failed"},
        {"date": day(3), "state": "not_found", "depth": 100},
        {"date": day(1), "state": "ranked", "position": 3},
        {"date": day(1), "state": "check_failed", "source": "other"},
        {"date": day(9), "state": "ranked", "position": 1},
    )
    found = history(context, **{"from": day(5), "to": day(0)})
    assert [entry.date for entry in found.days] == [day(ago) for ago in (5, 4, 3, 2, 1, 0)]
    assert [entry.position for entry in found.days] == [12.5, None, None, None, 3, None]
    assert [entry.gap for entry in found.days] == [None, "check_failed", "not_found", "none", None, "none"]
    assert [entry.depth for entry in found.days] == [None, None, 100, None, None, None]
    assert [entry.checks for entry in found.days] == [1, 1, 1, 0, 2, 0]
    assert found.days[0].url == "https://example.com/"


def test_device_and_locale_narrow(context: Context) -> None:
    record(
        context,
        {"date": day(1), "state": "ranked", "position": 3, "device": "desktop", "locale": "en-US"},
        {"date": day(1), "state": "ranked", "position": 9, "device": "mobile", "locale": "en-US"},
        {"date": day(1), "state": "ranked", "position": 20, "device": "mobile", "locale": "de"},
    )
    since = {"from": day(1), "to": day(1)}
    assert history(context, **since).days[0].position == 3
    assert history(context, **since, device="mobile").days[0].position == 9
    assert history(context, **since, device="mobile", locale="de").days[0].position == 20
    assert history(context, **since, locale="fr").days[0].gap == "none"


def test_the_usual_range_is_ninety_days_to_today(context: Context) -> None:
    record(context, {"date": day(0), "state": "ranked", "position": 3})
    found = history(context)
    assert (found.from_, found.to, len(found.days)) == (day(89), day(0), 90)
    assert found.days[-1].position == 3
    assert len(history(context, to=day(400)).days) == 90


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"from": day(0), "to": day(1)}, "invalid_range"),
        ({"from": day(400)}, "range_too_long"),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "range_too_long"),
    ],
)
def test_ranges_are_bounded(context: Context, query: dict[str, str], code: str) -> None:
    record(context, {"date": day(0), "state": "ranked", "position": 3})
    with pytest.raises(Unprocessable) as refusal:
        history(context, **query)
    assert refusal.value.code == code
    assert len(history(context, **{"from": day(399)}).days) == 400


def test_extreme_days_are_answered(context: Context) -> None:
    record(context, {"date": day(0), "state": "ranked", "position": 3})
    assert [entry.date for entry in history(context, to="0001-01-02").days] == ["0001-01-01", "0001-01-02"]
    assert len(history(context, **{"from": "9999-12-31", "to": "9999-12-31"}).days) == 1


def test_too_many_checks_are_refused_not_cut(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_history, "MOST", 2)
    record(context, *({"date": day(ago), "state": "ranked", "position": 3} for ago in range(3)))
    with pytest.raises(Unprocessable) as refusal:
        history(context)
    assert refusal.value.code == "range_too_long"
    assert history(context, **{"from": day(1)}).days[0].position == 3


def test_strangers_see_nothing(context: Context) -> None:
    record(context, {"date": day(0), "state": "ranked", "position": 3})
    keyword_id = keyword_id_of(context.tenant_id, "scan")
    with pytest.raises(NotFound):
        rank_history.read(context_of(context.clients, "stranger"), keyword_id, HistoryQuery())

"""Recording observations: per-row answers, conflicts, and ranks that do not depend on the order of arrival."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.answers import RowResults
from common.aso import keywords, ranks
from common.aso.entities import KEYWORDS, RANK_OBSERVATIONS
from common.aso.models import Keyword, RankObservation
from common.aso.normalize import keyword_id_of
from common.context import Context
from common.store import Repository
from tests.common.security import context_of

NOW = datetime.now(UTC).replace(microsecond=0)


def row(hours_ago: float = 1, position: float | None = 5, keyword: str = "scan", **more: Any) -> dict[str, Any]:
    state = {"state": "ranked", "position": position} if position is not None else {"state": "check_failed"}
    return {"keyword": keyword, "checked_at": NOW - timedelta(hours=hours_ago), **state, **more}


def recorded(context: Context, *rows: dict[str, Any]) -> RowResults[RankObservation]:
    return ranks.record(context, rows, create_missing=True)


def outcomes(results: RowResults[RankObservation]) -> list[str]:
    return [row.outcome if row.problem is None else row.problem.code for row in results.rows]


def keyword(context: Context, text: str = "scan") -> Keyword:
    return keywords.get(context, keyword_id_of(context.tenant_id, text)).value


def test_rows_are_judged_and_answered_one_by_one(context: Context) -> None:
    today = NOW.date().isoformat()
    keywords.upsert(context, [{"keyword": "scan"}])
    known = keyword_id_of(context.tenant_id, "scan")
    wrong_states = [
        {"keyword": "scan", "date": today, "state": "ranked"},
        {"keyword": "scan", "date": today, "state": "ranked", "position": 3, "depth": 100},
        {"keyword": "scan", "date": today, "state": "not_found"},
        {"keyword": "scan", "date": today, "state": "not_found", "position": 101, "depth": 100},
        {"keyword": "scan", "date": today, "state": "check_failed", "position": 1},
        {"keyword": "scan", "date": today, "state": "check_failed", "depth": 100},
    ]
    assert outcomes(ranks.record(context, wrong_states)) == ["invalid_state"] * 6
    others: list[tuple[Any, str]] = [
        ({"keyword": "scan", "date": today, "state": "ranked", "position": 0}, "greater_than_equal"),
        ({"keyword": "scan", "state": "ranked", "position": 3}, "time_required"),
        ({"date": today, "state": "ranked", "position": 3}, "keyword_required"),
        (row(-1), "future_check"),
        (row(24 * 365 * 5), "check_too_old"),
        (row(24 * 10, date=today), "date_mismatch"),
        (row(keyword="nobody follows this"), "keyword_not_found"),
        (row(keyword="other", keyword_id=known), "keyword_mismatch"),
        (row(locale="english"), "string_pattern_mismatch"),
        (row(source="With Space"), "string_pattern_mismatch"),
        (row(date="2026-02-30"), "invalid_value"),
        (None, "model_type"),
    ]
    results = ranks.record(context, [each for each, _ in others])
    assert outcomes(results) == [code for _, code in others]
    assert results.rows[6].status == 404
    assert Repository(RANK_OBSERVATIONS, context).count() == 0
    fine = ranks.record(context, [row(), {**row(2), "keyword": None, "keyword_id": known}])
    assert outcomes(fine) == ["created", "created"]


def test_told_again_nothing_changes_told_otherwise_it_is_refused(context: Context) -> None:
    first = recorded(context, row(position=5), row(position=5))
    assert outcomes(first) == ["created", "unchanged"]
    before = keywords.get(context, keyword_id_of(context.tenant_id, "scan"))
    again = recorded(context, row(position=5), row(position=6), row(position=5, url="https://example.com/"))
    assert outcomes(again) == ["unchanged", "observation_conflict", "observation_conflict"]
    assert [each.status for each in again.rows] == [200, 409, 409]
    assert keywords.get(context, before.value.keyword_id) == before
    other_device = recorded(context, row(position=6, device="mobile"), row(position=6, source="other"))
    assert outcomes(other_device) == ["created", "created"]


def test_a_failed_check_may_turn_out_well_and_never_the_other_way(context: Context) -> None:
    assert outcomes(recorded(context, row(position=None))) == ["created"]
    failed = keyword(context)
    assert (failed.current_ranking, failed.last_checked) == (None, None)
    assert failed.last_failed_check == NOW - timedelta(hours=1)
    assert outcomes(recorded(context, row(position=4))) == ["updated"]
    assert outcomes(recorded(context, row(position=None))) == ["unchanged"]
    [stored] = Repository(RANK_OBSERVATIONS, context).select()
    assert (stored.value.state, stored.value.position) == ("ranked", 4)
    assert keyword(context).current_ranking == 4
    assert outcomes(recorded(context, row(2, None), row(2, 7))) == ["created", "updated"]


def test_day_and_moment_follow_from_each_other(context: Context) -> None:
    day = (NOW - timedelta(days=2)).date().isoformat()
    moment = NOW - timedelta(days=1)
    results = recorded(
        context,
        {"keyword": "scan", "date": day, "state": "ranked", "position": 5},
        {"keyword": "scan", "checked_at": moment, "state": "ranked", "position": 5},
    )
    first, second = (each.value for each in results.rows)
    assert first is not None
    assert second is not None
    assert first.checked_at.isoformat() == f"{day}T00:00:00+00:00"
    assert second.date == moment.date().isoformat()


def test_unknown_keywords_are_followed_only_when_asked(context: Context) -> None:
    results = ranks.record(context, [row(keyword="QR  Code"), row(keyword_id="nobody")], create_missing=True)
    assert outcomes(results) == ["created", "keyword_not_found"]
    created = keyword(context, "qr code")
    assert (created.keyword, created.current_ranking) == ("QR  Code", 5)
    assert Repository(KEYWORDS, context).count() == 1


def test_another_tenants_keyword_is_not_known(context: Context) -> None:
    recorded(context, row())
    stranger = context_of(context.clients, "stranger")
    asked = {**row(), "keyword": None, "keyword_id": keyword_id_of(context.tenant_id, "scan")}
    assert outcomes(ranks.record(stranger, [asked], create_missing=True)) == ["keyword_not_found"]


def test_an_older_and_a_failed_check_do_not_take_the_rank(context: Context) -> None:
    recorded(context, row(1, 8))
    recorded(context, row(30, 2), row(0.5, None))
    after = keyword(context)
    assert (after.current_ranking, after.best_ranking) == (8, 2)
    assert after.last_checked == NOW - timedelta(hours=1)
    assert after.last_failed_check == NOW - timedelta(minutes=30)


def test_observations_of_another_preference_are_kept_but_do_not_count(context: Context) -> None:
    keywords.upsert(context, [{"keyword": "scan", "device": "mobile"}])
    recorded(context, row(1, 2, device="desktop"), row(2, 9, device="mobile"))
    assert keyword(context).current_ranking == 9
    assert Repository(RANK_OBSERVATIONS, context).count() == 2


def test_five_hundred_rows_at_once(context: Context) -> None:
    rows = [row(1 + number % 50, 1 + number % 90, f"word {number // 50}") for number in range(500)]
    first = recorded(context, *rows)
    assert (first.created, first.refused) == (500, 0)
    assert recorded(context, *reversed(rows)).unchanged == 500
    assert Repository(KEYWORDS, context).count() == 10


CHECKS = st.lists(
    st.tuples(
        st.integers(1, 24 * 40), st.sampled_from([None, 1.4, 3.5, 12.5, 60]), st.sampled_from(["mobile", "desktop"])
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda check: (check[0], check[2]),
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHECKS, st.integers())
def test_the_rank_is_the_same_in_whatever_order_checks_arrive(
    context: Context, checks: list[tuple[int, float | None, str]], seed: int
) -> None:
    rows = [row(hours, position, f"order {seed}", device=device) for hours, position, device in checks]
    shuffled = [*rows, *rows[:3]]
    random.Random(seed).shuffle(shuffled)
    there = context_of(context.clients, f"{context.tenant_id}_b")
    ranks.record(context, rows, create_missing=True)
    for each in shuffled:
        ranks.record(there, [each], create_missing=True)
    one, other = keyword(context, f"order {seed}"), keyword(there, f"order {seed}")
    entries = [[(entry.date, entry.position, entry.checked_at) for entry in each.serp_history] for each in (one, other)]
    assert entries[0] == entries[1]
    names = ("current_ranking", "average_position", "best_ranking", "last_checked", "last_failed_check")
    assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]


def test_writers_at_once_lose_nothing(context: Context) -> None:
    rows = [row(number, 1 + number) for number in range(1, 13)]

    def record(each: dict[str, Any]) -> str:
        return recorded(context, each).rows[0].outcome

    with ThreadPoolExecutor(3) as threads:
        assert set(threads.map(record, rows)) == {"created"}
    after = keyword(context)
    assert (after.current_ranking, after.best_ranking) == (2, 2)
    assert Repository(RANK_OBSERVATIONS, context).count() == 12


@pytest.mark.parametrize("state", ["ranked", "not_found", "check_failed"])
def test_every_state_is_stored_as_it_is(context: Context, state: str) -> None:
    states: dict[str, dict[str, Any]] = {"ranked": {"position": 3.4}, "not_found": {"depth": 100}, "check_failed": {}}
    facts = states[state]
    asked = {"keyword": "scan", "date": NOW.date().isoformat(), "state": state, **facts}
    told = recorded(context, asked).rows[0].value
    [stored] = Repository(RANK_OBSERVATIONS, context).select()
    assert told == stored.value
    assert stored.value.state == state

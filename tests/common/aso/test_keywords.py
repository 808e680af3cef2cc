"""Keywords: batches answered per row, partial updates, rules and what wins over them."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import cache
from common.answers import RowResults
from common.aso import keywords, ranks
from common.aso.entities import KEYWORDS
from common.aso.keyword_models import KeywordQuery, KeywordRow
from common.aso.models import Keyword, KeywordSummary
from common.aso.normalize import keyword_id_of
from common.context import Context
from common.errors import NotFound, PreconditionFailed
from common.render import render
from common.store import Repository
from tests.common.aso.test_content import made
from tests.common.security import context_of

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def upserted(context: Context, **row: Any) -> Keyword:
    [result] = keywords.upsert(context, [{"keyword": "scan", **row}]).rows
    assert result.value is not None, result.problem
    stored = keywords.get(context, result.value.keyword_id).value
    assert stored.model_dump().items() >= result.value.model_dump().items()
    return stored


def outcomes(results: RowResults[KeywordSummary]) -> list[str]:
    return [row.outcome if row.problem is None else row.problem.code for row in results.rows]


def test_rows_are_judged_and_answered_one_by_one(context: Context) -> None:
    piece = made(context)
    results = keywords.upsert(
        context,
        [
            {"keyword": "QR  Code", "search_volume": 90, "content_id": piece.content_id},
            {"keyword": "scan", "difficulty_score": 101},
            {"keyword": "qr code"},
            {"keyword": " \u00a0 "},
            {"keyword": "scan", "surprise": 1},
            {"search_volume": 1},
            "no row",
            {"keyword": "orphan", "content_id": "nobody"},
            {"keyword": "clicks", "observed_clicks": 5, "observed_impressions": 4},
            {"keyword": "scan", "competitor_rankings": [{"competitor": "a.org", "position": 0}]},
            {"keyword": "scan", "as_of": "yesterday"},
            {"keyword": "scan"},
        ],
    )
    assert outcomes(results) == [
        *("created", "less_than_equal", "duplicate_in_batch", "string_too_short", "unknown_field", "required"),
        *("model_type", "content_not_found", "invalid_value", "greater_than_equal", "datetime_from_date_parsing"),
        "created",
    ]
    assert [row.index for row in results.rows] == list(range(12))
    assert [row.status for row in results.rows] == [201, *[422] * 10, 201]
    pointers = [row.problem.pointer for row in results.rows if row.problem is not None]
    assert pointers == [
        *("/rows/1/difficulty_score", "/rows/2/keyword", "/rows/3/keyword", "/rows/4/surprise", "/rows/5/keyword"),
        *("/rows/6", "/rows/7/content_id", "/rows/8", "/rows/9/competitor_rankings/0/position", "/rows/10/as_of"),
    ]
    duplicate = results.rows[2].problem
    assert duplicate is not None
    assert "Row 0" in duplicate.detail
    assert (results.created, results.updated, results.unchanged, results.refused) == (2, 0, 0, 10)
    assert {record.value.keyword for record in Repository(KEYWORDS, context).select()} == {"QR  Code", "scan"}
    answered = json.loads(render(results))["rows"][0]["value"]
    assert (answered["search_volume"], answered["keyword_normalized"]) == (90, "qr code")


def test_five_hundred_rows_are_stored_and_told_again_change_nothing(context: Context) -> None:
    rows = [{"keyword": f"keyword {number}", "search_volume": number} for number in range(500)]
    first = keywords.upsert(context, rows)
    assert (first.created, first.refused) == (500, 0)
    again = keywords.upsert(context, rows)
    assert (again.unchanged, again.created, again.updated) == (500, 0, 0)
    assert [row.value for row in again.rows] == [row.value for row in first.rows]
    rows[321]["search_volume"] = 1
    changed = keywords.upsert(context, rows)
    assert [row.index for row in changed.rows if row.outcome == "updated"] == [321]
    assert Repository(KEYWORDS, context).count() == 500


def test_only_given_fields_change_and_null_clears(context: Context) -> None:
    upserted(context, search_volume=200, difficulty_score=30, target_ranking=3, allintitle_results=20)
    after = upserted(context, difficulty_score=40, target_ranking=None)
    assert (after.search_volume, after.difficulty_score, after.target_ranking) == (200, 40, None)
    assert after.kgr_score == pytest.approx(0.1)
    assert after.kgr_class == "excellent"
    cleared = upserted(context, search_volume=None)
    assert (cleared.search_volume, cleared.kgr_score, cleared.kgr_class) == (None, None, None)
    assert keywords.get(context, after.keyword_id).value == cleared


def test_the_first_spelling_stays(context: Context) -> None:
    first = upserted(context, keyword="QR Code")
    assert upserted(context, keyword="qr  CODE", search_volume=1).keyword == "QR Code"
    assert first.keyword_id == keyword_id_of(context.tenant_id, "qr code")


def test_what_the_user_says_wins_until_it_is_handed_back(context: Context) -> None:
    ruled = upserted(context, keyword="buy scan", search_volume=500, difficulty_score=20)
    assert (ruled.intent, ruled.intent_confidence, ruled.intent_source) == ("transactional", 0.85, "rule")
    assert (ruled.priority, ruled.priority_source) == ("tier1", "rule")
    told = upserted(context, keyword="buy scan", intent="commercial", priority="tier3")
    assert (told.intent, told.intent_confidence, told.intent_source) == ("commercial", 1.0, "user")
    assert (told.priority, told.priority_source) == ("tier3", "user")
    kept = upserted(context, keyword="buy scan", difficulty_score=10)
    assert (kept.intent, kept.priority) == ("commercial", "tier3")
    back = upserted(context, keyword="buy scan", intent=None, priority=None)
    assert (back.intent, back.intent_source, back.priority, back.priority_source) == (
        "transactional",
        "rule",
        "tier1",
        "rule",
    )


def test_the_rules_abstain(context: Context) -> None:
    keyword = upserted(context, keyword="scanner")
    assert (keyword.intent, keyword.intent_confidence, keyword.intent_source) == (None, None, None)


def test_numbers_remember_where_they_come_from(context: Context) -> None:
    first = upserted(context, search_volume=100, difficulty_score=30, source="planner", as_of=NOW)
    assert {name: (each.source, each.as_of) for name, each in first.provenance.items()} == {
        "difficulty_score": ("planner", NOW),
        "search_volume": ("planner", NOW),
    }
    later = NOW + timedelta(days=1)
    second = upserted(context, search_volume=120, source="other", as_of=later)
    assert second.provenance["search_volume"].source == "other"
    assert second.provenance["difficulty_score"].source == "planner"
    same = upserted(context, search_volume=120)
    assert same == second
    confirmed = upserted(context, search_volume=120, as_of=later + timedelta(days=1))
    assert confirmed.provenance["search_volume"].as_of == later + timedelta(days=1)
    assert confirmed.provenance["search_volume"].source == "other"
    assert "search_volume" not in upserted(context, search_volume=None).provenance


def test_clicks_are_held_against_known_impressions(context: Context) -> None:
    upserted(context, observed_impressions=10, observed_days=28)
    results = keywords.upsert(context, [{"keyword": "scan", "observed_clicks": 11}])
    assert outcomes(results) == ["invalid_value"]
    assert upserted(context).observed_clicks is None


def test_another_tenants_piece_cannot_be_targeted(context: Context) -> None:
    piece = made(context_of(context.clients, "piece_owner"))
    assert outcomes(keywords.upsert(context, [{"keyword": "x", "content_id": piece.content_id}])) == [
        "content_not_found"
    ]


def test_a_preference_folds_the_rank_anew(context: Context) -> None:
    upserted(context)
    day = datetime.now(UTC).date().isoformat()
    rows = [
        {"keyword": "scan", "date": day, "device": "desktop", "state": "ranked", "position": 3},
        {"keyword": "scan", "date": day, "device": "mobile", "state": "ranked", "position": 8},
    ]
    assert ranks.record(context, rows).created == 2
    assert upserted(context).best_ranking == 3
    mobile = upserted(context, device="mobile")
    assert (mobile.current_ranking, mobile.best_ranking) == (8, 8)
    assert upserted(context, device="tablet").last_checked is None
    assert upserted(context, device=None).current_ranking == 3


def test_a_deleted_keyword_takes_up_its_ranks_when_it_returns(context: Context) -> None:
    keyword = upserted(context)
    day = datetime.now(UTC).date().isoformat()
    ranks.record(context, [{"keyword": "scan", "date": day, "state": "ranked", "position": 3}])
    keywords.delete(context, keyword.keyword_id)
    with pytest.raises(NotFound):
        keywords.get(context, keyword.keyword_id)
    with pytest.raises(NotFound):
        keywords.delete(context, keyword.keyword_id)
    assert upserted(context).current_ranking == 3


def test_deleting_holds_to_tenant_and_version(context: Context) -> None:
    keyword = upserted(context)
    with pytest.raises(NotFound):
        keywords.delete(context_of(context.clients, "stranger"), keyword.keyword_id)
    with pytest.raises(PreconditionFailed):
        keywords.delete(dataclasses.replace(context, if_match='"1"'), keyword.keyword_id)
    assert keywords.get(context, keyword.keyword_id).value == keyword


def test_requests_at_once_do_not_double_and_do_not_fail(context: Context) -> None:
    def attempt(number: int) -> RowResults[KeywordSummary]:
        rows = [{"keyword": f"word {each}", "search_volume": number} for each in range(20)]
        return keywords.upsert(context, rows)

    with ThreadPoolExecutor(3) as threads:
        results = list(threads.map(attempt, range(3)))
    assert sum(result.created for result in results) == 20
    assert sum(result.refused for result in results) == 0
    assert Repository(KEYWORDS, context).count() == 20


def listed(context: Context, **query: Any) -> tuple[list[str], str]:
    answer = keywords.listed(context, KeywordQuery.model_validate(query))
    return [item["keyword"] for item in json.loads(answer.body)["items"]], answer.state


def test_lists_filter_and_are_cached(context: Context) -> None:
    piece = made(context)
    upserted(context, keyword="buy a", search_volume=500, difficulty_score=10)
    upserted(context, keyword="b", content_id=piece.content_id)
    upserted(context, keyword="c")
    moment = datetime.now(UTC) - timedelta(days=3)
    for word, days in (("b", 1), ("c", 40)):
        check = moment.replace(hour=0) + timedelta(days=1 - days)
        row = {"keyword": word, "checked_at": check, "state": "ranked", "position": 3}
        assert ranks.record(context, [row]).created == 1
    assert listed(context) == (["c", "b", "buy a"], "MISS")
    assert listed(context) == (["c", "b", "buy a"], "HIT")
    assert listed(context, priority="tier1")[0] == ["buy a"]
    assert listed(context, intent="transactional")[0] == ["buy a"]
    assert listed(context, content_id=piece.content_id)[0] == ["b"]
    assert listed(context, days=10)[0] == ["b"]
    assert listed(context, days=90, priority="tier3")[0] == ["b", "c"]


def test_a_full_list_stays_small_enough_to_be_cached(context: Context) -> None:
    upserted(context, competitor_rankings=[{"competitor": f"{number}.org", "position": 1} for number in range(100)])
    [item] = json.loads(keywords.listed(context, KeywordQuery()).body)["items"]
    assert item.keys() == KeywordSummary.model_fields.keys()
    assert 200 * len(json.dumps(item)) < cache.LARGEST


ROWS = st.fixed_dictionaries(
    {"keyword": st.just("scan")},
    optional={
        "search_volume": st.one_of(st.none(), st.integers(0, 1000)),
        "difficulty_score": st.one_of(st.none(), st.floats(0, 100)),
        "allintitle_results": st.one_of(st.none(), st.integers(0, 1000)),
        "intent": st.sampled_from([None, "commercial"]),
        "priority": st.sampled_from([None, "tier2"]),
        "observed_impressions": st.one_of(st.none(), st.integers(0, 1000)),
        "observed_days": st.one_of(st.none(), st.integers(1, 90)),
    },
)


@given(ROWS, ROWS)
def test_a_row_twice_is_a_row_once_and_the_rest_stays(first: dict[str, Any], second: dict[str, Any]) -> None:
    start = keywords.changed_by(keywords.new_keyword("demo", "scan", NOW), KeywordRow.model_validate(first), NOW)
    row = KeywordRow.model_validate(second)
    once = keywords.changed_by(start, row, NOW)
    assert keywords.changed_by(once, row, NOW + timedelta(days=1)) == once
    for name in ("search_volume", "difficulty_score", "allintitle_results", "observed_impressions", "observed_days"):
        assert getattr(once, name) == second.get(name, getattr(start, name))
        assert (name in once.provenance) == (getattr(once, name) is not None)
    assert once == keywords.with_rules(once)

"""Folding two keywords: the numbers left do not depend on the order of mergings, nor on which keyword stays."""

from __future__ import annotations

import functools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from common.aso.keyword_models import KeywordRow
from common.aso.keywords import changed_by, new_keyword
from common.aso.merging.fold import GROUPS, folded_keyword, folded_observation, observation_under
from common.aso.models import Keyword, RankObservation

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MOMENTS = st.integers(0, 3).map(lambda days: NOW - timedelta(days=days))
ROWS = st.fixed_dictionaries(
    {"source": st.sampled_from(["api", "planner"]), "as_of": MOMENTS},
    optional={
        "search_volume": st.sampled_from([0, 100, 2400]),
        "difficulty_score": st.sampled_from([10.0, 60.0]),
        "allintitle_results": st.sampled_from([5, 50]),
        "observed_impressions": st.sampled_from([100, 200]),
        "observed_clicks": st.sampled_from([0, 10]),
        "observed_days": st.sampled_from([7, 28]),
    },
)
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "intent": st.sampled_from(["commercial", "transactional"]),
        "priority": st.sampled_from(["tier1", "tier2"]),
        "target_ranking": st.integers(1, 3),
        "content_id": st.sampled_from(["a", "b"]),
        "competitor_rankings": st.lists(
            st.builds(dict, competitor=st.sampled_from(["x.com", "y.com"]), position=st.integers(1, 9)), max_size=1
        ),
    },
)


def keyword(name: str, *rows: dict[str, Any]) -> Keyword:
    """Return a keyword of which some rows were told, one after the other."""
    found = new_keyword("tenant", name, NOW - timedelta(days=len(name)))
    return functools.reduce(
        lambda each, row: changed_by(each, KeywordRow.model_validate({"keyword": name, **row}), NOW), rows, found
    )


def told(each: Keyword) -> list[Any]:
    """Return the numbers with where they come from."""
    names = [name for group in GROUPS for name in group]
    return [*(getattr(each, name) for name in names), each.provenance, each.created_at, each.kgr_score]


@settings(max_examples=200)
@given(st.lists(ROWS, max_size=2), st.lists(ROWS, max_size=2))
def test_numbers_are_the_same_whichever_keyword_stays(one: list[Any], other: list[Any]) -> None:
    a, b = keyword("a", *one), keyword("bb", *other)
    assert told(folded_keyword(a, b)) == told(folded_keyword(b, a))


@settings(max_examples=200)
@given(st.lists(ROWS, max_size=2), st.lists(ROWS, max_size=2), st.lists(ROWS, max_size=2))
def test_numbers_are_the_same_in_whatever_order_keywords_are_merged(one: Any, other: Any, third: Any) -> None:
    a, b, c = keyword("a", *one), keyword("bb", *other), keyword("ccc", *third)
    assert told(folded_keyword(folded_keyword(a, b), c)) == told(folded_keyword(a, folded_keyword(b, c)))


@settings(max_examples=100)
@given(st.lists(ROWS, max_size=2), CHOICES)
def test_merging_what_is_known_already_changes_nothing(rows: list[Any], choices: dict[str, Any]) -> None:
    a = keyword("a", *rows, choices)
    assert folded_keyword(a, a) == a


@settings(max_examples=100)
@given(st.lists(ROWS, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_two_keywords_know_what_one_would_have_known(rows: list[Any], chance: random.Random) -> None:
    """Rows told in the order of their moments, to one keyword or spread over two, leave the newest of each number."""
    rows = sorted(
        ({**row, "source": "api", "as_of": NOW - timedelta(days=9 - at)} for at, row in enumerate(rows)),
        key=lambda row: row["as_of"],
    )
    alone = ("search_volume", "difficulty_score", "allintitle_results")
    rows = [{name: value for name, value in row.items() if not name.startswith("observed")} for row in rows]
    halves: tuple[list[Any], list[Any]] = ([], [])
    for row in rows:
        chance.choice(halves).append(row)
    one = keyword("a", *rows)
    two = folded_keyword(keyword("a", *halves[0]), keyword("bb", *halves[1]))
    for name in alone:
        assert (getattr(two, name), two.provenance.get(name)) == (getattr(one, name), one.provenance.get(name))


@given(CHOICES, CHOICES)
def test_what_people_chose_stays(one: dict[str, Any], other: dict[str, Any]) -> None:
    a, b = keyword("a", one), keyword("bb", other)
    both = folded_keyword(a, b)
    for name in ("intent", "priority", "target_ranking", "content_id"):
        if name in one or name in other:
            assert getattr(both, name) == one.get(name, other.get(name)), name
    kept = {each["competitor"]: each["position"] for each in other.get("competitor_rankings", [])}
    kept |= {each["competitor"]: each["position"] for each in one.get("competitor_rankings", [])}
    assert {each.competitor: each.position for each in both.competitor_rankings} == kept


def test_observed_numbers_stay_together() -> None:
    older = keyword(
        "a", {"observed_impressions": 900, "observed_clicks": 90, "observed_days": 90, "as_of": NOW - timedelta(days=5)}
    )
    newer = keyword("bb", {"observed_impressions": 10, "observed_clicks": 1, "as_of": NOW})
    both = folded_keyword(older, newer)
    assert (both.observed_impressions, both.observed_clicks, both.observed_days) == (10, 1, None)
    assert set(both.provenance) == {"observed_impressions", "observed_clicks"}


STATES = st.one_of(
    st.just({"state": "check_failed"}),
    st.builds(lambda depth: {"state": "not_found", "depth": depth}, st.sampled_from([10, 100])),
    st.builds(
        lambda position, url: {"state": "ranked", "position": position, "url": url},
        st.sampled_from([1.0, 3.5, 40.0]),
        st.sampled_from([None, "https://example.com/a"]),
    ),
)


def observation(state: dict[str, Any], created: int = 0) -> RankObservation:
    fields = {"observation_id": "o", "tenant_id": "tenant", "keyword_id": "k", "keyword": "k", "date": "2026-11-20"}
    times = {"checked_at": NOW, "created_at": NOW + timedelta(seconds=created)}
    return RankObservation.model_validate({**fields, **times, "source": "tracker", **state})


@given(STATES, STATES, STATES)
def test_observations_of_a_check_fold_in_any_order(one: Any, other: Any, third: Any) -> None:
    a, b, c = observation(one), observation(other), observation(third)
    fold = folded_observation
    assert fold(a, b) == fold(b, a)
    assert fold(fold(a, b), c) == fold(a, fold(b, c))
    assert fold(a, a) == a


def test_the_better_known_observation_is_kept() -> None:
    failed, missing = observation({"state": "check_failed"}), observation({"state": "not_found", "depth": 100})
    third, tenth = (observation({"state": "ranked", "position": rank}) for rank in (3.0, 10.0))
    assert folded_observation(failed, missing) == missing
    assert folded_observation(third, missing) == third
    assert folded_observation(tenth, third) == third


def test_an_observation_gets_the_id_it_would_have_had() -> None:
    staying = new_keyword("tenant", "scanner", NOW)
    under = observation_under(staying, observation({"state": "check_failed"}))
    assert (under.keyword_id, under.keyword) == (staying.keyword_id, "scanner")
    assert observation_under(staying, under) == under
    assert under.observation_id != "o"

"""The views against the warehouse: who has which share, where keywords stood, who moved; gaps are never drops."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from common.aso.entities import KEYWORDS
from common.aso.gain import CLICK_THROUGH
from common.aso.gain_model.model import GainModel
from common.aso.models import CompetitorRanking, Keyword, RankObservation
from common.aso.rank_models import RankRow
from common.aso.ranks import observation_of
from common.aso.site import service
from common.aso.site.models import SettingsInput
from common.aso.views import chart, distribution, movers, share_of_voice
from common.aso.views.models import ChartQuery, DistributionQuery, MoversQuery, ShareQuery
from common.context import Context
from common.errors import Unprocessable
from common.warehouse.provision import provision_tenant
from tests.common.aso.gain_model.conftest import observed, store
from tests.common.aso.scan.conftest import Warehouse, context_for, keyword

NOW = datetime.now(UTC)
TODAY = NOW.date()


def day(back: int) -> date:
    return TODAY - timedelta(days=back)


def look(of: Keyword, back: int, position: float | None = None, **fields: Any) -> RankObservation:
    """Return a look so many days ago; without a position the page was not found in 30 results."""
    state = {"state": "ranked", "position": position} if position else {"state": "not_found", "depth": 30}
    moment = datetime.combine(day(back), time(0, 1), UTC)
    row = {"keyword": of.keyword, "checked_at": moment, "device": "desktop", "locale": "en-US", **state, **fields}
    return observation_of(of, RankRow.model_validate(row), NOW)


@pytest.fixture(scope="module")
def tenant(clients: Any) -> Context:
    """A tenant with keywords and looks in the warehouse."""
    context = context_for(clients, f"views_{uuid.uuid4().hex[:8]}")
    provision_tenant(context, context.tenant_id)
    body = SettingsInput(site_hosts=["example.com"], competitors=["rival.com", "other.org"])
    service.put(context, body)
    return context


def rivals(first: int | None, second: int | None) -> list[CompetitorRanking]:
    return [
        CompetitorRanking(competitor="rival.com", position=first),
        CompetitorRanking(competitor="other.org", position=second),
    ]


def made(context: Context, text: str, **fields: Any) -> Keyword:
    return keyword(context, text, **{"search_volume": 1000, "last_checked": NOW, **fields})


def body_of(cached: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cached.body)
    return found


def test_share_of_voice_divides_the_clicks_of_the_ranks(tenant: Context) -> None:
    Warehouse(tenant).keywords(
        made(tenant, "one", current_ranking=1, competitor_rankings=rivals(2, None)),
        made(tenant, "two", current_ranking=None, competitor_rankings=rivals(3, 1), search_volume=500),
        made(tenant, "no demand", current_ranking=1, competitor_rankings=rivals(2, 3), search_volume=None),
        made(tenant, "half known", current_ranking=1, competitor_rankings=rivals(2, 3)[:1]),
        made(tenant, "nobody looked", current_ranking=1),
        made(tenant, "long ago", current_ranking=1, competitor_rankings=rivals(2, 3), last_checked=NOW - timedelta(60)),
    )
    told = body_of(share_of_voice.read(tenant, ShareQuery()))
    visits = {share["name"]: share["visits"] for share in told["shares"]}
    ctr = (0.0, *CLICK_THROUGH)
    assert visits["own"] == pytest.approx(1000 * ctr[1], abs=0.01)
    assert visits["rival.com"] == pytest.approx(1000 * ctr[2] + 500 * ctr[3], abs=0.01)
    assert visits["other.org"] == pytest.approx(500 * ctr[1], abs=0.01)
    assert sum(visits.values()) == pytest.approx(1500 * sum(ctr), abs=0.05)
    assert sum(share["share_ppm"] for share in told["shares"]) == 1_000_000
    assert (told["keywords"], told["without_demand"], told["without_competitors"]) == (2, 1, 2)
    assert {share["name"]: share["keywords"] for share in told["shares"]} == {
        "own": 1,
        "rival.com": 2,
        "other.org": 1,
        "rest": None,
    }
    assert datetime.fromisoformat(told["data"]["newest_look"]) == NOW
    rows = list(share_of_voice.rows(tenant, ShareQuery()))
    assert sum(row["share"] for row in rows) == pytest.approx(1)


def test_without_data_there_are_no_shares(tenant: Context) -> None:
    Warehouse(tenant).keywords()
    told = share_of_voice.compute(tenant, ShareQuery(days=3), service.site_of(tenant), GainModel())
    assert (told.shares, told.keywords, told.data.newest_look) == ([], 0, None)


def test_the_distribution_counts_every_keyword_once_and_forgets_what_is_old(tenant: Context) -> None:
    first, second, third, failed = (made(tenant, text) for text in ("d one", "d two", "d three", "d four"))
    observed(
        tenant,
        "rank_observation",
        [
            look(first, 20, 1),
            look(first, 10, 12),
            look(first, 10, 3, checked_at=datetime.combine(day(10), time(9), UTC)),
            look(second, 9),
            look(second, 2, 150),
            look(third, 28, 60),
            look(failed, 3, state="check_failed", depth=None),
        ],
    )
    query = DistributionQuery.model_validate({"from": str(day(20)), "to": str(TODAY), "step": "day"})
    told = body_of(distribution.read(tenant, query))
    assert told["keywords"] == 4
    counts = {each["date"]: {name: n for name, n in each["counts"].items() if n} for each in told["days"]}
    assert all(sum(each.values()) == 4 for each in counts.values())
    assert counts[str(day(20))] == {"1": 1, "51-100": 1, "unknown": 2}
    assert counts[str(day(10))] == {"2-3": 1, "unknown": 3}, "the last look of a day counts; a look lasts 14 days"
    assert counts[str(day(9))] == {"2-3": 1, "not_found": 1, "unknown": 2}
    assert counts[str(TODAY)] == {"2-3": 1, "beyond_100": 1, "unknown": 2}
    assert told["days"][-1]["visible"] == 1
    mobile = DistributionQuery.model_validate({"device": "mobile"})
    assert body_of(distribution.read(tenant, mobile))["keywords"] == 0
    [*_, last] = distribution.rows(tenant, query)
    assert (last["date"], last["rank_2-3"], last["rank_unknown"]) == (str(TODAY), 1, 2)


def test_movers_are_those_with_a_look_on_both_sides(tenant: Context) -> None:
    texts = ("up", "down", "lost", "found", "still", "gap", "new", "failed")
    named = {text: made(tenant, f"m {text}") for text in texts}
    named["down"] = named["down"].model_copy(update={"search_volume": None})
    Warehouse(tenant).keywords(*named.values())
    observed(
        tenant,
        "rank_observation",
        [
            *(look(named["up"], 9, 9), look(named["up"], 1, 3, url="https://example.com/b")),
            *(look(named["down"], 8, 4), look(named["down"], 3, 11)),
            *(look(named["lost"], 7, 5), look(named["lost"], 0)),
            *(look(named["found"], 10), look(named["found"], 2, 8)),
            *(look(named["still"], 7, 6), look(named["still"], 0, 6)),
            look(named["gap"], 9, 2),
            look(named["new"], 1, 2),
            *(look(named["failed"], 9, 2), look(named["failed"], 1, state="check_failed", depth=None)),
        ],
    )
    told = body_of(movers.read(tenant, MoversQuery()))
    assert {item["keyword"]: item["movement"] for item in told["items"]} == {
        "m up": "up",
        "m lost": "lost",
        "m found": "found",
        "m down": "down",
    }
    assert (told["up"], told["down"], told["unchanged"], told["unknown"]) == (2, 2, 1, 3)
    ctr = (0.0, *CLICK_THROUGH)
    changes = {item["keyword"]: item["visits_change"] for item in told["items"]}
    assert changes["m up"] == pytest.approx(1000 * (ctr[3] - ctr[9]), abs=0.01)
    assert changes["m lost"] == pytest.approx(-1000 * ctr[5], abs=0.01)
    assert changes["m down"] is None
    ordered = [abs(item["visits_change"] or 0) for item in told["items"]]
    assert ordered == sorted(ordered, reverse=True)
    lost = next(item for item in told["items"] if item["movement"] == "lost")
    assert (lost["to_position"], lost["to_depth"], lost["from_position"]) == (None, 30, 5.0)
    only = body_of(movers.read(tenant, MoversQuery(direction="down", limit=1)))
    assert [item["movement"] for item in only["items"]] == ["lost"]
    assert len(list(movers.rows(tenant, MoversQuery()))) == 4
    with pytest.raises(Unprocessable):
        movers.read(tenant, MoversQuery.model_validate({"from": str(TODAY), "to": str(TODAY)}))


def test_a_chart_has_all_series_over_the_same_days_and_gaps_with_reasons(tenant: Context) -> None:
    one, two = made(tenant, "c one"), made(tenant, "c two")
    store(tenant, KEYWORDS, [one, two])
    observed(
        tenant,
        "rank_observation",
        [
            look(one, 4, 7, url="https://example.com/a"),
            look(one, 3, state="check_failed", depth=None),
            look(one, 2),
            look(one, 1, 5.5, url="https://example.com/b"),
            look(two, 1, 3, device="mobile"),
        ],
    )
    ids = [two.keyword_id, one.keyword_id]
    query = ChartQuery.model_validate({"keyword_ids": ids, "from": str(day(4)), "to": str(TODAY)})
    told = body_of(chart.read(tenant, query))
    assert [each["keyword"] for each in told["series"]] == ["c two", "c one"]
    series = told["series"][1]
    assert told["days"] == [str(day(back)) for back in (4, 3, 2, 1, 0)]
    assert series["positions"] == [7, None, None, 5.5, None]
    assert series["gaps"] == [None, "check_failed", "not_found", None, "none"]
    assert series["depths"] == [None, None, 30, None, None]
    assert [page["url"][-1] for page in series["pages"]] == ["a", "b"]
    desktop = body_of(chart.read(tenant, query.model_copy(update={"device": "desktop"})))
    assert desktop["series"][0]["positions"] == [None] * 5
    rows: Sequence[Any] = list(chart.rows(tenant, query))
    assert len(rows) == 10
    with pytest.raises(Unprocessable) as caught:
        chart.read(tenant, ChartQuery(keyword_ids=[one.keyword_id, "6d1f7c1e-5a0c-5b7e-9a55-000000000000"]))
    assert caught.value.errors[0].pointer == "query:keyword_ids/1"

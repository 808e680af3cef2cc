"""Alerts: raised once by what leaves the noise, whatever order observations arrive in; listed and acknowledged."""

from __future__ import annotations

import dataclasses
import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.aso.entities import RANK_OBSERVATIONS
from common.aso.models import RankObservation
from common.aso.rank_models import RankRow
from common.aso.ranks import observation_of
from common.aso.tracking import alerts
from common.aso.tracking.alert_models import AlertQuery, AlertUpdate, RankAlert
from common.clients.registry import Clients
from common.context import Context
from common.errors import NotFound, PreconditionFailed
from common.events import Change, Envelope, EventMetadata
from common.store import Work, transact
from tests.common.aso.scan.conftest import keyword as made
from tests.common.aso.tracking.conftest import follow
from tests.common.security import context_of

NOW = datetime.now(UTC).replace(hour=12)
A, B = "https://example.com/a", "https://example.com/b"


@pytest.fixture
def context(clients: Clients) -> Context:
    return context_of(clients, f"tenant_{uuid.uuid4().hex[:12]}")


def look(context: Context, back: int, position: float | None, **fields: Any) -> RankObservation:
    state = (
        {"state": "not_found", "depth": 100}
        if position is None
        else {"state": "ranked", "position": position, "url": A}
    )
    row = {
        "keyword": "scan",
        "checked_at": NOW - timedelta(days=back),
        "device": "desktop",
        "locale": "en-US",
        "source": "rank_tracker",
        **state,
        **fields,
    }
    return observation_of(made(context, "scan"), RankRow.model_validate(row), NOW)


def store(context: Context, *looks: RankObservation) -> None:
    """Store observations as they are, where they are not stored yet."""

    def work(work: Work) -> None:
        known = work.get_many(RANK_OBSERVATIONS, [each.observation_id for each in looks])
        for each in looks:
            if each.observation_id not in known:
                work.create(RANK_OBSERVATIONS, each)

    transact(context, work)


def fold(context: Context, *looks: RankObservation) -> list[RankAlert]:
    """Let observations arrive one after the other, each stored before its event; return the alerts they raised."""
    oldest = str((NOW - timedelta(days=alerts.RECENT_DAYS)).date())
    raised = []
    store(context, *(each for each in looks if each.date < oldest))
    for each in (each for each in looks if each.date >= oldest):
        store(context, each)
        raised += alerts.fold(context, each)
    return raised


def stored(context: Context, **query: Any) -> list[RankAlert]:
    return alerts.listed(context, AlertQuery(**query)).items


def dropped(context: Context) -> list[RankObservation]:
    """Return a quiet month at 5 that ends in two days at 14, on another page."""
    quiet = [look(context, 20 - number, 5 + number % 2) for number in range(18)]
    return [*quiet, look(context, 2, 14, url=B), look(context, 1, 14, url=B)]


def test_a_move_raises_one_alert_that_says_from_where_to_where(context: Context) -> None:
    follow(context, "scan", search_volume=1000)
    [alert] = fold(context, *dropped(context))
    assert (alert.direction, alert.to_position, alert.date) == ("down", 14, str((NOW - timedelta(days=1)).date()))
    assert alert.from_position == pytest.approx(5.5, abs=0.4)
    assert alert.band_low < alert.from_position < alert.band_high < 14
    assert (alert.url, alert.previous_url, alert.url_changed) == (B, A, True)
    assert alert.visits_change is not None
    assert alert.visits_change < -40
    assert stored(context) == [alert]
    assert fold(context, *dropped(context), look(context, 0, 15, url=B)) == [], "told again, and once"


def test_the_order_of_arrival_changes_nothing(context: Context) -> None:
    follow(context, "scan")
    everything = dropped(context)
    random.Random(3).shuffle(everything)
    for each in everything:
        store(context, each)
        alerts.fold(context, each)
    assert [(alert.direction, alert.date) for alert in stored(context)] == [("down", str((NOW - timedelta(1)).date()))]


def test_history_raises_nothing(context: Context) -> None:
    follow(context, "scan")
    old = [look(context, 60 - number, 5) for number in range(20)] + [look(context, 40 - n, 60) for n in range(5)]
    store(context, *old)
    assert [alerts.fold(context, each) for each in old] == [[]] * 25
    assert fold(context, look(context, 3, 60), look(context, 2, 60)) == [], "it is usual by now"


def test_another_device_begins_anew(context: Context) -> None:
    follow(context, "scan")
    *quiet, _, _ = dropped(context)
    assert fold(context, *quiet, look(context, 2, 30, device="mobile"), look(context, 1, 30, device="mobile")) == []


def test_a_keyword_that_is_followed_on_another_device_or_not_at_all_raises_nothing(context: Context) -> None:
    assert fold(context, *dropped(context)) == []
    other = dataclasses.replace(context, tenant_id=f"{context.tenant_id}_2")
    follow(other, "scan", device="mobile")
    assert fold(other, *dropped(other)) == []


def test_a_page_that_is_lost_is_told_with_the_depth(context: Context) -> None:
    follow(context, "scan")
    *quiet, _, _ = dropped(context)
    [alert] = fold(context, *quiet, look(context, 2, None), look(context, 1, None), look(context, 0, None))
    assert (alert.direction, alert.to_position, alert.depth, alert.url) == ("lost", None, 100, None)
    assert not alert.url_changed


def event(observation: RankObservation, operation: Any = "created") -> Envelope:
    return Envelope(
        event_type="rank-observed",
        event_id=uuid.uuid4(),
        timestamp=NOW,
        tenant_id=observation.tenant_id,
        source_service="aso",
        schema_version=1,
        payload=Change(
            entity="rank_observation",
            document=f"rank_observations/{observation.observation_id}",
            document_id=observation.observation_id,
            operation=operation,
            sequence=1,
            data=observation.model_dump(mode="json"),
        ),
        metadata=EventMetadata(correlation_id="test"),
    )


def test_failed_checks_and_averages_are_no_looks(context: Context) -> None:
    follow(context, "scan")
    *quiet, first, last = dropped(context)
    fold(context, *quiet)
    platform = dataclasses.replace(context)
    failed = look(context, 2, None, state="check_failed", depth=None)
    averages = [look(context, back, 80, impressions=10) for back in (2, 1)]
    store(context, failed)
    for each in (failed, *averages):
        alerts.handle(platform, event(each))
    assert stored(context) == []
    alerts.handle(platform, event(first))
    alerts.handle(platform, event(last, "deleted"))
    assert stored(context) == []
    alerts.handle(platform, event(last, "updated"))
    alerts.handle(platform, event(last, "updated"))
    assert len(stored(context)) == 1


def test_alerts_are_listed_by_what_they_are_and_acknowledged(context: Context) -> None:
    [name] = follow(context, "scan")
    [alert] = fold(context, *dropped(context))
    assert stored(context, status="acknowledged") == []
    assert stored(context, direction="up") == []
    assert stored(context, keyword_id=name, direction="down", status="open") == [alert]
    body = AlertUpdate(status="acknowledged", note="A new template.")
    done = alerts.update(context, alert.alert_id, body)
    assert (done.value.status, done.value.acknowledged_by) == ("acknowledged", context.principal.id)
    assert done.value.acknowledged_at is not None
    same = alerts.update(context, alert.alert_id, body)
    assert same.etag == done.etag
    with pytest.raises(PreconditionFailed):
        alerts.update(dataclasses.replace(context, if_match='"1"'), alert.alert_id, AlertUpdate())
    again = alerts.update(context, alert.alert_id, AlertUpdate(status="open")).value
    assert (again.acknowledged_at, again.acknowledged_by, again.note) == (None, None, "A new template.")
    with pytest.raises(NotFound):
        alerts.update(context, "5f6f7c1e-5a0c-5b7e-9a55-000000000000", body)


def test_observations_that_arrive_at_once_raise_one_alert(context: Context) -> None:
    follow(context, "scan")
    everything = dropped(context)
    store(context, *everything)
    with ThreadPoolExecutor(4) as pool:
        raised = list(pool.map(lambda each: alerts.fold(context, each), everything))
    assert len(stored(context)) == 1
    assert len([alert for each in raised for alert in each]) == 1

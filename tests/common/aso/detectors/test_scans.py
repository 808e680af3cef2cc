"""What holds for every detector: found once, closed with the reason, the same whoever runs it and however often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from common.aso.detectors import content_gap_scan, decay_scan, link_gap_scan, scanning, tenant_scan
from common.aso.detectors.models import DetectionTask
from common.aso.entities import CONTENT_PIECES, KEYWORDS, OPPORTUNITIES
from common.aso.opportunities import reconcile
from common.aso.pages.entities import LINK_AUDITS
from common.aso.site.models import CompetitorSet
from common.aso.site.service import set_competitors
from common.context import PLATFORM_TENANT, Context, Principal
from common.errors import Unprocessable
from common.store import Repository, transact
from common.warehouse import marks
from tests.common.aso.detectors import scenes
from tests.common.aso.detectors.conftest import emptied
from tests.common.aso.detectors.scenes import SCENES, Scene, forget, piece, put, stored, versions
from tests.common.queues import make_queues, tasks_of

EVERY = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)


@pytest.fixture(autouse=True)
def _forgotten(tenant: Context) -> None:
    """Begin every test with an empty tenant."""
    forget(tenant)


def numbers(result: Any) -> dict[str, int]:
    names = ("found", "created", "kept", "refreshed", "closed", "released", "remaining")
    return {name: getattr(result, name) for name in names if getattr(result, name)}


def first_scan(context: Context, scene: Scene) -> Any:
    """Scan as the schedule and its task do."""
    platform = Context(
        function="scan",
        tenant_id=PLATFORM_TENANT,
        principal=Principal(kind="service", id="scheduler", role="service"),
        clients=context.clients,
    )
    purpose = scanning.PURPOSES[scene.detector]
    make_queues(context.clients, scanning.TENANT_TASK)
    marks.set_marks(context, context.tenant_id, [(purpose, marks.EVERYTHING)])
    assert scanning.enqueue_detection(platform, scene.detector) == 1
    assert scanning.enqueue_detection(platform, scene.detector) == 0, "somebody is working on it"
    tasks = [
        DetectionTask.model_validate_json(each.http_request.body)
        for each in tasks_of(context.clients, scanning.TENANT_TASK)
    ]
    [task] = [task for task in tasks if task.detector == scene.detector]
    result = tenant_scan.scan_claimed(context, task)
    assert marks.due(platform, purpose) == []
    return result


@EVERY
def test_it_is_found_by_the_schedule_kept_closed_with_the_reason_and_found_again(scene: Scene, tenant: Context) -> None:
    scene.holds(tenant)
    assert numbers(first_scan(tenant, scene)) == {"found": 1, "created": 1}
    [found] = stored(tenant)
    check_finding(found, scene, tenant)
    before = versions(tenant)
    again = scene.now(tenant)
    assert numbers(again) == {"found": 1, "kept": 1}
    assert [item.opportunity_id for item in again.items] == [found.opportunity_id]
    assert versions(tenant) == before, "scanning again writes nothing"
    scene.ends(tenant)
    assert numbers(scene.now(tenant)) == {"closed": 1}
    [closed] = stored(tenant)
    assert (closed.status, closed.holds, closed.closed_reason) == ("closed", False, scene.reason)
    scene.holds(tenant)
    assert numbers(scene.now(tenant)) == {"found": 1, "created": 1}
    assert sorted((each.episode, each.status) for each in stored(tenant)) == [(1, "closed"), (2, "new")]


def check_finding(found: Any, scene: Scene, tenant: Context) -> None:
    """Hold an opportunity against what a person needs to decide and act."""
    assert (found.opportunity_type, found.subject_id) == (scene.detector, scene.subject(tenant))
    assert (found.status, found.holds, found.episode) == ("new", True, 1)
    assert 0 < found.gain_low <= found.expected_gain <= found.gain_high
    assert 0 < found.confidence_score < 1
    assert 0 < found.gain_reach_probability < 1
    assert found.keyword
    assert found.recommendation.endswith(".")
    assert any(f"Expected gain {found.expected_gain:.1f} visits a month" in reason for reason in found.reasons)
    assert found.evidence


@pytest.mark.parametrize("name", ["cannibalization", "link_gap"])
def test_two_scans_at_once_double_nothing(name: str, tenant: Context) -> None:
    scene = SCENES[name]
    scene.holds(tenant)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: scene.now(tenant), range(2)))
    assert sum(result.created for result in results) == 1
    assert len(stored(tenant)) == 1


@pytest.mark.parametrize("name", ["content_gap", "link_gap"])
def test_what_somebody_dismissed_stays_dismissed(name: str, tenant: Context) -> None:
    scene = SCENES[name]
    scene.holds(tenant)
    scene.now(tenant)

    def dismiss(work: Any) -> None:
        for record in work.select(OPPORTUNITIES):
            work.update(OPPORTUNITIES, record, record.value.model_copy(update={"status": "dismissed"}))

    transact(tenant, dismiss)
    assert numbers(scene.now(tenant)) == {"found": 1, "kept": 1}
    scene.ends(tenant)
    assert numbers(scene.now(tenant)) == {"released": 1}
    assert [(each.status, each.holds) for each in stored(tenant)] == [("dismissed", False)]


def test_a_crash_in_between_is_repaired_by_running_again(tenant: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = SCENES["link_gap"]
    scene.holds(tenant)

    def crashing(*arguments: Any, **options: Any) -> Any:
        reconcile(*arguments, **options)
        raise RuntimeError("the instance is gone")

    with monkeypatch.context() as patched:
        patched.setattr(scanning, "reconcile", crashing)
        with pytest.raises(RuntimeError):
            scene.now(tenant)
    before = versions(tenant)
    assert numbers(scene.now(tenant)) == {"found": 1, "kept": 1}
    assert versions(tenant) == before


def test_decay_tells_what_made_the_visits_fall(tenant: Context) -> None:
    scenes.decaying(tenant)
    result = decay_scan.decay_now(tenant)
    assert (result.verdict, result.pages_judged, result.pages_decaying, result.observed_weeks) == ("judged", 2, 1, 16)
    [found] = result.items
    change: Any = found.evidence["change"]
    assert change["total"] < 0
    assert change["rank"] == pytest.approx(change["total"], rel=0.3)
    assert abs(change["demand"]) < 1
    assert sum(change[name] for name in ("demand", "rank", "curve", "residual")) == pytest.approx(
        change["total"], abs=0.03
    )
    assert (found.content_id, found.keyword, found.keyword_id) == ("falls", "falls keyword", None)
    assert found.reachable_ranking is not None
    assert found.current_ranking is not None
    assert found.reachable_ranking < found.current_ranking
    assert "Refresh 'Title of falls'" in (found.recommendation or "")
    lost: Any = found.evidence["before"]
    assert found.expected_gain is not None
    assert found.expected_gain < lost["visits_a_month"]


def test_what_demand_took_away_is_no_opportunity(tenant: Context) -> None:
    scenes.tell(tenant, (row for rows in (scenes.steady(), scenes.falling_by_demand()) for row in rows))
    result = decay_scan.decay_now(tenant)
    assert (result.pages_decaying, result.not_recoverable, result.found) == (1, 1, 0)
    assert stored(tenant) == []


def test_the_page_of_an_archived_piece_is_left_alone(tenant: Context) -> None:
    scenes.decaying(tenant)
    put(tenant, CONTENT_PIECES, piece(tenant, "falls", "hub", status="archived"))
    assert numbers(decay_scan.decay_now(tenant)) == {}


def test_without_facts_nothing_is_said_and_nothing_closed(tenant: Context) -> None:
    for scene in (SCENES["content_decay"], SCENES["cannibalization"]):
        empty: Any = scene.now(tenant)
        assert (empty.verdict, empty.data_until, numbers(empty)) == ("no_data", None, {})
    scenes.shared(tenant)
    scene.now(tenant)
    emptied(tenant)
    assert numbers(scene.now(tenant)) == {}
    assert [each.status for each in stored(tenant)] == ["new"]


def test_a_content_gap_needs_competitors_and_a_look_at_our_own_rank(tenant: Context) -> None:
    with pytest.raises(Unprocessable) as refused:
        content_gap_scan.content_gap_now(tenant)
    assert refused.value.code == "no_competitors"
    scenes.gap(tenant, last_checked=None)
    result = content_gap_scan.content_gap_now(tenant)
    assert (result.found, result.unchecked) == (0, 1)
    assert [each.keyword for each in result.unchecked_keywords] == ["gap keyword"]
    scenes.gap(tenant, search_volume=None)
    result = content_gap_scan.content_gap_now(tenant)
    assert (result.found, result.gaps, result.without_demand, result.remaining) == (0, 1, 1, 0)


def test_gaps_are_closed_once_nobody_competes(tenant: Context) -> None:
    scenes.gap(tenant)
    content_gap_scan.content_gap_now(tenant)
    set_competitors(tenant, CompetitorSet(competitors=[]))
    with pytest.raises(Unprocessable):
        content_gap_scan.content_gap_now(tenant)
    assert [(each.status, each.closed_reason) for each in stored(tenant)] == [("closed", "competitors_not_set")]


def test_a_gap_says_when_it_ends_by_itself(tenant: Context) -> None:
    scenes.gap(tenant)
    findings = content_gap_scan.detect(tenant, [], 10, scenes.NOW)
    assert findings.wake_at is not None
    assert (findings.wake_at - scenes.NOW).days in {90, 91}


def test_the_links_to_set_are_named_and_an_unknown_gain_stays_unknown(tenant: Context) -> None:
    scenes.unlinked(tenant, to_hub="missing")
    [found] = link_gap_scan.link_gap_now(tenant).items
    assert found.recommendation == (
        "Link from 'Title of hub' to 'Title of s0'; and link back to it from 'Title of s0'."
    )
    assert any("Prior" in reason for reason in found.reasons)
    forget(tenant)
    scenes.unlinked(tenant)

    def unfollow(work: Any) -> None:
        for each in work.select(KEYWORDS):
            work.delete(KEYWORDS, each)

    transact(tenant, unfollow)
    [found] = link_gap_scan.link_gap_now(tenant).items
    assert found.expected_gain is None
    assert any("the gain is unknown" in reason for reason in found.reasons)


def test_a_hub_that_is_gone_has_no_gap(tenant: Context) -> None:
    assert link_gap_scan.link_gap_now(tenant).verdict == "no_audits"
    scenes.unlinked(tenant)
    link_gap_scan.link_gap_now(tenant)
    transact(tenant, lambda work: work.delete(CONTENT_PIECES, work.get(CONTENT_PIECES, "hub")))
    assert link_gap_scan.link_gap_now(tenant).closed == 1
    assert [each.closed_reason for each in stored(tenant)] == ["hub_gone"]
    assert Repository(LINK_AUDITS, tenant).count() == 1

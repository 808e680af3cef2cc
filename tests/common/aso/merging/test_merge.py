"""Merging on documents: as if there had always been one keyword, again after a crash, and foreseen without a change."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.aso import content, keywords, ranks
from common.aso.clusters.entities import KEYWORD_CLUSTERS
from common.aso.clusters.models import KeywordCluster
from common.aso.content_models import ContentCreate
from common.aso.entities import CONTENT_PIECES, KEYWORDS, OPPORTUNITIES, RANK_OBSERVATIONS
from common.aso.merging import service
from common.aso.merging.entities import KEYWORD_MERGES
from common.aso.merging.models import KeywordMerge, MergeRequest
from common.aso.models import Keyword, Opportunity
from common.aso.normalize import keyword_id_of
from common.clients.registry import Clients
from common.context import Context
from common.errors import Conflict, NotFound, Unprocessable
from common.store import Repository, Work, transact
from tests.common.aso.scan.conftest import context_for

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def tenant(clients: Clients) -> Context:
    return context_for(clients, f"merge_{uuid.uuid4().hex[:10]}")


def check(keyword: str, age: int, **found: Any) -> dict[str, Any]:
    moment = (NOW - timedelta(hours=7 * age)).isoformat()
    state = found or {"state": "ranked", "position": 1.0 + age % 40}
    return {"keyword": keyword, "checked_at": moment, "source": "tracker", **state}


def told(context: Context, *rows: dict[str, Any]) -> None:
    assert not keywords.upsert(context, rows).refused


def looked(context: Context, checks: list[dict[str, Any]]) -> None:
    for start in range(0, len(checks), 400):
        answer = ranks.record(context, checks[start : start + 400])
        assert not answer.refused, [row for row in answer.rows if row.problem]


def keyword(context: Context, name: str) -> Keyword | None:
    found = Repository(KEYWORDS, context).find(keyword_id_of(context.tenant_id, name))
    return None if found is None else found.value


def merge(context: Context, name: str, into: str, **options: Any) -> KeywordMerge:
    body = MergeRequest(into=keyword_id_of(context.tenant_id, into), **options)
    return service.merge(context, keyword_id_of(context.tenant_id, name), body)


def known(context: Context, name: str) -> dict[str, Any]:
    """Return what is known of a keyword, without what differs between tenants and moments of writing."""
    found = keyword(context, name)
    assert found is not None
    kept = found.model_dump(exclude={"keyword_id", "tenant_id", "created_at", "updated_at", "serp_history"})
    kept["serp_history"] = [each.model_dump(exclude={"observation_id"}) for each in found.serp_history]
    observations = Repository(RANK_OBSERVATIONS, context).select([("keyword_id", "==", found.keyword_id)])
    left_out = {"observation_id", "tenant_id", "keyword_id", "created_at"}
    kept["observations"] = sorted(str(each.value.model_dump(exclude=left_out)) for each in observations)
    ids = {each.observation_id for each in found.serp_history}
    assert ids <= {each.value.observation_id for each in observations}, "the history tells of observations there are"
    return kept


def test_two_keywords_become_what_one_would_have_been(clients: Clients) -> None:
    chance = random.Random(11)
    ages = list(range(200))
    checks = [check("qr scanner", age) for age in ages]
    checks[5] = check("qr scanner", 5, state="not_found", depth=100)
    checks[9] = check("qr scanner", 9, state="check_failed")
    split, single = (context_for(clients, f"merge_{uuid.uuid4().hex[:10]}") for _ in range(2))
    number = {"search_volume": 2400, "source": "planner", "as_of": NOW - timedelta(days=2)}
    older = {"difficulty_score": 30.0, "search_volume": 90, "source": "planner", "as_of": NOW - timedelta(days=9)}
    told(split, {"keyword": "qr scanner", **older}, {"keyword": "QR-Scanner", **number})
    looked(split, [{**each, "keyword": chance.choice(["qr scanner", "QR-Scanner"])} for each in checks])
    told(single, {"keyword": "qr scanner", **older})
    told(single, {"keyword": "qr scanner", **number})
    looked(single, checks)
    done = merge(split, "qr-scanner", "qr scanner")
    assert done.status == "done"
    assert done.counts.observations_moved > 60, "in more than one pass"
    assert done.counts.observations_folded == 0
    assert known(split, "qr scanner") == known(single, "qr scanner")
    assert keyword(split, "qr-scanner") is None
    gone = keyword_id_of(split.tenant_id, "qr-scanner")
    assert Repository(RANK_OBSERVATIONS, split).count([("keyword_id", "==", gone)]) == 0


def test_checks_that_both_have_are_one(tenant: Context) -> None:
    told(tenant, {"keyword": "a"}, {"keyword": "b"})
    # The history keeps one check of a day: 28 hours apart are never one day, whatever the time is now.
    looked(tenant, [check("a", 1, state="check_failed"), check("a", 5), check("b", 1), check("b", 5)])
    assert merge(tenant, "a", "b").counts.model_dump(include={"observations_moved", "observations_folded"}) == {
        "observations_moved": 0,
        "observations_folded": 2,
    }
    [first, second] = sorted(each["checked_at"] for each in known(tenant, "b")["serp_history"])
    assert first < second


def test_only_checks_that_count_for_the_staying_keyword_change_its_rank(tenant: Context) -> None:
    told(tenant, {"keyword": "a"}, {"keyword": "b", "device": "mobile"})
    looked(tenant, [{**check("a", 1), "device": "desktop"}, {**check("a", 2), "device": "mobile"}])
    merge(tenant, "a", "b")
    found = keyword(tenant, "b")
    assert found is not None
    assert [each.position for each in found.serp_history] == [3.0]
    assert Repository(RANK_OBSERVATIONS, tenant).count([("keyword_id", "==", found.keyword_id)]) == 2


def opportunity(context: Context, name: str, kind: str, **fields: Any) -> str:
    """Store an opportunity about a keyword."""
    keyword_id = keyword_id_of(context.tenant_id, name)
    made = Opportunity.model_validate(
        {
            "opportunity_id": str(uuid.uuid4()),
            "tenant_id": context.tenant_id,
            "opportunity_type": kind,
            "keyword": name,
            "keyword_id": keyword_id,
            "subject_id": keyword_id,
            "demand_basis": "search_volume",
            "detected_at": NOW,
            "created_at": NOW,
            **fields,
        }
    )
    transact(context, lambda work: work.create(OPPORTUNITIES, made), answers=False)
    return made.opportunity_id


def test_opportunities_follow_and_of_two_alike_one_goes_on(tenant: Context) -> None:
    told(tenant, {"keyword": "a"}, {"keyword": "b"})
    ours = opportunity(tenant, "b", "low_hanging_fruit")
    twice = opportunity(tenant, "a", "low_hanging_fruit", status="in_progress")
    dismissed = opportunity(tenant, "a", "rank_improvement", status="dismissed", dismissed_reason="no")
    past = opportunity(tenant, "a", "rank_improvement", status="closed", holds=False)
    page = opportunity(tenant, "a", "content_decay", subject_id="https://example.com/a")
    counts = merge(tenant, "a", "b").counts
    assert (counts.opportunities_moved, counts.opportunities_closed) == (4, 1)
    found = {
        name: record.value
        for name, record in Repository(OPPORTUNITIES, tenant).get_many([ours, twice, dismissed, past, page]).items()
    }
    into = keyword_id_of(tenant.tenant_id, "b")
    assert {each.keyword_id for each in found.values()} == {into}
    assert {name: each.subject_id for name, each in found.items()} == {
        **dict.fromkeys([ours, twice, dismissed, past], into),
        page: "https://example.com/a",
    }
    assert (found[twice].status, found[twice].holds, found[twice].closed_reason) == ("closed", False, "keyword_merged")
    assert (found[ours].status, found[ours].holds) == ("new", True)
    assert (found[dismissed].status, found[dismissed].holds) == ("dismissed", True)
    held = [(each.opportunity_type, each.subject_id) for each in found.values() if each.holds]
    assert len(held) == len(set(held))


def test_content_and_clusters_name_the_keyword_that_stays(tenant: Context) -> None:
    told(tenant, {"keyword": "Old name"}, {"keyword": "new name"})
    old, new = (keyword_id_of(tenant.tenant_id, name) for name in ("old name", "new name"))
    primary = content.create(tenant, ContentCreate(content_type="hub", keyword_primary="Old name", title="x")).value
    second = ["one", "Old name", "new name"]
    secondary = content.create(
        tenant, ContentCreate(content_type="hub", keyword_primary="other", keyword_secondary=second, title="y")
    ).value
    cluster = KeywordCluster(
        cluster_id=str(uuid.uuid4()),
        tenant_id=tenant.tenant_id,
        label="old name",
        label_keyword_id=old,
        members=3,
        demand=1,
        method="text",
        created_at=NOW,
        updated_at=NOW,
    )

    def clustered(work: Work) -> None:
        for each in work.get_many(KEYWORDS, [old, new]).values():
            work.update(KEYWORDS, each, each.value.model_copy(update={"cluster_id": cluster.cluster_id}))
        work.create(KEYWORD_CLUSTERS, cluster)

    transact(tenant, clustered, answers=False)
    counts = merge(tenant, "old name", "new name").counts
    assert (counts.content_renamed, counts.references) == (2, {"keyword_cluster": 1})
    pieces = Repository(CONTENT_PIECES, tenant)
    assert pieces.get(primary.content_id).value.keyword_primary == "new name"
    assert pieces.get(secondary.content_id).value.keyword_secondary == ["one", "new name"]
    after = Repository(KEYWORD_CLUSTERS, tenant).get(cluster.cluster_id).value
    assert (after.label, after.label_keyword_id, after.members) == ("new name", new, 2)


def everything(context: Context) -> list[Any]:
    entities: list[Any] = [KEYWORDS, RANK_OBSERVATIONS, OPPORTUNITIES, CONTENT_PIECES, KEYWORD_MERGES]
    return [sorted(str(record) for record in Repository(entity, context).select()) for entity in entities]


def test_a_dry_run_changes_nothing_and_foresees_the_counts(tenant: Context) -> None:
    told(tenant, {"keyword": "a", "search_volume": 5}, {"keyword": "b"})
    looked(tenant, [check("a", age) for age in range(5)])
    opportunity(tenant, "a", "low_hanging_fruit")
    content.create(tenant, ContentCreate(content_type="hub", keyword_primary="a", title="x"))
    before = everything(tenant)
    foreseen = merge(tenant, "a", "b", dry_run=True)
    assert everything(tenant) == before
    assert foreseen.status == "foreseen"
    assert foreseen.counts == merge(tenant, "a", "b").counts
    assert (foreseen.counts.observations_moved, foreseen.counts.opportunities_moved) == (5, 1)


class Death(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("survived", range(5))
def test_a_merging_that_was_interrupted_goes_on(
    tenant: Context, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(tenant, {"keyword": "a", "search_volume": 5}, {"keyword": "b"})
    looked(tenant, [check("a", age) for age in range(7)])
    opportunity(tenant, "a", "low_hanging_fruit")
    content.create(tenant, ContentCreate(content_type="hub", keyword_primary="a", title="x"))
    monkeypatch.setattr(service, "OBSERVATIONS", 3)
    original, done = transact, iter(range(100))

    def dying(*arguments: Any, **options: Any) -> Any:
        if next(done) == survived:
            raise Death
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(service, "transact", dying)
        with pytest.raises(Death):
            merge(tenant, "a", "b")
    report = merge(tenant, "a", "b")
    assert report.status == "done"
    counts = report.counts
    assert (counts.observations_moved, counts.opportunities_moved, counts.content_renamed) == (7, 1, 1)
    found = known(tenant, "b")
    assert (len(found["observations"]), found["search_volume"], keyword(tenant, "a")) == (7, 5, None)
    assert merge(tenant, "a", "b") == report, "asked again it answers the same"
    assert Repository(KEYWORD_MERGES, tenant).count() == 1


def test_what_was_told_meanwhile_is_not_lost(tenant: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    told(tenant, {"keyword": "a"}, {"keyword": "b"})
    original = service._repoint

    def told_meanwhile(*arguments: Any) -> None:
        looked(tenant, [check("a", 3)])
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(service, "_repoint", told_meanwhile)
        with pytest.raises(Conflict) as caught:
            merge(tenant, "a", "b")
    assert caught.value.code == "keyword_changed"
    assert merge(tenant, "a", "b").counts.observations_moved == 1
    assert len(known(tenant, "b")["observations"]) == 1


def test_refusals(tenant: Context, clients: Clients) -> None:
    told(tenant, {"keyword": "a"}, {"keyword": "b"}, {"keyword": "c"})
    stranger = context_for(clients, f"merge_{uuid.uuid4().hex[:10]}")
    told(stranger, {"keyword": "theirs"})
    with pytest.raises(NotFound, match="no keyword"):
        merge(tenant, "nobody", "a")
    for dry_run in (True, False):
        with pytest.raises(Unprocessable) as caught:
            service.merge(
                tenant,
                keyword_id_of(tenant.tenant_id, "a"),
                MergeRequest(into=keyword_id_of(stranger.tenant_id, "theirs"), dry_run=dry_run),
            )
        assert caught.value.code == "target_not_found"
        assert [error.pointer for error in caught.value.errors] == ["/into"]
        with pytest.raises(Unprocessable) as same:
            merge(tenant, "a", "a", dry_run=dry_run)
        assert same.value.code == "same_keyword"
    monkey = transact(tenant, lambda work: service._begun(work, *[keyword_id_of(tenant.tenant_id, x) for x in "ab"]))
    assert monkey.status == "running"
    with pytest.raises(Conflict) as other:
        merge(tenant, "a", "c")
    assert other.value.code == "merge_running"

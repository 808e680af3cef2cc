"""Clustering stored keywords: twice is once, ids survive, a crash goes on, and other tenants see nothing of it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from common.aso import content, keywords
from common.aso.clusters import run, service
from common.aso.clusters.entities import KEYWORD_CLUSTERS
from common.aso.clusters.models import ClusterQuery, ClusterRequest, KeywordCluster
from common.aso.content_models import ContentCreate
from common.aso.entities import KEYWORDS
from common.aso.normalize import keyword_id_of
from common.clients.registry import Clients
from common.context import Context
from common.errors import Conflict, NotFound, Unprocessable
from common.jobs.entities import JOBS
from common.jobs.run import JobRun
from common.jobs.service import cancel
from common.store import Repository, transact
from tests.common.aso.jobs import finished, make_buckets, result_of
from tests.common.aso.scan.conftest import context_for

SCANNERS = {"qr code scanner": 900, "qr code scanner online": 50, "qr scanner": 300}
SHOES = {"laufschuhe": 700, "laufschuhe damen": 20, "laufschuhe herren": 30}


@pytest.fixture(scope="module", autouse=True)
def buckets(clients: Clients) -> None:
    make_buckets(clients)


@pytest.fixture
def tenant(clients: Clients) -> Context:
    return context_for(clients, f"cluster_{uuid.uuid4().hex[:10]}")


def told(context: Context, volumes: dict[str, int], **more: Any) -> None:
    rows = [{"keyword": name, "search_volume": volume, **more} for name, volume in volumes.items()]
    assert not keywords.upsert(context, rows).refused


def clustered(context: Context, **body: Any) -> dict[str, Any]:
    return result_of(context, service.start(context, ClusterRequest(**body)).content.job_id, run.run)


def clusters(context: Context) -> dict[str, KeywordCluster]:
    return {each.label: each for each in service.listed(context, ClusterQuery(limit=200)).items}


def members(context: Context, cluster: KeywordCluster) -> set[str]:
    found = service.get(context, cluster.cluster_id, ClusterQuery())
    assert found.cluster == cluster
    return {each.keyword for each in found.items}


def test_keywords_are_grouped_and_named_after_the_greatest_demand(tenant: Context) -> None:
    told(tenant, {**SCANNERS, **SHOES, "unrelated": 5})
    result = clustered(tenant)
    assert result == {"keywords": 7, "clustered": 6, "clusters": 2, "created": 2, "kept": 0, "ended": 0, "changed": 6}
    found = clusters(tenant)
    assert list(found) == ["qr code scanner", "laufschuhe"], "the greatest demand first"
    assert found["qr code scanner"].demand == 1250
    assert (found["laufschuhe"].members, found["laufschuhe"].method) == (3, "text")
    assert members(tenant, found["qr code scanner"]) == set(SCANNERS)
    alone = Repository(KEYWORDS, tenant).get(keyword_id_of(tenant.tenant_id, "unrelated")).value
    assert alone.cluster_id is None


def everything(context: Context) -> list[str]:
    entities: list[Any] = [KEYWORDS, KEYWORD_CLUSTERS]
    return [str(sorted(map(str, Repository(entity, context).select()))) for entity in entities]


def test_clustering_again_changes_nothing(tenant: Context) -> None:
    told(tenant, {**SCANNERS, **SHOES})
    clustered(tenant)
    before = everything(tenant)
    result = clustered(tenant)
    assert (result["changed"], result["created"], result["kept"]) == (0, 0, 2)
    assert everything(tenant) == before


def test_another_keyword_changes_no_other_cluster(tenant: Context) -> None:
    told(tenant, {**SCANNERS, **SHOES})
    clustered(tenant)
    before = clusters(tenant)
    told(tenant, {"gitarre lernen": 5000, "gitarre lernen online": 10})
    assert clustered(tenant)["created"] == 1
    after = clusters(tenant)
    assert {name: after[name] for name in before} == before


def test_a_cluster_keeps_its_id_whatever_becomes_of_its_members(tenant: Context) -> None:
    told(tenant, {**SCANNERS, **SHOES})
    clustered(tenant)
    before = clusters(tenant)
    keywords.delete(tenant, keyword_id_of(tenant.tenant_id, "qr scanner"))
    told(tenant, {"best qr code scanner": 5000})
    result = clustered(tenant)
    assert (result["kept"], result["created"], result["ended"]) == (2, 0, 0)
    after = clusters(tenant)
    assert after["best qr code scanner"].cluster_id == before["qr code scanner"].cluster_id
    assert after["best qr code scanner"].created_at == before["qr code scanner"].created_at
    assert after["best qr code scanner"].updated_at > before["qr code scanner"].updated_at
    assert after["laufschuhe"] == before["laufschuhe"], "nothing of it changed, so it was not written"


def test_what_is_no_cluster_any_more_ends(tenant: Context) -> None:
    told(tenant, SCANNERS)
    clustered(tenant)
    [cluster] = clusters(tenant).values()
    for name in ("qr scanner", "qr code scanner online"):
        keywords.delete(tenant, keyword_id_of(tenant.tenant_id, name))
    assert clustered(tenant)["ended"] == 1
    assert clusters(tenant) == {}
    left = Repository(KEYWORDS, tenant).get(keyword_id_of(tenant.tenant_id, "qr code scanner")).value
    assert left.cluster_id is None
    with pytest.raises(NotFound) as caught:
        service.get(tenant, cluster.cluster_id, ClusterQuery())
    assert caught.value.code == "keyword_cluster_not_found"


def test_the_hub_is_where_most_of_the_demand_is_assigned(tenant: Context) -> None:
    def piece(kind: str, hub_id: str | None = None) -> str:
        body = {"content_type": kind, "keyword_primary": "x", "title": kind, "hub_id": hub_id}
        return content.create(tenant, ContentCreate.model_validate(body)).value.content_id

    hub = piece("hub")
    spoke, other = piece("spoke", hub), piece("hub")
    told(tenant, {"qr code scanner": 900}, content_id=spoke)
    told(tenant, {"qr scanner": 300, "qr code scanner online": 50}, content_id=other)
    told(tenant, SHOES)
    clustered(tenant)
    found = clusters(tenant)
    assert (found["qr code scanner"].content_id, found["qr code scanner"].hub_id) == (spoke, hub)
    assert (found["laufschuhe"].content_id, found["laufschuhe"].hub_id) == (None, None)


def test_result_pages_decide_where_they_are_known(tenant: Context) -> None:
    told(tenant, {"cheap flights": 100, "airline tickets": 50, "cheap flights paris": 20})
    pages = [f"https://example.com/{number}" for number in range(20)]
    known = {
        keyword_id_of(tenant.tenant_id, "cheap flights"): frozenset(pages[:10]),
        keyword_id_of(tenant.tenant_id, "airline tickets"): frozenset(pages[5:15]),
        keyword_id_of(tenant.tenant_id, "cheap flights paris"): frozenset(pages[10:]),
    }
    job_id = service.start(tenant, ClusterRequest()).content.job_id
    result_of(tenant, job_id, lambda job: run.run(job, lambda context, ids: {each: known[each] for each in ids}))
    [cluster] = clusters(tenant).values()
    assert (cluster.label, cluster.method) == ("cheap flights", "result_pages")
    assert members(tenant, cluster) == {"cheap flights", "airline tickets"}


class Death(BaseException):
    """The end of a process."""


def test_a_crash_goes_on_with_the_plan_that_was_made(tenant: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    told(tenant, {**SCANNERS, **SHOES})
    monkeypatch.setattr(run, "CHUNK", 2)
    monkeypatch.setattr("common.jobs.run.WRITE_EVERY", 0.0)
    job_id = service.start(tenant, ClusterRequest()).content.job_id
    original, calls = run._carry_out, iter(range(100))

    def dying(*arguments: Any) -> None:
        original(*arguments)
        if next(calls) == 1:
            raise Death

    def work(job: JobRun) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(run, "_carry_out", dying)
            return run.run(job)

    with pytest.raises(Death):
        finished(tenant, job_id, work)
    half = Repository(KEYWORD_CLUSTERS, tenant).count()
    assert half == 2, "clusters are written before their keywords"

    def free(unit: Any) -> None:
        record = unit.get(JOBS, str(job_id))
        unit.update(JOBS, record, record.value.model_copy(update={"lease": None}))

    transact(tenant, free, answers=False)
    told(tenant, {"qr code scanner": 1})  # what changes now is for the next clustering
    result = result_of(tenant, job_id, run.run)
    assert (result["clusters"], result["changed"]) == (2, 6)
    assert list(clusters(tenant)) == ["qr code scanner", "laufschuhe"]
    assert Repository(KEYWORDS, tenant).count([("cluster_id", ">", "")]) == 6


def test_one_clustering_at_a_time(tenant: Context) -> None:
    first = service.start(tenant, ClusterRequest()).content.job_id
    with pytest.raises(Conflict) as caught:
        service.start(tenant, ClusterRequest())
    assert (caught.value.code, caught.value.details) == ("clustering_running", {"job_id": str(first)})
    cancel(tenant, first)
    assert clustered(tenant)["keywords"] == 0


def test_too_many_keywords_are_refused(tenant: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    told(tenant, SCANNERS)
    monkeypatch.setattr(service, "MOST", 2)
    with pytest.raises(Unprocessable) as caught:
        service.start(tenant, ClusterRequest())
    assert (caught.value.code, caught.value.details) == ("too_many", {"keywords": 3, "limit": 2})


def test_clusters_are_their_tenants_own(tenant: Context, clients: Clients) -> None:
    told(tenant, SCANNERS)
    clustered(tenant)
    [cluster] = clusters(tenant).values()
    stranger = context_for(clients, f"cluster_{uuid.uuid4().hex[:10]}")
    told(stranger, SHOES)
    assert clustered(stranger)["keywords"] == 3
    assert list(clusters(stranger)) == ["laufschuhe"]
    with pytest.raises(NotFound):
        service.get(stranger, cluster.cluster_id, ClusterQuery())

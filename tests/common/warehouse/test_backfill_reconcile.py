"""Backfill and reconciliation: the warehouse shows what Firestore holds; repeating either changes nothing."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud.firestore_v1.base_query import FieldFilter

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.context import PLATFORM_TENANT, Context, Principal
from common.errors import NotFound, Unprocessable
from common.events import sequence_of
from common.jobs.models import Job, JobTask
from common.registry import entities
from common.tombstones import tombstone, tombstone_path
from common.warehouse import backfill, reconcile, source
from common.warehouse.backfill import BackfillRequest
from common.warehouse.log import append
from common.warehouse.merge import merge
from common.warehouse.query import rows
from common.warehouse.reconcile import ReconciliationRequest, Report
from common.warehouse.rows import row_of
from common.warehouse.tables import relations
from tests.common.warehouse.changes import event, keyword
from tests.common.warehouse.conftest import context_for

VIEW = "SELECT keyword_id, search_volume, change_sequence FROM {keywords_latest} ORDER BY keyword_id"
KEYWORD = entities()["keyword"]
OPERATOR = Principal(kind="operator", id="operator:1", role="operator")


@pytest.fixture
def documents(tenant: Context) -> Callable[..., datetime]:
    """Writes keyword documents of the tenant, past the repository."""
    bucket = tenant.clients.get(storage_client).bucket(tenant.clients.settings.report_bucket)
    if not bucket.exists():
        bucket.create()
    client = tenant.clients.get(firestore_client)
    client.document(f"tenants/{tenant.tenant_id}").set({"tenant_id": tenant.tenant_id})

    def write(number: int, **fields: Any) -> datetime:
        key = f"{tenant.tenant_id}-{number:05d}"
        data = keyword(number, tenant_id=tenant.tenant_id, schema_version=1, **fields) | {"keyword_id": key}
        data["created_at"] = data["last_checked"] = datetime(2026, 9, 1, tzinfo=UTC)
        written: datetime = client.document(f"keywords/{key}").set({**data, "_meta": {"actor": "a"}}).update_time
        return written

    return write


def stored(context: Context) -> list[dict[str, Any]]:
    found = [each for page in source.pages(context, KEYWORD, read_time=now()) for each in page]
    return [
        {
            "keyword_id": each.id,
            "search_volume": each.get("search_volume"),
            "change_sequence": sequence_of(each.update_time, "updated"),
        }
        for each in found
    ]


def now() -> datetime:
    return datetime.now(UTC)


def started(context: Context, type_: str) -> Job:
    """Return the job as stored."""
    client = context.clients.get(firestore_client)
    query = client.collection("jobs").where(filter=FieldFilter("tenant_id", "==", context.tenant_id))
    [found] = query.where(filter=FieldFilter("type", "==", type_)).stream()
    return Job.model_validate({k: v for k, v in found.to_dict().items() if k not in {"_meta", "schema_version"}})


def check(context: Context, *, repair: bool) -> Report:
    return reconcile.reconcile(context, KEYWORD, repair=repair, now=now(), grace=timedelta(0))


def test_a_backfill_states_its_cost_and_then_fills(tenant: Context, documents: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(source, "PAGE", 4)
    for number in range(10):
        documents(number, search_volume=number)
    operator = dataclasses.replace(tenant, tenant_id=PLATFORM_TENANT, principal=OPERATOR)
    body = BackfillRequest(tenant_id=tenant.tenant_id, entity="keyword")
    dry = backfill.request(operator, body)
    assert (dry.status, dry.content.job) == (200, None)
    assert (dry.content.plan.documents, dry.content.plan.reads) == (10, 10)
    assert dry.content.plan.cost_usd == pytest.approx(10 * source.READ_PRICE_USD, abs=1e-6)

    real = backfill.request(operator, body.model_copy(update={"dry_run": False}))
    assert real.status == 202
    assert real.content.job is not None
    backfill.run(tenant, JobTask(job_id=real.content.job.job_id))
    job = started(tenant, "backfill")
    assert (job.status, job.result) == ("succeeded", {"documents": 10, "appended": 10, "refused": 0, "reads": 10})
    assert rows(tenant, VIEW, {}) == stored(tenant)


def test_a_backfill_never_overwrites_a_later_change(tenant: Context, documents: Any) -> None:
    written = documents(1, search_volume=1)
    found = relations(tenant.clients.settings.project, tenant.tenant_id, KEYWORD)
    later = event(tenant.tenant_id, keyword(1, search_volume=2) | {"keyword_id": f"{tenant.tenant_id}-00001"}, 0)
    later = later.model_copy(
        update={"payload": later.payload.model_copy(update={"sequence": sequence_of(written, "updated") + 5})}
    )
    assert append(tenant, found.log, [row_of(found.table, later)]) == {}
    [page] = source.pages(tenant, KEYWORD, read_time=now())
    assert append(tenant, found.log, source.prepare(KEYWORD, page).rows) == {}
    assert [row["search_volume"] for row in rows(tenant, VIEW, {})] == [2]


def test_a_document_that_does_not_fit_is_reported_and_the_others_go_in(tenant: Context, documents: Any) -> None:
    documents(1, search_volume=1)
    documents(2, search_volume="many")
    [page] = source.pages(tenant, KEYWORD, read_time=now())
    prepared = source.prepare(KEYWORD, page)
    assert len(prepared.rows) == 1
    [(path, reason)] = prepared.refused
    assert path == f"keywords/{tenant.tenant_id}-00002"
    assert "keywords.search_volume" in reason


def test_unknown_tenants_and_entities_are_refused(tenant: Context) -> None:
    operator = dataclasses.replace(tenant, tenant_id=PLATFORM_TENANT, principal=OPERATOR)
    with pytest.raises(NotFound):
        backfill.request(operator, BackfillRequest(tenant_id="nobody", entity="keyword"))
    with pytest.raises(Unprocessable):
        backfill.request(operator, BackfillRequest(tenant_id=tenant.tenant_id, entity="job"))
    with pytest.raises(NotFound):
        reconcile.request(operator, ReconciliationRequest(tenant_id="nobody"))


def test_differences_are_counted_then_repaired_then_gone(tenant: Context, documents: Any) -> None:
    found = relations(tenant.clients.settings.project, tenant.tenant_id, KEYWORD)
    for number in range(6):
        documents(number, search_volume=number)
    [page] = source.pages(tenant, KEYWORD, read_time=now())
    prepared = source.prepare(KEYWORD, page)
    assert append(tenant, found.log, prepared.rows[1:]) == {}  # number 0 never arrived
    merge(tenant, found, None)
    documents(1, search_volume=100)  # this change never arrived
    client = tenant.clients.get(firestore_client)
    for number, left in ((2, True), (3, False)):  # and neither did these deletions
        reference = client.document(f"keywords/{tenant.tenant_id}-{number:05d}")
        version = reference.get().update_time
        reference.delete()
        if left:
            client.document(tombstone_path(reference.path)).set(
                tombstone(reference.path, tenant.tenant_id, {}, version)
            )

    before = check(tenant, repair=False)
    assert (before.missing, before.stale, before.orphaned, before.repaired) == (1, 1, 2, 0)
    assert before.differing_days == 1
    repaired = check(tenant, repair=True)
    assert (repaired.missing, repaired.stale, repaired.orphaned, repaired.repaired) == (1, 1, 2, 4)
    assert rows(tenant, VIEW, {}) == stored(tenant)
    merge(tenant, found, None)
    again = check(tenant, repair=True)
    assert (again.differing_days, again.repaired) == (0, 0)
    assert again.documents == len(stored(tenant)), "one read a document when nothing differs"


def test_changes_of_the_last_minutes_are_on_their_way(tenant: Context, documents: Any) -> None:
    documents(1, search_volume=1)
    report = reconcile.reconcile(tenant, KEYWORD, repair=True, now=now())
    assert (report.missing, report.repaired) == (0, 0)


def test_a_reconciliation_runs_as_a_job(tenant: Context, documents: Any) -> None:
    documents(1, search_volume=1)
    operator = dataclasses.replace(tenant, tenant_id=PLATFORM_TENANT, principal=OPERATOR)
    answer = reconcile.request(operator, ReconciliationRequest(tenant_id=tenant.tenant_id, repair=True))
    assert answer.status == 202
    reconcile.run(tenant, JobTask(job_id=answer.content.job_id))
    job = started(tenant, "reconciliation")
    assert job.status == "succeeded"
    assert job.result is not None
    assert sorted(job.result["entities"]) == [each.name for each in source.warehouse_entities()]
    assert job.result["reads"] >= 1


def test_the_daily_run_starts_one_job_a_tenant_and_none_twice(tenant: Context, documents: Any) -> None:
    platform = dataclasses.replace(tenant, tenant_id=PLATFORM_TENANT)
    assert reconcile.start_daily(platform) >= 1
    assert reconcile.start_daily(platform) == 0
    assert started(tenant, "reconciliation").parameters == {"repair": True}


def test_another_tenants_documents_stay_out(clients: Clients, tenant: Context, documents: Any) -> None:
    documents(1)
    other = context_for(clients, f"t{uuid.uuid4().hex[:10]}")
    assert list(source.pages(other, KEYWORD, read_time=now())) == []
    assert source.count(other, KEYWORD) == 0

"""Retention: what is over goes, once and with its rows; what is younger, held or of another tenant stays."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import bigquery
from google.cloud.firestore_v1.base_query import FieldFilter
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import PLATFORM_TENANT, Context, Deadline
from common.errors import PreconditionFailed, Unprocessable
from common.platform.privacy import holds
from common.platform.privacy.hold_models import HoldPlace, HoldRelease
from common.platform.privacy.retention import due, enforce, policy
from common.platform.privacy.retention.models import RetentionInput, RetentionPreview, RetentionTask, RunListQuery
from common.registry import entities
from common.retention import CLASSES, PURPOSE
from common.warehouse import marks
from common.warehouse.provision import provision_tenant
from tests.common.security import operator_context
from tests.common.things import context_of

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
FIELDS = {"job": "finished_at", "page_audit": "created_at", "rank_observation": "date", "audit_entry": "at"}
Documents = Mapping[str, Sequence[str]]


@pytest.fixture(scope="module")
def tenant_id(clients: Clients) -> str:
    """A tenant with tables, so that the warehouse's part runs, too."""
    tenant_id = f"t{uuid.uuid4().hex[:10]}"
    provision_tenant(context_of(clients, tenant_id), tenant_id)
    clients.get(firestore_client).document(f"tenants/{tenant_id}").set({"tenant_id": tenant_id, "status": "active"})
    return tenant_id


@pytest.fixture
def context(clients: Clients, tenant_id: str) -> Iterator[Context]:
    clear(clients, tenant_id)
    yield context_of(clients, tenant_id, seconds=300)
    clear(clients, tenant_id)


def clear(clients: Clients, tenant_id: str) -> None:
    client = clients.get(firestore_client)
    mine, batch = FieldFilter("tenant_id", "==", tenant_id), client.batch()
    for name in ("jobs", "page_audits", "rank_observations", "audit_entries", "legal_holds", "retention_runs"):
        for snapshot in client.collection(name).where(filter=mine).stream():
            batch.delete(snapshot.reference)
    batch.delete(client.document(f"retention_policies/{tenant_id}"))
    batch.commit()


def stored(context: Context, kind: str, ages: Sequence[timedelta | None], **fields: object) -> list[str]:
    """Store documents of some ages; return their ids."""
    entity, client = entities()[kind], context.clients.get(firestore_client)
    names = []
    batch = client.batch()
    for age in ages:
        name = str(uuid.uuid4())
        at: Any = None if age is None else NOW - age
        value = at.date().isoformat() if at is not None and entity.aged_by_day else at
        document = {"tenant_id": context.tenant_id, entity.key: name, FIELDS[kind]: value, **fields}
        batch.set(client.document(f"{entity.collection}/{name}"), document)
        names.append(name)
    batch.commit()
    return names


def left(context: Context, kind: str) -> set[str]:
    collection = context.clients.get(firestore_client).collection(entities()[kind].collection)
    return {each.id for each in collection.where(filter=FieldFilter("tenant_id", "==", context.tenant_id)).stream()}


def enforced(context: Context, periods: Mapping[str, int] | None = None, now: datetime = NOW) -> enforce.Enforced:
    done = enforce.Enforced()
    enforce.enforce(context, periods or {}, done, now)
    return done


ages = st.lists(st.none() | st.integers(0, 3000), max_size=6)


@examples(max_examples=3, deadline=None)
@given(jobs=ages, observed=ages, chosen=st.fixed_dictionaries({"operational": st.integers(7, 365)}))
def test_only_what_is_over_goes_and_all_of_it_and_once(
    clients: Clients, tenant_id: str, jobs: list[int | None], observed: list[int | None], chosen: dict[str, int]
) -> None:
    context = context_of(clients, tenant_id, seconds=300)
    expected: dict[str, set[str]] = {}
    removed = 0
    for kind in ("job", "rank_observation"):  # what an example before left under longer periods may be over under these
        for name in left(context, kind):
            clients.get(firestore_client).document(f"{entities()[kind].collection}/{name}").delete()
    for kind, days_of, kept in (("job", jobs, chosen["operational"]), ("rank_observation", observed, 730)):
        names = stored(context, kind, [None if days is None else timedelta(days=days) for days in days_of])
        stay = {name for name, days in zip(names, days_of, strict=True) if days is None or days <= kept}
        expected[kind] = stay
        removed += len(names) - len(stay)
    done = enforced(context, chosen)
    assert {kind: left(context, kind) for kind in expected} == expected
    assert sum(done.removed.values()) >= removed
    assert done.complete
    assert enforced(context, chosen).removed == {}
    assert {kind: left(context, kind) for kind in expected} == expected


def test_the_last_moment_counts_and_another_tenants_records_do_not(context: Context, clients: Clients) -> None:
    second = timedelta(seconds=1)
    [kept, gone] = stored(context, "job", [timedelta(days=90), timedelta(days=90) + second])
    [today, yesterday] = stored(context, "rank_observation", [timedelta(days=730), timedelta(days=731)])
    stranger = context_of(clients, f"t{uuid.uuid4().hex[:10]}")
    [foreign] = stored(stranger, "job", [timedelta(days=3000)])
    enforced(context)
    assert left(context, "job") == {kept}
    assert left(context, "rank_observation") == {today}
    assert left(stranger, "job") == {foreign}
    assert gone != yesterday


def test_more_than_a_batch_goes_and_a_deadline_hands_over(context: Context) -> None:
    stored(context, "job", [timedelta(days=400)] * (enforce.BATCH + 30))
    short = dataclasses.replace(context, deadline=Deadline.after(enforce.RESERVE - 1))
    first = enforced(short)
    assert (first.complete, first.removed) == (False, {})
    assert enforced(context).removed == {"job": enforce.BATCH + 30}
    assert left(context, "job") == set()


def test_what_a_hold_keeps_stays_and_goes_on_when_it_is_released(context: Context) -> None:
    over = [timedelta(days=400)]
    [mine] = stored(context, "job", over, created_by="u1")
    stored(context, "job", over, created_by="u2")
    stored(context, "page_audit", [timedelta(days=900)])
    [told] = stored(context, "audit_entry", [timedelta(days=900)])
    reason = "Claim of u1 against the company."
    person = HoldPlace.model_validate({"scope": "subject", "subject": {"user_id": "u1"}, "reason": reason})
    kind = HoldPlace.model_validate({"scope": "entity", "entity": "page_audit", "reason": reason})
    placed = [holds.place(context, body).content.value for body in (person, kind)]
    plan = {each.kind: each for each in due.plan(context, RetentionPreview(), NOW).kinds}
    assert (plan["job"].due, plan["page_audit"].due) == (2, 1)
    assert plan["page_audit"].kept_by == [placed[1].hold_id]
    done = enforced(context)
    assert done.removed == {"job": 1}
    assert done.kept == {"job": 1, "page_audit": 1, "audit_entry": 1}
    assert left(context, "job") == {mine}
    assert left(context, "audit_entry") == {told}, "who is named in it cannot be seen, so all of it stays"
    assert due.plan(context, RetentionPreview(), NOW).subject_holds == 1
    for hold in placed:
        holds.release(context, hold.hold_id, HoldRelease(reason="The claim was settled."))
    assert enforced(context).removed == {"job": 1, "page_audit": 1, "audit_entry": 1}


def test_a_hold_on_the_tenant_stops_everything(context: Context) -> None:
    names = stored(context, "job", [timedelta(days=400)] * 3)
    holds.place(context, HoldPlace(scope="tenant", reason="Order of the court."))
    assert enforced(context).removed == {}
    assert left(context, "job") == set(names)


def test_rows_of_what_is_gone_leave_the_warehouse_and_others_stay(context: Context, clients: Clients) -> None:
    client: bigquery.Client = clients.get(bigquery_client)
    dataset = f"{context.clients.settings.project}.aso_tenant_{context.tenant_id}"
    old, held, young = "2020-01-02", "2020-01-03", "2026-05-01"
    rows = [
        ("gone", old, 1, "created"),
        ("gone", old, 2, "deleted"),
        ("held", held, 1, "created"),
        ("young", young, 1, "created"),
    ]
    columns = "observation_id, keyword_id, keyword, date, checked_at, device, locale, state, source, created_at"
    values = ", ".join(
        f"('{name}', 'k', 'k', DATE '{day}', TIMESTAMP '{day}', 'desktop', 'en', 'ranked', 's', TIMESTAMP '{day}',"
        f" {sequence}, '{operation}', '{name}{sequence}', CURRENT_TIMESTAMP())"
        for name, day, sequence, operation in rows
    )
    into = f"INSERT INTO `{dataset}.rank_observations` ({columns}, change_sequence, change_operation, change_event_id, appended_at) VALUES {values}"  # noqa: E501
    client.query(into).result()
    facts = f"INSERT INTO `{dataset}.search_performance` (row_id, date, from_date, dimensions, search_type, clicks, impressions, source, created_at, batch_id, appended_at) VALUES ('a', DATE '{old}', DATE '{old}', 'd', 'web', 1, 1, 's', TIMESTAMP '{old}', 'b', CURRENT_TIMESTAMP()), ('b', DATE '{young}', DATE '{young}', 'd', 'web', 1, 1, 's', TIMESTAMP '{young}', 'b', CURRENT_TIMESTAMP())"  # noqa: E501
    client.query(facts).result()
    done = enforced(context)
    assert done.rows == {"rank_observation": 2, "search_performance": 1}

    def remaining(table: str, key: str) -> set[str]:
        return {row[key] for row in client.query(f"SELECT {key} FROM `{dataset}.{table}`").result()}

    assert remaining("rank_observations", "observation_id") == {"held", "young"}
    assert remaining("search_performance", "row_id") == {"b"}
    assert enforced(context).rows == {}


def claimed(context: Context) -> RetentionTask:
    enforce.begin(context, context.tenant_id)
    claim = marks.claim(context, PURPOSE, context.tenant_id)
    assert claim is not None
    return RetentionTask(working_since=claim.working_since)


def due_tenants(context: Context, now: datetime) -> set[str]:
    return {
        mark.tenant_id for mark in marks.due(dataclasses.replace(context, tenant_id=PLATFORM_TENANT), PURPOSE, now=now)
    }


def test_a_tenant_is_due_when_its_first_record_is_over(context: Context) -> None:
    stored(context, "job", [timedelta(days=400), timedelta(days=88)])
    task = claimed(context)
    done = enforce.enforce_claimed(context, task, NOW)
    assert done.removed == {"job": 1}
    assert context.tenant_id not in due_tenants(context, NOW + timedelta(days=1, hours=23))
    assert context.tenant_id in due_tenants(context, NOW + timedelta(days=2))
    [run] = policy.runs(context, RunListQuery()).items
    assert (run.removed, run.complete, run.started_at) == ({"job": 1}, True, task.working_since)
    assert run.periods["operational"] == 90
    later = enforce.enforce_claimed(context, claimed(context), NOW + timedelta(days=2, seconds=1))
    assert later.removed == {"job": 1}
    assert context.tenant_id not in due_tenants(context, NOW + timedelta(days=8))
    assert context.tenant_id in due_tenants(context, NOW + timedelta(days=9, seconds=1)), (
        "records may come with old dates"
    )


def test_nothing_done_leaves_no_record_and_a_gone_tenant_is_never_due_again(clients: Clients, tenant_id: str) -> None:
    context = context_of(clients, tenant_id, seconds=300)
    root = clients.get(firestore_client).document(f"tenants/{tenant_id}")
    kept = root.get().to_dict()
    root.delete()
    try:
        enforce.enforce_claimed(context, claimed(context), NOW)
        assert tenant_id not in due_tenants(context, NOW + timedelta(days=4000))
        assert policy.runs(context, RunListQuery()).items == []
    finally:
        root.set(kept)


def test_the_schedule_takes_each_due_tenant_once(clients: Clients) -> None:
    platform = operator_context(clients)
    names = [f"t{uuid.uuid4().hex[:10]}" for _ in range(2)]
    for name in names:
        enforce.begin(context_of(clients, name), name)
    assert set(names) <= due_tenants(platform, NOW)


def test_a_policy_is_chosen_within_bounds_and_in_the_version_that_was_read(context: Context) -> None:
    first = policy.shown(context)
    assert first.etag == '"0"'
    assert {each.name: each.days for each in first.value.classes} == {name: each.days for name, each in CLASSES.items()}
    body = RetentionInput(periods={"operational": 30, "analytics": 365})
    mine = dataclasses.replace(context, if_match='"0"')
    written = policy.put(mine, body)
    in_force = {each.name: each.days for each in written.value.classes}
    assert (in_force["operational"], in_force["analytics"], in_force["security"]) == (30, 365, 730)
    with pytest.raises(PreconditionFailed):
        policy.put(mine, body)
    assert policy.shown(context).etag == written.etag
    assert policy.chosen(context) == {"operational": 30, "analytics": 365}
    assert context.tenant_id in due_tenants(context, NOW + timedelta(days=400))


@pytest.mark.parametrize(
    ("periods", "code"),
    [
        ({"operational": 6}, "period_out_of_bounds"),
        ({"security": 399}, "period_out_of_bounds"),
        ({"accountability": 100_000}, "period_out_of_bounds"),
        ({"tenant_life": 30}, "class_without_end"),
        ({"marketing": 30}, "unknown_class"),
    ],
)
def test_a_period_that_no_class_allows_is_refused(context: Context, periods: dict[str, int], code: str) -> None:
    for refused in (
        lambda: policy.put(context, RetentionInput(periods=periods)),
        lambda: due.plan(context, RetentionPreview(periods=periods)),
    ):
        with pytest.raises(Unprocessable) as found:
            refused()
        assert found.value.code == code
        assert found.value.errors[0].pointer == f"/periods/{next(iter(periods))}"
    assert policy.chosen(context) == {}


def test_a_plan_counts_and_removes_nothing(context: Context) -> None:
    names = stored(context, "job", [timedelta(days=days) for days in (20, 50, 100, 200)])
    planned = {each.kind: each for each in due.plan(context, RetentionPreview(), NOW).kinds}
    assert (planned["job"].due, planned["job"].days, planned["job"].oldest) == (2, 90, NOW - timedelta(days=200))
    shorter = due.plan(context, RetentionPreview(periods={"operational": 30}), NOW).kinds
    assert next(each.due for each in shorter if each.kind == "job") == 3
    assert planned["search_performance"].due is None
    assert left(context, "job") == set(names)


def test_the_inventory_says_who_sees_to_what(context: Context) -> None:
    view = policy.shown(context).value
    kinds = {kind.name: kind for each in view.classes for kind in each.kinds}
    assert kinds["job"].enforced_by == "platform"
    assert kinds["keyword"].enforced_by == "tenant_deletion"
    assert kinds["security_event"].enforced_by == "firestore_ttl"
    assert (kinds["search_performance"].aged_by, kinds["search_performance"].warehouse) == ("date", True)
    assert "system/idempotency/records" in {each.collection for each in view.technical}
    assert set(entities()) <= set(kinds)

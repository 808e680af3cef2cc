"""The sync stores changes, wakes what depends on them, and loses nothing when a step fails."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import bigquery

from common.clients.bigquery import bigquery_client
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.context import Context, Deadline
from common.errors import PoisonEvent, Unavailable
from common.registry import entities
from common.settings import Settings
from common.warehouse import sync
from common.warehouse.calls import NotProvisioned
from common.warehouse.marks import due
from common.warehouse.query import rows
from tests.common.warehouse.changes import FIRST, event, keyword
from tests.common.warehouse.conftest import context_for

VIEW = "SELECT keyword_id, change_sequence FROM {keywords_latest} ORDER BY keyword_id"


class Recorder:
    """Stands before the client of BigQuery and answers inserts as BigQuery may, but its emulator never does."""

    def __init__(self, client: bigquery.Client, answers: Sequence[Any] = ()) -> None:
        self.client, self.answers, self.sent = client, list(answers), list[list[str]]()
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def insert_rows_json(self, table: str, rows: Sequence[Mapping[str, Any]], **options: Any) -> Any:
        with self._lock:
            self.sent.append([row["keyword_id"] for row in rows])
            answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            return self.client.insert_rows_json(table, rows, **options)
        failed = {entry["index"] for entry in answer}
        kept = [row for at, row in enumerate(rows) if at not in failed]
        if kept:
            self.client.insert_rows_json(table, kept)
        return answer


def recorded(context: Context, answers: Sequence[Any] = ()) -> tuple[Context, Recorder]:
    """Return the same circumstances with a process of their own, whose inserts are recorded."""
    clients = Clients(context.clients.settings)
    recorder = Recorder(context.clients.get(bigquery_client), answers)
    clients.replace(bigquery_client, recorder)
    return dataclasses.replace(context, clients=clients), recorder


def error(index: int, reason: str) -> dict[str, Any]:
    return {"index": index, "errors": [{"reason": reason, "location": "search_volume", "message": "secret value"}]}


def test_a_change_is_in_the_view_and_wakes_merge_and_scan(tenant: Context) -> None:
    sync.handle(tenant, event(tenant.tenant_id, keyword(1), 1, "created"))
    sync.handle(tenant, event(tenant.tenant_id, keyword(1), 1, "created"))
    assert rows(tenant, VIEW, {}) == [{"keyword_id": "keyword-00001", "change_sequence": FIRST + 1}]
    assert tenant.tenant_id in {mark.tenant_id for mark in due(tenant, "merge")}
    assert tenant.tenant_id in {mark.tenant_id for mark in due(tenant, entities()["keyword"].wakes[0])}


def test_warehouse_caches_are_dropped_after_the_append_and_others_are_not(tenant: Context) -> None:
    redis = tenant.clients.get(redis_client)
    assert redis is not None
    sync.handle(tenant, event(tenant.tenant_id, keyword(1), 1))
    assert redis.exists(f"generation:aso_stats:{tenant.tenant_id}")
    assert not redis.exists(f"generation:aso_keywords:{tenant.tenant_id}")


def test_concurrent_changes_share_appends(tenant: Context) -> None:
    context, recorder = recorded(tenant)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: sync.handle(context, event(tenant.tenant_id, keyword(n), 1)), range(64)))
    assert sorted(key for group in recorder.sent for key in group) == [f"keyword-{n:05d}" for n in range(64)]
    assert len(recorder.sent) < 64
    assert len(rows(tenant, VIEW, {})) == 64


def test_a_row_that_bigquery_refuses_is_poison_and_does_not_hold_up_the_others(tenant: Context) -> None:
    context, _ = recorded(tenant, [[error(0, "invalid")]])
    with pytest.raises(PoisonEvent) as caught:
        sync.handle(context, event(tenant.tenant_id, keyword(1), 1))
    assert caught.value.code == "row_refused"
    assert "secret value" not in caught.value.detail
    sync.handle(context, event(tenant.tenant_id, keyword(2), 1))
    assert [row["keyword_id"] for row in rows(tenant, VIEW, {})] == ["keyword-00002"]


def test_a_row_stopped_by_another_is_sent_again(tenant: Context) -> None:
    context, recorder = recorded(tenant, [[error(0, "stopped")]])
    sync.handle(context, event(tenant.tenant_id, keyword(1), 1))
    assert recorder.sent == [["keyword-00001"], ["keyword-00001"]]


def test_a_change_that_does_not_fit_never_reaches_bigquery(tenant: Context) -> None:
    context, recorder = recorded(tenant)
    with pytest.raises(PoisonEvent):
        sync.handle(context, event(tenant.tenant_id, keyword(1, search_volume="many"), 1))
    assert recorder.sent == []


def test_a_crash_between_append_and_mark_is_made_good_by_the_next_delivery(tenant: Context) -> None:
    envelope = event(tenant.tenant_id, keyword(1), 1)
    broken = dataclasses.replace(tenant.clients.settings, redis_url="redis://127.0.0.1:9/0")
    clients = Clients(broken)
    clients.replace(bigquery_client, tenant.clients.get(bigquery_client))
    with pytest.raises(Unavailable):
        sync.handle(dataclasses.replace(tenant, clients=clients), envelope)
    assert len(rows(tenant, VIEW, {})) == 1, "the row was appended, the event not acknowledged"
    sync.handle(tenant, envelope)
    assert len(rows(tenant, VIEW, {})) == 1


def test_bigquery_away_is_transient_and_nothing_is_marked(tenant: Context) -> None:
    context, _ = recorded(tenant, [exceptions.ServiceUnavailable("down")] * 3)
    with pytest.raises(Unavailable):
        sync.handle(context, event(tenant.tenant_id, keyword(1), 1))
    assert tenant.tenant_id not in {mark.tenant_id for mark in due(tenant, "merge")}
    sync.handle(tenant, event(tenant.tenant_id, keyword(1), 1))
    assert len(rows(tenant, VIEW, {})) == 1


def test_a_tenant_without_tables_is_transient_and_opens_no_breaker(clients: Clients, tenant: Context) -> None:
    stranger = context_for(clients, "stranger")
    for sequence in range(6):
        with pytest.raises(NotProvisioned):
            sync.handle(stranger, event("stranger", keyword(1), sequence))
    sync.handle(tenant, event(tenant.tenant_id, keyword(1), 1))


def test_a_deadline_that_has_passed_appends_nothing(tenant: Context) -> None:
    context, recorder = recorded(dataclasses.replace(tenant, deadline=Deadline.after(0)))
    with pytest.raises(Unavailable):
        sync.handle(context, event(tenant.tenant_id, keyword(1), 1))
    assert recorder.sent == []


def test_entities_without_a_table_are_left_alone(tenant: Context, settings: Settings) -> None:
    envelope = event(tenant.tenant_id, {"tenant_id": tenant.tenant_id}, 1, entity="tenant", key="tenant_id")
    context, recorder = recorded(tenant)
    sync.handle(context, envelope)
    assert recorder.sent == []

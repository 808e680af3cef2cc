"""The log, the read view and the merge agree with a model, whatever is duplicated, reordered or late."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from common import logs
from common.clients.firestore import firestore_client
from common.context import PLATFORM_TENANT, Context
from common.events import Envelope
from common.registry import entities
from common.warehouse.log import append
from common.warehouse.marks import MERGE, claim, path_of, set_marks
from common.warehouse.merge import TASK, fan_out, merge
from common.warehouse.query import rows
from common.warehouse.rows import row_of
from common.warehouse.tables import Relations, relations
from tests.common.queues import make_queues
from tests.common.warehouse.changes import FIRST, event, keyword

VIEW = "SELECT keyword_id, search_volume, serp_history, change_sequence FROM {keywords_latest}"
CURRENT = "SELECT keyword_id, search_volume, serp_history, change_sequence FROM {keywords}"
State = dict[str, tuple[int, int]]


def keywords(context: Context) -> Relations:
    return relations(context.clients.settings.project, context.tenant_id, entities()["keyword"])


def store(context: Context, events: Sequence[Envelope]) -> None:
    found = keywords(context)
    assert append(context, found.log, [row_of(found.table, each) for each in events]) == {}


def read(context: Context, sql: str) -> State:
    found = rows(context, sql, {})
    assert len({row["keyword_id"] for row in found}) == len(found), "a key has two rows"
    return {row["keyword_id"]: (row["change_sequence"] - FIRST, row["search_volume"]) for row in found}


def model_of(events: Sequence[Envelope]) -> State:
    newest: dict[str, Envelope] = {}
    for each in events:
        key = each.payload.document_id
        if key not in newest or newest[key].payload.sequence < each.payload.sequence:
            newest[key] = each
    return {
        key: (each.payload.sequence - FIRST, each.payload.data["search_volume"])
        for key, each in newest.items()
        if each.payload.operation != "deleted"
    }


def history(tenant_id: str, changes: int, keys: int, seed: int) -> list[Envelope]:
    chance = random.Random(seed)
    events = []
    for sequence in range(1, changes + 1):
        data = keyword(chance.randrange(keys), search_volume=sequence, serp_history=[{"position": sequence}])
        deleted = chance.random() < 0.2
        events.append(event(tenant_id, data, sequence * 10, "deleted" if deleted else "updated"))
    return events


def test_twenty_thousand_shuffled_and_doubled_changes_agree_with_the_model(tenant: Context) -> None:
    events = history(tenant.tenant_id, 18_000, 3_000, seed=7)
    sent = events + events[::9]
    random.Random(11).shuffle(sent)
    half = len(sent) // 2

    store(tenant, sent[:half])
    assert read(tenant, VIEW) == model_of(sent[:half])
    first = merge(tenant, keywords(tenant), None)
    assert read(tenant, CURRENT) == model_of(sent[:half])

    watermark = datetime.now(UTC)
    store(tenant, sent[half:])
    assert read(tenant, VIEW) == model_of(sent)
    assert read(tenant, CURRENT) == model_of(sent[:half]), "only a merge changes the current table"
    merge(tenant, keywords(tenant), watermark)
    assert read(tenant, CURRENT) == model_of(events)
    assert read(tenant, VIEW) == model_of(events)
    assert first.changed in {None, len(model_of(sent[:half]))}


def test_a_repeated_merge_changes_nothing(tenant: Context) -> None:
    store(tenant, history(tenant.tenant_id, 300, 50, seed=3))
    merge(tenant, keywords(tenant), None)
    before = rows(tenant, "SELECT * FROM {keywords} ORDER BY keyword_id", {})
    again = merge(tenant, keywords(tenant), None)
    assert again.changed in {None, 0}
    assert rows(tenant, "SELECT * FROM {keywords} ORDER BY keyword_id", {}) == before


def test_a_late_older_change_does_not_bring_a_deleted_row_back(tenant: Context) -> None:
    old, deleted = event(tenant.tenant_id, keyword(1, search_volume=1), 10), None
    deleted = event(tenant.tenant_id, keyword(1), 20, "deleted")
    store(tenant, [deleted])
    merge(tenant, keywords(tenant), None)
    store(tenant, [old])
    assert read(tenant, VIEW) == {}
    merge(tenant, keywords(tenant), datetime.now(UTC))
    assert read(tenant, CURRENT) == {}
    assert read(tenant, VIEW) == {}


def test_a_deletion_the_view_no_longer_sees_is_repeated(tenant: Context) -> None:
    """The deletion arrived thirty days ago, an older change of the same row only now."""
    backdate(tenant, event(tenant.tenant_id, keyword(1, search_volume=1), 20, "deleted"), days=30)
    store(tenant, [event(tenant.tenant_id, keyword(1, search_volume=1), 10)])
    assert merge(tenant, keywords(tenant), datetime.now(UTC)).reasserted in {None, 1}
    assert read(tenant, CURRENT) == {}
    assert read(tenant, VIEW) == {}
    count = "SELECT COUNT(*) AS n FROM {keywords_changes} WHERE appended_at >= @since"
    since = datetime.now(UTC) - timedelta(days=90)
    before = rows(tenant, count, {"since": since})
    merge(tenant, keywords(tenant), datetime.now(UTC))
    assert rows(tenant, count, {"since": since}) == before, "repeated once is enough"


def backdate(context: Context, envelope: Envelope, days: int) -> None:
    """Put a row into the log that arrived days ago."""
    from common.clients.bigquery import bigquery_client

    found = keywords(context)
    values: dict[str, Any] = dict(row_of(found.table, envelope).values)
    arrived = datetime.now(UTC) - timedelta(days=days)
    client = context.clients.get(bigquery_client)
    assert client.insert_rows_json(found.log.id, [{**values, "appended_at": arrived.isoformat()}]) == []


def test_a_late_change_older_than_the_merged_row_does_not_double_it(tenant: Context) -> None:
    """What the current table holds was merged from rows that the view's days no longer cover."""
    backdate(tenant, event(tenant.tenant_id, keyword(1, search_volume=2), 20), days=30)
    merge(tenant, keywords(tenant), None)
    store(tenant, [event(tenant.tenant_id, keyword(1, search_volume=1), 10)])
    assert read(tenant, VIEW) == {"keyword-00001": (20, 2)}
    merge(tenant, keywords(tenant), datetime.now(UTC))
    assert read(tenant, VIEW) == read(tenant, CURRENT) == {"keyword-00001": (20, 2)}


def test_an_equal_sequence_with_more_columns_fills_them(tenant: Context) -> None:
    """A backfill after a table gained a column repeats the sequence of the document, with one value more."""
    store(tenant, [event(tenant.tenant_id, keyword(1), 10)])
    merge(tenant, keywords(tenant), None)
    store(tenant, [event(tenant.tenant_id, keyword(1, search_volume=70), 10)])
    merge(tenant, keywords(tenant), None)
    assert read(tenant, CURRENT) == {"keyword-00001": (10, 70)}


def test_observations_are_read_once(tenant: Context) -> None:
    entity = entities()["rank_observation"]
    found = relations(tenant.clients.settings.project, tenant.tenant_id, entity)
    data = {
        "observation_id": "o1",
        "keyword_id": "k1",
        "keyword": "shoes",
        "date": "2026-09-20",
        "checked_at": "2026-09-20T08:00:00.000000Z",
        "device": "mobile",
        "locale": "en-US",
        "state": "ranked",
        "position": 4.0,
        "source": "api",
        "created_at": "2026-09-20T08:00:00.000000Z",
    }
    name = {"entity": "rank_observation", "key": "observation_id"}
    seen = [event(tenant.tenant_id, data, 10, "created", **name) for _ in range(3)]
    gone = {**data, "observation_id": "o2"}
    seen += [event(tenant.tenant_id, gone, 10, "created", **name), event(tenant.tenant_id, gone, 11, "deleted", **name)]
    assert append(tenant, found.log, [row_of(found.table, each) for each in seen]) == {}
    sql = "SELECT observation_id, position FROM {rank_observations_latest} WHERE date >= @since"
    assert rows(tenant, sql, {"since": datetime(2026, 9, 1, tzinfo=UTC).date()}) == [
        {"observation_id": "o1", "position": 4.0}
    ]


def waiting(context: Context, entity: str, minutes: int) -> None:
    """Mark a table as one that has waited so long."""
    set_marks(context, context.tenant_id, [(MERGE, entity)])
    path = path_of(MERGE, context.tenant_id, entity)
    since = datetime.now(UTC) - timedelta(minutes=minutes)
    context.clients.get(firestore_client).document(path).update({"pending_since": since})


def test_a_table_that_waits_for_more_than_an_hour_is_told(tenant: Context, capsys: pytest.CaptureFixture[str]) -> None:
    make_queues(tenant.clients, TASK)
    for entity, minutes in (("keyword", 65), ("content_piece", 55), ("opportunity", 200)):
        waiting(tenant, entity, minutes)
    assert claim(tenant, MERGE, tenant.tenant_id, "opportunity") is not None, "somebody works on it, again"
    set_marks(tenant, tenant.tenant_id, [(MERGE, "opportunity")])
    logs.configure(dataclasses.replace(tenant.clients.settings, log_format="json"))
    capsys.readouterr()
    try:
        fan_out(dataclasses.replace(tenant, tenant_id=PLATFORM_TENANT, function="platform-warehouse-merge"))
    finally:
        structlog.reset_defaults()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    own = [line for line in lines if line["tenant_id"] == tenant.tenant_id]
    assert [(line["message"], line["severity"], line["entity"]) for line in own] == [
        ("warehouse_lag", "WARNING", "opportunity"),
        ("warehouse_lag", "WARNING", "keyword"),
    ]
    assert own[0]["age_seconds"] >= 200 * 60
    assert 65 * 60 <= own[1]["age_seconds"] < 200 * 60
    assert own[1]["function"] == "platform-warehouse-merge"

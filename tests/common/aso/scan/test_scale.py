"""A large tenant next to small ones: the small ones' scans are what they are alone, the large one's are bounded.

Here the large tenant has a hundred thousand keywords, to keep the tests affordable; ``tests/bench/schedule.py`` does
the same with a million next to a hundred small tenants.
"""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud import bigquery

from common.aso import scan
from common.aso.entities import OPPORTUNITIES, SCAN
from common.aso.models import Keyword
from common.aso.opportunity_models import ScanTask
from common.aso.scan_query import differences
from common.clients.bigquery import bigquery_client
from common.clients.registry import Clients
from common.context import PLATFORM_TENANT, Context
from common.registry import entities
from common.store import Repository
from common.warehouse import marks, query
from common.warehouse.tables import relations, view_query
from tests.bench.scan import KEYWORDS
from tests.common.aso.scan.conftest import Warehouse, context_for, keyword
from tests.common.aso.scan.test_scan import counts, store
from tests.common.queues import make_queues, tasks_of

LARGE = 100_000
SMALL = 4
LIMIT = 300


def provisioned(clients: Clients) -> Context:
    """Return a tenant with no more of a warehouse than scans read: the rest costs a second a tenant."""
    context = context_for(clients, f"t{uuid.uuid4().hex[:10]}")
    client = clients.get(bigquery_client)
    client.create_dataset(f"{clients.settings.project}.aso_tenant_{context.tenant_id}")
    for name in ("keyword", "opportunity"):
        found = relations(clients.settings.project, context.tenant_id, entities()[name])
        for relation in filter(None, (found.log, found.current)):
            client.create_table(bigquery.Table.from_api_repr(relation.resource()))
        client.query(f"CREATE OR REPLACE VIEW {found.view} AS\n{view_query(found)}").result()
    return context


def large_tenant(clients: Clients, size: int = LARGE, limit: int = LIMIT) -> Context:
    """Return a tenant with many keywords in the warehouse, and the documents of those that a scan will look at."""
    context = provisioned(clients)
    query.run(context, KEYWORDS, {"number": size}, timeout=120, attempts=1)
    now = datetime.now(UTC)
    looked_at = [each.keyword_id for each in differences(context, now.date(), limit).create]
    sql = """\
SELECT keyword_id, keyword, search_volume, difficulty_score, current_ranking, last_checked, observed_impressions
FROM {keywords_latest}
WHERE last_checked >= @oldest AND keyword_id IN UNNEST(@looked_at)"""
    oldest = datetime(2000, 1, 1, tzinfo=UTC)
    rows = query.rows(context, sql, {"oldest": oldest, "looked_at": looked_at})
    store(context, *(keyword(context, row["keyword"], **row) for row in rows))
    return context


def small_tenant(clients: Clients, number: int) -> Context:
    """Return a tenant with two keywords that are opportunities and one that is none."""
    context = provisioned(clients)
    fruit: dict[str, Any] = {
        "search_volume": 2400 + number,
        "difficulty_score": 20.0,
        "last_checked": datetime.now(UTC),
    }
    values: list[Keyword] = [
        keyword(context, "near", current_ranking=12, **fruit),
        keyword(context, "farther", current_ranking=20, **fruit),
        keyword(context, "there already", current_ranking=1, **fruit),
    ]
    store(context, *values)
    Warehouse(context).put("keyword", values)
    return context


def test_a_large_tenant_next_to_small_ones(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents one customer's size from being felt by the others, or from ever being too much for one run."""
    monkeypatch.setattr(scan, "SCHEDULED_LIMIT", LIMIT)
    make_queues(clients, scan.TENANT_TASK)
    large = large_tenant(clients)
    small = [small_tenant(clients, number) for number in range(SMALL)]
    everyone = {each.tenant_id: each for each in (large, *small)}
    for tenant_id, each in everyone.items():
        marks.set_marks(each, tenant_id, [(SCAN, marks.EVERYTHING)])
    scan.enqueue_changed(context_for(clients, PLATFORM_TENANT))
    tasks = {
        task.http_request.headers["X-Tenant-ID"]: ScanTask.model_validate_json(task.http_request.body)
        for task in tasks_of(clients, scan.TENANT_TASK)
    }
    assert set(tasks) == set(everyone), "one task a tenant, whatever its size"

    # The large one's turn comes between those of the small ones.
    order = [*(each.tenant_id for each in small[: SMALL // 2]), large.tenant_id]
    order += [each.tenant_id for each in small[SMALL // 2 :]]
    results = {tenant_id: scan.scan_claimed(everyone[tenant_id], tasks[tenant_id]) for tenant_id in order}

    creatable = differences(large, datetime.now(UTC).date(), 1).creatable
    result = results[large.tenant_id]
    assert counts(result) == {"created": LIMIT, "remaining": creatable - LIMIT}
    assert creatable > 10 * LIMIT
    assert Repository(OPPORTUNITIES, large).count() == LIMIT, "what a run writes is bounded"
    assert len(result.items) == scan.SHOWN
    assert len(result.model_dump_json()) < 100_000, "and what it answers"
    gains = [item.expected_gain or 0 for item in result.items]
    assert gains == sorted(gains, reverse=True)
    due = {mark.tenant_id for mark in marks.due(large, SCAN)}
    assert due == {large.tenant_id}, "the large one goes on in the next hour, the small ones are done"

    for number, each in enumerate(small):
        assert counts(results[each.tenant_id]) == {"created": 2}
        found = [record.value for record in Repository(OPPORTUNITIES, each).select()]
        assert {one.keyword for one in found} == {"near", "farther"}
        assert {one.search_volume for one in found} == {2400 + number}
    shapes = [
        sorted((item.keyword, item.opportunity_type, item.current_ranking) for item in results[each.tenant_id].items)
        for each in small
    ]
    assert all(one == other for one, other in itertools.pairwise(shapes)), "the same before the large one and after it"

"""From HTTP to the warehouse through the running local cloud: nothing acknowledged is lost, and both stores agree."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from common.clients.registry import Clients
from common.context import Context
from common.model import rfc3339
from common.warehouse import source
from common.warehouse.query import rows
from common.warehouse.tables import declared_columns
from tests.common.warehouse.conftest import context_for
from tests.stack import Caller, Stack, TenantHandle, wait_for


@pytest.fixture
def context(cloud: Stack, tenant: TenantHandle) -> Context:
    """Looks behind the interface, for the test's tenant; without Redis, so that no breaker of the cloud holds it up."""
    clients = Clients(dataclasses.replace(cloud.settings, redis_url=""))
    return context_for(clients, tenant.tenant_id, seconds=280)


def upsert(client: Caller, numbers: range, volume: int) -> list[str]:
    body = {"rows": [{"keyword": f"running shoes {number}", "search_volume": volume + number} for number in numbers]}
    answer = client.post("/v1/aso/keywords", body)
    assert answer.status_code == 207, answer.text
    assert answer.json()["refused"] == 0
    return [row["value"]["keyword_id"] for row in answer.json()["rows"]]


def in_firestore(context: Context) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what the rows should be, by table and key."""
    found = {}
    for entity in source.warehouse_entities():
        assert entity.table is not None
        for page in source.pages(context, entity, read_time=datetime.now(UTC)):
            prepared = source.prepare(entity, page)
            assert prepared.refused == []
            for row in prepared.rows:
                found[entity.table.name, row.values[entity.table.key]] = {
                    name: row.values.get(name) for name in shown(entity.table.name)
                }
    return found


def in_bigquery(context: Context, suffix: str = "_latest") -> dict[tuple[str, str], dict[str, Any]]:
    """Return what the tables hold, by table and key, one row a key."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for entity in source.warehouse_entities():
        assert entity.table is not None
        name = entity.table.name
        json_columns = {column.name for column in declared_columns(entity.table) if column.type == "JSON"}
        relation = f"{name}_latest" if entity.table.immutable else f"{name}{suffix}"
        for row in rows(context, f"SELECT * FROM {{{relation}}}", {}):
            key = (name, row[entity.table.key])
            assert key not in found, "two rows of one key"
            found[key] = {column: shape(row[column], column in json_columns) for column in shown(name)}
    return found


def shown(table: str) -> list[str]:
    [entity] = [each for each in source.warehouse_entities() if each.table and each.table.name == table]
    assert entity.table is not None
    return [column.name for column in declared_columns(entity.table)]


def shape(value: Any, is_json: bool) -> Any:
    """Return a value of BigQuery as the streaming interface takes it."""
    if is_json and value is not None:
        parsed = json.loads(value) if isinstance(value, str) else value
        return json.dumps(parsed, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    return value


def agree(context: Context, suffix: str = "_latest") -> bool:
    wanted, held = in_firestore(context), in_bigquery(context, suffix)
    assert {key: row["change_sequence"] for key, row in held.items()} == {
        key: row["change_sequence"] for key, row in wanted.items()
    }
    for key, row in wanted.items():
        # A repeated column has no null: BigQuery answers the empty list for what was never set.
        assert held[key] == {
            name: [] if held[key][name] == [] and value is None else value for name, value in row.items()
        }
    return True


def job_of(tenant: TenantHandle, job_id: str) -> Callable[[], dict[str, Any]]:
    def ended() -> dict[str, Any]:
        job: dict[str, Any] = tenant.client.get(f"/v1/jobs/{job_id}").json()
        return job if job["status"] in {"succeeded", "failed"} else {}

    return ended


def test_operators_backfill_and_reconcile(cloud: Stack, tenant: TenantHandle, context: Context) -> None:
    upsert(tenant.client, range(7), 100)
    cloud.settled()
    body = {"tenant_id": tenant.tenant_id, "entity": "keyword", "dry_run": True}
    dry = cloud.post("/v1/platform/backfills", body)
    assert (dry.status_code, dry.json()["plan"]["documents"], dry.json()["job"]) == (200, 7, None)
    real = cloud.post("/v1/platform/backfills", {**body, "dry_run": False})
    assert real.status_code == 202
    job = wait_for(job_of(tenant, real.json()["job"]["job_id"]), 60)
    assert (job["status"], job["result"]["appended"]) == ("succeeded", 7)
    before = in_bigquery(context)
    assert agree(context), "a backfill of what is there changes nothing"

    started = cloud.post("/v1/platform/reconciliations", {"tenant_id": tenant.tenant_id, "repair": True})
    assert started.status_code == 202
    job = wait_for(job_of(tenant, started.json()["job_id"]), 60)
    assert job["status"] == "succeeded"
    assert all(report["repaired"] == 0 for report in job["result"]["entities"].values())
    assert in_bigquery(context) == before


@pytest.mark.parametrize("path", ["/v1/platform/backfills", "/v1/platform/reconciliations"])
def test_tenants_may_not(tenant: TenantHandle, path: str) -> None:
    body = {"tenant_id": tenant.tenant_id, "entity": "keyword"}
    assert tenant.client.post(path, body).status_code == 403

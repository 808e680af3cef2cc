"""Every query has its index: the emulator enforces none, but tells which each query would have needed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from common.registry import ENTITIES_FILE
from common.technical import COLLECTIONS
from tests.end_to_end.support import job_ended
from tests.stack import Caller, Stack, TenantHandle, local_stack, wait_for
from triggers.local.processes import LOOPBACK
from triggers.manifest import load_manifest
from triggers.openapi import OPENAPI_FILE

SORTED = frozenset(
    {
        *("created_at", "last_checked", "date", "detected_at", "expected_gain", "last_at", "updated_at", "wake_at"),
        *("demand", "entry_id", "expires_at"),
        *("measured_at", "outcome_due_at", "at", "due_at", "finished_at", "checked_at", "name"),
    }
)
"""Fields that queries sort or bound by; all others are compared for equality. The emulator's report does not tell the
two apart where the direction is ascending."""

UNKNOWN = "0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"
ELSEWHERE = {
    ("privacy_requests", ("tenant_id", "waits", "-received_at")),  # asked when a legal hold is released
    (
        "security_events",
        ("tenant_id", "at"),
    ),  # asked by retention once one is old; Firestore's policy removes most before
}
"""Indexes whose queries need more than lists and schedules to be asked; tests of privacy walk them."""
AUDITED: Mapping[str, Sequence[str]] = {
    "entity": ["keyword"],
    "document_id": [UNKNOWN],
    "actor_id": ["nobody"],
    "operation": ["created"],
    "field": ["priority"],
    "code": ["last_admin"],
}
"""Filters of searches in the audit trail."""
LISTS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "/v1/aso/content": {"status": ["draft"], "content_type": ["hub"], "hub_id": [UNKNOWN], "days": ["9"]},
    "/v1/aso/keywords": {"priority": ["tier1"], "intent": ["commercial"], "content_id": [UNKNOWN], "days": ["9"]},
    "/v1/aso/imports": {"status": ["applied"], "format": ["csv"]},
    "/v1/aso/opportunities": {
        "status": ["new"],
        "opportunity_type": ["low_hanging_fruit"],
        "days": ["9"],
        "sort": ["-expected_gain", "-detected_at"],
    },
    "/v1/aso/outcomes": {"opportunity_id": [UNKNOWN], "horizon_days": ["28"]},
    "/v1/aso/alerts": {"status": ["open"], "direction": ["down"], "keyword_id": [UNKNOWN]},
    "/v1/aso/keywords/{keyword_id}/history": {"device": ["mobile"], "locale": ["en"]},
    "/v1/jobs": {"status": ["queued"], "type": ["keyword_import"]},
    "/v1/platform/dead-letters": {"function": ["aso-warehouse-sync"], "status": ["pending"]},
    "/v1/tenants/{tenant_id}/api-keys": {"status": ["expired"]},
    "/v1/api-keys": {"status": ["expired"]},
    "/v1/aso/hubs/{content_id}/tree": {},
    "/v1/aso/clusters": {},
    "/v1/aso/clusters/{cluster_id}": {},
    "/v1/aso/content/{content_id}/audits": {},
    "/v1/aso/site-audits": {},
    "/v1/tenants": {"status": ["active"]},
    "/v1/accounts": {"user_id": [UNKNOWN], "status": ["active"]},
    "/v1/audit": AUDITED,
    "/v1/platform/audit": AUDITED,
    "/v1/audit/{entity}/{document_id}": {},
    "/v1/companies": {"status": ["active"]},
    "/v1/features": {},
    "/v1/invites": {"status": ["pending"]},
    "/v1/privacy/consents": {"email_digest": ["0" * 64], "user_digest": ["0" * 64], "purpose": ["newsletter"]},
    "/v1/privacy/holds": {"status": ["active"]},
    "/v1/privacy/requests": {"status": ["received"], "type": ["access"], "deadline": ["running"]},
    "/v1/privacy/retention/runs": {},
    "/v1/privacy/suppressions": {"purpose": ["newsletter"]},
    "/v1/users": {"company_id": [UNKNOWN], "role": ["viewer"], "status": ["active"]},
}
"""Every operation that answers with a list, and every filter that it takes; a test holds it against the manifest."""


@pytest.fixture(scope="module")
def cloud(cloud_environment: Mapping[str, str]) -> Iterator[Stack]:
    """A local cloud of its own: every schedule runs in it, and would do so for all tenants that other tests made."""
    with local_stack(cloud_environment) as stack:
        yield stack


def combinations(filters: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Yield every combination of filters, each given or not."""
    choices = [[None, *values] for values in filters.values()]
    for chosen in itertools.product(*choices):
        yield {name: value for name, value in zip(filters, chosen, strict=True) if value is not None}


def declared() -> dict[str, tuple[list[tuple[str, ...]], set[str]]]:
    """Return the composite indexes and the fields without any, by collection."""
    found: dict[str, tuple[list[tuple[str, ...]], set[str]]] = {}
    for entity in json.loads(ENTITIES_FILE.read_text(encoding="utf-8"))["entities"]:
        fields = [tuple(index["fields"]) for index in entity["indexes"]]
        found[entity["collection"]] = (fields, set(entity["unindexed"]))
    for technical in COLLECTIONS:
        indexes = [tuple(index.fields) for index in technical.indexes]
        name = technical.path.rpartition("/")[2]
        others, bare = found.get(name, ([], set()))  # the emulator's report does not tell collections of one name apart
        found[name] = ([*others, *indexes], bare | set(technical.unindexed))
    return found


def is_served(needed: Sequence[str], indexes: Sequence[tuple[str, ...]], unindexed: set[str]) -> bool:
    """Tell whether Firestore answers a query, from one index or by merging those that end alike.

    Rules: https://firebase.google.com/docs/firestore/query-data/index-overview#taking_advantage_of_index_merging
    """
    bare = [name.removeprefix("-") for name in needed]
    order = [name for name, field in zip(needed, bare, strict=True) if field in SORTED]
    equal = {field for field in bare if field not in SORTED}
    if not order or (len(order) == 1 and not equal):
        return not unindexed & set(bare)
    served: set[str] = set()
    for fields in indexes:
        begins, ends = set(fields[: -len(order)]), list(fields[-len(order) :])
        if ends == order and begins <= equal:
            served |= begins
    return served == equal


def used(cloud: Stack) -> dict[str, set[tuple[str, ...]]]:
    """Return what the queries of this project needed so far, by collection."""
    project = cloud.settings.project
    answer = requests.get(
        f"http://{LOOPBACK}:{cloud.local.services['firestore'].port}/emulator/v1/projects/{project}:indexUsage",
        params={"database": f"projects/{project}/databases/(default)"},
        timeout=30,
    )
    answer.raise_for_status()
    found: dict[str, set[tuple[str, ...]]] = {}
    for report in answer.json()["reports"]:
        index = report["index"]
        collection = index["name"].split("/collectionGroups/")[1].split("/")[0]
        fields = tuple(
            f"{'-' if field.get('order') == 'DESCENDING' else ''}{field['fieldPath']}"
            f"{'[]' if 'arrayConfig' in field else ''}"
            for field in index["fields"]
            if field["fieldPath"] != "__name__"
        )
        found.setdefault(collection, set()).add(fields)
    return found


def idle(
    known: Mapping[str, tuple[list[tuple[str, ...]], set[str]]], seen: Mapping[str, set[tuple[str, ...]]]
) -> set[tuple[str, tuple[str, ...]]]:
    """Return the composite indexes that serve no query."""
    return {
        (collection, index)
        for collection, (indexes, _) in known.items()
        for index in indexes
        if not any(set(index) <= set(fields) for fields in seen.get(collection, ()))
    }


def prepare(cloud: Stack, tenant: TenantHandle) -> dict[str, str]:
    """Write what lists can be about; return the values of path parameters."""
    client = tenant.client
    body = {"content_type": "hub", "keyword_primary": "shoes", "title": "Shoes"}
    hub = client.post("/v1/aso/content", body).json()["content_id"]
    spoke = client.post("/v1/aso/content", {**body, "content_type": "spoke", "hub_id": hub})
    assert spoke.status_code == 201, spoke.text
    rank = {"keyword": "shoes", "date": datetime.now(UTC).date().isoformat(), "state": "ranked", "position": 12}
    keyword = {"keyword": "shoes", "search_volume": 500, "difficulty_score": 5.0, "content_id": hub}
    rows = client.post("/v1/aso/keywords", {"rows": [keyword]}).json()["rows"]
    assert client.post("/v1/aso/ranks", {"rows": [rank]}).status_code == 207
    headers = {"Content-Type": "text/csv"}
    imported = client.request("POST", "/v1/aso/imports", data=b"keyword\nboots\n", headers=headers).json()["job_id"]
    wait_for(lambda: job_ended(client, imported), what="the import ends")
    undo = client.post(f"/v1/aso/imports/{imported}/undo").json()["job_id"]
    wait_for(lambda: job_ended(client, undo), what="the undo ends")
    cloud.settled()
    assert client.post("/v1/aso/opportunities/scan").json()["created"] == 1
    names = {"content_id": hub, "keyword_id": rows[0]["value"]["keyword_id"], "tenant_id": tenant.tenant_id}
    return {**names, "cluster_id": cluster_of(client), "entity": "keyword", "document_id": UNKNOWN}


def cluster_of(client: Caller) -> str:
    """Make keywords that are alike, merge two of them, cluster, learn and classify; return the cluster."""
    alike = [{"keyword": each} for each in ("Shoes!", "shoes?", "shoes.")]
    rows = client.post("/v1/aso/keywords", {"rows": alike}).json()["rows"]
    one, other = (row["value"]["keyword_id"] for row in rows[:2])
    assert client.post(f"/v1/aso/keywords/{one}/merge", {"into": other}).json()["status"] == "done"
    for route in ("/v1/aso/keywords/cluster", "/v1/aso/intent-model/train"):
        job = client.post(route, {} if route.endswith("cluster") else None).json()["job_id"]
        wait_for(lambda job=job: job_ended(client, job), what=route)  # type: ignore[misc]
    for chosen in combinations({"intent": ["unknown"], "priority": ["tier1"]}):
        assert client.post("/v1/aso/keywords/intent", {"filter": chosen}).status_code == 200
    [cluster] = client.get("/v1/aso/clusters").json()["items"]
    return str(cluster["cluster_id"])


def every_query(cloud: Stack, tenant: TenantHandle) -> None:
    """Ask every list in every way, page by page, and run what queries without being a list."""
    names = prepare(cloud, tenant)
    for path, filters in LISTS.items():
        caller = cloud.operator if path.startswith(("/v1/platform", "/v1/tenants")) else tenant.client
        for chosen in combinations(filters):
            answer = caller.get(path.format(**names), params=chosen)
            due = 404 if "{document_id}" in path else 200  # of what is not there the audit trail tells nothing
            assert answer.status_code == due, (path, chosen, answer.text)
    tracked = {"site_hosts": ["example.com"], "tracking": {"enabled": True}}
    assert tenant.client.put("/v1/aso/settings", tracked, headers={"If-Match": "*"}).status_code == 200
    assert tenant.client.get("/v1/aso/tracking").json()["state"] == "on"
    page = tenant.client.get("/v1/aso/content?limit=1").json()
    assert tenant.client.get(f"/v1/aso/content?limit=1&cursor={page['next_cursor']}").status_code == 200
    for entry in load_manifest():
        if entry["kind"] == "schedule":
            cloud.fire(entry["name"])
    for route in ("/v1/aso/decay", "/v1/aso/cannibalization", "/v1/aso/link-gaps"):
        assert tenant.client.post(route).status_code == 200
    job = {"tenant_id": tenant.tenant_id, "entity": "keyword", "dry_run": True}
    assert cloud.post("/v1/platform/backfills", job).status_code == 200
    for dry_run in ("true", "false"):
        path = f"/v1/aso/content/{names['content_id']}?cascade=true&dry_run={dry_run}"
        assert tenant.client.delete(path).status_code == 200
    cloud.settled()


def test_every_query_of_every_list_has_its_index(cloud: Stack, tenant: TenantHandle) -> None:
    every_query(cloud, tenant)
    known = declared()
    seen = used(cloud)
    assert {"content_pieces", "keywords", "opportunities", "jobs", "rank_observations", "messages", "marks"} <= set(
        seen
    )
    missing = {
        (collection, fields)
        for collection, queries in seen.items()
        if collection in known
        for fields in queries
        if not is_served(fields, *known[collection])
    }
    assert missing == set()
    assert idle(known, seen) - ELSEWHERE == set(), (
        "declared, maintained and paid for with every write, and used by no query"
    )
    assert set(seen) - set(known) <= {"api_keys", "checks"}, "a collection that nobody declared is queried"


def test_every_list_and_filter_is_asked() -> None:
    """Lists are the GET operations whose answer has items; filters are their query parameters."""
    document = json.loads(OPENAPI_FILE.read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for path, operations in document["paths"].items():
        operation = operations.get("get")
        if operation is None or (path not in LISTS and not _is_list(document, operation)):
            continue
        names = {each["name"] for each in operation.get("parameters", []) if each.get("in") == "query"}
        found[path] = names - {"limit", "cursor", "from", "to"}
    assert {path: filters for path, filters in found.items() if filters - set(LISTS.get(path, {}))} == {}
    assert set(found) == set(LISTS)


def _is_list(document: dict[str, Any], operation: dict[str, Any]) -> bool:
    """Tell whether the answer has items."""
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return {"items", "next_cursor"} <= set(schema.get("properties", {}))

"""What a tenant has before another one attacks it: one of everything that an operation can be asked for by id."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud import bigquery, firestore

from common.aso.gain_model.outcomes import measure
from common.aso.opportunities import update
from common.aso.opportunity_models import OpportunityUpdate
from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.storage import storage_client
from common.context import Context, Principal
from common.publish import publish
from common.registry import entities
from tests.operations import OPERATIONS, Operation
from tests.security.accounts import settle_accounts
from tests.security.people import settle_people
from tests.security.rights import settle_rights
from tests.stack import Stack, TenantHandle, wait_for

CSV = "keyword,search_volume,difficulty\n{mark} imported,500,20\n{mark} broken,many,20\n"


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """A tenant with data.

    Attributes:
        tenant: The tenant.
        mark: In every text of its data, and nowhere else.
        ids: Ids of what it has, by the name under which operations ask for them.
        spoke: Id of the spoke of its hub.
        cursors: A cursor of each list that has one, by operation.
        others: More ids, of which nobody else may learn.
    """

    tenant: TenantHandle
    mark: str
    ids: Mapping[str, str]
    spoke: str
    cursors: Mapping[str, str] = field(default_factory=dict)
    others: frozenset[str] = frozenset()

    def traces(self) -> set[str]:
        """Return what another tenant's answers must not contain."""
        ids = {value for name, value in self.ids.items() if name != "entity"}
        return {self.mark, self.tenant.tenant_id, self.spoke, *ids, *self.others}


def settle(stack: Stack, tenant: TenantHandle, mark: str) -> Holdings:
    """Give a tenant data and wait until all of it has travelled to the warehouse."""
    ids = {"tenant_id": tenant.tenant_id}
    hub = _content(tenant, mark, "hub", None)
    spoke = _content(tenant, mark, "spoke", hub)
    ids |= {"content_id": hub, "hub_id": hub}
    keywords = _keywords(tenant, mark, hub)
    ids["keyword_id"] = ids["keyword_ids"] = keywords[0]
    ids["job_id"] = ids["import_id"] = _import(tenant, mark)
    opportunities = wait_for(lambda: _scanned(tenant), 60, every=0.3, what="the scan finds opportunities")
    ids["opportunity_id"] = opportunities[0]
    _measured(stack, tenant, opportunities[1:3])
    stack.key(tenant.tenant_id)  # the list of keys has a second page
    ids["key_id"] = stack.get(f"/v1/tenants/{tenant.tenant_id}/api-keys").json()["items"][-1]["key_id"]
    ids["dead_letter_id"] = _dead_letter(stack, mark)
    ids["audit_id"] = _audits(tenant, mark, hub)
    ids |= _clusters_and_export(tenant, mark)
    ids["alert_id"] = _alerts(stack, tenant, keywords[1:3])
    ids |= settle_people(stack, tenant, mark)
    ids |= settle_rights(stack, tenant, mark)
    ids |= settle_accounts(stack, tenant.tenant_id, ids["user_id"], mark)
    stack.settled()
    ids |= _recorded(tenant, hub)
    others = frozenset({*keywords[1:], *opportunities[1:]})
    return Holdings(tenant=tenant, mark=mark, ids=ids, spoke=spoke, cursors=_cursors(tenant), others=others)


ID_NAMES = frozenset(
    {
        *("export_id", "cluster_id", "alert_id", "keyword_ids"),
        *("request_id", "suppression_id", "hold_id"),
        *("entity", "document_id", "entry_id", "actor_id"),
        *("company_id", "user_id", "invite_id", "feature_id", "account_id"),
        "tenant_id",
        "content_id",
        "hub_id",
        "keyword_id",
        "job_id",
        "import_id",
        "opportunity_id",
        "key_id",
        "dead_letter_id",
        "audit_id",
    }
)
"""Names of ids that ``settle`` makes one of."""


def idempotency_key(mark: str) -> str:
    """Return the key under which the hub of a mark was made."""
    return f"hub-{mark}"


def hub_body(mark: str, kind: str = "hub", hub: str | None = None) -> dict[str, Any]:
    """Return the body that makes a piece."""
    return {
        "content_type": kind,
        "keyword_primary": f"{mark} {kind}",
        "title": f"{mark} title",
        "meta_description": mark,
        "url": f"https://example.com/{mark}/{kind}",
        "hub_id": hub,
        "monthly_traffic": 321,
    }


def _content(tenant: TenantHandle, mark: str, kind: str, hub: str | None) -> str:
    headers = {"Idempotency-Key": idempotency_key(mark)} if kind == "hub" else {}
    made = tenant.client.post("/v1/aso/content", hub_body(mark, kind, hub), headers=headers)
    assert made.status_code == 201, made.text
    return str(made.json()["content_id"])


def _keywords(tenant: TenantHandle, mark: str, hub: str) -> list[str]:
    rows = [
        {"keyword": f"{mark} {number}", "search_volume": 2400, "difficulty_score": 30, "content_id": hub}
        for number in range(3)
    ]
    answer = tenant.client.post("/v1/aso/keywords", {"rows": rows})
    assert answer.json()["refused"] == 0, answer.text
    now = datetime.now(UTC).isoformat()
    checks = [
        {"keyword": row["keyword"], "checked_at": now, "state": "ranked", "position": 12, "source": "tracker"}
        for row in rows
    ]
    recorded = tenant.client.post("/v1/aso/ranks", {"rows": checks})
    assert recorded.json()["refused"] == 0, recorded.text
    return [row["value"]["keyword_id"] for row in answer.json()["rows"]]


def _alerts(stack: Stack, tenant: TenantHandle, keywords: list[str]) -> str:
    """Let the ranks of keywords fall; return the id of one of the alerts that this raises."""
    now = datetime.now(UTC)
    rows = [
        {
            "keyword_id": name,
            "checked_at": (now - timedelta(days=back)).isoformat(),
            "device": "desktop",
            "source": "tracker",
            "state": "ranked",
            "position": 5 if back > 2 else 40,
        }
        for name in keywords
        for back in range(1, 12)
    ]
    assert tenant.client.post("/v1/aso/ranks", {"rows": rows}).json()["refused"] == 0

    def raised() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = tenant.client.get("/v1/aso/alerts").json()["items"]
        assert len(items) == len(keywords), f"{len(items)}, and {stack.local.dispatcher.pending()} deliveries wait"
        return items

    # Events of other tests may come first.
    return str(wait_for(raised, 180, every=0.2, what="alerts are raised")[0]["alert_id"])


def _import(tenant: TenantHandle, mark: str) -> str:
    answers = [
        tenant.client.request(
            "POST",
            "/v1/aso/keywords/import",
            data=CSV.format(mark=f"{mark} {number}").encode(),
            headers={"Content-Type": "text/csv"},
        )
        for number in range(2)
    ]
    jobs = [answer.json()["job_id"] for answer in answers]
    for job in jobs:
        wait_for(
            lambda job=job: tenant.client.get(f"/v1/jobs/{job}").json()["status"] == "succeeded",  # type: ignore[misc]
            what="the import ends",
        )
    return str(jobs[0])


def _audits(tenant: TenantHandle, mark: str, hub: str) -> str:
    """Audit the site twice, the hub's page and its links; return the id of an audit of the site."""
    site = {"sitemaps": [{"text": f"https://example.com/{mark}/listed"}], "site_url": "https://example.com/"}
    audits = [tenant.client.post("/v1/aso/site-audit", site).json()["audit"]["audit_id"] for _ in range(2)]
    scored = tenant.client.post("/v1/aso/onpage-score", {"content_id": hub, "text": f"All of {mark}."})
    assert scored.status_code == 200, scored.text
    linked = tenant.client.post(f"/v1/aso/hubs/{hub}/link-audit", {"pages": []})
    assert linked.status_code == 200, linked.text
    return str(audits[0])


def _clusters_and_export(tenant: TenantHandle, mark: str) -> dict[str, str]:
    """Cluster the keywords, two more of them far from the others, and export them; return the ids."""
    apart = [{"keyword": f"purple elephant parade tickets {more} {mark}"} for more in ("cheap", "today")]
    assert tenant.client.post("/v1/aso/keywords", {"rows": apart}).json()["refused"] == 0
    begun = [
        tenant.client.post("/v1/aso/keywords/cluster", {}),
        tenant.client.post("/v1/aso/exports", {"kind": "keywords", "name": mark}),
    ]
    jobs = [str(answer.json()["job_id"]) for answer in begun]
    for job in jobs:
        wait_for(
            lambda job=job: tenant.client.get(f"/v1/jobs/{job}").json()["status"] == "succeeded",  # type: ignore[misc]
            what="the job ends",
        )
    cluster = tenant.client.get("/v1/aso/clusters").json()["items"][0]
    return {"export_id": jobs[1], "cluster_id": str(cluster["cluster_id"])}


def _recorded(tenant: TenantHandle, content_id: str) -> dict[str, str]:
    """Return the ids of what the audit trail holds of a content piece."""
    path = f"/v1/audit/content_piece/{content_id}"
    entry = wait_for(lambda: tenant.client.get(path).json().get("items", []), what="the trail has the piece")[-1]
    return {name: str(entry[name]) for name in ("entity", "document_id", "entry_id", "actor_id")}


def _scanned(tenant: TenantHandle) -> list[str]:
    answer = tenant.client.post("/v1/aso/opportunities/scan")
    found = [item["opportunity_id"] for item in answer.json()["items"]] if answer.status_code == 200 else []
    return found if len(found) > 1 else []


def _measured(stack: Stack, tenant: TenantHandle, opportunities: Sequence[str]) -> None:
    """Act on opportunities and measure what came of them, at both horizons, ahead of time."""
    context = Context(
        function="aso-opportunity-outcome-tenant",
        tenant_id=tenant.tenant_id,
        principal=Principal(kind="service", id="tests", tenant_id=tenant.tenant_id, role="service"),
        clients=stack.clients,
    )
    for name in opportunities:
        for status in ("in_progress", "completed"):
            update(context, name, OpportunityUpdate.model_validate({"status": status}))
    measure(context, datetime.now(UTC) + timedelta(days=70))


def _dead_letter(stack: Stack, mark: str) -> str:
    publish(stack.clients, "platform-events", mark.encode(), {"event_type": "job-created", "ce-subject": mark})

    def stored() -> str:
        items = stack.get("/v1/platform/dead-letters", params={"limit": 200}).json()["items"]
        return next((str(item["id"]) for item in items if mark in str(item["attributes"])), "")

    return wait_for(stored, what="the poison event is set aside")


def lists() -> list[Operation]:
    """Return the operations with pages that tenants may ask for."""
    return [each for each in OPERATIONS if "cursor" in each.query and not each.is_platform and not each.parameters]


def _cursors(tenant: TenantHandle) -> dict[str, str]:
    pages = {each.name: tenant.client.get(each.route(), params={"limit": 1}).json() for each in lists()}
    return {name: page["next_cursor"] for name, page in pages.items() if page.get("next_cursor")}


def documents_of(stack: Stack, tenant_id: str) -> dict[str, str]:
    """Return every stored document of a tenant with its update time, as text, by path."""
    client: firestore.Client = stack.clients.get(firestore_client)
    mine = firestore.FieldFilter("tenant_id", "==", tenant_id)
    shared = [entity.collection for entity in entities().values() if entity.location == "shared"]
    shared += ["system/credentials/api_keys", "system/uniqueness/keys", "system/tombstones/records"]
    found = [snapshot for path in shared for snapshot in client.collection(path).where(filter=mine).stream()]
    root = client.document(f"tenants/{tenant_id}")
    found.append(root.get())
    found += [snapshot for collection in root.collections() for snapshot in collection.stream()]
    return {
        snapshot.reference.path: json.dumps(
            [snapshot.create_time, snapshot.update_time, snapshot.to_dict()], default=str, sort_keys=True
        )
        for snapshot in found
    }


def rows_of(stack: Stack, tenant_id: str) -> dict[str, list[str]]:
    """Return every row of a tenant's tables, as text, by table."""
    client: bigquery.Client = stack.clients.get(bigquery_client)
    dataset = f"{stack.settings.project}.aso_tenant_{tenant_id}"
    found = {}
    for table in client.list_tables(dataset):
        if table.table_type == "TABLE":
            rows = client.query(f"SELECT * FROM `{dataset}.{table.table_id}`").result()
            found[table.table_id] = sorted(json.dumps(dict(row.items()), default=str, sort_keys=True) for row in rows)
    return found


def files_of(stack: Stack, tenant_id: str) -> dict[str, str]:
    """Return every file of a tenant with its checksum, by bucket and name."""
    client = stack.clients.get(storage_client)
    buckets = (stack.settings.content_bucket, stack.settings.report_bucket)
    return {
        f"{bucket}/{blob.name}": f"{blob.md5_hash} {blob.updated}"
        for bucket in buckets
        for blob in client.list_blobs(bucket, prefix=f"{tenant_id}/")
    }


def new_mark() -> str:
    """Return letters that nothing else contains."""
    return f"mark{uuid.uuid4().hex[:14]}"


Look = Callable[[Stack, str], Mapping[str, object]]
LOOKS: tuple[Look, ...] = (documents_of, rows_of, files_of)


def state_of(stack: Stack, tenant_id: str) -> dict[str, object]:
    """Return everything stored for a tenant."""
    return {name: value for look in LOOKS for name, value in look(stack, tenant_id).items()}

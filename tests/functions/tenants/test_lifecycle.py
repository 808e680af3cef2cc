"""The life of tenants over HTTP, on the local cloud: set up for people, held to quotas, at rest, and gone."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from common.clients.firestore import firestore_client
from common.context import Context, Principal
from common.jobs import service
from common.store import transact
from common.technical import HELD_TASKS
from common.tenants import setup
from common.tenants.deletion import erasure
from common.tenants.models import SetupTask
from tests.common.tenants.deletion.holdings import state_of
from tests.stack import Caller, Stack, TenantHandle
from triggers.declaration import Message
from triggers.local.functions import read_manifest


def a_name() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


def path_of(tenant: TenantHandle) -> str:
    return f"/v1/tenants/{tenant.tenant_id}"


def held(cloud: Stack, tenant_id: str) -> int:
    found = cloud.clients.get(firestore_client).collection(HELD_TASKS.path).stream()
    return sum(each.get("tenant_id") == tenant_id for each in found)


def service_of(cloud: Stack, tenant_id: str) -> Context:
    principal = Principal(kind="service", id="tests", tenant_id=tenant_id, role="service")
    return Context(function="tests", tenant_id=tenant_id, principal=principal, clients=cloud.clients)


def test_a_tenant_is_set_up_for_people_and_the_invite_is_shown_once(cloud: Stack) -> None:
    tenant_id, headers = a_name(), {"Idempotency-Key": uuid.uuid4().hex}
    body = {"tenant_id": tenant_id, "name": "Ådalen 有限公司", "admin_email": "Ann@example.com"}
    made = cloud.post("/v1/tenants", body, headers=headers)
    assert made.status_code == 201, made.text
    token = made.json()["invite_token"]
    again = cloud.post("/v1/tenants", body, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_answer_not_stored")
    assert again.headers["Location"] == f"/v1/tenants/{tenant_id}"
    cloud.wait_for(lambda: cloud.get(f"/v1/tenants/{tenant_id}").json()["status"] == "active")
    read = cloud.get(f"/v1/tenants/{tenant_id}")
    assert {step["name"]: step["status"] for step in read.json()["setup"]["steps"]} == dict.fromkeys(
        ("warehouse", "data_key", "defaults", "first_admin", "activation"), "done"
    )
    assert token not in read.text
    tenant = cloud.key(tenant_id)
    assert [each["name"] for each in tenant.client.get("/v1/companies").json()["items"]] == ["Ådalen 有限公司"]
    assert [each["email"] for each in tenant.client.get("/v1/invites").json()["items"]] == ["ann@example.com"]


def test_a_stuck_set_up_goes_on_when_an_operator_asks(cloud: Stack, tenant: TenantHandle) -> None:
    refused = cloud.post(f"{path_of(tenant)}/setup/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "setup_not_pending")
    document = cloud.clients.get(firestore_client).document(f"tenants/{tenant.tenant_id}")
    document.update({"status": "provisioning", "setup": None})  # as a set-up that nobody goes on with leaves it
    assert cloud.post(f"{path_of(tenant)}/setup/retry").status_code == 202
    cloud.wait_for(lambda: cloud.get(path_of(tenant)).json()["status"] == "active", what=f"{setup.RUN_TASK} ran")
    assert SetupTask(tenant_id=tenant.tenant_id)


def test_quotas_are_seen_agreed_on_and_held(cloud: Stack, tenant: TenantHandle) -> None:
    own = tenant.client.get("/v1/tenant").json()
    assert (own["tenant_id"], own["tier"], own["status"]) == (tenant.tenant_id, "enterprise", "active")
    assert "suspended_reason" not in own
    made = tenant.client.post("/v1/aso/keywords", {"rows": [{"keyword": f"k {n}"} for n in range(3)]})
    assert made.json()["created"] == 3, made.text
    used = {each["resource"]: each for each in tenant.client.get("/v1/tenant/usage").json()["resources"]}
    assert (used["keywords"]["used"], used["api_keys"]["used"]) == (3, 1)
    assert cloud.get(f"{path_of(tenant)}/usage").json()["resources"] == list(used.values())

    etag = {"If-Match": cloud.get(path_of(tenant)).headers["ETag"]}
    assert cloud.operator.put(f"{path_of(tenant)}/quota", {"limits": {}}).status_code == 428
    below = cloud.operator.put(f"{path_of(tenant)}/quota", {"limits": {"keywords": 2}}, headers=etag)
    assert (below.status_code, below.json()["code"]) == (409, "quota_below_usage")
    assert below.json()["over"] == [{"resource": "keywords", "limit": 2, "used": 3}]
    agreed = cloud.operator.put(f"{path_of(tenant)}/quota", {"limits": {"keywords": 4}}, headers=etag)
    assert agreed.status_code == 200, agreed.text
    more = tenant.client.post("/v1/aso/keywords", {"rows": [{"keyword": f"k {n}"} for n in range(6)]}).json()
    assert (more["unchanged"], more["created"], more["refused"]) == (3, 1, 2)
    assert more["rows"][5]["problem"]["code"] == "quota_exceeded"

    etag = {"If-Match": agreed.headers["ETag"]}
    smaller = cloud.operator.patch(path_of(tenant), {"tier": "free"}, headers=etag)
    assert smaller.status_code == 200, "what was agreed goes before the tier"


def test_the_work_of_a_suspended_tenant_waits_and_goes_on(cloud: Stack, tenant: TenantHandle) -> None:
    assert cloud.post(f"{path_of(tenant)}/suspend", {"reason": "Unpaid."}).status_code == 200
    context = service_of(cloud, tenant.tenant_id)

    def start() -> str:
        """Start what a request had started that was under way when the tenant was suspended."""
        job = transact(
            context,
            lambda unit: service.start_job(
                unit, type="keyword_cluster", function="aso-keyword-cluster-run", parameters={}
            ),
        )
        return str(job.job_id)

    job_id = start()
    cloud.wait_for(lambda: held(cloud, tenant.tenant_id) == 1, what="its task is put aside")
    cloud.settled()
    document = cloud.clients.get(firestore_client).document(f"jobs/{job_id}")
    assert document.get().get("status") == "queued"
    assert cloud.post(f"{path_of(tenant)}/resume").status_code == 200
    cloud.wait_for(lambda: document.get().get("attempts") > 0, 60, what="tenants-held-work-release let its task go")
    cloud.wait_for(lambda: held(cloud, tenant.tenant_id) == 0)


def scheduled(cloud: Stack, tenant: TenantHandle, days: int = 30) -> None:
    plan = cloud.post(f"{path_of(tenant)}/deletion/plan")
    assert plan.status_code == 200, plan.text
    order = {"confirm": plan.json()["confirm"], "grace_days": days, "reason": "The contract ended."}
    made = cloud.post(f"{path_of(tenant)}/deletion", order)
    assert (made.status_code, made.json()["status"]) == (202, "deletion_scheduled"), made.text


def test_a_deletion_is_called_off(cloud: Stack, tenant: TenantHandle) -> None:
    missing = cloud.get(f"{path_of(tenant)}/deletion")
    assert (missing.status_code, missing.json()["code"]) == (404, "deletion_not_found")
    scheduled(cloud, tenant)
    refused = tenant.client.get("/v1/aso/content")
    assert (refused.status_code, refused.json()["code"]) == (403, "tenant_deletion_scheduled")
    assert "contract" not in refused.text
    cloud.fire("tenants-deletion-sweep")
    cloud.settled()
    told = cloud.get(f"{path_of(tenant)}/deletion").json()
    assert (told["reason"], told["begun_at"], told["grace_days"]) == ("The contract ended.", None, 30)
    back = cloud.operator.delete(f"{path_of(tenant)}/deletion")
    assert (back.status_code, back.json()["status"]) == (200, "active"), back.text
    assert tenant.client.get("/v1/aso/content").status_code == 200


def test_a_tenant_is_deleted_for_good_and_leaves_no_events_behind(cloud: Stack) -> None:
    tenant, other = cloud.tenant(), cloud.tenant()
    for each in (tenant, other):
        assert each.client.post("/v1/aso/keywords", {"rows": [{"keyword": "running shoes"}]}).json()["created"] == 1
        assert each.client.get("/v1/aso/stats").status_code == 200
    cloud.settled()
    before = state_of(cloud.clients, other.tenant_id)
    scheduled(cloud, tenant, days=0)
    cloud.fire("tenants-deletion-sweep")
    status: Callable[[], str] = lambda: cloud.get(path_of(tenant)).json()["status"]  # noqa: E731
    cloud.wait_for(lambda: status() == "deleted", 60, what="tenants-tenant-erase is through")
    cloud.settled()
    left = [place for place in state_of(cloud.clients, tenant.tenant_id) if not place.startswith("system/idempotency/")]
    assert sorted(left) == [f"system/crypto/data_keys/{tenant.tenant_id}", f"tenants/{tenant.tenant_id}"]
    record = cloud.get(f"{path_of(tenant)}/deletion").json()
    assert record["found"]["documents/keyword"] == 1
    assert record["finished_at"]
    refused = tenant.client.get("/v1/aso/content")
    # The key is gone; a process that remembers it for its minute knows at least that the tenant is.
    assert (refused.status_code, refused.json()["code"]) in {(401, "credential_invalid"), (403, "tenant_deleted")}
    again = cloud.post("/v1/tenants", {"tenant_id": tenant.tenant_id, "name": "x"})
    assert (again.status_code, again.json()["code"]) == (409, "tenant_id_used")
    late = cloud.operator.delete(f"{path_of(tenant)}/deletion")
    assert (late.status_code, late.json()["code"]) == (409, "deletion_begun")
    assert state_of(cloud.clients, other.tenant_id) == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/tenants/{tenant_id}/usage"),
        ("PUT", "/v1/tenants/{tenant_id}/quota"),
        ("POST", "/v1/tenants/{tenant_id}/setup/retry"),
        ("POST", "/v1/tenants/{tenant_id}/deletion/plan"),
        ("POST", "/v1/tenants/{tenant_id}/deletion"),
        ("GET", "/v1/tenants/{tenant_id}/deletion"),
        ("DELETE", "/v1/tenants/{tenant_id}/deletion"),
    ],
)
def test_tenants_may_do_none_of_it_to_themselves(cloud: Stack, tenant: TenantHandle, method: str, path: str) -> None:
    refused = tenant.client.request(method, path.replace("{tenant_id}", tenant.tenant_id))
    assert (refused.status_code, refused.json()["code"]) == (403, "operator_only")


def test_a_viewer_sees_what_is_booked(cloud: Stack, tenant: TenantHandle) -> None:
    viewer: Caller = cloud.key(tenant.tenant_id, ["tenants:read"], role="viewer").client
    assert viewer.get("/v1/tenant").status_code == viewer.get("/v1/tenant/usage").status_code == 200


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("tenants-tenant-setup-run", setup.RUN_TASK),
        ("tenants-tenant-erase", erasure.TASK),
        ("tenants-held-work-release", None),
        ("tenants-tenant-provision", None),
    ],
)
def test_what_makes_tasks_and_events_names_functions_there_are(name: str, used: str | None) -> None:
    [function] = [each for each in read_manifest() if each.name == name]
    assert used in {None, name}
    if used is None:
        assert isinstance(function.declaration, Message)
        assert "tenant-deletion-cancelled" in function.declaration.filter, "who is called back goes on where it was"

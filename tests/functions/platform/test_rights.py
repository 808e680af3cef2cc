"""The rights of people through the front door: requests to their end, holds in between, consents, lists, retention."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.clients.firestore import firestore_client
from common.retention import PURPOSE
from common.warehouse.marks import EVERYTHING, path_of
from tests.people import member
from tests.stack import Stack, TenantHandle, wait_for

JANE = {"email": "Jane.Doe@Example.com"}
REASON = "Litigation Doe v. Acme, order of the court of 12 January."


@pytest.fixture(scope="module")
def acme(cloud: Stack) -> TenantHandle:
    return cloud.tenant()


def post(tenant: TenantHandle, path: str, body: object = None, status: int = 200) -> dict[str, Any]:
    answer = tenant.client.post(f"/v1/privacy/{path}", {} if body is None else body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def get(tenant: TenantHandle, path: str, **options: Any) -> dict[str, Any]:
    answer = tenant.client.get(f"/v1/privacy/{path}", **options)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def requested(tenant: TenantHandle, kind: str, **fields: object) -> str:
    body = {"type": kind, "subject": JANE, **fields}
    return str(post(tenant, "requests", body, 201)["request_id"])


def verified(tenant: TenantHandle, kind: str) -> str:
    """Record a request and verify who asks, as the tenant does it."""
    request = requested(tenant, kind, details="Asked by letter.")
    code = post(tenant, f"requests/{request}/verification", None, 201)["code"]
    wrong = tenant.client.post(f"/v1/privacy/requests/{request}/verify", {"code": "AAAA-AAAA-AAAA"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "code_wrong")
    assert post(tenant, f"requests/{request}/verify", {"code": code})["status"] == "verified"
    return request


def ended(tenant: TenantHandle, request: str) -> dict[str, Any]:
    def done() -> dict[str, Any] | None:
        found = get(tenant, f"requests/{request}")
        return found if found["status"] == "done" or found["problem"] else None

    return wait_for(done, 60, every=0.2, what="the request is done")


def test_an_erasure_waits_for_a_hold_and_is_done_when_it_is_released(acme: TenantHandle) -> None:
    post(acme, "consents", {"subject": JANE, "purpose": "surveys", "action": "given", "source": "form"}, 201)
    hold = post(acme, "holds", {"scope": "subject", "subject": JANE, "reason": REASON}, 201)
    request = verified(acme, "erasure")
    plan = post(acme, f"requests/{request}/start")["plan_job_id"]
    job = wait_for(
        lambda: (found := acme.client.get(f"/v1/jobs/{plan}").json())["status"] not in {"queued", "running"} and found,
        60,
        what="the erasure is planned",
    )
    assert job["status"] == "succeeded", job
    refused = acme.client.post(f"/v1/privacy/requests/{request}/start", {"confirm": job["result"]["confirm"]})
    assert (refused.status_code, refused.json()["code"]) == (423, "legal_hold")
    assert (refused.json()["reason"], refused.json()["hold_ids"]) == (REASON, [hold["hold_id"]])
    waiting = get(acme, f"requests/{request}")
    assert (waiting["status"], waiting["waits"]) == ("verified", True)
    released = post(acme, f"holds/{hold['hold_id']}/release", {"reason": "The claim was settled."})
    assert released["status"] == "released"
    assert get(acme, f"holds/{hold['hold_id']}") == released
    assert released in get(acme, "holds", params={"status": "released"})["items"]
    closed = ended(acme, request)
    assert (closed["status"], closed["email"], closed["details"], closed["waits"]) == ("done", None, None, False)
    [entry] = get(acme, "consents", params={"purpose": "surveys"})["items"]
    assert (entry["email"], entry["proof"]) == (None, None)
    assert entry["email_digest"] == post(acme, "consents/lookup", {"subject": JANE})["email_digest"]


def test_an_export_ends_its_request(acme: TenantHandle) -> None:
    request = verified(acme, "access")
    assert post(acme, f"requests/{request}/start")["status"] == "in_progress"
    closed = ended(acme, request)
    assert (closed["status"], closed["deadline"], closed["email"]) == ("done", "met", "jane.doe@example.com")
    assert acme.client.get(f"/v1/jobs/{closed['job_id']}").json()["status"] == "succeeded"


def test_a_rectification_a_refusal_and_an_extension(acme: TenantHandle) -> None:
    request = verified(acme, "rectification")
    assert post(acme, f"requests/{request}/start")["status"] == "in_progress"
    extended = post(acme, f"requests/{request}/extend", {"reason": "Three archives have to be searched."})
    assert extended["due_at"] > extended["received_at"]
    assert post(acme, f"requests/{request}/complete", {"outcome": "The name was corrected."})["status"] == "done"
    refused = requested(acme, "access")
    written = post(acme, f"requests/{refused}/refuse", {"reason": "The sender could not be verified."})
    assert (written["status"], written["outcome"]) == ("refused", "The sender could not be verified.")
    assert refused in {each["request_id"] for each in get(acme, "requests", params={"status": "refused"})["items"]}


def test_an_objection_puts_the_address_on_the_list(acme: TenantHandle) -> None:
    subject = {"email": "max@example.com"}
    request = requested(acme, "objection", subject=subject, purposes=["newsletter"])
    assert post(acme, f"requests/{request}/start")["status"] == "done"
    asked = {"email": "MAX@example.com", "purpose": "newsletter"}
    assert post(acme, "suppressions/check", asked) == {"suppressed": True}
    found = post(acme, "consents/lookup", {"subject": subject})
    assert found["objected"] == ["newsletter"]
    assert [each["allowed"] for each in found["purposes"]] == [False]


def test_the_suppression_list_is_filled_read_and_emptied(acme: TenantHandle) -> None:
    entry = post(acme, "suppressions", {"email": "a@example.com", "purpose": "calls"}, 201)
    done = post(acme, "suppressions/import", {"emails": ["A@example.com", "b@example.com", "?"], "purpose": "calls"})
    assert (done["added"], done["known"], len(done["refused"])) == (1, 1, 1)
    items = get(acme, "suppressions", params={"purpose": "calls"})["items"]
    assert len(items) == 2
    assert "example.com" not in str(items)
    path = f"/v1/privacy/suppressions/{entry['suppression_id']}"
    assert acme.client.delete(path).status_code == 204
    assert acme.client.delete(path).json()["code"] == "suppression_not_found"
    assert post(acme, "suppressions/check", {"email": "a@example.com", "purpose": "calls"}) == {"suppressed": False}


def test_a_late_request_is_told_once(cloud: Stack, acme: TenantHandle) -> None:
    received = datetime.now(UTC) - timedelta(days=31)
    late = requested(acme, "access", received_at=received.isoformat())
    cloud.fire("platform-privacy-request-overdue")
    wait_for(lambda: get(acme, f"requests/{late}")["deadline"] == "overdue", what="the request is overdue")
    assert late in {each["request_id"] for each in get(acme, "requests", params={"deadline": "overdue"})["items"]}


def test_retention_is_planned_chosen_and_enforced(cloud: Stack, acme: TenantHandle) -> None:
    seen = acme.client.get("/v1/privacy/retention")
    assert {each["name"] for each in seen.json()["classes"]} > {"operational", "security", "tenant_life"}
    missing = acme.client.put("/v1/privacy/retention", {"periods": {}})
    assert missing.status_code == 428
    name, client = str(uuid.uuid4()), cloud.clients.get(firestore_client)
    old = datetime.now(UTC) - timedelta(days=50)
    document = {"job_id": name, "tenant_id": acme.tenant_id, "finished_at": old, "type": "t", "status": "succeeded"}
    times = {"created_at": old, "updated_at": old, "created_by": "somebody", "function": "f"}
    client.document(f"jobs/{name}").set({**document, **times})
    assert planned(acme, None) == 0
    assert planned(acme, {"operational": 40}) == 1
    headers = {"If-Match": seen.headers["ETag"]}
    chosen = acme.client.put("/v1/privacy/retention", {"periods": {"operational": 40}}, headers=headers)
    assert chosen.status_code == 200, chosen.text
    cloud.fire("platform-retention-enforce")
    runs = wait_for(lambda: get(acme, "retention/runs")["items"], 60, what="retention is enforced")
    assert runs[0]["removed"] == {"job": 1}
    assert acme.client.get(f"/v1/jobs/{name}").status_code == 404


def planned(tenant: TenantHandle, periods: dict[str, int] | None) -> int:
    body = {} if periods is None else {"periods": periods}
    kinds = post(tenant, "retention/plan", body)["kinds"]
    return int(next(each["due"] for each in kinds if each["kind"] == "job"))


def test_a_new_tenant_is_looked_after(cloud: Stack, acme: TenantHandle) -> None:
    """``platform-retention-begin`` marks it; what ``platform-retention-tenant`` does is tried above."""
    mark = cloud.clients.get(firestore_client).document(path_of(PURPOSE, acme.tenant_id, EVERYTHING))
    assert wait_for(lambda: mark.get().exists, what="the tenant is marked")


@pytest.mark.parametrize("role", ["manager", "user", "viewer"])
def test_only_administrators_see_any_of_it(cloud: Stack, acme: TenantHandle, role: str) -> None:
    somebody = member(cloud, acme.tenant_id, role).client
    for path in ("requests", "consents", "suppressions", "holds", "retention", "retention/runs"):
        answer = somebody.get(f"/v1/privacy/{path}")
        assert (answer.status_code, answer.json()["code"]) == (403, "role_missing")
    placing = somebody.post("/v1/privacy/holds", {"scope": "tenant", "reason": REASON})
    assert placing.status_code == 403

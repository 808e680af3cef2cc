"""The rights of people through the front door: requests to their end, holds in between, consents, lists, retention."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.clients.firestore import firestore_client
from common.registry import entities
from common.retention import PURPOSE
from common.warehouse.marks import EVERYTHING, path_of
from tests.people import member
from tests.stack import Caller, Stack, TenantHandle, wait_for
from triggers.manifest import load_manifest

JANE = {"email": "Jane.Doe@Example.com"}
REASON = "Litigation Doe v. Acme, order of the court of 12 January."


@pytest.fixture(scope="module")
def acme(cloud: Stack) -> Admin:
    return Admin(cloud.tenant())


@dataclass(frozen=True)
class Admin:
    """Calls as an administrator of a tenant, and fails unless they are answered well."""

    tenant: TenantHandle

    @property
    def client(self) -> Caller:
        """Calls whose answer the test judges itself."""
        return self.tenant.client

    def post(self, path: str, body: object = None, status: int = 200) -> dict[str, Any]:
        """Return the answer to a POST."""
        answer = self.client.post(path, {} if body is None else body)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def get(self, path: str, **options: Any) -> dict[str, Any]:
        """Return the answer to a GET."""
        answer = self.client.get(path, **options)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def requested(tenant: Admin, kind: str, **fields: object) -> str:
    body = {"type": kind, "subject": JANE, **fields}
    return str(tenant.post("/v1/privacy/requests", body, 201)["request_id"])


def verified(tenant: Admin, kind: str) -> str:
    """Record a request and verify who asks, as the tenant does it."""
    request = requested(tenant, kind, details="Asked by letter.")
    code = tenant.post(f"/v1/privacy/requests/{request}/verification", None, 201)["code"]
    wrong = tenant.client.post(f"/v1/privacy/requests/{request}/verify", {"code": "AAAA-AAAA-AAAA"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "code_wrong")
    assert tenant.post(f"/v1/privacy/requests/{request}/verify", {"code": code})["status"] == "verified"
    return request


def ended(tenant: Admin, request: str) -> dict[str, Any]:
    def done() -> dict[str, Any]:
        found = tenant.get(f"/v1/privacy/requests/{request}")
        return found if found["status"] == "done" or found["problem"] else {}

    return wait_for(done, 60, every=0.2, what="the request is done")


def planned_erasure(tenant: Admin, job_id: str) -> dict[str, Any]:
    def planned() -> dict[str, Any]:
        job: dict[str, Any] = tenant.client.get(f"/v1/jobs/{job_id}").json()
        return {} if job["status"] in {"queued", "running"} else job

    job = wait_for(planned, 60, what="the erasure is planned")
    assert job["status"] == "succeeded", job
    return job


def test_an_erasure_waits_for_a_hold_and_is_done_when_it_is_released(acme: Admin) -> None:
    acme.post("/v1/privacy/consents", {"subject": JANE, "purpose": "surveys", "action": "given", "source": "form"}, 201)
    hold = acme.post("/v1/privacy/holds", {"scope": "subject", "subject": JANE, "reason": REASON}, 201)
    request = verified(acme, "erasure")
    plan = acme.post(f"/v1/privacy/requests/{request}/start")["plan_job_id"]
    job = planned_erasure(acme, plan)
    refused = acme.client.post(f"/v1/privacy/requests/{request}/start", {"confirm": job["result"]["confirm"]})
    assert (refused.status_code, refused.json()["code"]) == (423, "legal_hold")
    assert (refused.json()["reason"], refused.json()["hold_ids"]) == (REASON, [hold["hold_id"]])
    waiting = acme.get(f"/v1/privacy/requests/{request}")
    assert (waiting["status"], waiting["waits"]) == ("verified", True)
    released = acme.post(f"/v1/privacy/holds/{hold['hold_id']}/release", {"reason": "The claim was settled."})
    assert released["status"] == "released"
    assert acme.get(f"/v1/privacy/holds/{hold['hold_id']}") == released
    assert released in acme.get("/v1/privacy/holds", params={"status": "released"})["items"]
    closed = ended(acme, request)
    assert (closed["status"], closed["email"], closed["details"], closed["waits"]) == ("done", None, None, False)
    [entry] = acme.get("/v1/privacy/consents", params={"purpose": "surveys"})["items"]
    assert (entry["email"], entry["proof"]) == (None, None)
    assert entry["email_digest"] == acme.post("/v1/privacy/consents/lookup", {"subject": JANE})["email_digest"]


def test_an_export_ends_its_request(acme: Admin) -> None:
    request = verified(acme, "access")
    assert acme.post(f"/v1/privacy/requests/{request}/start")["status"] == "in_progress"
    closed = ended(acme, request)
    assert (closed["status"], closed["deadline"], closed["email"]) == ("done", "met", "jane.doe@example.com")
    assert acme.client.get(f"/v1/jobs/{closed['job_id']}").json()["status"] == "succeeded"


def test_a_rectification_a_refusal_and_an_extension(acme: Admin) -> None:
    request = verified(acme, "rectification")
    assert acme.post(f"/v1/privacy/requests/{request}/start")["status"] == "in_progress"
    extended = acme.post(f"/v1/privacy/requests/{request}/extend", {"reason": "Three archives have to be searched."})
    assert extended["due_at"] > extended["received_at"]
    assert (
        acme.post(f"/v1/privacy/requests/{request}/complete", {"outcome": "The name was corrected."})["status"]
        == "done"
    )
    refused = requested(acme, "access")
    written = acme.post(f"/v1/privacy/requests/{refused}/refuse", {"reason": "The sender could not be verified."})
    assert (written["status"], written["outcome"]) == ("refused", "The sender could not be verified.")
    assert refused in {
        each["request_id"] for each in acme.get("/v1/privacy/requests", params={"status": "refused"})["items"]
    }


def test_an_objection_puts_the_address_on_the_list(acme: Admin) -> None:
    subject = {"email": "max@example.com"}
    request = requested(acme, "objection", subject=subject, purposes=["newsletter"])
    assert acme.post(f"/v1/privacy/requests/{request}/start")["status"] == "done"
    asked = {"email": "MAX@example.com", "purpose": "newsletter"}
    assert acme.post("/v1/privacy/suppressions/check", asked) == {"suppressed": True}
    found = acme.post("/v1/privacy/consents/lookup", {"subject": subject})
    assert found["objected"] == ["newsletter"]
    assert [each["allowed"] for each in found["purposes"]] == [False]
    lift = {"subject": subject, "purposes": ["newsletter"], "reason": "He changed his mind on 3 March."}
    assert acme.post("/v1/privacy/restrictions/lift", lift)["objected"] == []
    assert acme.post("/v1/privacy/suppressions/check", asked) == {"suppressed": False}


def test_the_suppression_list_is_filled_read_and_emptied(acme: Admin) -> None:
    entry = acme.post("/v1/privacy/suppressions", {"email": "a@example.com", "purpose": "calls"}, 201)
    done = acme.post(
        "/v1/privacy/suppressions/import", {"emails": ["A@example.com", "b@example.com", "?"], "purpose": "calls"}
    )
    assert (done["added"], done["known"], len(done["refused"])) == (1, 1, 1)
    items = acme.get("/v1/privacy/suppressions", params={"purpose": "calls"})["items"]
    assert len(items) == 2
    assert "example.com" not in str(items)
    name = entry["suppression_id"]
    assert acme.client.delete(f"/v1/privacy/suppressions/{name}").status_code == 204
    assert acme.client.delete(f"/v1/privacy/suppressions/{name}").json()["code"] == "suppression_not_found"
    assert acme.post("/v1/privacy/suppressions/check", {"email": "a@example.com", "purpose": "calls"}) == {
        "suppressed": False
    }


def test_a_late_request_is_told_once(cloud: Stack, acme: Admin) -> None:
    received = datetime.now(UTC) - timedelta(days=31)
    late = requested(acme, "access", received_at=received.isoformat())
    cloud.fire("platform-privacy-request-overdue")
    wait_for(lambda: acme.get(f"/v1/privacy/requests/{late}")["deadline"] == "overdue", what="the request is overdue")
    assert late in {
        each["request_id"] for each in acme.get("/v1/privacy/requests", params={"deadline": "overdue"})["items"]
    }


def test_retention_is_planned_chosen_and_enforced(cloud: Stack, acme: Admin) -> None:
    seen = acme.client.get("/v1/privacy/retention")
    assert {each["name"] for each in seen.json()["classes"]} > {"operational", "security", "tenant_life"}
    missing = acme.client.put("/v1/privacy/retention", {"periods": {}})
    assert missing.status_code == 428
    name, client = str(uuid.uuid4()), cloud.clients.get(firestore_client)
    old = datetime.now(UTC) - timedelta(days=50)
    document = {
        "job_id": name,
        "tenant_id": acme.tenant.tenant_id,
        "finished_at": old,
        "type": "t",
        "status": "succeeded",
    }
    times = {"created_at": old, "updated_at": old, "created_by": "somebody", "function": "aso-export-run"}
    client.document(f"jobs/{name}").set({**document, **times})
    assert planned(acme, None) == 0
    assert planned(acme, {"operational": 40}) == 1
    headers = {"If-Match": seen.headers["ETag"]}
    chosen = acme.client.put("/v1/privacy/retention", {"periods": {"operational": 40}}, headers=headers)
    assert chosen.status_code == 200, chosen.text
    cloud.fire("platform-retention-enforce")
    runs = wait_for(lambda: acme.get("/v1/privacy/retention/runs")["items"], 60, what="retention is enforced")
    assert runs[0]["removed"] == {"job": 1}
    assert acme.client.get(f"/v1/jobs/{name}").status_code == 404


def planned(tenant: Admin, periods: dict[str, int] | None) -> int:
    body = {} if periods is None else {"periods": periods}
    kinds = tenant.post("/v1/privacy/retention/plan", body)["kinds"]
    return int(next(each["due"] for each in kinds if each["kind"] == "job"))


def test_a_new_tenant_is_looked_after(cloud: Stack, acme: Admin) -> None:
    """``platform-retention-begin`` marks it; what ``platform-retention-tenant`` does is tried above."""
    mark = cloud.clients.get(firestore_client).document(path_of(PURPOSE, acme.tenant.tenant_id, EVERYTHING))
    assert wait_for(lambda: mark.get().exists, what="the tenant is marked")


FOLLOWERS = ("platform-hold-released", "platform-privacy-request-follow", "platform-retention-begin")


@pytest.mark.parametrize("name", FOLLOWERS)
def test_what_follows_events_asks_for_events_that_are_told(name: str) -> None:
    entry = next(each for each in load_manifest() if each["name"] == name)
    told = {event for entity in entities().values() for event in entity.events.values()}
    asked = set(re.findall(r'event_type = "([^"]+)"', entry["filter"]))
    assert asked
    assert asked <= told


@pytest.mark.parametrize("role", ["manager", "user", "viewer"])
def test_only_administrators_see_any_of_it(cloud: Stack, acme: Admin, role: str) -> None:
    somebody = member(cloud, acme.tenant.tenant_id, role).client
    for path in ("requests", "consents", "suppressions", "holds", "retention", "retention/runs"):
        answer = somebody.get(f"/v1/privacy/{path}")
        assert (answer.status_code, answer.json()["code"]) == (403, "role_missing")
    placing = somebody.post("/v1/privacy/holds", {"scope": "tenant", "reason": REASON})
    assert placing.status_code == 403

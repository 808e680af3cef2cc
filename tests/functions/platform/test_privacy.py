"""Privacy through the front door: the inventory, an access export, an erasure with its search.

The jobs are those of ``platform-privacy-access-run``, ``platform-privacy-erasure-plan-run``,
``platform-privacy-erasure-run`` and ``platform-privacy-residue-run``.
"""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import Any

import pytest
import requests

from common.clients.firestore import firestore_client
from common.context import Context
from common.jobs.models import JobTask
from common.platform.privacy import access, access_run, erasure, residue
from common.registry import entities
from tests.common.platform.privacy.people import Human, context_for, plant, walk_for
from tests.people import PersonHandle, member
from tests.stack import Caller, Stack, TenantHandle, wait_for
from triggers.manifest import load_manifest

RUNS = (
    "platform-privacy-access-run",
    "platform-privacy-access-delete",
    "platform-privacy-erasure-plan-run",
    "platform-privacy-erasure-run",
    "platform-privacy-residue-run",
)


@pytest.fixture(scope="module")
def acme(cloud: Stack) -> TenantHandle:
    return cloud.tenant()


def ended(client: Caller, job_id: str) -> dict[str, Any]:
    def found() -> dict[str, Any]:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
        return {} if job["status"] in {"queued", "running"} else job

    return wait_for(found, 90, every=0.2, what=f"job {job_id} ends")


def request(client: Caller, kind: str, subject: dict[str, str]) -> str:
    """Record a request and verify it."""
    made = client.post("/v1/privacy/requests", {"type": kind, "subject": subject})
    assert made.status_code == 201, made.text
    path = f"/v1/privacy/requests/{made.json()['request_id']}"
    code = client.post(f"{path}/verification", {}).json()["code"]
    assert client.post(f"{path}/verify", {"code": code}).status_code == 200
    return path


def planned(client: Caller, path: str) -> dict[str, Any]:
    job = ended(client, client.post(f"{path}/start", {}).json()["plan_job_id"])
    assert job["status"] == "succeeded", job
    found: dict[str, Any] = job["result"]
    return found


def erased(client: Caller, path: str, confirm: str) -> dict[str, Any]:
    begun = client.post(f"{path}/start", {"confirm": confirm})
    assert begun.status_code == 200, begun.text
    return ended(client, begun.json()["job_id"])


def worked(person: PersonHandle) -> str:
    """Let somebody leave traces: content, an export, an invite, answers under idempotency keys."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    invited = person.client.post("/v1/invites", {"email": f"{uuid.uuid4().hex}@example.com", "role": "viewer"})
    assert invited.status_code == 201, invited.text
    assert person.client.get("/v1/me").status_code == 200
    changed = person.client.patch("/v1/me", {"name": "Jane Doe"}, headers=key)
    assert changed.status_code == 200, changed.text
    export = person.client.post("/v1/aso/exports", {"kind": "keywords"})
    assert export.status_code == 202, export.text
    ended(person.client, export.json()["job_id"])
    return str(export.json()["job_id"])


def context_of(cloud: Stack, tenant: TenantHandle) -> Context:
    return context_for(cloud.clients, tenant.tenant_id)


def test_a_persons_data_is_exported_and_then_erased_to_the_last_trace(cloud: Stack, acme: TenantHandle) -> None:
    jane, joe = member(cloud, acme.tenant_id), member(cloud, acme.tenant_id)
    export = worked(jane)
    worked(joe)
    bundle = exported(acme.client, jane)
    kinds = {line["kind"] for line in bundle["documents.ndjson"]}
    assert {"user", "job", "invite"} <= kinds
    text = json.dumps(bundle)
    assert joe.user_id not in text
    assert joe.email not in text

    path = request(acme.client, "erasure", {"user_id": jane.user_id})
    plan = planned(acme.client, path)
    assert plan["identifiers"] == {"user_id": 1, "email": 1}
    assert plan["blocked"] == []
    assert {"user", "job", "invite", "privacy_request"} <= {each["kind"] for each in plan["kinds"]}
    assert {"suppression", "audit_entry"} <= {each["kind"] for each in plan["kept"]}
    job = erased(acme.client, path, plan["confirm"])
    assert job["status"] == "succeeded", job
    assert job["result"]["clean"] is True
    assert job["result"]["residue"] == []
    assert job["result"]["erased"]["documents"]["user"] == 1
    cloud.settled()
    human = Human(user_id=jane.user_id, email=jane.email)
    assert residue.search(walk_for(context_of(cloud, acme), human)) == [], "nor after everything late has arrived"
    assert acme.client.get(f"/v1/users/{jane.user_id}").status_code == 404
    assert acme.client.get(f"/v1/users/{joe.user_id}").status_code == 200
    assert acme.client.get(f"/v1/jobs/{export}").json()["created_by"].startswith("erased-")
    assert acme.client.post(
        "/v1/privacy/suppressions/check", {"email": jane.email, "purpose": "newsletter"}
    ).json() == {"suppressed": True}
    searched = acme.client.post("/v1/privacy/residue-searches", {"subject": {"user_id": joe.user_id}})
    found = ended(acme.client, searched.json()["job_id"])["result"]
    assert found["clean"] is False
    assert any(each["store"] == "documents" and each["kind"] == "user_id" for each in found["residue"])
    assert joe.user_id not in json.dumps(found)


def exported(client: Caller, person: PersonHandle) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of each file of an access export."""
    path = request(client, "access", {"email": person.email, "user_id": person.user_id})
    begun = client.post(f"{path}/start", {})
    assert begun.status_code == 200, begun.text
    job_id = begun.json()["job_id"]
    early = client.get(f"{path}/link")
    assert early.status_code in {200, 409}
    job = ended(client, job_id)
    assert job["status"] == "succeeded", job
    link = client.get(f"{path}/link").json()
    assert link["records"] == job["result"]["records"]
    content = requests.get(link["url"], timeout=30).content
    assert len(content) == link["size"]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".ndjson")]
        return {name: [json.loads(line) for line in archive.read(name).splitlines()] for name in names}


def test_an_export_is_deleted_when_its_time_is_over(cloud: Stack, acme: TenantHandle) -> None:
    jane = member(cloud, acme.tenant_id)
    path = request(acme.client, "access", {"user_id": jane.user_id})
    early = acme.client.get(f"{path}/link")
    assert (early.status_code, early.json()["code"]) == (409, "privacy_export_not_ready")
    job_id = acme.client.post(f"{path}/start", {}).json()["job_id"]
    ended(acme.client, job_id)
    assert acme.client.get(f"{path}/link").status_code == 200
    access_run.delete(context_of(cloud, acme), JobTask(job_id=job_id))
    gone = acme.client.get(f"{path}/link")
    assert (gone.status_code, gone.json()["code"]) == (404, "privacy_export_expired")
    other = acme.client.get(f"{request(acme.client, 'erasure', {'user_id': jane.user_id})}/link")
    assert (other.status_code, other.json()["code"]) == (404, "privacy_export_not_found")


def test_a_world_that_changed_since_the_plan_needs_another_plan(cloud: Stack, acme: TenantHandle) -> None:
    human, context = Human(), context_of(cloud, acme)
    plant(context, entities()["job"], {"created_by": human})
    path = request(acme.client, "erasure", {"user_id": human.user_id})
    plan = planned(acme.client, path)
    wrong = acme.client.post(f"{path}/start", {"confirm": "0" * 48})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "plan_token_wrong")
    added = plant(context, entities()["job"], {"created_by": human})
    job = erased(acme.client, path, plan["confirm"])
    assert (job["status"], job["error"]["code"]) == ("failed", "plan_stale")
    stored = cloud.clients.get(firestore_client).document(added).get().to_dict()
    assert stored["created_by"] == human.user_id, "nothing was changed"
    wait_for(lambda: acme.client.get(path).json()["problem"] == "plan_stale", what="the request says so")
    again = planned_again(acme.client, path, plan)
    assert erased(acme.client, path, again["confirm"])["result"]["clean"] is True


def planned_again(client: Caller, path: str, before: dict[str, Any]) -> dict[str, Any]:
    found = planned(client, path)
    assert found["confirm"] != before["confirm"]
    return found


def test_the_last_administrator_cannot_be_erased(cloud: Stack) -> None:
    small = cloud.tenant()
    boss = member(cloud, small.tenant_id)
    path = request(small.client, "erasure", {"user_id": boss.user_id})
    plan = planned(small.client, path)
    assert plan["blocked"] == ["last_admin"]
    refused = small.client.post(f"{path}/start", {"confirm": plan["confirm"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "last_admin")
    by_email = request(small.client, "erasure", {"email": boss.email})
    job = erased(small.client, by_email, planned(small.client, by_email)["confirm"])
    assert (job["status"], job["error"]["code"]) == ("failed", "last_admin"), "known by the address alone, too"
    assert small.client.get(f"/v1/users/{boss.user_id}").status_code == 200


def test_the_jobs_run_in_functions_of_their_own_with_what_they_need() -> None:
    needs = {entry["name"]: set(entry["needs"]) for entry in load_manifest()}
    assert {name: name for name in RUNS} == {
        access.FUNCTION: "platform-privacy-access-run",
        access_run.DELETE: "platform-privacy-access-delete",
        erasure.PLAN_FUNCTION: "platform-privacy-erasure-plan-run",
        erasure.FUNCTION: "platform-privacy-erasure-run",
        residue.FUNCTION: "platform-privacy-residue-run",
    }
    for name in RUNS:
        assert f"tasks:enqueue:{name}" in needs[name] or name == access_run.DELETE
    assert "bigquery:write" in needs[erasure.FUNCTION]
    assert not {"bigquery:write"} & {*needs[access.FUNCTION], *needs[erasure.PLAN_FUNCTION], *needs[residue.FUNCTION]}


def test_the_inventory_names_everything_personal(acme: TenantHandle) -> None:
    answer = acme.client.get("/v1/privacy/inventory")
    assert answer.status_code == 200, answer.text
    entries = {each["name"]: each for each in answer.json()["entries"]}
    assert entries.keys() == {name for name, each in entities().items() if each.personal}
    user = entries["user"]
    assert user["stored_in"] == "firestore"
    assert user["copies"]["events"] == "tenants-events"
    assert {"field": "email", "kind": "email", "erasure": "delete", "identifies": True} in user["fields"]
    assert all(each["purpose"] and each["retention"]["reason"] for each in entries.values())


@pytest.mark.parametrize("role", ["manager", "user", "viewer"])
def test_only_administrators_may(cloud: Stack, acme: TenantHandle, role: str) -> None:
    somebody = member(cloud, acme.tenant_id, role).client
    answers = [
        somebody.get("/v1/privacy/inventory"),
        somebody.get(f"/v1/privacy/requests/{uuid.uuid4()}/link"),
        somebody.post("/v1/privacy/residue-searches", {"subject": {"user_id": "x"}}),
    ]
    assert {(each.status_code, each.json()["code"]) for each in answers} == {(403, "role_missing")}

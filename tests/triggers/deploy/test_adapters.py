"""What a deployment sends to Cloud Run, Monitoring, functions and programs, and what it makes of their answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack import Stack
from tests.triggers.deploy.cloud_run import PARENT, CloudRun, cloud_run
from triggers.deploy.rollout.failures import Failures, counts, verdict
from triggers.deploy.rollout.ports import CANDIDATE, PREVIOUS, OutsideError, SmokeFailed, Target
from triggers.deploy.rollout.programs import Gcloud, Planned, Terraform, holds_data, read_plan, run
from triggers.deploy.rollout.run_admin import RunAdmin, traffic_command
from triggers.deploy.rollout.smoke import NOBODY, SmokeTest
from triggers.manifest import load_manifest
from triggers.paths import PARAMETER

ENTRIES = {entry["name"]: entry for entry in load_manifest()}
NAMES = ("aso-content-get", "aso-warehouse-sync", "platform-health")


@pytest.fixture
def server() -> Iterator[CloudRun]:
    with cloud_run() as cloud:
        for name in NAMES:
            cloud.deploy(name)
        yield cloud


@pytest.fixture
def admin(server: CloudRun) -> RunAdmin:
    return RunAdmin(
        project="demo-project",
        region="us-central1",
        token=lambda: "secret",
        address=server.address,
        pause=0,
        patience=1,
    )


def test_services_are_read_page_by_page(server: CloudRun, admin: RunAdmin) -> None:
    found = admin.services()
    assert tuple(sorted(found)) == NAMES
    assert found["platform-health"].shares == {"platform-health-00001": 100}
    assert admin.service("nobody") is None
    assert {headers["Authorization"] for *_, headers in server.requests} == {"Bearer secret"}


def test_traffic_is_sent_as_cloud_run_documents_it(server: CloudRun, admin: RunAdmin) -> None:
    server.deploy("platform-health")
    service = admin.service("platform-health")
    assert service is not None
    assert (service.latest, service.shares) == ("platform-health-00002", {"platform-health-00001": 100})
    server.requests.clear()
    targets = (
        Target(revision="platform-health-00001", percent=50, tag=PREVIOUS),
        Target(revision="platform-health-00002", percent=50, tag=CANDIDATE),
    )
    admin.assign(service, targets)
    method, path, body, _ = server.requests[0]
    assert (method, path) == ("PATCH", f"/v2/{PARENT}/services/platform-health?updateMask=traffic")
    kind = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
    assert body == {
        "name": f"{PARENT}/services/platform-health",
        "etag": service.etag,
        "traffic": [
            {"type": kind, "revision": "platform-health-00001", "percent": 50, "tag": "previous"},
            {"type": kind, "revision": "platform-health-00002", "percent": 50, "tag": "candidate"},
        ],
    }
    assert server.requests[1][1] == f"/v2/{PARENT}/operations/1", "it waits until it has taken effect"
    now = admin.service("platform-health")
    assert now is not None
    assert now.traffic == targets
    assert now.addresses[CANDIDATE] == f"{server.address}/at/platform-health/candidate"
    assert traffic_command("platform-health", targets, "us-central1") == [
        "gcloud", "run", "services", "update-traffic", "platform-health",
        "--to-revisions=platform-health-00001=50,platform-health-00002=50", "--region=us-central1",
    ]  # fmt: skip


def test_a_service_that_changed_meanwhile_is_left_alone(server: CloudRun, admin: RunAdmin) -> None:
    service = admin.service("platform-health")
    assert service is not None
    server.deploy("platform-health")
    before = server.services["platform-health"]["traffic"]
    with pytest.raises(OutsideError, match="409 the service was changed meanwhile"):
        admin.assign(service, (Target(revision="platform-health-00001", percent=100),))
    assert server.services["platform-health"]["traffic"] == before


def test_reads_are_tried_again_and_writes_are_not(server: CloudRun, admin: RunAdmin) -> None:
    """A write whose answer was lost may have taken effect: the machine looks before it repeats."""
    server.broken = {"GET": [503, 0, 429]}
    service = admin.service("platform-health")
    assert service is not None
    server.broken = {"PATCH": [503]}
    with pytest.raises(OutsideError, match="503 try again"):
        admin.assign(service, (Target(revision="platform-health-00001", percent=100),))
    server.broken = {"GET": [503] * 9}
    with pytest.raises(OutsideError):
        admin.services()


@pytest.mark.parametrize("name", ["platform-health", "aso-content-get"])
def test_a_revision_that_is_not_ready_fails(server: CloudRun, admin: RunAdmin, name: str) -> None:
    server.unready = {f"{name}-00001"}
    service = admin.service(name)
    assert service is not None
    smoke = SmokeTest(run=admin, identity=lambda audience: "token", open_doors=True)
    with pytest.raises(SmokeFailed, match="not ready: it crashed"):
        smoke.check(ENTRIES[name], service, service.latest)


@pytest.mark.parametrize(
    ("name", "open_doors", "path", "answer", "told"),
    [
        ("platform-health", True, "/v1/health", (200, "application/json"), ""),
        ("platform-health", True, "/v1/health", (500, "application/problem+json"), "200 is due"),
        ("aso-content-get", True, f"/v1/aso/content/{NOBODY}", (401, "application/problem+json"), ""),
        ("aso-content-get", True, f"/v1/aso/content/{NOBODY}", (401, "text/html"), "401 is due"),
        ("aso-content-get", True, f"/v1/aso/content/{NOBODY}", (404, "application/problem+json"), "401 is due"),
        ("aso-content-get", False, "", (404, "text/html"), ""),
        ("aso-warehouse-sync", True, "", (403, "text/html"), ""),
        ("aso-warehouse-sync", True, "", (200, "text/html"), "not turned away"),
        ("aso-warehouse-sync", True, "", (401, "application/problem+json"), "not turned away"),
    ],
)  # fmt: skip
def test_revisions_are_tried_at_their_own_address(
    server: CloudRun, admin: RunAdmin, name: str, open_doors: bool, path: str, answer: tuple[int, str], told: str
) -> None:
    """As nobody where functions can be reached; as a stranger, who must be turned away before, where they cannot."""
    service = admin.service(name)
    assert service is not None
    tagged = (Target(revision=f"{name}-00001", percent=100, tag=CANDIDATE),)
    admin.assign(service, tagged)
    marked = admin.service(name)
    assert marked is not None
    server.answers = {f"/at/{name}/candidate{path}": answer}
    asked: list[str] = []

    def identity(audience: str) -> str:
        asked.append(audience)
        return "token"

    smoke = SmokeTest(run=admin, identity=identity, open_doors=open_doors)
    if told:
        with pytest.raises(SmokeFailed, match=told):
            smoke.check(ENTRIES[name], marked, marked.latest)
    else:
        smoke.check(ENTRIES[name], marked, marked.latest)
    reached = open_doors and ENTRIES[name]["kind"] == "http"
    assert asked == ([f"{server.address}/at/{name}"] if reached else []), "a token is good for the service's address"
    assert ("Authorization" in server.requests[-1][3]) is reached


def test_every_http_function_passes_as_it_is(cloud: Stack) -> None:
    """The call of the smoke test, made to every function on the local cloud: none needs an exception."""
    admin = RunAdmin(project="demo-project", region="us-central1", token=str)
    smoke = SmokeTest(run=admin, identity=str, open_doors=True)
    tried = [entry for entry in ENTRIES.values() if entry["kind"] == "http"]
    for entry in tried:
        smoke.try_http(entry, cloud.url, "")
    assert len(tried) > 30
    assert all(PARAMETER.sub(NOBODY, entry["path"]).count("{") == 0 for entry in tried)


def series(revision: str, of_class: str, *values: int) -> dict[str, Any]:
    return {
        "resource": {"labels": {"revision_name": revision}},
        "metric": {"labels": {"response_code_class": of_class}},
        "points": [{"value": {"int64Value": str(value)}} for value in values],
    }


@pytest.mark.parametrize(
    ("new", "old", "fails"),
    [
        ({}, {}, False),
        ({"2xx": 10}, {}, False),
        ({"2xx": 200, "5xx": 1}, {"2xx": 200}, False),
        ({"2xx": 9, "5xx": 1}, {"2xx": 100}, True),
        ({"5xx": 1}, {}, True),
        ({"2xx": 8, "5xx": 2}, {"2xx": 9, "5xx": 1}, False),
        ({"2xx": 5, "5xx": 5}, {"2xx": 9, "5xx": 1}, True),
        ({"4xx": 50}, {}, False),
    ],
)
def test_a_revision_is_compared_with_the_one_before(new: dict[str, int], old: dict[str, int], fails: bool) -> None:
    """A dependency that is down fails both; callers' mistakes fail neither."""
    assert bool(verdict(new, old)) is fails


def test_failures_are_read_from_monitoring(server: CloudRun) -> None:
    server.series = [series("r2", "2xx", 3, 4), series("r2", "5xx", 2), series("r1", "2xx", 90)]
    assert counts(server.series)["r2"] == {"2xx": 7, "5xx": 2}
    waited: list[float] = []
    watch = Failures(
        project="demo-project", token=lambda: "secret", seconds=60, address=server.address, sleep=waited.append
    )
    watch.begin()
    assert watch.failing("platform-health", "r2", "r1") == "2 of 9 requests failed, and 0.0% of the old revision's"
    assert 59 < waited[0] <= 60
    assert "service_name+%3D+%22platform-health%22" in server.requests[-1][1]
    server.broken = {"GET": [500]}
    with pytest.raises(OutsideError, match="Monitoring answers 500"):
        watch.failing("platform-health", "r2", "r1")


def resource(kind: str, actions: list[str], before: Any, after: Any, address: str = "a.b") -> dict[str, Any]:
    return {"type": kind, "address": address, "change": {"actions": actions, "before": before, "after": after}}


def function(name: str, source: str, **settings: Any) -> dict[str, Any]:
    built = [{"source": [{"storage_source": [{"object": source}]}]}]
    return {"name": name, "build_config": built, **settings}


def test_a_plan_tells_what_changes_and_what_is_lost() -> None:
    kind = "google_cloudfunctions2_function"
    plan = {
        "variables": {"project_id": {"value": "demo-project"}},
        "resource_changes": [
            resource(kind, ["no-op"], function("same", "a"), function("same", "a")),
            resource(kind, ["update"], function("code", "a"), function("code", "b")),
            resource(kind, ["update"], function("settings", "a"), function("settings", "a", timeout=9)),
            resource(kind, ["create"], None, function("new", "a")),
            resource(kind, ["delete"], function("gone", "a"), None),
            resource("google_pubsub_topic", ["create"], None, {"name": "t"}),
            resource("google_firestore_database", ["delete", "create"], {"name": "(default)"}, {}, "module.database.x"),
            resource("google_storage_bucket", ["delete"], {"name": "p-xynergy-bundles"}, None),
            resource("google_bigquery_table", ["delete"], {"view": [{"query": "SELECT 1"}]}, None),
        ],
    }
    assert read_plan(plan) == Planned(
        functions={"code": "code", "new": "new", "settings": "settings"},
        gone=("gone",),
        lost=("module.database.x",),
        others=4,
        variables={"project_id": "demo-project"},
    )
    assert holds_data("google_bigquery_table", {"view": []})
    assert not holds_data("google_secret_manager_secret", {"secret_id": "REDIS_URL"})


def program(folder: Path, name: str, text: str) -> str:
    """Write a program that notes its arguments and does what ``text`` says."""
    file = folder / name
    file.write_text(f'#!/bin/sh\necho "$@" >> "{folder}/{name}.log"\n{text}\n', encoding="utf-8")
    file.chmod(0o755)
    return str(file)


def test_terraform_is_run_with_the_plan_that_was_read(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"resource_changes": [], "variables": {}}), encoding="utf-8")
    binary = program(tmp_path, "terraform", f'[ "$1" = show ] && cat "{tmp_path}/plan.json"; exit 0')
    said: list[str] = []
    terraform = Terraform(var_file="environments/dev.tfvars", report=said.append, binary=binary, folder=tmp_path)
    assert terraform.plan().functions == {}
    terraform.apply()
    assert (tmp_path / "terraform.log").read_text(encoding="utf-8").splitlines() == [
        "plan -input=false -var-file=environments/dev.tfvars -out=deploy.plan",
        "show -json deploy.plan",
        "apply -input=false deploy.plan",
    ]
    assert len(said) == 2


def test_a_program_that_fails_tells_why(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="the state is locked"):
        run([program(tmp_path, "terraform", "echo the state is locked >&2; exit 1"), "plan"])
    with pytest.raises(OutsideError, match="cannot be run"):
        run([str(tmp_path / "none")])


def test_gcloud_is_asked_for_tokens(tmp_path: Path) -> None:
    binary = program(tmp_path, "gcloud", "echo token")
    assert Gcloud(binary=binary).access_token() == "token"
    assert Gcloud(binary=binary).identity_token("https://a") == "token"
    assert Gcloud(binary=binary, account="smoke@p.iam.gserviceaccount.com").identity_token("https://a") == "token"
    as_account = "--impersonate-service-account=smoke@p.iam.gserviceaccount.com --audiences=https://a --include-email"
    assert (tmp_path / "gcloud.log").read_text(encoding="utf-8").splitlines() == [
        "auth print-access-token",
        "auth print-identity-token",
        f"auth print-identity-token {as_account}",
    ]

"""Exports, clusters, intents and mergings through the whole local cloud, from request to file."""

from __future__ import annotations

import csv
import hashlib
import io
import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import openpyxl
import pytest
import requests

from tests.stack import Caller, Stack, TenantHandle, wait_for

WORDS = ("qr code scanner", "qr code scanner online", "qr scanner", "laufschuhe", "laufschuhe damen", "=cmd|' /C'!A0")


@pytest.fixture(scope="module")
def owner(cloud: Stack) -> TenantHandle:
    """A tenant with keywords that are clustered."""
    tenant = cloud.tenant()
    rows = [{"keyword": name, "search_volume": 100 - number} for number, name in enumerate(WORDS)]
    answer = tenant.client.post("/v1/aso/keywords", {"rows": rows})
    assert answer.json()["refused"] == 0, answer.text
    done(tenant.client, tenant.client.post("/v1/aso/keywords/cluster", {}), "aso-keyword-cluster-run")
    return tenant


def done(client: Caller, answer: requests.Response, by: str) -> dict[str, Any]:
    """Wait for the job of an answer, and return it; ``by`` is the function that works on it."""
    assert answer.status_code == 202, answer.text
    address = answer.headers["Location"]

    def over() -> dict[str, Any]:
        job: dict[str, Any] = client.get(address).json()
        return job if job["status"] in {"succeeded", "failed"} else {}

    job = wait_for(over, what="the job ends")
    assert job["status"] == "succeeded", job
    tasks = requests.get(f"{client.url}/_local/deliveries", params={"function": by, "limit": "2000"}, timeout=30).json()
    assert tasks["deliveries"], f"{by} did it"
    return job


def exported(client: Caller, **body: Any) -> dict[str, Any]:
    job = done(client, client.post("/v1/aso/exports", {"kind": "keywords", **body}), "aso-export-run")
    link = client.get(f"/v1/aso/exports/{job['job_id']}/link")
    assert link.status_code == 200, link.text
    found: dict[str, Any] = link.json()
    assert found["export_id"] == job["job_id"]
    return found


def test_a_csv_is_exported_and_fetched_by_its_link_alone(owner: TenantHandle) -> None:
    link = exported(owner.client, name="Für den Vorstand", locale="de-DE")
    answer = requests.get(link["url"], timeout=30)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "filename*=UTF-8''F%C3%BCr%20den%20Vorstand.csv" in answer.headers["Content-Disposition"]
    assert (len(answer.content), hashlib.sha256(answer.content).hexdigest()) == (link["size"], link["sha256"])
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert len(rows) == link["rows"] == len(WORDS)
    assert {row["keyword"] for row in rows} == {*WORDS[:-1], f"'{WORDS[-1]}"}
    assert datetime.fromisoformat(link["expires_at"]).tzinfo is not None


def test_a_workbook_is_exported(owner: TenantHandle) -> None:
    link = exported(owner.client, format="xlsx", filters={"priority": "tier3"})
    answer = requests.get(link["url"], timeout=30)
    [sheet] = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets
    heading, *rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert {row[heading.index("search_volume")] for row in rows} == {95, 96, 97, 98, 99, 100}
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d", "b"}


def test_a_changed_link_opens_nothing(owner: TenantHandle, cloud: Stack) -> None:
    url = exported(owner.client)["url"]
    parts = urlsplit(url)
    other = url.replace(f"/{owner.tenant_id}/", "/another/")
    later = url.replace("expires=", "expires=9")
    for changed in (other, later, url[:-1] + ("0" if url[-1] != "0" else "1"), url.replace(f"?{parts.query}", "")):
        assert changed != url
        answer = requests.get(changed, timeout=30)
        assert (answer.status_code, answer.text) == (403, "The link is not valid, or not any more.\n")
    assert requests.get(f"{cloud.url}/_local/files", timeout=30).status_code == 403


def test_links_are_for_ones_own_exports(owner: TenantHandle, tenant: TenantHandle, cloud: Stack) -> None:
    export_id = exported(owner.client)["export_id"]
    route = f"/v1/aso/exports/{export_id}/link"
    answer = tenant.client.get(route)
    assert (answer.status_code, answer.json()["code"]) == (404, "export_not_found")
    blind = cloud.key(owner.tenant_id, scopes=["jobs:read", "tenants:read"])
    assert blind.client.get(route).status_code == 403, "who may only follow jobs may not read what they made"
    assert owner.client.get(f"/aso-export-link/{export_id}").status_code == 200


def test_ranks_of_a_period_are_exported_from_the_warehouse(tenant: TenantHandle, cloud: Stack) -> None:
    checks = [
        {"keyword": "scanner", "date": f"2026-11-{day:02}", "state": "ranked", "position": day / 2, "source": "tracker"}
        for day in (10, 11, 12)
    ]
    tenant.client.post("/v1/aso/keywords", {"rows": [{"keyword": "scanner"}]})
    assert tenant.client.post("/v1/aso/ranks", {"rows": checks}).json()["refused"] == 0
    cloud.settled()
    link = exported(tenant.client, kind="ranks", filters={"from": "2026-11-11", "to": "2026-11-30"})
    rows = list(csv.DictReader(io.StringIO(requests.get(link["url"], timeout=30).text.removeprefix("\ufeff"))))
    assert [(row["date"], row["position"]) for row in rows] == [("2026-11-11", "5.5"), ("2026-11-12", "6")]
    assert link["consistency"] == "rolling"
    compared = {"from": "2026-11-10", "to": "2026-11-12"}
    views = {
        "movers": (compared, "to_position", {"6"}),
        "position_distribution": (compared, "rank_4-10", {"1"}),
        "share_of_voice": ({"days": 30}, "name", set()),
        "performance": ({"by": "page"}, "item", set()),
        "performance_facts": (compared, "query", set()),
    }
    for kind, (filters, column, expected) in views.items():
        link = exported(tenant.client, kind=kind, filters=filters)
        table = csv.DictReader(io.StringIO(requests.get(link["url"], timeout=30).text.removeprefix("\ufeff")))
        assert column in (table.fieldnames or ())
        found = list(table)
        assert {row[column] for row in found} >= expected, (kind, found)


def test_clusters_are_listed_and_read(owner: TenantHandle) -> None:
    listed = owner.client.get("/v1/aso/clusters", params={"limit": 1}).json()
    assert listed["items"][0]["label"] == "qr code scanner"
    rest = owner.client.get("/v1/aso/clusters", params={"limit": 1, "cursor": listed["next_cursor"]}).json()
    assert [item["label"] for item in rest["items"]] == ["laufschuhe"]
    cluster_id = listed["items"][0]["cluster_id"]
    page = owner.client.get(f"/v1/aso/clusters/{cluster_id}", params={"limit": 2}).json()
    more = owner.client.get(f"/v1/aso/clusters/{cluster_id}", params={"cursor": page["next_cursor"]}).json()
    names = {item["keyword"] for item in [*page["items"], *more["items"]]}
    assert names == {"qr code scanner", "qr code scanner online", "qr scanner"}
    assert page["cluster"]["members"] == 3


def test_intents_are_told_and_a_model_says_how_good_it_is(owner: TenantHandle) -> None:
    assert owner.client.get("/v1/aso/intent-model").json()["reason"] == "not_trained"
    told = owner.client.post("/v1/aso/keywords/intent", {"filter": {"intent": "unknown"}, "dry_run": True})
    assert told.status_code == 200, told.text
    assert {item["abstained"] for item in told.json()["items"]} == {True}
    job = done(owner.client, owner.client.post("/v1/aso/intent-model/train"), "aso-intent-model-train-run")
    assert job["result"]["reason"] == "too_few_labels"
    assert owner.client.get("/v1/aso/intent-model").json()["reason"] == "too_few_labels"
    neither = owner.client.post("/v1/aso/keywords/intent", {})
    assert (neither.status_code, neither.json()["errors"][0]["code"]) == (422, "ids_or_filter")


def test_a_keyword_is_merged(tenant: TenantHandle) -> None:
    rows = [{"keyword": "qr-scanner", "search_volume": 90}, {"keyword": "qr scanner"}]
    made = tenant.client.post("/v1/aso/keywords", {"rows": rows}).json()["rows"]
    gone, stays = (row["value"]["keyword_id"] for row in made)
    route = f"/v1/aso/keywords/{gone}/merge"
    foreseen = tenant.client.post(route, {"into": stays, "dry_run": True})
    assert (foreseen.status_code, foreseen.json()["status"]) == (200, "foreseen")
    key = {"Idempotency-Key": str(uuid.uuid4())}
    merged = tenant.client.post(route, {"into": stays}, headers=key)
    assert (merged.status_code, merged.json()["status"]) == (200, "done"), merged.text
    again = tenant.client.post(route, {"into": stays}, headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == merged.json()
    assert tenant.client.get(f"/v1/aso/keywords/{gone}").status_code == 404
    assert tenant.client.get(f"/v1/aso/keywords/{stays}").json()["search_volume"] == 90
    nowhere = tenant.client.post(route, {"into": str(uuid.uuid4())})
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "keyword_not_found")

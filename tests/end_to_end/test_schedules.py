"""Scheduled scans: fired twice and beside one on demand they double nothing, and who did not change is left alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

from common.aso.entities import SCAN
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.warehouse.marks import EVERYTHING, path_of
from tests.end_to_end.support import logged, served
from tests.stack import Stack, TenantHandle, wait_for

TASK = "aso-opportunity-scan-tenant"


def follow(tenant: TenantHandle, numbers: range) -> None:
    """Follow keywords that are opportunities from the start."""
    rows: list[dict[str, Any]] = [
        {"keyword": f"shoes {number}", "search_volume": 500 + number, "difficulty_score": 10.0} for number in numbers
    ]
    assert tenant.client.post("/v1/aso/keywords", {"rows": rows}).json()["refused"] == 0
    today = datetime.now(UTC).date().isoformat()
    ranks = [{"keyword": f"shoes {number}", "date": today, "state": "ranked", "position": 15} for number in numbers]
    assert tenant.client.post("/v1/aso/ranks", {"rows": ranks}).json()["refused"] == 0


def opportunities(tenant: TenantHandle) -> dict[str, dict[str, Any]]:
    """Return all opportunities by keyword; there is one for each."""
    items = tenant.client.get("/v1/aso/opportunities?limit=200").json()["items"]
    found = {item["keyword"]: item for item in items}
    assert len(found) == len(items)
    return found


def is_open(cloud: Stack, tenant: TenantHandle) -> bool:
    """Tell whether a scan of the tenant is due or under way."""
    path = path_of(SCAN, tenant.tenant_id, EVERYTHING)
    return bool((cloud.clients.get(firestore_client).document(path).get().to_dict() or {}).get("open"))


def scan_until_quiet(cloud: Stack, *tenants: TenantHandle) -> None:
    """Fire the schedule until nothing is left to scan: a scan that writes makes one more due, which finds nothing."""
    for _ in range(4):
        cloud.settled()
        if not any(is_open(cloud, tenant) for tenant in tenants):
            return
        cloud.fire("aso-opportunity-scan")
        wait_for(lambda: not any(_under_way(cloud, tenant) for tenant in tenants), 60, every=0.2, what="scanned")
    raise AssertionError("scans go on and on")


def _under_way(cloud: Stack, tenant: TenantHandle) -> bool:
    """Tell whether the first change since the last scan still waits for its scan, or the scan goes on."""
    path = path_of(SCAN, tenant.tenant_id, EVERYTHING)
    fields = cloud.clients.get(firestore_client).document(path).get().to_dict() or {}
    working = fields.get("working_since") is not None
    tasks = any(each["tasks"] for name, each in cloud.local.queues.summary().items() if name.endswith(f"/{TASK}"))
    firing = cloud.local.dispatcher.status().get("aso-opportunity-scan", {})
    return working or tasks or bool(firing.get("waiting")) or bool(firing.get("active"))


def scans(cloud: Stack, tenant: TenantHandle) -> int:
    """Return how many scheduled scans of a tenant were made."""
    return len(logged(cloud, function=TASK, tenant_id=tenant.tenant_id, status=204))


def test_scans_at_once_double_nothing_and_spare_who_did_not_change(cloud: Stack, tenant: TenantHandle) -> None:
    neighbour = cloud.tenant()
    for each in (tenant, neighbour):
        follow(each, range(5))
    scan_until_quiet(cloud, tenant, neighbour)
    before = opportunities(tenant)
    assert set(before) == {f"shoes {number}" for number in range(5)}
    assert {item["opportunity_type"] for item in before.values()} == {"low_hanging_fruit"}
    assert set(opportunities(neighbour)) == set(before)
    scanned, spared = scans(cloud, tenant), scans(cloud, neighbour)
    assert (scanned >= 1, spared >= 1) == (True, True)

    follow(tenant, range(5, 12))
    cloud.settled()
    with ThreadPoolExecutor(4) as pool:
        fired = [pool.submit(cloud.fire, "aso-opportunity-scan") for _ in range(2)]
        asked = [pool.submit(tenant.client.post, "/v1/aso/opportunities/scan") for _ in range(2)]
        for firing in fired:
            firing.result()
        answers = [asking.result() for asking in asked]
    assert [answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers]
    scan_until_quiet(cloud, tenant, neighbour)

    after = opportunities(tenant)
    assert set(after) == {f"shoes {number}" for number in range(12)}
    assert {name: after[name] for name in before} == before, "what still holds is not rewritten"
    assert {item["episode"] for item in after.values()} == {1}
    assert scans(cloud, tenant) > scanned
    assert scans(cloud, neighbour) == spared, "nothing of theirs has changed"


def test_scans_in_two_processes_at_once_double_nothing(cloud: Stack, tenant: TenantHandle, process: Clients) -> None:
    """Prevents a race that a lock within one process hides: instances of a function share nothing but the stores."""
    follow(tenant, range(12))
    cloud.settled()
    here = served("aso-opportunity-scan-now")
    start = Barrier(4)

    def elsewhere() -> dict[str, Any]:
        start.wait()
        answer = tenant.client.post("/v1/aso/opportunities/scan")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def in_this_process() -> dict[str, Any]:
        start.wait()
        answer = here.post("/v1/aso/opportunities/scan", headers=dict(tenant.client.headers))
        assert answer.status_code == 200, answer.text
        return dict(answer.get_json())

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(scan) for scan in (elsewhere, in_this_process) * 2]
        results = [each.result() for each in running]
    assert [result["found"] for result in results] == [12] * 4
    assert sum(result["created"] for result in results) == 12
    assert set(opportunities(tenant)) == {f"shoes {number}" for number in range(12)}
    assert process.settings.project == cloud.settings.project, "both were on the same stores"


def test_a_schedule_that_fires_twice_for_nothing(cloud: Stack, tenant: TenantHandle) -> None:
    follow(tenant, range(2))
    scan_until_quiet(cloud, tenant)
    found, scanned = opportunities(tenant), scans(cloud, tenant)
    for _ in range(2):
        cloud.fire("aso-opportunity-scan")
    wait_for(lambda: not _under_way(cloud, tenant), 60, every=0.2)
    cloud.settled()
    assert (opportunities(tenant), scans(cloud, tenant)) == (found, scanned)

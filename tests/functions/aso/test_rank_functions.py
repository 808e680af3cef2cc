"""Tracking through the whole local cloud: settings, plan, checks by a provider, observations, alerts, views."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.aso.normalize import keyword_id_of
from common.aso.tracking.plan import hour_of, slot_of
from tests.serp import SerpServer
from tests.stack import Stack, TenantHandle

OWN = "https://www.example.com/scan"
OTHERS = [f"https://site-{number}.example.net/" for number in range(1, 25)]
SETTINGS: dict[str, Any] = {
    "site_hosts": ["https://www.example.com/"],
    "competitors": ["https://blog.rival.com/about"],
    "tracking": {"enabled": True, "plan": {"tier1": 1}, "budget": {"checks_per_day": 10}},
}


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def configure(tenant: TenantHandle, **changes: Any) -> dict[str, Any]:
    """Set the settings, whatever they were."""
    etag = tenant.client.get("/v1/aso/settings").headers["ETag"]
    answer = tenant.client.put("/v1/aso/settings", {**SETTINGS, **changes}, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def due_now(tenant_id: str, count: int) -> list[str]:
    """Return new keywords whose turn of a daily plan is this hour, and as many of the next one."""
    hour, mark = hour_of(datetime.now(UTC)), uuid.uuid4().hex[:8]
    texts = (f"{mark} {number}" for number in itertools.count())
    found: dict[int, list[str]] = {hour % 24: [], (hour + 1) % 24: []}
    while min(map(len, found.values())) < count:
        text = next(texts)
        slot = slot_of(keyword_id_of(tenant_id, text), 24)
        if slot in found and len(found[slot]) < count:
            found[slot].append(text)
    return [text for texts_of_slot in found.values() for text in texts_of_slot]


def follow(tenant: TenantHandle, *texts: str) -> list[str]:
    rows = [{"keyword": text, "priority": "tier1", "search_volume": 1000} for text in texts]
    answer = tenant.client.post("/v1/aso/keywords", {"rows": rows})
    return [row["value"]["keyword_id"] for row in answer.json()["rows"]]


def keyword(tenant: TenantHandle, keyword_id: str) -> dict[str, Any]:
    return dict(tenant.client.get(f"/v1/aso/keywords/{keyword_id}").json())


def test_settings_are_read_replaced_and_guarded(tenant: TenantHandle) -> None:
    client = tenant.client
    unset = client.get("/v1/aso/settings")
    assert (unset.headers["ETag"], unset.json()["tracking"]["enabled"]) == ('"0"', False)
    assert problem(client.put("/v1/aso/settings", SETTINGS)) == (428, "if_match_required")
    stored = configure(tenant)
    assert (stored["site_hosts"], stored["competitors"]) == (["example.com"], ["rival.com"])
    stale = client.put("/v1/aso/settings", SETTINGS, headers={"If-Match": '"0"'})
    assert problem(stale) == (412, "stale_etag")
    replaced = client.put("/v1/aso/competitors", {"competitors": ["other.org"]})
    assert (replaced.json()["competitors"], replaced.json()["site_hosts"]) == (["other.org"], ["example.com"])
    assert client.get("/v1/aso/settings").json() == replaced.json()
    for body, code, pointer in (
        ({"site_hosts": ["co.uk"]}, "invalid_host", "/site_hosts/0"),
        ({"tracking": {"providers": ["unknown"]}}, "validation_failed", "/tracking/providers/0"),
        ({"tracking": {"depth": 1000}}, "validation_failed", "/tracking/depth"),
        ({"competitors": [f"rival-{number}.com" for number in range(1000)]}, "validation_failed", "/competitors"),
    ):
        refused = client.put("/v1/aso/settings", body, headers={"If-Match": "*"})
        assert problem(refused) == (422, code)
        assert refused.json()["errors"][0]["pointer"] == pointer


def test_from_keyword_and_plan_to_observation_alert_and_views(
    cloud: Stack, tenant: TenantHandle, serp_providers: SerpServer
) -> None:
    client = tenant.client
    texts = due_now(tenant.tenant_id, 1)
    names = follow(tenant, *texts)
    now = datetime.now(UTC)
    rows = [
        {
            "keyword_id": name,
            "checked_at": (now - timedelta(days=back)).isoformat(),
            "device": "desktop",
            "locale": "en-US",
            "source": "rank_tracker",
            "state": "ranked",
            "position": 14 if back == 1 else 4 + back % 2,
            "url": "https://www.example.com/" if back > 1 else OWN,
        }
        for name in names
        for back in range(1, 20)
    ]
    assert client.post("/v1/aso/ranks", {"rows": rows}).json()["refused"] == 0
    configure(tenant)
    for text in texts:
        serp_providers.results[text] = [*OTHERS[:13], "https://blog.rival.com/x", OWN]
    cloud.settled()
    cloud.fire("aso-rank-plan")

    def checked() -> list[str]:
        return [name for name in names if keyword(tenant, name)["current_ranking"] == 15]

    done = cloud.wait_for(checked, 60, what="the plan has a keyword checked")
    found = keyword(tenant, done[0])
    assert found["competitor_rankings"] == [{"competitor": "rival.com", "position": 14}]
    alert = cloud.wait_for(
        lambda: client.get("/v1/aso/alerts", params={"keyword_id": done[0]}).json()["items"], 60, what="aso-rank-alert"
    )[0]
    assert (alert["direction"], alert["to_position"], alert["url_changed"]) == ("down", 15, True)
    assert alert["band_high"] < 15
    route = f"/v1/aso/alerts/{alert['alert_id']}"
    acknowledged = client.patch(route, {"status": "acknowledged", "note": "Known."})
    assert acknowledged.json()["status"] == "acknowledged"
    assert client.get("/v1/aso/alerts", params={"status": "open", "keyword_id": done[0]}).json()["items"] == []
    status = client.get("/v1/aso/tracking").json()
    assert (status["state"], status["day"]["checks"] >= 1) == ("on", True)
    check_views(cloud, tenant, done[0])


def check_views(cloud: Stack, tenant: TenantHandle, name: str) -> None:
    """Look at everything the warehouse makes of the checks."""
    client = tenant.client

    def shares() -> dict[str, int]:
        answer = client.get("/v1/aso/share-of-voice").json()
        return {share["name"]: share["share_ppm"] for share in answer["shares"]}

    found = cloud.wait_for(shares, 60, what="the warehouse knows the ranks")
    assert sum(found.values()) == 1_000_000
    assert found["rival.com"] > found["own"] > 0
    today = datetime.now(UTC).date().isoformat()
    chart = cloud.wait_for(
        lambda: (
            (answer := client.get("/v1/aso/ranks/chart", params={"keyword_ids": [name]}).json())["series"][0][
                "positions"
            ][-1]
            == 15
            and answer
        ),
        60,
        what="the chart",
    )
    assert chart["days"][-1] == today
    assert len(chart["series"][0]["positions"]) == len(chart["days"]) == 90
    movers = client.get("/v1/aso/ranks/movers", params={"direction": "down"}).json()
    assert name in {item["keyword_id"] for item in movers["items"]}
    assert all(item["visits_change"] < 0 for item in movers["items"])
    days = client.get("/v1/aso/ranks/distribution", params={"step": "day"}).json()
    assert sum(days["days"][-1]["counts"].values()) == days["keywords"] == 2


def test_a_check_that_somebody_asks_for_falls_through_to_the_next_provider(
    cloud: Stack, tenant: TenantHandle, serp_providers: SerpServer
) -> None:
    client = tenant.client
    text = f"asked {uuid.uuid4().hex[:8]}"
    [name] = follow(tenant, text)
    assert problem(client.post("/v1/aso/ranks/check", {"keyword_ids": [name]})) == (409, "no_site")
    configure(tenant, tracking={"enabled": False, "providers": ["dataforseo"]})
    serp_providers.results[text] = [OTHERS[0], OWN]
    answer = client.post("/v1/aso/ranks/check", {"keyword_ids": [name]})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "over_budget": 0, "not_checkable": 0})
    cloud.wait_for(lambda: keyword(tenant, name)["current_ranking"] == 2, 60, what="the check")
    assert serp_providers.of(text) == ["dataforseo"]
    history = client.get(f"/v1/aso/keywords/{name}/history").json()["days"][-1]
    assert (history["position"], history["url"]) == (2.0, OWN)
    assert client.get("/v1/aso/tracking").json()["state"] == "off"
    missing = client.post("/v1/aso/ranks/check", {"keyword_ids": [name, "6d1f7c1e-5a0c-5b7e-9a55-000000000000"]})
    assert problem(missing) == (422, "keyword_not_found")


@pytest.mark.parametrize(
    ("route", "pointer"),
    [
        ("/v1/aso/ranks/movers?from=2026-02-02&to=2026-02-01", "query:to"),
        ("/v1/aso/ranks/distribution?from=2020-01-01&to=2026-01-01", "query:from"),
        ("/v1/aso/ranks/chart?keyword_ids=unknown", "query:keyword_ids/0"),
        ("/v1/aso/ranks/chart", "query:keyword_ids"),
        ("/v1/aso/share-of-voice?days=1000", "query:days"),
    ],
)
def test_what_cannot_be_shown_is_refused(tenant: TenantHandle, route: str, pointer: str) -> None:
    answer = tenant.client.get(route)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer

"""The whole local cloud: two addresses for each function, events that arrive, services that stop and come back."""

from __future__ import annotations

from tests.stack import Stack, TenantHandle


def test_a_function_answers_at_its_url_and_at_its_route(cloud: Stack) -> None:
    by_route = cloud.anonymous.get("/v1/health")
    by_url = cloud.anonymous.get("/platform-health")
    assert (by_route.status_code, by_url.status_code) == (200, 200)
    assert by_route.json() == by_url.json()


def test_an_unknown_address_is_a_problem_document(cloud: Stack) -> None:
    answer = cloud.anonymous.get("/v1/nothing-here")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "route_not_found"


def test_another_method_is_refused_with_those_that_work(cloud: Stack) -> None:
    answer = cloud.anonymous.delete("/v1/health")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


def test_a_tenant_becomes_active_through_the_whole_chain(cloud: Stack, tenant: TenantHandle) -> None:
    """Firestore write -> document function -> topic -> message function -> data set."""
    answer = cloud.get(f"/v1/tenants/{tenant.tenant_id}")
    assert answer.json()["status"] == "active"
    recent = {(each["function"], each["outcome"]) for each in cloud.local.dispatcher.recent}
    assert ("platform-relay-shared", "delivered") in recent
    assert ("tenants-tenant-provision", "delivered") in recent


def test_the_control_page_shows_what_runs(cloud: Stack) -> None:
    page = cloud.anonymous.get("/_local")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for function in cloud.local.functions:
        assert function.name in page.text
    status = cloud.anonymous.get("/_local/status").json()
    assert all(service["running"] for service in status["services"].values())
    assert status["topics"]["aso-events"]
    assert "xynergy_local_deliveries_delivered{" in cloud.anonymous.get("/_local/metrics").text


def test_control_commands_are_checked(cloud: Stack) -> None:
    caller = cloud.anonymous
    assert caller.post("/_local/schedules/platform-health/fire").status_code == 400
    assert caller.post("/_local/deliveries/pause?function=nobody").status_code == 400
    assert caller.post("/_local/deliveries/resume?function=platform-relay-shared&order=odd").status_code == 400
    assert caller.post("/_local/elsewhere").status_code == 400
    foreign = {"Origin": "https://elsewhere.example"}
    assert caller.post("/_local/deliveries/pause?function=platform-relay-shared", headers=foreign).status_code == 403
    assert not cloud.local.dispatcher.status()["platform-relay-shared"]["paused"]


def test_deliveries_can_be_held_back_and_seen(cloud: Stack) -> None:
    relay = "platform-relay-shared"
    assert cloud.post(f"/_local/deliveries/pause?function={relay}").status_code == 202
    cloud.post("/v1/tenants", {"tenant_id": "heldback", "name": "Held back"})
    cloud.wait_for(lambda: cloud.local.dispatcher.status()[relay]["waiting"])
    assert cloud.get("/v1/tenants/heldback").json()["status"] == "provisioning"
    assert cloud.post(f"/_local/deliveries/resume?function={relay}").status_code == 202
    cloud.wait_for(lambda: cloud.get("/v1/tenants/heldback").json()["status"] == "active")
    latest = cloud.get(f"/_local/deliveries?function={relay}&limit=1").json()["deliveries"]
    assert [(each["function"], each["outcome"]) for each in latest] == [(relay, "delivered")]


def test_a_schedule_is_fired_by_hand(cloud: Stack) -> None:
    [name] = [name for name in cloud.local.scheduler.names if name == "platform-warehouse-merge"]
    cloud.fire(name)
    cloud.wait_for(lambda: cloud.local.dispatcher.status().get(name, {}).get("delivered"))


def test_functions_come_back_after_a_crash_of_their_process(cloud: Stack) -> None:
    cloud.local.restart_host()
    assert cloud.anonymous.get("/v1/health").status_code == 200

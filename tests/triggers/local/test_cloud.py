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

"""``platform-service-status`` over HTTP: for operators only, in the shape of document 000."""

from __future__ import annotations

from collections.abc import Callable

from werkzeug.test import Client

Serve = Callable[[str], Client]


def test_operator_sees_every_dependency_with_its_latency(serve: Serve, operator: dict[str, str]) -> None:
    answer = serve("service_status").get("/v1/platform/status", headers=operator)
    assert answer.status_code == 200, answer.data
    status = answer.get_json()
    assert (status["service_name"], status["status"]) == ("platform", "healthy")
    assert set(status["checks"]) == {"firestore", "bigquery", "redis"}
    for check in status["checks"].values():
        assert check["status"] == "healthy"
        assert check["latency_ms"] >= 0


def test_nobody_else_does(serve: Serve) -> None:
    client = serve("service_status")
    assert client.get("/").status_code == 401
    assert client.get("/", headers={"Authorization": "Bearer another"}).status_code == 401

"""Dead letters in the running cloud: poison is set aside, found by an operator, replayed and set aside again."""

from __future__ import annotations

import uuid
from typing import Any

from common.publish import publish
from tests.stack import Stack, TenantHandle


def pending(cloud: Stack, function: str, message: str, failures: int) -> dict[str, Any]:
    """Return the pending dead letter whose attributes hold the text, once it failed so often; nothing before."""
    answer = cloud.get("/v1/platform/dead-letters", params={"function": function, "status": "pending", "limit": 200})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = [
        item for item in answer.json()["items"] if message in str(item["attributes"]) and item["failures"] == failures
    ]
    return found[0] if found else {}


def test_a_poison_event_is_set_aside_listed_and_replayed(cloud: Stack) -> None:
    mark = uuid.uuid4().hex
    attributes = {"event_type": "job-created", "ce-subject": mark}
    publish(cloud.clients, "platform-events", b"this is no event", attributes)
    letter = cloud.wait_for(lambda: pending(cloud, "platform-job-dispatch", mark, 1), what="the event is set aside")
    assert letter["code"] == "invalid_envelope"
    assert (letter["kind"], letter["size"], letter["failures"]) == ("message", 16, 1)
    answer = cloud.post(f"/v1/platform/dead-letters/{letter['id']}/replay")
    assert answer.status_code == 200, answer.text
    assert answer.json()["replays"] == 1
    again = cloud.wait_for(
        lambda: pending(cloud, "platform-job-dispatch", mark, 2),
        what="the replay is set aside as the same dead letter",
    )
    assert again["id"] == letter["id"]
    many = cloud.post("/v1/platform/dead-letters/replay", {"function": "platform-job-dispatch"})
    assert many.status_code == 202, many.text
    assert letter["id"] in many.json()["scheduled"]
    cloud.wait_for(
        lambda: pending(cloud, "platform-job-dispatch", mark, 3),
        what="the replay of many arrives",
    )


def test_only_operators_may_look(cloud: Stack, tenant: TenantHandle) -> None:
    for caller, status in ((tenant.client, 403), (cloud.anonymous, 401)):
        assert caller.get("/v1/platform/dead-letters").status_code == status
        assert caller.post(f"/v1/platform/dead-letters/{'f' * 64}/replay").status_code == status
        assert caller.post("/v1/platform/dead-letters/replay", {"function": "x"}).status_code == status
    missing = cloud.post(f"/v1/platform/dead-letters/{'f' * 64}/replay")
    assert (missing.status_code, missing.json()["code"]) == (404, "dead_letter_not_found")
    assert cloud.post("/v1/platform/dead-letters/replay", {"function": "x", "limit": 0}).status_code == 422

"""Callers without the right credential, against every operation and every event function of the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import requests

from tests.operations import EVENT_FUNCTIONS, OPERATIONS, PRIVATE, PUBLIC, Operation, problem_of
from tests.security.credentials import Attack, attacks, bearer, deliveries
from tests.stack import Stack, TenantHandle

TOLD = {"type", "title", "status", "detail", "code", "request_id", "instance", "scope"}
"""What a refused caller is told, and nothing else."""

MARKING = 8
"""Characters from which on a header's value cannot appear in an answer by chance."""


@pytest.fixture(scope="module")
def victim(cloud: Stack) -> TenantHandle:
    """Whose operations are attacked."""
    return cloud.tenant()


@pytest.fixture(scope="module")
def every_attack(cloud: Stack, victim: TenantHandle) -> Mapping[str, Attack]:
    """Every attack by name."""
    return attacks(cloud, victim, cloud.tenant())


def check(name: str, answer: requests.Response, expected: tuple[int, str], headers: Mapping[str, str]) -> None:
    told = problem_of(answer)
    assert (answer.status_code, told["code"]) == expected, name
    assert told.keys() <= TOLD, name
    for given in headers.values():
        secret = given.partition(" ")[2] or given
        assert len(secret) < MARKING or secret not in answer.text, name
    for inside in ("Traceback", ".py", "common.", "system/", "firestore", "127.0.0.1"):
        assert inside not in answer.text, name
    assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401), name


def test_public_operations_are_those_listed() -> None:
    assert {operation.name for operation in OPERATIONS if operation.entry["public"]} == PUBLIC


@pytest.mark.parametrize("operation", PRIVATE, ids=[each.name for each in PRIVATE])
def test_refuses_who_may_not_call(operation: Operation, cloud: Stack, every_attack: Mapping[str, Attack]) -> None:
    refused = 0
    for name, attack in every_attack.items():
        expected = attack.expected(operation)
        if expected is None:
            continue
        for path in (operation.route(), operation.address()):
            check(name, operation.send(cloud.url, attack.headers, path), expected, attack.headers)
        refused += 1
    assert refused >= 30


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_operation_tells_everybody_the_same(name: str, cloud: Stack, victim: TenantHandle) -> None:
    [operation] = [each for each in OPERATIONS if each.name == name]
    anonymous = operation.send(cloud.url, {})
    known = operation.send(cloud.url, bearer(victim.key))
    assert anonymous.status_code == known.status_code == 200
    assert anonymous.content == known.content


@pytest.mark.parametrize("entry", EVENT_FUNCTIONS, ids=[entry["name"] for entry in EVENT_FUNCTIONS])
def test_takes_deliveries_of_its_own_identity_only(entry: dict[str, Any], cloud: Stack, victim: TenantHandle) -> None:
    name = entry["name"]
    body = {"message": {"data": "e30=", "messageId": "1"}, "subscription": "x"}
    for attack, (headers, expected) in deliveries(cloud, name, victim).items():
        for path in (f"/{name}", f"/{name}/", f"/{name}/further"):
            check(attack, requests.post(cloud.url + path, json=body, headers=headers, timeout=30), expected, headers)


@pytest.mark.parametrize("entry", EVENT_FUNCTIONS, ids=[entry["name"] for entry in EVENT_FUNCTIONS])
def test_event_function_takes_no_other_method(entry: dict[str, Any], cloud: Stack) -> None:
    answer = requests.get(f"{cloud.url}/{entry['name']}", timeout=30)
    assert (answer.status_code, problem_of(answer)["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"

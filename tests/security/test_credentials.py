"""Everybody knocks at every operation and event function of the manifest: who may not enter learns and does nothing.

What each caller must be told follows from the manifest (``scope``, ``roles``, ``tenancy``, ``public``), so a new
operation is covered as soon as it is declared. Functions answer in this process as they do in production, signatures
of tokens included (``tests.security.door``); that the deployment on this machine, over its socket and with unsigned
tokens, answers alike is shown with fewer callers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from common.tokens import VERIFIED_BY_PLATFORM
from tests.operations import EVENT_FUNCTIONS, OPERATIONS, PRIVATE, PUBLIC, Operation, nothing, problem_of, refusal
from tests.security.credentials import (
    MISSING,
    Caller,
    Headers,
    Refusal,
    bearer,
    deliveries,
    forgeries,
    forgers,
    invoker_claims,
    locally,
    members,
    person_claims,
    signed,
    strangers,
)
from tests.security.door import Door, opened
from tests.security.world import Holdings, state_of
from tests.stack import Stack

TOLD = {"type", "title", "status", "detail", "code", "request_id", "instance", "scope"}
"""What a refused caller is told, and nothing else."""

INSIDE = ("Traceback", ".py", "common.", "system/", "firestore", "127.0.0.1")
"""What no answer tells of the machinery."""

MARKING = 8
"""Characters from which on a header's value cannot appear in an answer by chance."""

EVERY_OPERATION = pytest.mark.parametrize("operation", PRIVATE, ids=[each.name for each in PRIVATE])
EVERY_EVENT = pytest.mark.parametrize("entry", EVENT_FUNCTIONS, ids=[entry["name"] for entry in EVENT_FUNCTIONS])
ENVELOPE = b'{"message": {"data": "e30=", "messageId": "1"}, "subscription": "x"}'


@dataclass(frozen=True)
class Crowd:
    """Everybody who knocks in production.

    Attributes:
        door: Where.
        strangers: Those whose credential is not good.
        members: Those whose credential is good, for whatever it covers.
        secrets: Every credential presented, none of which may appear in a log.
    """

    door: Door
    strangers: Mapping[str, Caller]
    members: Mapping[str, Caller]
    secrets: tuple[str, ...]


@pytest.fixture(scope="module")
def door(cloud: Stack) -> Iterator[Door]:
    """Every function, as in production."""
    with opened(cloud) as door:
        yield door


@pytest.fixture(scope="module", autouse=True)
def _untouched(cloud: Stack, crowd: Crowd, local_strangers: Mapping[str, Caller], victim: Holdings) -> Iterator[None]:
    """After all of this the victim's data is what it was, to the byte and the time of writing."""
    cloud.settled()
    before = state_of(cloud, victim.tenant.tenant_id)
    assert len(before) > 15
    yield
    cloud.settled()
    assert state_of(cloud, victim.tenant.tenant_id) == before


@pytest.fixture(scope="module")
def crowd(cloud: Stack, door: Door, victim: Holdings) -> Crowd:
    """Everybody, with credentials as Google signs them."""
    tenant, attacker = victim.tenant, cloud.tenant()
    stranger = strangers(cloud, tenant, attacker, door.google.sign) | forgers(cloud, tenant, door.google)
    member = members(cloud, tenant, door.google.sign)
    secrets = {secret for caller in [*stranger.values(), *member.values()] for secret in secrets_of(caller.headers)}
    return Crowd(door, stranger, member, tuple(secrets - {attacker.tenant_id, tenant.tenant_id}))


def secrets_of(headers: Headers) -> set[str]:
    """Return what is secret in headers: no tenant's id."""
    values = {value.partition(" ")[2] or value for name, value in headers.items() if name != "X-Tenant-ID"}
    return {value for value in values if len(value) >= MARKING}


def check(name: str, answer: requests.Response, expected: Refusal, headers: Headers) -> None:
    """Fail unless a refusal has its status, code and challenge, and tells nothing of credential or inside."""
    told = problem_of(answer)
    assert (answer.status_code, told["code"]) == expected, name
    assert told.keys() <= TOLD, name
    everything = f"{answer.text} {answer.headers}"
    assert [secret for secret in secrets_of(headers) if secret in everything] == [], name
    assert [inside for inside in INSIDE if inside in answer.text] == [], name
    challenge = answer.headers.get("WWW-Authenticate", "")
    assert challenge.startswith("Bearer realm=") == (answer.status_code == 401), name
    assert ("error=" in challenge) == (answer.status_code == 401 and expected != MISSING), name


def test_public_operations_are_those_listed() -> None:
    assert {operation.name for operation in OPERATIONS if operation.entry["public"]} == PUBLIC


@EVERY_OPERATION
def test_refuses_who_has_no_good_credential(operation: Operation, crowd: Crowd, victim: Holdings) -> None:
    """With the victim's ids in the path, at both addresses, with a valid body: nothing but the credential is wrong."""
    door, asked = crowd.door, 0
    for name, caller in crowd.strangers.items():
        expected = caller.expected(operation)
        if expected is None:
            continue
        for path in addresses(operation, victim):
            answer = door.send(operation, caller.headers, path)
            check(name, answer, expected, caller.headers)
            assert told_of(victim, answer, path) == [], name
            asked += 1
    assert asked >= 60
    check_log(door, crowd, victim, asked)


@EVERY_OPERATION
def test_lets_in_whom_its_declaration_names(operation: Operation, crowd: Crowd, victim: Holdings) -> None:
    """Every role as a person and as a key, keys that lack one scope, and operators: in or out as the manifest says.

    Those who may enter ask with a parameter that no operation has: they come as far as the check of the request.
    """
    door, entered, asked = crowd.door, 0, 0
    for name, caller in crowd.members.items():
        expected = caller.expected(operation)
        for path in addresses(operation, victim):
            asked += 1
            if expected is None:
                answer = door.send(operation, caller.headers, path, query="nonsense=1")
                assert refusal(answer) == (422, "validation_failed"), (name, answer.text)
                assert "query:nonsense" in [error["pointer"] for error in answer.json()["errors"]], name
                entered += 1
            else:
                answer = door.send(operation, caller.headers, path)
                check(name, answer, expected, caller.headers)
            assert told_of(victim, answer, path) == [], name
    assert 0 < entered < asked
    check_log(door, crowd, victim, asked)


def addresses(operation: Operation, victim: Holdings) -> tuple[str, str]:
    """Return the route of an operation and the address of its function, with the victim's ids."""

    def value(name: str) -> str:
        return victim.ids.get(name) or nothing(name)

    return operation.route(value), operation.address(value)


def told_of(victim: Holdings, answer: requests.Response, path: str) -> list[str]:
    """Return what an answer tells of the victim that was not in the path."""
    told = f"{answer.text} {answer.headers}"
    return [trace for trace in victim.traces() if trace in told and trace not in path]


def check_log(door: Door, crowd: Crowd, victim: Holdings, calls: int) -> None:
    """Fail unless each call has left its line in the log, and no line a credential or a value of the victim."""
    lines = door.written()
    assert lines.count('"httpRequest"') == calls
    assert "Traceback" not in lines
    assert [secret for secret in (*crowd.secrets, victim.mark) if secret in lines] == []


@EVERY_OPERATION
def test_looking_at_the_head_needs_the_same(operation: Operation, crowd: Crowd) -> None:
    answer = crowd.door.call("HEAD", operation.address(), {})
    assert (answer.status_code, answer.content) == ((401, b"") if operation.method == "GET" else (405, b""))
    preflight = crowd.door.call("OPTIONS", operation.address(), {})
    assert (preflight.status_code, preflight.content) == (204, b"")


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_operation_tells_everybody_the_same(name: str, cloud: Stack, victim: Holdings) -> None:
    [operation] = [each for each in OPERATIONS if each.name == name]
    request = {"X-Request-ID": "the-same-request"}
    anonymous = operation.send(cloud.url, request)
    known = operation.send(cloud.url, request | bearer(victim.tenant.key))
    assert anonymous.status_code == known.status_code == (422 if operation.query else 200)
    assert anonymous.content == known.content


# ---------------------------------------------------------------------- deliveries


@EVERY_EVENT
def test_takes_deliveries_of_its_own_identity_only(
    entry: dict[str, Any], cloud: Stack, crowd: Crowd, victim: Holdings
) -> None:
    name, google, calls = entry["name"], crowd.door.google, 0
    crowd.door.written()  # what the tests before have left
    person = google.sign(person_claims(cloud.settings.project, victim.tenant.tenant_id), "people")
    forms = {
        "its signature verified": lambda claims: signed(locally(claims, "services")),
        "its signature on it": lambda claims: google.sign(claims, "services"),
    }
    forged = deliveries(cloud, name, victim.tenant, person, forms)
    for form, token in forgeries(google, invoker_claims(cloud, name), "services").items():
        forged[form] = bearer(token), (401, "credential_invalid")
    for attack, (headers, expected) in forged.items():
        for path in (f"/{name}", f"/{name}/", f"/{name}/further"):
            sent = {**headers, "Content-Type": "application/json"}
            check(attack, crowd.door.call("POST", path, sent, ENVELOPE), expected, headers)
            calls += 1
    lines = crowd.door.written()
    assert lines.count('"httpRequest"') == calls
    secrets = {secret for headers, _ in forged.values() for secret in secrets_of(headers)}
    assert [secret for secret in secrets if secret in lines] == []


@pytest.mark.parametrize("signature", ["google", VERIFIED_BY_PLATFORM])
def test_its_own_identity_is_let_in(signature: str, cloud: Stack, crowd: Crowd) -> None:
    """What the forgeries above differ from in one thing each is really taken; poison is set aside, which is success."""
    name = "platform-dead-letter-store"
    claims = invoker_claims(cloud, name)
    google = crowd.door.google.sign(claims, "services")
    token = google if signature == "google" else signed(google)
    answer = crowd.door.call("POST", f"/{name}", bearer(token), b"poison")
    assert answer.status_code in {204, 500, 503}, answer.text
    crowd.door.written()


@EVERY_EVENT
def test_event_function_takes_no_other_method(entry: dict[str, Any], crowd: Crowd) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = crowd.door.call(method, f"/{entry['name']}", {})
        assert (answer.status_code, problem_of(answer)["code"]) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == "POST"


# ---------------------------------------------------------------------- the local cloud, over its socket

FEW = (
    "no credential",
    "unknown key",
    "revoked key",
    "a key of another tenant",
    "expired token",
    "token of another project",
    "token of somebody deactivated",
    "token with another signature",
)


@pytest.fixture(scope="module")
def local_strangers(cloud: Stack, victim: Holdings) -> Mapping[str, Caller]:
    """Those whose credential is not good, with tokens as the local cloud takes them."""
    found = strangers(cloud, victim.tenant, cloud.tenant(), locally)
    return {name: found[name] for name in FEW}


@EVERY_OPERATION
def test_the_local_cloud_refuses_alike(
    operation: Operation, cloud: Stack, victim: Holdings, local_strangers: Mapping[str, Caller]
) -> None:
    for name, caller in local_strangers.items():
        expected = caller.expected(operation)
        if expected is not None:
            route, _ = addresses(operation, victim)
            check(name, operation.send(cloud.url, caller.headers, route), expected, caller.headers)


@EVERY_EVENT
def test_the_local_cloud_takes_its_own_deliveries_only(entry: dict[str, Any], cloud: Stack, victim: Holdings) -> None:
    name = entry["name"]
    person = locally(person_claims(cloud.settings.project, victim.tenant.tenant_id), "people")
    forged = deliveries(cloud, name, victim.tenant, person, {"unsigned": lambda claims: locally(claims, "services")})
    forged["a claimed signature"] = (
        bearer(signed(locally(invoker_claims(cloud, name), "services"))),
        (
            401,
            "credential_invalid",
        ),
    )
    for attack, (headers, expected) in forged.items():
        answer = requests.post(f"{cloud.url}/{name}", data=ENVELOPE, headers=headers, timeout=30)
        check(attack, answer, expected, headers)

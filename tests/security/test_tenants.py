"""Two tenants attack each other on every operation of the manifest: with ids, cursors, keys and addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.operations import OF_TENANTS, OPERATIONS, Field, Operation, fields, nothing, problem_of, refusal
from tests.security.world import ID_NAMES, Holdings, hub_body, idempotency_key, lists, state_of
from tests.stack import Caller, Stack

WITH_PATH = [operation for operation in OF_TENANTS if operation.parameters]


def named_ids(operation: Operation) -> list[Field]:
    """Return the places in an operation's body that take ids."""
    return [] if operation.schema is None else [each for each in fields(operation.schema) if _is_id(each)]


def _is_id(place: Field) -> bool:
    # Whom a request of privacy is about need not be known, nor what a filter looks for: such ids refer to nothing.
    free = {"subject", "filters"} & set(place.path)
    return isinstance(place.path[-1], str) and place.name.endswith(("_id", "_ids")) and not free


def test_every_id_that_an_operation_takes_has_a_fixture() -> None:
    asked: dict[str, str] = {}
    for operation in OPERATIONS:
        names = [*operation.parameters, *(place.name for place in named_ids(operation))]
        names += [name for name in operation.query if name.endswith(("_id", "_ids"))]
        asked |= dict.fromkeys(names, operation.name)
    missing = {name: user for name, user in asked.items() if name not in ID_NAMES}
    assert not missing, f"let settle() in tests/security/world.py make one of each, and add it to ID_NAMES: {missing}"


def check_tells_nothing(answer: requests.Response, victim: Holdings, sent: set[str]) -> None:
    """Fail if an answer contains anything of the victim that was not in the request."""
    told = answer.text + " ".join(f"{name}: {value}" for name, value in answer.headers.items())
    assert [trace for trace in victim.traces() - sent if trace in told] == [], told[:1000]


@pytest.fixture(scope="module", autouse=True)
def _untouched(cloud: Stack, victim: Holdings, attacker: Holdings) -> Iterator[None]:
    """After all attacks of this module the victim's data is what it was, to the byte and the time of writing."""
    cloud.settled()
    before = state_of(cloud, victim.tenant.tenant_id)
    assert len(before) > 15
    yield
    cloud.settled()
    assert state_of(cloud, victim.tenant.tenant_id) == before
    assert attacker.tenant.tenant_id not in str(before)


@pytest.mark.parametrize("operation", WITH_PATH, ids=[each.name for each in WITH_PATH])
def test_id_in_the_path(operation: Operation, cloud: Stack, victim: Holdings, attacker: Holdings) -> None:
    """Another tenant's thing is answered like one that never was: the same status, code and words."""
    sent = {victim.ids[name] for name in operation.parameters} | {victim.ids["content_id"]}
    body = operation.example
    for place in named_ids(operation):
        body = place.put(body, attacker.ids[place.name])
    told = []

    def unknown(name: str) -> str:
        return victim.ids[name] if name == "entity" else nothing(name)  # the kind of a document is nobody's secret

    for value in (victim.ids.__getitem__, unknown):
        for path in (operation.route(value), operation.address(value)):
            answer = operation.send(cloud.url, attacker.tenant.client.headers, path, body=body)
            check_tells_nothing(answer, victim, sent)
            told.append(words_of(answer, {value(name) for name in operation.parameters}))
    status, code, _ = told[0]
    assert (status, code.endswith("_not_found")) == (404, True) or code in NOT_BY_KEY, told[0]
    assert told == [told[0]] * 4


NOT_BY_KEY = {"person_only"}
"""Refusals of keys by operations that ask for the person behind an ID token, whatever the id."""


def words_of(answer: requests.Response, sent: set[str]) -> tuple[int, str, str]:
    """Return status, code and words of a refusal, without the ids that were sent."""
    told = problem_of(answer)
    words = json.dumps([told["title"], told["detail"], told.get("errors")])
    for value in sent:
        words = words.replace(value, "...")
    return answer.status_code, told["code"], words


@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.name for each in OPERATIONS])
def test_ids_in_the_body(operation: Operation, cloud: Stack, victim: Holdings, attacker: Holdings) -> None:
    """A reference to another tenant's thing is refused like one to nothing: 422, 404, or a refused row."""
    if operation not in OF_TENANTS:
        answer = operation.send(cloud.url, attacker.tenant.client.headers, operation.route(victim.ids))
        refused = {"platform": (403, "operator_only"), "person": (403, "person_only")}
        assert operation.entry["public"] or refusal(answer) == refused[operation.entry["tenancy"]]
        check_tells_nothing(answer, victim, {victim.ids[name] for name in operation.parameters})
        return
    for place in named_ids(operation):
        own = {**attacker.ids, **({"content_id": attacker.spoke} if place.name == "hub_id" else {})}
        told = []
        for stolen in (victim.ids[place.name], nothing(place.name)):
            body = place.put(minimal(operation, place), [stolen] if place.name.endswith("_ids") else stolen)
            answer = operation.send(cloud.url, attacker.tenant.client.headers, operation.route(own), body=body)
            check_tells_nothing(answer, victim, {stolen})
            if answer.status_code == 207:
                assert [row["status"] for row in answer.json()["rows"]] in ([404], [422], ["refused"]), answer.text
                assert answer.json()["refused"] == 1
                told.append((207, "", answer.text.replace(stolen, "...")))
            else:
                told.append(words_of(answer, {stolen}))
                assert answer.status_code in {404, 422}, answer.text
                assert told[-1][1].endswith("_not_found"), answer.text
        assert told[0] == told[1]


def minimal(operation: Operation, place: Field) -> Any:
    """Return a body in which nothing but the id can be wrong."""
    bodies: dict[tuple[str, str], Any] = {
        ("aso-content-create", "hub_id"): hub_body("unwanted", "spoke"),
        ("aso-content-update", "hub_id"): {},
        ("aso-opportunity-update", "content_id"): {},
        ("aso-keyword-upsert", "content_id"): {"rows": [{"keyword": "unwanted"}]},
        ("aso-onpage-score", "content_id"): {"keyword": "unwanted", "text": "unwanted"},
        ("aso-rank-check", "keyword_ids"): {},
        ("tenants-invite-create", "company_id"): {"email": "unwanted@example.com"},
        ("tenants-user-update", "company_id"): {},
        ("aso-rank-record", "keyword_id"): {"rows": [{"state": "check_failed", "date": "2026-11-01"}]},
    }
    known = (operation.name, place.name)
    assert known in bodies, f"add a body in which only {place.name} is wrong, for {operation.name}"
    return bodies[known]


@pytest.mark.parametrize("operation", OF_TENANTS, ids=[each.name for each in OF_TENANTS])
def test_ids_and_cursors_in_the_query(operation: Operation, cloud: Stack, victim: Holdings, attacker: Holdings) -> None:
    """Lists by another tenant's id are empty, things by their ids are refused, and so are its cursors."""
    for name in operation.query:
        if name in ID_NAMES - {"entity"}:  # the kind of a document is nobody's secret
            stolen = victim.ids[name]
            answer = operation.send(
                cloud.url, attacker.tenant.client.headers, operation.route(attacker.ids), query={name: stolen}
            )
            if name.endswith("_ids"):
                assert refusal(answer) == (422, f"{name.removesuffix('_ids')}_not_found")
            else:
                assert (answer.status_code, answer.json()["items"]) == (200, [])
            check_tells_nothing(answer, victim, {stolen})
        if name == "cursor":
            for cursor in victim.cursors.values():
                answer = operation.send(
                    cloud.url,
                    attacker.tenant.client.headers,
                    operation.route(attacker.ids),
                    query={"cursor": cursor, "limit": "1"},
                )
                assert refusal(answer) == (400, "invalid_cursor")
                check_tells_nothing(answer, victim, set())


def test_a_cursor_works_for_its_owner(victim: Holdings) -> None:
    missing = {operation.name for operation in lists()} - victim.cursors.keys()
    assert not missing, f"let settle() in tests/security/world.py make two of what these list: {missing}"
    for operation in lists():
        query = {"cursor": victim.cursors[operation.name], "limit": 1}
        assert victim.tenant.client.get(operation.route(), params=query).json()["items"]


@pytest.mark.parametrize("operation", OF_TENANTS, ids=[each.name for each in OF_TENANTS])
def test_tenant_header_and_query_do_not_change_the_tenant(
    operation: Operation, cloud: Stack, victim: Holdings, attacker: Holdings
) -> None:
    own = attacker.tenant.client.headers
    answer = operation.send(cloud.url, {**own, "X-Tenant-ID": victim.tenant.tenant_id}, operation.route(victim.ids))
    assert refusal(answer) == (403, "tenant_mismatch")
    query = {"tenant_id": victim.tenant.tenant_id}
    answer = operation.send(cloud.url, own, operation.route(victim.ids), query=query)
    assert refusal(answer) == (422, "validation_failed")
    assert problem_of(answer)["errors"][0]["pointer"] == "query:tenant_id"


def test_an_idempotency_key_is_its_tenants_own(victim: Holdings, attacker: Holdings) -> None:
    key = {"Idempotency-Key": idempotency_key(victim.mark)}
    again = victim.tenant.client.post("/v1/aso/content", hub_body(victim.mark), headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    for body in (hub_body("other"), hub_body(victim.mark)):
        answer = attacker.tenant.client.post("/v1/aso/content", body, headers=key)
        assert "Idempotency-Replayed" not in answer.headers
        assert victim.ids["content_id"] not in answer.text
        key = {}
        # The victim's address is free for others: a refusal would tell that it is taken.
        assert answer.status_code == 201, answer.text
        gone = attacker.tenant.client.delete(f"/v1/aso/content/{answer.json()['content_id']}")
        assert gone.status_code == 200


def test_keys_are_revoked_within_their_tenant_only(cloud: Stack, victim: Holdings, attacker: Holdings) -> None:
    path = f"/v1/tenants/{attacker.tenant.tenant_id}/api-keys"
    assert refusal(cloud.operator.delete(f"{path}/{victim.ids['key_id']}")) == (404, "api_key_not_found")
    assert victim.ids["key_id"] not in cloud.get(path).text
    assert victim.tenant.client.get("/v1/aso/keywords").status_code == 200


NOT_YET = {"privacy_export_not_ready"}
"""Refusals by operations that hand out what a job has not made yet."""

OTHER_KIND = {"platform-audit-export-link"}
"""Operations whose id has the name of another kind's, of which the tenants have one."""


def reads(caller: Caller, holdings: Holdings) -> Iterator[tuple[str, requests.Response]]:
    """Yield the answer of every operation that reads, and of the scan, with the caller's own ids."""
    for operation in OF_TENANTS:
        if operation.method == "GET" and operation.name not in OTHER_KIND:
            chosen = {"keyword_ids": holdings.ids["keyword_id"]} if "keyword_ids" in operation.query else {}
            yield operation.name, caller.get(operation.route(holdings.ids), params=chosen)
            if "cursor" in operation.query:
                yield operation.name, caller.get(operation.route(holdings.ids), params={"limit": 200})
    yield "aso-opportunity-scan-now", caller.post("/v1/aso/opportunities/scan")


def test_lists_statistics_trees_scans_and_files_hold_nothing_of_others(victim: Holdings, attacker: Holdings) -> None:
    marked = 0
    for name, answer in reads(attacker.tenant.client, attacker):
        assert answer.status_code == 200 or refusal(answer)[1] in NOT_BY_KEY | NOT_YET, (name, answer.text)
        check_tells_nothing(answer, victim, set())
        marked += attacker.mark in answer.text
    assert marked > 8


def test_statistics_count_what_is_ones_own(attacker: Holdings) -> None:
    client = attacker.tenant.client
    told = client.get("/v1/aso/stats").json()
    for name in ("keywords", "content", "opportunities"):
        items = client.get(f"/v1/aso/{name}", params={"limit": 200}).json()["items"]
        assert told[f"total_{name}"]["value"] == len(items) > 0, name

"""Idempotency keys: work is done once, whatever dies when, and whoever asks at the same time."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from google.api_core import exceptions

from common.answers import Answer, Record
from common.clients.firestore import firestore_client
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.context import Context
from common.errors import Conflict, Unavailable, Unprocessable
from common.idempotency import MAX_BODY, Answered, Claim, StoredAnswer, open_claim
from common.model import Model
from common.store import Repository, Work, transact, write_record
from tests.common.faults import Death, dies, faulty
from tests.common.things import THING, Thing, context_of, thing


def render(result: object) -> StoredAnswer:
    """Stand in for the HTTP trigger's rendering."""
    secret = False
    headers: dict[str, str] = {}
    status = 201
    if isinstance(result, Answer):
        secret, status, headers = result.secret, result.status, dict(result.headers)
        result = result.content
    if isinstance(result, Record):
        headers["ETag"] = result.etag
        result = result.value
    body = result.model_dump_json().encode() if isinstance(result, Model) else b""
    return StoredAnswer(status=status, body=body, headers=headers, secret=secret)


@pytest.fixture
def tenant() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


def request(
    clients: Clients,
    tenant: str,
    handler: Callable[[Context], object],
    *,
    key: str = "key-1",
    fingerprint: str = "same",
    function: str = "test",
) -> StoredAnswer:
    """Carry out one request as the HTTP trigger does."""
    context = context_of(clients, tenant, function=function)
    claim = open_claim(context, key, fingerprint, render)
    known = claim.replay()
    if known is not None:
        return known
    try:
        answer = render(handler(dataclasses.replace(context, claim=claim)))
    except Answered as other:
        return other.answer
    except Exception:
        claim.release()
        raise
    claim.settle(answer)
    return answer


def create(context: Context) -> Record[Thing]:
    return write_record(context, lambda work: work.create(THING, thing()))


def count(clients: Clients, tenant: str) -> int:
    return Repository(THING, context_of(clients, tenant)).count()


def without_redis(clients: Clients) -> Clients:
    return Clients(dataclasses.replace(clients.settings, redis_url=""))


def lease_gone(clients: Clients, tenant: str) -> None:
    """Let the lease of a dead process run out."""
    redis = clients.get(redis_client)
    assert redis is not None
    for name in redis.scan_iter(f"idempotency:{tenant}:*"):
        redis.delete(name)


def test_a_repetition_gets_the_same_answer_and_does_nothing(clients: Clients, tenant: str) -> None:
    first = request(clients, tenant, create)
    again = request(clients, tenant, create)
    assert again == first
    assert again.headers["ETag"] == first.headers["ETag"]
    assert count(clients, tenant) == 1
    stored = Repository(THING, context_of(clients, tenant)).select()[0]
    assert stored.etag == first.headers["ETag"]
    assert stored.value == Thing.model_validate_json(first.body)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("redis", [True, False])
def test_a_crash_around_the_commit_leaves_exactly_one(clients: Clients, tenant: str, moment: str, redis: bool) -> None:
    dying, transport = faulty(clients if redis else without_redis(clients))
    setattr(transport, moment, dies)
    with pytest.raises(Death):
        request(dying, tenant, create)
    committed = moment == "after"
    assert count(clients, tenant) == int(committed)
    if redis and not committed:
        with pytest.raises(Conflict) as refusal:
            request(clients, tenant, create)
        assert refusal.value.code == "idempotency_in_progress"
        assert refusal.value.headers["Retry-After"] == "1"
        lease_gone(clients, tenant)
    answer = request(clients, tenant, create)
    assert request(clients, tenant, create) == answer
    assert count(clients, tenant) == 1
    stored = Repository(THING, context_of(clients, tenant)).select()[0]
    assert stored.etag == answer.headers["ETag"]
    assert stored.value == Thing.model_validate_json(answer.body)


def test_a_crash_after_an_update_is_not_applied_twice(clients: Clients, tenant: str) -> None:
    value = create(context_of(clients, tenant)).value

    def grow(context: Context) -> Record[Thing]:
        def work(unit: Work) -> Thing:
            record = unit.get_for_update(THING, str(value.thing_id))
            return unit.update(THING, record, record.value.model_copy(update={"size": record.value.size + 1}))

        return write_record(context, work)

    dying, transport = faulty(without_redis(clients))
    transport.after = dies
    with pytest.raises(Death):
        request(dying, tenant, grow)
    answer = request(clients, tenant, grow)
    stored = Repository(THING, context_of(clients, tenant)).get(str(value.thing_id))
    assert stored.value.size == 1
    assert answer.headers["ETag"] == stored.etag


@pytest.mark.parametrize("claimed", [True, False])
def test_a_commit_whose_answer_is_lost_is_found_again(clients: Clients, tenant: str, claimed: bool) -> None:
    """The connection breaks after the commit: the request succeeds all the same, with the right version."""
    broken, transport = faulty(clients)

    def lost() -> None:
        raise exceptions.ServiceUnavailable("connection reset")

    transport.after = lost
    etag = request(broken, tenant, create).headers["ETag"] if claimed else create(context_of(broken, tenant)).etag
    assert Repository(THING, context_of(clients, tenant)).select()[0].etag == etag
    assert transport.commits == 1


def test_a_commit_that_never_arrived_is_unavailable_and_can_be_sent_again(clients: Clients, tenant: str) -> None:
    broken, transport = faulty(clients)

    def unreachable() -> None:
        raise exceptions.ServiceUnavailable("no route")

    transport.before = unreachable
    with pytest.raises(Unavailable) as failure:
        request(broken, tenant, create)
    assert failure.value.dependency == "firestore"
    assert count(clients, tenant) == 0
    request(clients, tenant, create)
    assert count(clients, tenant) == 1


@pytest.mark.parametrize("redis", [True, False])
def test_eight_at_once_make_one(clients: Clients, tenant: str, redis: bool) -> None:
    used = clients if redis else without_redis(clients)
    answers: list[StoredAnswer] = []
    refused: list[str] = []
    start = threading.Barrier(8)

    def one() -> None:
        start.wait()
        try:
            answers.append(request(used, tenant, create))
        except Conflict as conflict:
            refused.append(conflict.code)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert count(clients, tenant) == 1
    assert len(answers) + len(refused) == 8
    assert all(answer == answers[0] for answer in answers)
    assert set(refused) <= ({"idempotency_in_progress"} if redis else set())


def test_a_key_belongs_to_one_request_one_principal_and_one_function(clients: Clients, tenant: str) -> None:
    request(clients, tenant, create)
    with pytest.raises(Unprocessable) as refusal:
        request(clients, tenant, create, fingerprint="different")
    assert refusal.value.code == "idempotency_key_reused"
    request(clients, tenant, create, function="another", fingerprint="different")
    assert count(clients, tenant) == 2
    other = f"{tenant}b"
    request(clients, other, create, fingerprint="different")
    assert count(clients, other) == 1


def test_an_expired_record_counts_as_absent(clients: Clients, tenant: str) -> None:
    first = request(clients, tenant, create)
    claim = Claim(context_of(clients, tenant), "key-1", "same", render)
    record = clients.get(firestore_client).document(claim.path)
    record.update({"expires_at": datetime.now(UTC) - timedelta(seconds=1)})
    second = request(clients, tenant, create, fingerprint="different")
    assert second.body != first.body
    assert count(clients, tenant) == 2
    assert request(clients, tenant, create, fingerprint="different") == second
    expires = record.get().get("expires_at")
    assert expires > datetime.now(UTC) + timedelta(hours=23)


def test_of_two_that_saw_the_same_expired_record_one_wins(clients: Clients, tenant: str) -> None:
    request(clients, tenant, create)
    record = clients.get(firestore_client).document(Claim(context_of(clients, tenant), "key-1", "", render).path)
    record.update({"expires_at": datetime.now(UTC) - timedelta(seconds=1)})
    context = context_of(without_redis(clients), tenant)
    slow = open_claim(context, "key-1", "same", render)
    assert slow.replay() is None
    fast = request(without_redis(clients), tenant, create)
    with pytest.raises(Answered) as other:
        create(dataclasses.replace(context, claim=slow))
    assert other.value.answer == fast
    assert count(clients, tenant) == 2


def test_a_refusal_is_settled_without_a_transaction(clients: Clients, tenant: str) -> None:
    def refused(context: Context) -> Answer[None]:
        return Answer(content=None, status=404, headers={"Content-Type": "application/problem+json"})

    first = request(clients, tenant, refused)
    assert first.status == 404
    assert request(clients, tenant, create) == first
    assert count(clients, tenant) == 0


class Secret(Model):
    """Something shown once."""

    key: str


def test_a_secret_is_never_stored(clients: Clients, tenant: str) -> None:
    word = f"hush-{uuid.uuid4()}"

    def issue(context: Context) -> Answer[Secret]:
        def work(unit: Work) -> Answer[Secret]:
            unit.create(THING, thing())
            return Answer(content=Secret(key=word), status=201, headers={"Location": "/here"}, secret=True)

        return transact(context, work)

    assert word.encode() in request(clients, tenant, issue).body
    with pytest.raises(Conflict) as refusal:
        request(clients, tenant, issue)
    assert refusal.value.code == "idempotency_answer_not_stored"
    assert refusal.value.headers == {"Location": "/here"}
    assert refusal.value.details == {"reason": "secret", "answered_status": 201}
    assert count(clients, tenant) == 1
    claim = Claim(context_of(clients, tenant), "key-1", "same", render)
    assert word not in repr(clients.get(firestore_client).document(claim.path).get().to_dict())


def test_an_answer_too_large_to_store_is_not_done_again(clients: Clients, tenant: str) -> None:
    def large(context: Context) -> Secret:
        def work(unit: Work) -> Secret:
            unit.create(THING, thing())
            return Secret(key="x" * (MAX_BODY + 1))

        return transact(context, work)

    assert len(request(clients, tenant, large).body) > MAX_BODY
    with pytest.raises(Conflict) as refusal:
        request(clients, tenant, large)
    assert refusal.value.details["reason"] == "too_large"
    assert count(clients, tenant) == 1


def test_a_result_that_is_no_answer_is_settled_with_the_final_one(clients: Clients, tenant: str) -> None:
    def handler(context: Context) -> Secret:
        number = transact(context, lambda unit: len(unit.create(THING, thing()).name))
        return Secret(key=str(number))

    dying, transport = faulty(without_redis(clients))
    transport.after = dies
    with pytest.raises(Death):
        request(dying, tenant, handler)
    with pytest.raises(Conflict) as refusal:
        request(clients, tenant, handler)
    assert refusal.value.details["reason"] == "lost"
    assert count(clients, tenant) == 1
    first = request(clients, tenant, handler, key="key-2")
    assert request(clients, tenant, handler, key="key-2") == first


def test_an_answer_dressed_after_the_commit_is_stored_as_sent(clients: Clients, tenant: str) -> None:
    def handler(context: Context) -> Answer[Record[Thing]]:
        record = create(context)
        return Answer(content=record, status=201, headers={"Location": f"/things/{record.value.thing_id}"})

    first = request(clients, tenant, handler)
    assert request(clients, tenant, handler) == first
    assert first.headers["Location"].startswith("/things/")


def test_parts_of_a_request_do_not_answer_for_the_whole(clients: Clients, tenant: str) -> None:
    def handler(context: Context) -> Secret:
        for _ in range(2):
            transact(context, lambda unit: unit.create(THING, thing()), answers=False)
        return Secret(key="whole")

    first = request(clients, tenant, handler)
    assert Secret.model_validate_json(first.body).key == "whole"
    assert request(clients, tenant, handler) == first
    assert count(clients, tenant) == 2


def test_an_update_that_changed_nothing_keeps_its_entity_tag_when_repeated(clients: Clients, tenant: str) -> None:
    made = create(context_of(clients, tenant))

    def same(context: Context) -> Record[Thing]:
        def work(unit: Work) -> Thing:
            record = unit.get(THING, str(made.value.thing_id))
            return unit.update(THING, record, record.value.model_copy())

        return write_record(context, work)

    first = request(clients, tenant, same)
    assert first.headers["ETag"] == made.etag
    assert request(clients, tenant, same) == first


def test_redis_going_away_changes_nothing(clients: Clients, tenant: str) -> None:
    away = Clients(dataclasses.replace(clients.settings, redis_url="redis://127.0.0.1:1/0"))
    first = request(away, tenant, create)
    assert request(away, tenant, create) == first
    assert count(clients, tenant) == 1

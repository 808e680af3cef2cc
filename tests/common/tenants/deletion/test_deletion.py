"""The end of a tenant: planned, confirmed, called off or erased without a trace, while all others stay as they are."""

from __future__ import annotations

import concurrent.futures
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common import technical
from common.api_keys import tenant_state
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context
from common.errors import Conflict, Locked, NotFound, Unprocessable
from common.registry import entities, facts
from common.tenants import tenants
from common.tenants.deletion import erasure, service
from common.tenants.deletion.models import DeletionPlan, DeletionRequest, EraseTask
from common.tenants.deletion.stores import STORES, everything
from common.tenants.models import TenantCreate, TenantSuspend, TenantUpdate
from tests.common.queues import make_queues, tasks_of
from tests.common.tenants.deletion.holdings import (
    SECRET,
    fields_of,
    has_key,
    operator,
    set_aside,
    settle,
    state_of,
)

SOON = timedelta(days=31)
STEPS = erasure.STEPS


def a_name() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def ready(clients: Clients) -> Clients:
    make_queues(clients, erasure.TASK)
    return clients


@pytest.fixture
def made(ready: Clients) -> Context:
    """The context of an active tenant with nothing but its tables' place in the directory."""
    tenant_id = a_name()
    context = operator(ready)
    tenants.create(context, TenantCreate(tenant_id=tenant_id, name="Ådalen"))
    ready.get(firestore_client).document(f"tenants/{tenant_id}").update({"status": "active"})
    return context.for_tenant(tenant_id)


def planned(own: Context) -> DeletionPlan:
    return service.plan(operator(own.clients), own.tenant_id)


def order(own: Context, days: int = 30, confirm: str | None = None) -> DeletionRequest:
    token = planned(own).confirm if confirm is None else confirm
    return DeletionRequest(confirm=token, grace_days=days, reason="The contract ended.")


def schedule(own: Context, days: int = 30) -> None:
    service.schedule(operator(own.clients), own.tenant_id, order(own, days))


def begin(own: Context) -> None:
    erasure.begin_due(operator(own.clients), datetime.now(UTC) + SOON)
    assert fields_of(own.clients, own.tenant_id)["status"] == "erasing"


def erase(own: Context) -> None:
    erasure.run(operator(own.clients), own.tenant_id)


@pytest.fixture(scope="module")
def pair(ready: Clients) -> tuple[Context, Context]:
    """Two tenants with everything; the second one's id contains the first one's."""
    name = a_name()
    return settle(ready, name), settle(ready, f"{name}_2")


def test_a_tenant_is_planned_confirmed_erased_without_a_trace_and_no_other_one_is_touched(
    pair: tuple[Context, Context],
) -> None:
    own, other = pair
    clients, tenant_id = own.clients, own.tenant_id
    set_aside(own, SECRET)
    before = state_of(clients, other.tenant_id)
    plan = planned(own)
    wanted = {name for name in entities() if name != "tenant"} | {"legacy", "forgotten"}
    assert wanted <= set(plan.documents), wanted - set(plan.documents)
    assert {each.path for each in technical.COLLECTIONS} - {technical.DATA_KEYS.path} <= set(plan.technical)
    assert plan.tables["keywords"] == 1
    assert len(plan.files) == 2
    assert (plan.cached, plan.accounts, plan.data_key) == (3, plan.documents["user"], True)
    assert has_key(own)

    service.schedule(operator(clients), tenant_id, order(own, confirm=plan.confirm))
    assert erasure.begin_due(operator(clients)) == 0, "the grace is not over"
    assert state_of(clients, tenant_id).keys() > {f"tenants/{tenant_id}"}, "nothing is erased before"
    begin(own)
    assert [EraseTask.model_validate_json(task.http_request.body).tenant_id for task in _tasks(clients)] == [tenant_id]
    erase(own)

    left = state_of(clients, tenant_id)
    assert left.keys() == {f"tenants/{tenant_id}", f"{technical.DATA_KEYS.path}/{tenant_id}"}
    assert SECRET not in str(left)
    assert "Tenant" not in str(fields_of(clients, tenant_id)["name"])
    assert not has_key(own)
    assert not [each for each in _kept_apart(clients) if SECRET in each], "the bytes of a dead letter go with it"
    after = state_of(clients, other.tenant_id)
    assert after == before
    assert has_key(other)

    record = fields_of(clients, tenant_id)
    assert (record["status"], record["deletion_status"]) == ("deleted", "done")
    deletion = record["deletion"]
    assert (deletion["requested_by"], deletion["reason"], deletion["rounds"]) == ("operator-1", None, 0)
    assert deletion["found"]["documents/keyword"] == plan.documents["keyword"]
    assert deletion["finished_at"] is not None
    erase(own)
    assert fields_of(clients, tenant_id) == record, "a task that comes again changes nothing"
    with pytest.raises(Conflict) as refusal:
        tenants.create(operator(clients), TenantCreate(tenant_id=tenant_id, name="Again"))
    assert refusal.value.code == "tenant_id_used"


def _tasks(clients: Clients) -> list[Any]:
    return list(tasks_of(clients, erasure.TASK))


def _kept_apart(clients: Clients) -> list[str]:
    from common.clients.storage import storage_client

    store = clients.get(storage_client)
    return [
        blob.download_as_bytes().decode(errors="replace")
        for blob in store.list_blobs(clients.settings.report_bucket, prefix="_platform/")
    ]


def test_every_table_is_in_a_data_set_of_one_tenant() -> None:
    """Prevents a table that no erasure of a tenant would reach."""
    tables = [entity.table for entity in entities().values() if entity.table is not None]
    tables += [each.table for each in facts().values()]
    assert all("{tenant_id}" in table.dataset for table in tables)


class Killed(BaseException):
    """Ends a process in the middle."""


def test_an_erasure_that_was_killed_goes_on_where_it_was(made: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in every step, before and after its effect: what was not noted is done again, and nothing else is."""
    client = made.clients.get(firestore_client)
    for path in ("keywords", "users", technical.IDEMPOTENCY.path):
        client.document(f"{path}/{uuid.uuid4()}").set({"tenant_id": made.tenant_id})
    schedule(made, days=0)
    begin(made)
    done: list[str] = []
    for name in erasure.ORDER:
        for after in (False, True):

            def killing(context: Context, alive: Callable[[], None], name: str = name, *, after: bool = after) -> None:
                if after:
                    STEPS[name](context, alive)
                    done.append(name)
                raise Killed

            with monkeypatch.context() as patch:
                patch.setattr(erasure, "STEPS", {**STEPS, name: killing})
                with pytest.raises(Killed):
                    erase(made)
            assert fields_of(made.clients, made.tenant_id)["deletion"]["step"] == name
    erase(made)
    assert done == list(erasure.ORDER)
    assert fields_of(made.clients, made.tenant_id)["status"] == "deleted"
    assert len(state_of(made.clients, made.tenant_id)) == 2


def test_what_is_written_while_it_is_erased_is_found_and_erased_again(
    made: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(made, days=0)
    begin(made)
    late = iter([True])

    def writing(context: Context, alive: Callable[[], None]) -> None:
        if next(late, False):
            document = context.clients.get(firestore_client).document(f"keywords/{uuid.uuid4()}")
            document.set({"tenant_id": context.tenant_id})

    monkeypatch.setattr(erasure, "STEPS", {**erasure.STEPS, "data_key": writing})
    erase(made)
    deletion = service.get(operator(made.clients), made.tenant_id).value
    assert (deletion.rounds, deletion.step) == (1, erasure.FIRST)
    assert "keyword" in str(deletion.last_error)
    assert fields_of(made.clients, made.tenant_id)["status"] == "erasing"
    erase(made)
    assert fields_of(made.clients, made.tenant_id)["status"] == "deleted"
    assert everything(made) == {}


def test_a_run_without_time_hands_over_and_loses_nothing(made: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule(made, days=0)
    begin(made)
    waiting = len(_tasks(made.clients))
    short = operator(made.clients, seconds=erasure.RESERVE)
    erasure.run(short, made.tenant_id)
    assert fields_of(made.clients, made.tenant_id)["status"] == "erasing"
    assert len(_tasks(made.clients)) == waiting + 1
    erase(made)
    assert fields_of(made.clients, made.tenant_id)["status"] == "deleted"


def test_a_run_that_gave_no_sign_of_life_is_begun_again(made: Context) -> None:
    schedule(made, days=0)
    begin(made)
    waiting = len(_tasks(made.clients))
    now = datetime.now(UTC)
    erasure.begin_due(operator(made.clients), now + timedelta(minutes=5))
    assert len(_tasks(made.clients)) == waiting
    erasure.begin_due(operator(made.clients), now + erasure.SILENCE + timedelta(minutes=5))
    assert len(_tasks(made.clients)) > waiting
    erase(made)


def test_what_keeps_coming_back_is_left_to_people_and_tried_again_the_next_day(
    made: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(made, days=0)
    begin(made)
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "everything", lambda _: {"documents": {"keyword": 1}})
        patch.setattr(erasure, "STEPS", dict.fromkeys(erasure.ORDER, lambda *_: None))
        for _ in range(erasure.MOST_ROUNDS):
            erase(made)
    record = fields_of(made.clients, made.tenant_id)
    assert (record["status"], record["deletion_status"]) == ("erasing", "failed")
    assert record["deletion"]["rounds"] == erasure.MOST_ROUNDS
    waiting = len(_tasks(made.clients))
    now = datetime.now(UTC)
    erasure.begin_due(operator(made.clients), now + erasure.SILENCE + timedelta(minutes=5))
    assert fields_of(made.clients, made.tenant_id)["deletion_status"] == "failed"
    erasure.begin_due(operator(made.clients), now + erasure.FAILED_PAUSE + timedelta(minutes=5))
    record = fields_of(made.clients, made.tenant_id)
    assert (record["deletion_status"], record["deletion"]["rounds"]) == ("running", 0)
    assert len(_tasks(made.clients)) > waiting
    erase(made)
    assert fields_of(made.clients, made.tenant_id)["status"] == "deleted"


def test_a_failure_is_told_where_operators_look(made: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule(made, days=0)
    begin(made)

    def failing(*_: object) -> None:
        raise ValueError("with private words")

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "STEPS", {**erasure.STEPS, "files": failing})
        for _ in range(2):
            with pytest.raises(ValueError, match="private"):
                erase(made)
    deletion = service.get(operator(made.clients), made.tenant_id).value
    assert (deletion.step, deletion.attempts, deletion.last_error) == ("files", 2, "files: ValueError")
    erase(made)


# ---------------------------------------------------------------------- orders


@pytest.mark.parametrize("status", ["active", "suspended", "provisioning"])
def test_calling_it_off_brings_everything_back_as_it_was(made: Context, status: str) -> None:
    document = made.clients.get(firestore_client).document(f"tenants/{made.tenant_id}")
    document.update({"status": status, "suspended_reason": "Unpaid." if status == "suspended" else None})
    before = tenants.get(operator(made.clients), made.tenant_id).value
    schedule(made)
    state = tenant_state(made.clients, made.tenant_id)
    assert state is not None
    assert state.rests
    with pytest.raises(Conflict) as refusal:
        tenants.resume(operator(made.clients), made.tenant_id)
    assert refusal.value.code == "invalid_transition"
    back = service.cancel(operator(made.clients), made.tenant_id).value
    kept = {"deletion", "deletion_status", "updated_at"}
    assert back.model_dump(exclude=kept) == before.model_dump(exclude=kept)
    assert back.deletion_status == "cancelled"
    with pytest.raises(NotFound) as again:
        service.cancel(operator(made.clients), made.tenant_id)
    assert again.value.code == "deletion_not_found"
    erasure.begin_due(operator(made.clients), datetime.now(UTC) + SOON)
    assert fields_of(made.clients, made.tenant_id)["status"] == status
    schedule(made)


def test_only_the_token_of_a_plan_of_this_tenant_in_this_version_confirms(made: Context) -> None:
    context = operator(made.clients)
    for token in ("x", planned(_another(made)).confirm):
        with pytest.raises(Unprocessable) as wrong:
            service.schedule(context, made.tenant_id, order(made, confirm=token))
        assert (wrong.value.code, wrong.value.audited) == ("confirm_invalid", True)
    confirm = planned(made).confirm
    tenants.update(context, made.tenant_id, TenantUpdate(name="Another name"))
    with pytest.raises(Conflict) as outdated:
        service.schedule(context, made.tenant_id, order(made, confirm=confirm))
    assert outdated.value.code == "plan_outdated"
    assert tenants.get(context, made.tenant_id).value.status == "active"


def _another(made: Context) -> Context:
    other = a_name()
    context = operator(made.clients)
    tenants.create(context, TenantCreate(tenant_id=other, name="Other"))
    return context.for_tenant(other)


def test_an_old_plan_confirms_nothing(made: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CONFIRMED_FOR", timedelta(seconds=-1))
    with pytest.raises(Conflict) as refusal:
        schedule(made)
    assert refusal.value.code == "plan_expired"


def test_two_orders_at_once_are_one(made: Context) -> None:
    body = order(made)

    def ordered(_: int) -> str:
        try:
            service.schedule(operator(made.clients), made.tenant_id, body)
        except Conflict as conflict:
            return conflict.code
        return "scheduled"

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(ordered, range(2)))
    assert answers == ["deletion_already_scheduled", "scheduled"]


def test_calling_off_and_the_schedule_at_once_agree(made: Context) -> None:
    schedule(made, days=0)

    def called_off() -> str:
        try:
            service.cancel(operator(made.clients), made.tenant_id)
        except Conflict as conflict:
            return conflict.code
        return "cancelled"

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        sweep = pool.submit(erasure.begin_due, operator(made.clients), datetime.now(UTC) + SOON)
        answer = pool.submit(called_off).result()
        sweep.result()
    assert answer in {"cancelled", "deletion_begun"}
    is_back = answer == "cancelled"
    assert fields_of(made.clients, made.tenant_id)["status"] == ("active" if is_back else "erasing")
    erase(made)
    assert fields_of(made.clients, made.tenant_id)["status"] == ("active" if is_back else "deleted")


def test_a_legal_hold_refuses_the_plan_the_order_and_the_erasure(made: Context) -> None:
    confirm = planned(made).confirm
    hold = _hold(made)
    for refused in (lambda: planned(made), lambda: service.schedule(
        operator(made.clients), made.tenant_id, order(made, confirm=confirm)
    )):  # fmt: skip
        with pytest.raises(Locked) as refusal:
            refused()
        assert refusal.value.code == "legal_hold"
    made.clients.get(firestore_client).document(hold).delete()
    schedule(made, days=0)
    hold = _hold(made)
    erasure.begin_due(operator(made.clients), datetime.now(UTC) + SOON)
    assert fields_of(made.clients, made.tenant_id)["status"] == "deletion_scheduled", "placed in the grace"
    made.clients.get(firestore_client).document(hold).delete()
    begin(made)


def _hold(made: Context) -> str:
    from common.protection.entities import LEGAL_HOLDS
    from common.protection.models import LegalHold
    from common.store import transact

    now = datetime.now(UTC)
    hold = LegalHold(
        hold_id=uuid.uuid4(),
        tenant_id=made.tenant_id,
        scope="tenant",
        reason="Claim 7.",
        placed_by="operator-1",
        placed_at=now,
    )
    transact(made, lambda work: work.create(LEGAL_HOLDS, hold))
    return f"{LEGAL_HOLDS.collection}/{hold.hold_id}"


def test_nothing_is_changed_about_a_tenant_that_is_gone(made: Context) -> None:
    context = operator(made.clients)
    schedule(made, days=0)
    with pytest.raises(Conflict) as refusal:
        tenants.suspend(context, made.tenant_id, TenantSuspend(reason="x"))
    assert refusal.value.code == "invalid_transition"
    begin(made)
    for change in (
        lambda: tenants.update(context, made.tenant_id, TenantUpdate(name="x")),
        lambda: planned(made),
    ):
        with pytest.raises(Conflict) as refused:
            change()
        assert refused.value.code == "tenant_deleted"
    erase(made)


def test_every_store_is_a_step_and_the_key_goes_last() -> None:
    assert set(STORES) <= set(erasure.ORDER)
    assert erasure.ORDER[0] == "people"
    assert erasure.ORDER[-2:] == ("data_key", "residue")

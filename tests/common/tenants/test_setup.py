"""Making a tenant ready: killed at every step it goes on, and does nothing twice."""

from __future__ import annotations

import concurrent.futures
import uuid

import pytest

from common.api_keys import key_digest
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context
from common.crypto import keys
from common.errors import Conflict, NotFound, Unavailable
from common.registry import entities
from common.store import Repository
from common.technical import DATA_KEYS, INVITE_TOKENS, read
from common.tenants import setup, tenants
from common.tenants.companies.entities import COMPANIES
from common.tenants.models import SetupTask, StepName, Tenant, TenantCreate
from common.tenants.people.entities import INVITES
from common.warehouse.provision import Provisioned, provision_tenant
from tests.common.queues import make_queues, tasks_of
from tests.common.security import operator_context

STEPS = setup.STEPS


class Killed(BaseException):
    """Ends a process in the middle."""


@pytest.fixture
def context(clients: Clients) -> Context:
    make_queues(clients, setup.RUN_TASK)
    return operator_context(clients)


def make(context: Context, admin: str | None = "ann@example.com") -> str:
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    tenants.create(context, TenantCreate(tenant_id=tenant_id, name="Ådalen", admin_email=admin))
    return tenant_id


def stored(context: Context, tenant_id: str) -> Tenant:
    return tenants.get(context, tenant_id).value


def pending(tenant: Tenant) -> list[StepName]:
    assert tenant.setup is not None
    return [step.name for step in tenant.setup.steps if step.status == "pending"]


def test_killed_before_and_after_each_effect_it_goes_on_and_does_nothing_twice(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant_id = make(context)
    own = context.for_tenant(tenant_id)
    done: list[str] = []
    left = pending(stored(context, tenant_id))
    assert left == ["warehouse", "data_key", "defaults", "activation"]
    for name in list(left):
        for after in (False, True):

            def killing(step: Context, name: StepName = name, *, after: bool = after) -> None:
                if after:
                    STEPS[name](step)
                    done.append(name)
                raise Killed

            with monkeypatch.context() as patch:
                patch.setattr(setup, "STEPS", dict(STEPS) | {name: killing})
                with pytest.raises(Killed):
                    setup.run(context, tenant_id)
            tenant = stored(context, tenant_id)
            assert pending(tenant)[0] == name
            assert tenant.status == "provisioning"
            if name == "data_key" and after:
                key_before = read(own, f"{DATA_KEYS.path}/{tenant_id}")
    setup.run(context, tenant_id)
    assert done == left
    tenant = stored(context, tenant_id)
    assert (tenant.status, pending(tenant)) == ("active", [])
    assert tenant.setup is not None
    assert (tenant.setup.status, tenant.setup.attempts) == ("done", 9)
    assert provision_tenant(own, tenant_id) == Provisioned(tables=(), columns=())
    assert read(own, f"{DATA_KEYS.path}/{tenant_id}") == key_before
    assert [record.value.name for record in Repository(COMPANIES, own).select()] == ["Ådalen"]
    assert [record.value.email for record in Repository(INVITES, own).select()] == ["ann@example.com"]


def test_the_first_administrator_is_invited_with_the_tenant_and_the_token_is_shown_once(context: Context) -> None:
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    body = TenantCreate(tenant_id=tenant_id, name="x", admin_email="Ann@Example.COM")
    answer = tenants.create(context, body)
    assert answer.secret
    token = answer.content.value.invite_token
    assert token is not None
    [invite] = [record.value for record in Repository(INVITES, context.for_tenant(tenant_id)).select()]
    assert (invite.email, invite.role, invite.status) == ("ann@example.com", "admin", "pending")
    hashed = context.clients.get(firestore_client).document(f"{INVITE_TOKENS.path}/{key_digest(token)}").get()
    assert hashed.get("tenant_id") == tenant_id
    everything = [stored(context, tenant_id).model_dump(), invite.model_dump(), hashed.to_dict()]
    assert token not in str(everything)
    with pytest.raises(Conflict):
        tenants.create(context, body)
    assert len(Repository(INVITES, context.for_tenant(tenant_id)).select()) == 1


def test_a_tenant_for_programs_has_nobody_and_no_company(context: Context) -> None:
    tenant_id = make(context, admin=None)
    assert pending(stored(context, tenant_id)) == ["warehouse", "data_key", "activation"]
    setup.run(context, tenant_id)
    own = context.for_tenant(tenant_id)
    assert stored(context, tenant_id).status == "active"
    assert Repository(COMPANIES, own).count() == Repository(INVITES, own).count() == 0


def test_why_a_run_failed_is_told_where_operators_look(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant_id = make(context, admin=None)

    def away(_: Context) -> None:
        raise Unavailable("bigquery", "BigQuery does not answer")

    def broken(_: Context) -> None:
        raise ValueError("with private words")

    for failing, reason in ((away, "warehouse: BigQuery does not answer"), (broken, "warehouse: ValueError")):
        with monkeypatch.context() as patch:
            patch.setattr(setup, "STEPS", {**STEPS, "warehouse": failing})
            with pytest.raises((Unavailable, ValueError)):
                setup.run(context, tenant_id)
        told = stored(context, tenant_id).setup
        assert told is not None
        assert (told.status, told.last_error) == ("failed", reason)
    assert tenants.get(context, tenant_id).value.status == "provisioning"
    setup.run(context, tenant_id)
    told = stored(context, tenant_id).setup
    assert told is not None
    assert (told.status, told.last_error, told.attempts) == ("done", None, 3)


def test_operators_let_a_stuck_set_up_go_on(context: Context) -> None:
    tenant_id = make(context, admin=None)
    assert setup.retry(context, tenant_id).value.status == "provisioning"
    bodies = [
        SetupTask.model_validate_json(each.http_request.body) for each in tasks_of(context.clients, setup.RUN_TASK)
    ]
    assert SetupTask(tenant_id=tenant_id) in bodies
    setup.run(context, tenant_id)
    with pytest.raises(Conflict) as refusal:
        setup.retry(context, tenant_id)
    assert refusal.value.code == "setup_not_pending"
    with pytest.raises(NotFound):
        setup.retry(context, "nobody")


def test_two_runs_at_once_make_one_tenant_ready(context: Context) -> None:
    tenant_id = make(context)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: setup.run(context, tenant_id), range(2)))
    assert stored(context, tenant_id).status == "active"
    own = context.for_tenant(tenant_id)
    assert Repository(COMPANIES, own).count() == 1
    keys.ensure(own, tenant_id)
    tables = {entity.table.name for entity in entities().values() if entity.table is not None}
    assert tables
    assert provision_tenant(own, tenant_id) == Provisioned(tables=(), columns=())

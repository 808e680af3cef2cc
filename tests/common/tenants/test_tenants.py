"""Tenants: made once, found by operators, made ready by the event of their creation."""

from __future__ import annotations

import re
import uuid

import pytest
from google.cloud import bigquery
from pydantic import ValidationError

from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import TENANT_ID
from common.errors import Conflict, NotFound
from common.tenants import setup, tenants
from common.tenants.models import TenantCreate, TenantSuspend, TenantUpdate
from tests.common.security import operator_context


def a_tenant() -> str:
    return f"t_{uuid.uuid4().hex[:12]}"


def test_a_tenant_is_made_under_the_given_id(clients: Clients) -> None:
    context, tenant_id = operator_context(clients), a_tenant()
    answer = tenants.create(context, TenantCreate(tenant_id=tenant_id, name="Ådalen 有限公司", tier="pro"))
    tenant = answer.content.value
    assert (tenant.tenant_id, tenant.name, tenant.tier, tenant.status) == (
        tenant_id,
        "Ådalen 有限公司",
        "pro",
        "provisioning",
    )
    assert answer.headers["Location"] == f"/v1/tenants/{tenant_id}"
    stored = tenants.get(context, tenant_id)
    assert stored.etag == answer.content.etag
    assert tenant.model_dump() == {**stored.value.model_dump(), "invite_token": None}


def test_a_generated_id_fits_a_data_set_name(clients: Clients) -> None:
    made = tenants.create(operator_context(clients), TenantCreate(name="x")).content.value
    assert TENANT_ID.fullmatch(made.tenant_id)


def test_an_id_is_taken_once(clients: Clients) -> None:
    context, body = operator_context(clients), TenantCreate(tenant_id=a_tenant(), name="first")
    first = tenants.create(context, body)
    with pytest.raises(Conflict) as refusal:
        tenants.create(context, body.model_copy(update={"name": "second"}))
    assert refusal.value.code == "tenant_exists"
    assert tenants.get(context, first.content.value.tenant_id).value.name == "first"


@pytest.mark.parametrize("tenant_id", ["", "a", "A1", "_platform", "a-b", "a.b", "a/b", "a b", "é1", "a" * 64])
def test_an_id_that_is_no_part_of_a_data_set_name_is_refused(tenant_id: str) -> None:
    with pytest.raises(ValidationError):
        TenantCreate(tenant_id=tenant_id, name="x")


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\x00b", "a\nb"])
def test_a_name_is_one_line(name: str) -> None:
    with pytest.raises(ValidationError):
        TenantCreate(name=name)


def test_an_unknown_tenant_is_not_found(clients: Clients) -> None:
    with pytest.raises(NotFound) as refusal:
        tenants.get(operator_context(clients), "nobody")
    assert refusal.value.code == "tenant_not_found"


def data_sets(clients: Clients, tenant_id: str) -> set[str]:
    client: bigquery.Client = clients.get(bigquery_client)
    return {found.dataset_id for found in client.list_datasets() if re.search(rf"_{tenant_id}$", found.dataset_id)}


def test_provisioning_makes_the_data_set_and_activates(clients: Clients) -> None:
    context, tenant_id = operator_context(clients), a_tenant()
    tenants.create(context, TenantCreate(tenant_id=tenant_id, name="x"))
    setup.run(context, tenant_id)
    made = tenants.get(context, tenant_id)
    assert made.value.status == "active"
    assert made.value.updated_at > made.value.created_at
    assert data_sets(clients, tenant_id) == {f"aso_tenant_{tenant_id}"}
    setup.run(context, tenant_id)
    assert tenants.get(context, tenant_id) == made, "a second delivery changes nothing"


def test_provisioning_does_not_wake_a_suspended_tenant(clients: Clients) -> None:
    context, tenant_id = operator_context(clients), a_tenant()
    tenants.create(context, TenantCreate(tenant_id=tenant_id, name="x"))
    clients.get(firestore_client).document(f"tenants/{tenant_id}").update({"status": "suspended"})
    setup.run(context, tenant_id)
    assert tenants.get(context, tenant_id).value.status == "suspended"


def test_provisioning_a_tenant_that_is_gone_does_nothing(clients: Clients) -> None:
    tenant_id = a_tenant()
    setup.run(operator_context(clients), tenant_id)
    assert data_sets(clients, tenant_id) == set()


def test_only_an_active_tenant_is_suspended(clients: Clients) -> None:
    context, tenant_id = operator_context(clients), a_tenant()
    tenants.create(context, TenantCreate(tenant_id=tenant_id, name="x"))
    with pytest.raises(Conflict) as refusal:
        tenants.suspend(context, tenant_id, TenantSuspend(reason="x"))
    assert refusal.value.code == "invalid_transition"
    with pytest.raises(Conflict) as refusal:
        tenants.resume(context, tenant_id)
    assert refusal.value.code == "invalid_transition"
    assert tenants.get(context, tenant_id).value.status == "provisioning"


def test_what_an_update_leaves_out_stays(clients: Clients) -> None:
    context, tenant_id = operator_context(clients), a_tenant()
    made = tenants.create(context, TenantCreate(tenant_id=tenant_id, name="first", tier="pro")).content
    same = tenants.update(context, tenant_id, TenantUpdate(tier="pro"))
    assert same.etag == made.etag, "a change to what is there already is none"
    renamed = tenants.update(context, tenant_id, TenantUpdate(name="second")).value
    assert (renamed.name, renamed.tier, renamed.created_at) == ("second", "pro", made.value.created_at)
    assert renamed.updated_at > made.value.updated_at


@pytest.mark.parametrize("field", ["name", "tier"])
def test_nothing_of_a_tenant_is_cleared(field: str) -> None:
    with pytest.raises(ValidationError):
        TenantUpdate.model_validate({field: None})

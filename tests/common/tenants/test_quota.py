"""Quotas of tenants: shown, agreed on, and never set below what there is by mistake."""

from __future__ import annotations

import dataclasses
import uuid
from typing import get_args

import pytest
from pydantic import ValidationError

from common import quotas
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context
from common.errors import Conflict, Forbidden, NotFound, PreconditionFailed
from common.quotas import LIMITS, Resource
from common.tenants import quota, tenants
from common.tenants.models import QuotaSet, TenantCreate, TenantUpdate
from tests.common.security import operator_context


@pytest.fixture
def context(clients: Clients) -> Context:
    return operator_context(clients)


def make(context: Context, users: int = 0, tier: str = "free") -> Context:
    """Make a tenant with people; return its own context."""
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    tenants.create(context, TenantCreate.model_validate({"tenant_id": tenant_id, "name": "x", "tier": tier}))
    client = context.clients.get(firestore_client)
    for _ in range(users):
        client.document(f"users/{uuid.uuid4()}").set({"tenant_id": tenant_id, "status": "active"})
    return context.for_tenant(tenant_id)


def test_what_there_is_and_may_be_is_shown_to_operators_and_the_tenant_alike(context: Context) -> None:
    own = make(context, users=2)
    told = quota.usage(context, own.tenant_id)
    assert [each.resource for each in told.resources] == list(get_args(Resource))
    users = next(each for each in told.resources if each.resource == "users")
    assert (users.limit, users.used, users.agreed) == (3, 2, False)
    assert quota.usage(own, own.tenant_id).resources == told.resources
    shown = quota.own(own)
    assert (shown.tenant_id, shown.tier, shown.limits["users"]) == (own.tenant_id, "free", 3)
    with pytest.raises(NotFound):
        quota.usage(context, "nobody")


def test_what_is_agreed_counts_at_once_and_replaces_what_was(context: Context) -> None:
    own = make(context, users=3)
    with pytest.raises(Forbidden):
        quotas.check(own, "users")
    quota.agree(context, own.tenant_id, QuotaSet(limits={"users": 4, "keywords": None}))
    quotas.check(own, "users")
    assert quotas.room(own, "keywords") is None
    quota.agree(context, own.tenant_id, QuotaSet(limits={"users": 5}))
    assert quota.own(own).limits["keywords"] == LIMITS["keywords"].free
    assert quota.own(own).limits["users"] == 5


def test_a_limit_below_what_there_is_is_refused_with_the_list_and_set_when_that_is_meant(context: Context) -> None:
    own = make(context, users=3)
    with pytest.raises(Conflict) as refusal:
        quota.agree(context, own.tenant_id, QuotaSet(limits={"users": 2}))
    assert (refusal.value.code, refusal.value.audited) == ("quota_below_usage", True)
    assert refusal.value.details == {"over": [{"resource": "users", "limit": 2, "used": 3}]}
    assert quota.own(own).limits["users"] == 3, "nothing was set"
    quota.agree(context, own.tenant_id, QuotaSet(limits={"users": 2}, below_usage="accept"))
    assert quotas.counted(own, "users") == 3, "everything stays"
    with pytest.raises(Forbidden):
        quotas.check(own, "users")
    quota.agree(context, own.tenant_id, QuotaSet(limits={"users": 2, "keywords": 7}))
    assert quota.own(own).limits["keywords"] == 7, "what was over before and gets no tighter is no reason to refuse"


def test_a_smaller_tier_is_refused_with_what_is_over_and_a_larger_one_never(context: Context) -> None:
    own = make(context, users=4, tier="pro")
    with pytest.raises(Conflict) as refusal:
        tenants.update(context, own.tenant_id, TenantUpdate(tier="free"))
    assert refusal.value.details["over"] == [{"resource": "users", "limit": 3, "used": 4}]
    assert tenants.update(context, own.tenant_id, TenantUpdate(tier="enterprise")).value.tier == "enterprise"
    accepted = tenants.update(context, own.tenant_id, TenantUpdate(tier="free", below_usage="accept"))
    assert accepted.value.tier == "free"
    assert "below_usage" not in accepted.value.model_dump()
    assert tenants.update(context, own.tenant_id, TenantUpdate(name="Another")).value.tier == "free"


def test_what_is_agreed_is_kept_across_a_change_of_tier(context: Context) -> None:
    own = make(context, users=4, tier="pro")
    quota.agree(context, own.tenant_id, QuotaSet(limits={"users": 10}))
    tenants.update(context, own.tenant_id, TenantUpdate(tier="free"))
    assert quota.own(own).limits["users"] == 10


def test_somebody_elses_change_is_not_overwritten(context: Context) -> None:
    own = make(context)
    stale = dataclasses.replace(context, if_match=tenants.get(context, own.tenant_id).etag)
    quota.agree(context, own.tenant_id, QuotaSet(limits={"users": 10}))
    with pytest.raises(PreconditionFailed):
        quota.agree(stale, own.tenant_id, QuotaSet(limits={}))


@pytest.mark.parametrize("limits", [{"users": -1}, {"users": 10**10}, {"horses": 1}, {"users": "many"}, None])
def test_a_limit_is_a_number_of_something_we_know(limits: object) -> None:
    with pytest.raises(ValidationError):
        QuotaSet.model_validate({"limits": limits})

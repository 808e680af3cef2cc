"""Quotas: what a tier holds and what was agreed, counted where it is stored, refused with figures."""

from __future__ import annotations

import concurrent.futures
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from google.cloud import firestore
from hypothesis import given
from hypothesis import strategies as st

from common import quotas
from common.api_keys import credentials_cache
from common.aso import content, keywords, ranks
from common.aso.content_models import ContentCreate
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context
from common.errors import Forbidden
from common.quotas import LIMITS, Counts, Resource, counts_memory, limit_of
from common.registry import entities
from common.tenant_state import TenantState, TenantTier
from tests.common.security import Clock, context_of

TIERS = st.sampled_from(get_args(TenantTier))
RESOURCES = st.sampled_from(get_args(Resource))


def a_tenant(clients: Clients, tier: str = "free", quotas_agreed: Mapping[str, int | None] | None = None) -> Context:
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    document = {"tenant_id": tenant_id, "status": "active", "tier": tier, "quotas": dict(quotas_agreed or {})}
    clients.get(firestore_client).document(f"tenants/{tenant_id}").set(document)
    return context_of(clients, tenant_id)


def store(context: Context, collection: str, count: int, **fields: object) -> None:
    client: firestore.Client = context.clients.get(firestore_client)
    for _ in range(count):
        client.collection(collection).document(uuid.uuid4().hex).set({"tenant_id": context.tenant_id, **fields})


def test_every_resource_is_of_an_entity_and_grows_with_the_tier() -> None:
    assert set(LIMITS) == set(get_args(Resource))
    for resource, limit in LIMITS.items():
        assert limit.entity in entities(), resource
        held = [limit.of(tier) for tier in ("free", "pro", "enterprise")]
        assert held == sorted(held, key=lambda each: float("inf") if each is None else each), resource


@given(tier=TIERS, resource=RESOURCES, agreed=st.none() | st.integers(min_value=0, max_value=10**9))
def test_what_was_agreed_goes_before_the_tier(tier: TenantTier, resource: Resource, agreed: int | None) -> None:
    plain = TenantState(status="active", tier=tier)
    assert limit_of(plain, resource) == LIMITS[resource].of(tier)
    assert limit_of(TenantState(status="active", tier=tier, quotas={resource: agreed}), resource) == agreed


def test_the_last_one_fits_and_the_next_one_is_refused_with_figures(clients: Clients) -> None:
    context = a_tenant(clients)
    store(context, "users", 2, status="active")
    store(context, "users", 5, status="deactivated")
    quotas.check(context, "users")
    store(context, "users", 1, status="active")
    with pytest.raises(Forbidden) as refusal:
        quotas.check(context, "users")
    assert refusal.value.code == "quota_exceeded"
    assert refusal.value.details == {"resource": "users", "limit": 3, "used": 3}


def test_another_tenants_things_count_for_nobody_else(clients: Clients) -> None:
    one, other = a_tenant(clients), a_tenant(clients)
    store(other, "users", 4, status="active")
    quotas.check(one, "users", adding=3)
    assert quotas.counted(one, "users") == 0


def test_a_refusal_is_never_made_from_a_remembered_count(clients: Clients) -> None:
    context = a_tenant(clients)
    store(context, "users", 3, status="active")
    with pytest.raises(Forbidden):
        quotas.check(context, "users")
    mine = firestore.FieldFilter("tenant_id", "==", context.tenant_id)
    for each in clients.get(firestore_client).collection("users").where(filter=mine).stream():
        each.reference.update({"status": "deactivated"})
    quotas.check(context, "users")


def test_far_from_the_limit_one_count_does_for_a_minute_and_near_to_it_every_check_counts(clients: Clients) -> None:
    context, clock = a_tenant(clients), Clock()
    clients.replace(counts_memory, Counts(clock))
    quotas.check(context, "keywords", adding=10)
    store(context, "keywords", 3)
    quotas.check(context, "keywords")
    assert clients.get(counts_memory).remembered(context.tenant_id, "keywords") == 11, "not counted, only added up"
    clock.now += quotas.REMEMBERED
    quotas.check(context, "keywords")
    assert clients.get(counts_memory).remembered(context.tenant_id, "keywords") == 4, "three stored, one let through"
    assert quotas.room(context, "keywords", 950) == 997, "counted anew: 950 more would be near the limit"


def test_what_is_let_through_while_somebody_counts_is_not_forgotten() -> None:
    counts = Counts(Clock())
    since = counts.let_through("acme", "keywords")
    counts.add("acme", "keywords", 2)
    counts.remember("acme", "keywords", 5, since)
    assert counts.remembered("acme", "keywords") == 7
    counts.remember("acme", "keywords", 6, counts.let_through("acme", "keywords"))
    assert counts.remembered("acme", "keywords") == 6
    assert counts.remembered("other", "keywords") is None


def test_an_unlimited_resource_is_not_counted_at_all(clients: Clients) -> None:
    context = a_tenant(clients, quotas_agreed={"keywords": None})
    quotas.check(context, "keywords", adding=10**12)
    assert quotas.room(context, "keywords") is None
    assert clients.get(counts_memory).remembered(context.tenant_id, "keywords") is None


def test_imports_count_for_the_day_they_began(clients: Clients) -> None:
    context = a_tenant(clients, quotas_agreed={"imports_per_day": 2})
    now = datetime.now(UTC)
    store(context, "jobs", 5, type="keyword_import", created_at=now - timedelta(days=1, seconds=1))
    store(context, "jobs", 1, type="keyword_import", created_at=now)
    store(context, "jobs", 1, type="keyword_cluster", created_at=now)
    quotas.check(context, "imports_per_day")
    assert quotas.counted(context, "imports_per_day") == 1


def test_at_once_a_limit_is_passed_by_what_was_under_way_at_most(clients: Clients) -> None:
    context = a_tenant(clients, quotas_agreed={"content_pieces": 4})

    def create(number: int) -> bool:
        try:
            body = ContentCreate(content_type="hub", keyword_primary=f"k {number}", title="t")
            content.create(context, body)
        except Forbidden:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        made = sum(pool.map(create, range(12)))
    assert 4 <= made <= 4 + 2, "three at once: the others of the moment in which the last one was made"
    assert quotas.counted(context, "content_pieces") == made
    assert not create(99)


def test_new_keywords_beyond_the_quota_are_refused_row_by_row_and_known_ones_are_changed(clients: Clients) -> None:
    context = a_tenant(clients, quotas_agreed={"keywords": 3})
    first = keywords.upsert(context, [{"keyword": f"k {number}"} for number in range(2)])
    assert first.created == 2
    rows = [{"keyword": "k 0", "search_volume": 10}, *({"keyword": f"n {number}"} for number in range(3))]
    second = keywords.upsert(context, rows)
    assert [row.outcome for row in second.rows] == ["updated", "created", "refused", "refused"]
    problem = second.rows[2].problem
    assert problem is not None
    assert (problem.status, problem.code, problem.pointer) == (403, "quota_exceeded", "/rows/2/keyword")
    now = datetime.now(UTC)
    check = {"checked_at": now, "state": "ranked", "position": 1, "source": "tracker"}
    ranked = ranks.record(context, [{"keyword": name, **check} for name in ("k 0", "unknown")], create_missing=True)
    assert [row.outcome for row in ranked.rows] == ["created", "refused"]
    assert ranked.rows[1].problem is not None
    assert ranked.rows[1].problem.code == "quota_exceeded"
    assert quotas.counted(context, "keywords") == 3


def test_a_tenant_nobody_knows_has_no_limit_here(clients: Clients) -> None:
    """Prevents work of events from failing on a limit: credentials of unknown tenants are refused before."""
    clients.get(credentials_cache).tenants.forget("nobody")
    assert quotas.room(context_of(clients, "nobody"), "keywords") is None

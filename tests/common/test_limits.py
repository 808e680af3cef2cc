"""Rate limits: counted together in Redis, alone without it."""

from __future__ import annotations

import dataclasses
import re
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.context import Principal
from common.errors import ConfigurationError, TooManyRequests
from common.limits import WINDOW, RateState, consume
from common.redis_access import Outage, redis_outage
from common.settings import RATE_LIMITS, Settings
from tests.common.security import Clock, commands_of, context_of, key_principal, without_redis


def a_tenant() -> str:
    """Return a tenant nobody has counted for."""
    return f"t_{uuid.uuid4().hex[:12]}"


def allowed_calls(clients: Clients, tenant_id: str, tier: str, key_id: str = "key-1", attempts: int = 70) -> int:
    """Return how many of so many calls are let through."""
    context = context_of(clients, tenant_id, key_principal(tenant_id, key_id))
    allowed = 0
    for _ in range(attempts):
        try:
            consume(context, tier)
        except TooManyRequests:
            continue
        allowed += 1
    return allowed


@pytest.mark.parametrize(("tier", "limit"), RATE_LIMITS)
def test_each_tier_lets_through_what_it_says(clients: Clients, tier: str, limit: int) -> None:
    assert allowed_calls(clients, a_tenant(), tier) == limit


def test_tenants_keys_and_tiers_do_not_use_up_each_others_calls(clients: Clients) -> None:
    tenant_id, other = a_tenant(), a_tenant()
    assert allowed_calls(clients, tenant_id, "expensive") == 10
    assert allowed_calls(clients, tenant_id, "expensive", "key-2") == 10
    assert allowed_calls(clients, other, "expensive") == 10
    assert allowed_calls(clients, tenant_id, "ai") == 30


def test_two_processes_count_together(settings: Settings) -> None:
    tenant_id = a_tenant()
    processes = [Clients(settings), Clients(settings)]
    with ThreadPoolExecutor(8) as pool:
        allowed = pool.map(
            lambda turn: allowed_calls(processes[turn % 2], tenant_id, "standard", attempts=20), range(8)
        )
    assert sum(allowed) == 60


def parsed(field: str) -> tuple[str, Mapping[str, int]]:
    """Parse an item of a structured list: a string with integer parameters."""
    match = re.fullmatch(r'"([a-z]+)"((?:;[a-z]=\d+)+)', field)
    assert match is not None, field
    return match[1], {part[0]: int(part[2:]) for part in match[2].split(";")[1:]}


def test_headers_tell_where_a_key_stands(clients: Clients) -> None:
    context = context_of(clients, a_tenant())
    for used in range(1, 11):
        state = consume(context, "expensive")
        assert state is not None
        headers = state.headers()
        name, standing = parsed(headers["RateLimit"])
        assert (name, standing["r"]) == ("expensive", 10 - used)
        assert 0 < standing["t"] <= WINDOW
        assert parsed(headers["RateLimit-Policy"]) == ("expensive", {"q": 10, "w": WINDOW})
        assert "Retry-After" not in headers
    with pytest.raises(TooManyRequests) as refusal:
        consume(context, "expensive")
    headers = refusal.value.headers
    assert refusal.value.code == "rate_limited"
    assert parsed(headers["RateLimit"])[1]["r"] == 0
    assert 0 < int(headers["Retry-After"]) <= WINDOW


def test_a_window_ends_and_another_begins(clients: Clients) -> None:
    tenant_id = a_tenant()
    assert allowed_calls(clients, tenant_id, "expensive", attempts=11) == 10
    client = clients.get(redis_client)
    assert client is not None
    [key] = client.keys(f"*{tenant_id}*")
    assert 0 < client.pttl(key) <= WINDOW * 1000
    client.delete(key)  # what the expiry does
    assert allowed_calls(clients, tenant_id, "expensive", attempts=11) == 10


def test_a_window_that_lost_its_expiry_gets_one_again(clients: Clients) -> None:
    tenant_id = a_tenant()
    allowed_calls(clients, tenant_id, "expensive", attempts=1)
    client = clients.get(redis_client)
    assert client is not None
    [key] = client.keys(f"*{tenant_id}*")
    client.persist(key)
    allowed_calls(clients, tenant_id, "expensive", attempts=1)
    assert client.pttl(key) > 0


def test_deliveries_and_operations_without_a_limit_are_not_counted(clients: Clients) -> None:
    service = Principal(kind="service", id="invoker", role="service")
    anonymous = Principal(kind="anonymous", id="anonymous")
    assert consume(context_of(clients), "none") is None
    assert consume(context_of(clients, principal=service), "standard") is None
    assert consume(context_of(clients, principal=anonymous), "standard") is None


def test_without_redis_each_process_counts_alone_and_nothing_fails(settings: Settings) -> None:
    tenant_id = a_tenant()
    for _ in range(2):
        process = Clients(settings)
        without_redis(process)
        assert allowed_calls(process, tenant_id, "expensive") == 10


def test_a_dead_redis_is_tried_once_in_a_while_and_used_again_when_it_is_back(settings: Settings) -> None:
    clients, clock = Clients(settings), Clock()
    clients.replace(redis_outage, Outage(clock))
    without_redis(clients)
    tenant_id = a_tenant()
    assert allowed_calls(clients, tenant_id, "expensive", attempts=5) == 5
    back = redis_client(settings)
    clients.replace(redis_client, back)
    assert back is not None
    assert allowed_calls(clients, tenant_id, "expensive", attempts=5) == 5
    assert back.keys(f"*{tenant_id}*") == [], "the outage was remembered"
    clock.now += 5
    assert allowed_calls(clients, tenant_id, "expensive", attempts=1) == 1
    assert len(back.keys(f"*{tenant_id}*")) == 1


def test_a_call_costs_one_command(settings: Settings) -> None:
    clients = Clients(settings)
    context = context_of(clients, a_tenant())
    consume(context, "standard")  # the server learns the script
    with commands_of(clients) as commands:
        consume(context, "standard")
    assert commands == ["EVALSHA"]


def test_limits_come_from_the_environment() -> None:
    def limits(text: str) -> dict[str, int]:
        environment = {"GOOGLE_CLOUD_PROJECT": "demo", "XYNERGY_RATE_LIMITS": text}
        return dict(Settings.from_environment(environment).rate_limits)

    assert limits("") == dict(RATE_LIMITS)
    assert limits("standard=100000, ai=7") == {"standard": 100_000, "expensive": 10, "ai": 7, "failures": 30}
    for wrong in ("standard", "standard=", "standard=0", "standard=-1", "standard=1.5", "unknown=5", "standard=٣"):
        with pytest.raises(ConfigurationError):
            limits(wrong)


def test_changed_limits_count(settings: Settings) -> None:
    generous = dataclasses.replace(settings, rate_limits=(("standard", 65), ("expensive", 10), ("ai", 30)))
    assert allowed_calls(Clients(generous), a_tenant(), "standard") == 65


def test_a_refusal_always_says_at_least_a_second() -> None:
    assert RateState(tier="ai", limit=1, count=2, reset=0.0).headers()["Retry-After"] == "1"

"""The gate against guessing: failures close the way to Firestore, and never the door."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from common import auth, key_use
from common.api_keys import credentials_cache, generate_key, key_digest, key_path
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Principal
from common.errors import Forbidden, TooManyRequests, Unauthenticated
from common.gate import REMEMBERED, Gate, address_of, gate
from common.settings import Settings
from tests.common.security import Clock, commands_of, store_key, store_tenant, without_firestore, without_redis

LIMIT = 5
ELSEWHERE = "198.51.100.7"


@pytest.fixture
def strict(settings: Settings) -> Settings:
    return dataclasses.replace(settings, rate_limits=(*settings.rate_limits, ("failures", LIMIT)))


@pytest.fixture
def address() -> str:
    """An address that nobody has failed from."""
    return str(uuid.uuid4())


@pytest.fixture
def own(strict: Settings) -> Clients:
    """Clients of a process of its own, with one active tenant."""
    clients = Clients(strict)
    store_tenant(clients, "acme")
    return clients


def call(clients: Clients, key: str, address: str, **headers: str) -> Principal:
    return auth.admitted(clients, {"X-API-Key": key, **headers}, address, auth.authenticate)


def codes(clients: Clients, address: str, keys: Iterator[str]) -> list[str]:
    """Return what each key is told."""
    found = []
    for key in keys:
        try:
            call(clients, key, address)
        except (Unauthenticated, TooManyRequests) as refusal:
            found.append(refusal.code)
        else:
            found.append("let in")
    return found


def guesses(number: int) -> Iterator[str]:
    return (generate_key() for _ in range(number))


def test_failures_beyond_the_limit_are_told_to_wait(own: Clients, address: str) -> None:
    assert codes(own, address, guesses(LIMIT + 3)) == ["credential_invalid"] * LIMIT + ["too_many_failures"] * 3
    with pytest.raises(TooManyRequests) as refusal:
        call(own, generate_key(), address)
    assert 0 < int(refusal.value.headers["Retry-After"]) <= 60
    assert refusal.value.details == {"client_address": address}
    assert codes(own, ELSEWHERE, guesses(1)) == ["credential_invalid"], "another address is another caller"


def test_every_failed_credential_counts_and_none_at_all_does_not(own: Clients, address: str) -> None:
    def attempt(headers: dict[str, str]) -> str:
        with pytest.raises((Unauthenticated, TooManyRequests)) as refusal:
            auth.admitted(own, headers, address, auth.authenticate)
        return refusal.value.code

    assert {attempt({}) for _ in range(LIMIT * 2)} == {"credential_missing"}
    wrong = [{"Authorization": "Basic YTpi"}, {"X-API-Key": "short"}, {"Authorization": "Bearer a.b.c"}]
    assert [attempt(wrong[turn % 3]) for turn in range(LIMIT)] == ["credential_invalid"] * LIMIT
    assert {attempt(headers) for headers in wrong} == {"too_many_failures"}
    assert attempt({}) == "credential_missing"


def test_guessing_costs_no_reads_once_it_is_noticed(own: Clients, address: str) -> None:
    codes(own, address, guesses(LIMIT + 1))
    without_firestore(own)
    assert codes(own, address, guesses(20)) == ["too_many_failures"] * 20
    with commands_of(own) as commands:
        codes(own, address, guesses(3))
    assert set(commands) <= {"EXISTS"}, "the closed address is remembered, only the keys are looked for"


def test_valid_keys_go_on_from_the_address_of_an_attacker(own: Clients, strict: Settings, address: str) -> None:
    """The office of a customer, one machine of which guesses: a cold process lets the others in as well."""
    key = store_key(own, key_id=uuid.uuid4().hex)
    call(own, key, ELSEWHERE)
    cold = Clients(strict)
    for process in (own, cold):
        codes(process, address, guesses(LIMIT + 1))
        assert call(process, key, address).tenant_id == "acme"
    fresh = store_key(own, key_id=uuid.uuid4().hex)
    assert codes(cold, address, iter([fresh])) == ["too_many_failures"], "nobody has seen it within a week"
    key_use.expect(own, key_digest(fresh))
    assert call(cold, fresh, address).tenant_id == "acme", "a key that was just made is expected"


def test_nobody_is_locked_out_by_those_who_try_his_prefix(own: Clients, strict: Settings) -> None:
    key = store_key(own, key_id=uuid.uuid4().hex)
    call(own, key, ELSEWHERE)
    tries = [key[:8] + generate_key()[8:] for _ in range(LIMIT + 1)]
    found = [codes(own, f"203.0.113.{turn}", iter([tried]))[0] for turn, tried in enumerate(tries)]
    assert found == ["credential_invalid"] * LIMIT + ["too_many_failures"], "from as many addresses"
    cold = Clients(strict)
    codes(cold, "203.0.113.99", iter(tries[:1]))
    for process in (own, cold):
        assert call(process, key, "192.0.2.4").tenant_id == "acme"


def test_a_suspended_tenant_is_told_so_and_not_counted(own: Clients, address: str) -> None:
    store_tenant(own, "late_payer", "suspended")
    key = store_key(own, "late_payer", key_id=uuid.uuid4().hex)
    for _ in range(LIMIT * 2):
        with pytest.raises(Forbidden):
            call(own, key, address)
    assert codes(own, address, guesses(1)) == ["credential_invalid"]


def test_a_revoked_key_in_a_forgotten_program_is_told_to_wait(own: Clients, address: str) -> None:
    key = store_key(own, key_id=uuid.uuid4().hex)
    call(own, key, address)
    revoked = {"revoked_at": datetime.now(UTC)}
    own.get(firestore_client).document(key_path(key_digest(key))).update(revoked)
    own.get(credentials_cache).keys.forget(key_digest(key))
    found = codes(own, address, iter([key] * (LIMIT + 2)))
    assert found == ["credential_revoked"] * LIMIT + ["too_many_failures"] * 2


def test_without_redis_the_gate_is_open(own: Clients, address: str) -> None:
    without_redis(own)
    assert set(codes(own, address, guesses(LIMIT * 3))) == {"credential_invalid"}


def test_when_redis_goes_away_behind_a_closed_gate_keys_are_looked_up_again(own: Clients, address: str) -> None:
    codes(own, address, guesses(LIMIT + 1))
    key = store_key(own, key_id=uuid.uuid4().hex)
    without_redis(own)
    assert call(own, key, address).tenant_id == "acme"


def test_one_refusal_of_a_window_is_audited_whatever_process_it_comes_from(strict: Settings, address: str) -> None:
    processes, audited = [Clients(strict), Clients(strict)], []
    for turn in range(LIMIT * 4):
        with pytest.raises((Unauthenticated, TooManyRequests)) as refusal:
            call(processes[turn % 2], generate_key(), address)
        audited.append(refusal.value.audited)
    assert [position for position, told in enumerate(audited) if told] == [LIMIT]


def test_a_window_ends(strict: Settings, address: str) -> None:
    clients, clock = Clients(strict), Clock()
    clients.replace(gate, Gate(clock))
    codes(clients, address, guesses(LIMIT + 1))
    clock.now += 60
    assert clients.get(gate).left(iter([address])) == 0
    assert clients.get(gate).is_open()


def test_a_process_remembers_so_many_closed_addresses(strict: Settings) -> None:
    memory = Gate(Clock())
    for number in range(REMEMBERED + 10):
        memory.close(str(number), 60)
    assert memory.left(iter(["0"])) == 0
    assert memory.left(iter([str(REMEMBERED)])) == 60


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (None, "10.0.0.9"),
        ("203.0.113.5, 35.191.0.1", "203.0.113.5"),
        ("1.1.1.1, 2.2.2.2, 203.0.113.5, 35.191.0.1", "203.0.113.5"),
        ("1.1.1.1,203.0.113.5,35.191.0.1", "203.0.113.5"),
        ("203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6, 35.191.0.1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1, 35.191.0.1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.5, 35.191.0.1", "203.0.113.5"),
        ("nonsense, 35.191.0.1", "10.0.0.9"),
        (",", "10.0.0.9"),
    ],
)
def test_the_address_is_what_the_front_end_has_seen(settings: Settings, forwarded: str | None, address: str) -> None:
    assert address_of(settings, forwarded, "10.0.0.9") == address


def test_a_function_at_its_own_address_counts_one_hop(settings: Settings) -> None:
    direct = dataclasses.replace(settings, forwarded_hops=1)
    assert address_of(direct, "1.1.1.1, 203.0.113.5", "10.0.0.9") == "203.0.113.5"

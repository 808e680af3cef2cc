"""Who calls, and may they."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import firebase_admin
import pytest
from firebase_admin import auth as firebase_auth
from hypothesis import given
from hypothesis import strategies as st

from common.api_keys import Credentials, TenantRole, credentials_cache, generate_key, key_digest, key_path
from common.auth import ROLE_SCOPES, allows, authenticate, authorize, identify, resolve_tenant, verified_tokens
from common.clients.firebase import firebase_app
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import PLATFORM_TENANT, Principal
from common.errors import ConfigurationError, Forbidden, Unauthenticated, Unavailable
from common.people import People, people_memory
from common.settings import Settings
from common.tokens import VERIFIED_BY_PLATFORM, unsigned_token
from tests.common.google import Google
from tests.common.security import Clock, key_principal, store_key, store_person, store_tenant, without_firestore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def own(settings: Settings, clock: Clock) -> Clients:
    """Clients of a process of its own, with a clock that is moved by hand and one active tenant."""
    clients = Clients(settings)
    clients.replace(credentials_cache, Credentials(settings, clock))
    clients.replace(people_memory, People(clock))
    store_tenant(clients, "acme")
    store_person(clients)
    return clients


def refused(clients: Clients, headers: dict[str, str]) -> str:
    """Return the code of the refusal; every 401 names the scheme."""
    with pytest.raises((Unauthenticated, Forbidden)) as refusal:
        authenticate(clients, headers)
    if isinstance(refusal.value, Unauthenticated):
        assert refusal.value.headers["WWW-Authenticate"].startswith("Bearer ")
    return refusal.value.code


# ---------------------------------------------------------------------- API keys


@pytest.mark.parametrize("header", ["Authorization", "authorization", "X-API-Key", "x-api-key"])
def test_a_key_is_known_by_either_header(own: Clients, header: str) -> None:
    key = store_key(own, key_id="key-7", role="manager", scopes=("aso:read",))
    value = f"bearer {key}" if header.lower() == "authorization" else key
    principal = authenticate(own, {header: value})
    assert principal == Principal(
        kind="key", id="key-7", tenant_id="acme", role="manager", scopes=frozenset({"aso:read"})
    )


def test_the_same_key_in_both_headers_is_fine_and_another_is_ambiguous(own: Clients) -> None:
    key = store_key(own)
    assert authenticate(own, {"Authorization": f"Bearer {key}", "X-API-Key": key}).tenant_id == "acme"
    assert refused(own, {"Authorization": f"Bearer {key}", "X-API-Key": generate_key()}) == "credential_ambiguous"


def test_behind_a_gateway_the_callers_own_header_counts(own: Clients) -> None:
    """API Gateway calls as itself; without this, every caller would be taken for the gateway and refused."""
    key = store_key(own)
    gateway = {"Authorization": f"Bearer eyJh.eyJz.{VERIFIED_BY_PLATFORM}"}
    assert authenticate(own, {**gateway, "X-Forwarded-Authorization": f"Bearer {key}"}).tenant_id == "acme"
    assert authenticate(own, {**gateway, "X-API-Key": key}).tenant_id == "acme"
    assert refused(own, gateway) == "credential_missing"
    stranger = {"Authorization": f"Bearer {generate_key()}", "X-Forwarded-Authorization": f"Bearer {key}"}
    assert refused(own, stranger) == "credential_invalid"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "credential_missing"),
        ({"Authorization": ""}, "credential_invalid"),
        ({"Authorization": "Bearer"}, "credential_invalid"),
        ({"Authorization": "Basic YTpi"}, "credential_invalid"),
        ({"X-API-Key": ""}, "credential_invalid"),
        ({"X-API-Key": "xyn_short"}, "credential_invalid"),
        ({"X-API-Key": "xyn_" + "a" * 43}, "credential_invalid"),
        ({"X-API-Key": "x" * 10_000}, "credential_invalid"),
        ({"Authorization": "Bearer a.b.c"}, "credential_invalid"),
        ({"Authorization": "Bearer ../../x/" + "é" * 20}, "credential_invalid"),
    ],
)
def test_what_is_no_credential_is_refused(own: Clients, headers: dict[str, str], code: str) -> None:
    assert refused(own, headers) == code


def test_an_expired_and_a_revoked_key_are_told_apart(own: Clients) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    assert refused(own, {"X-API-Key": store_key(own, expires_at=past)}) == "credential_expired"
    assert refused(own, {"X-API-Key": store_key(own, revoked_at=past)}) == "credential_revoked"
    assert refused(own, {"X-API-Key": store_key(own, revoked_at=past, expires_at=past)}) == "credential_revoked"


def test_a_key_expires_although_it_is_remembered(own: Clients) -> None:
    soon = datetime.now(UTC) + timedelta(milliseconds=200)
    key = store_key(own, expires_at=soon)
    authenticate(own, {"X-API-Key": key})
    while datetime.now(UTC) <= soon:
        pass
    assert refused(own, {"X-API-Key": key}) == "credential_expired"


def test_a_revocation_counts_within_a_minute(own: Clients, clock: Clock) -> None:
    key = store_key(own)
    authenticate(own, {"X-API-Key": key})
    own.get(firestore_client).document(key_path(key_digest(key))).update({"revoked_at": datetime.now(UTC)})
    clock.now += 60
    assert refused(own, {"X-API-Key": key}) == "credential_revoked"


def test_a_suspended_tenant_is_refused_within_a_minute(own: Clients, clock: Clock) -> None:
    store_tenant(own, "on_the_way_out")
    key = store_key(own, "on_the_way_out")
    authenticate(own, {"X-API-Key": key})
    store_tenant(own, "on_the_way_out", "suspended")
    clock.now += 60
    assert refused(own, {"X-API-Key": key}) == "tenant_suspended"


def test_a_key_whose_tenant_is_gone_is_refused(own: Clients) -> None:
    assert refused(own, {"X-API-Key": store_key(own, "nowhere")}) == "tenant_unknown"


def test_a_tenant_being_provisioned_may_work(own: Clients) -> None:
    store_tenant(own, "newcomer", "provisioning")
    assert authenticate(own, {"X-API-Key": store_key(own, "newcomer")}).tenant_id == "newcomer"


def test_a_known_key_outlives_an_outage_of_firestore_for_five_minutes(own: Clients, clock: Clock) -> None:
    known, unknown = store_key(own), store_key(own)
    authenticate(own, {"X-API-Key": known})
    without_firestore(own)
    clock.now += 299
    assert authenticate(own, {"X-API-Key": known}).tenant_id == "acme"
    with pytest.raises(Unavailable) as down:
        authenticate(own, {"X-API-Key": unknown})
    assert down.value.dependency == "firestore"
    clock.now += 10
    with pytest.raises(Unavailable):
        authenticate(own, {"X-API-Key": known})


# ---------------------------------------------------------------------- operators


def operators(settings: Settings, file: Path, clock: Clock) -> Clients:
    settings = dataclasses.replace(settings, operator_keys_file=str(file))
    clients = Clients(settings)
    clients.replace(credentials_cache, Credentials(settings, clock))
    return clients


def hashed(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def test_operators_keys_are_read_again_every_five_minutes(settings: Settings, tmp_path: Path, clock: Clock) -> None:
    first, second, file = generate_key(), generate_key(), tmp_path / "operators"
    file.write_text(f"# the first\n\n{hashed(first)}  # of somebody\n")
    clients = operators(settings, file, clock)
    principal = authenticate(clients, {"X-API-Key": first})
    assert (principal.kind, principal.role, principal.tenant_id) == ("operator", "operator", PLATFORM_TENANT)
    assert first not in repr(principal)
    file.write_text(f"{hashed(second)}\n")
    clock.now += 299
    assert authenticate(clients, {"X-API-Key": first}).kind == "operator"
    clock.now += 1
    assert authenticate(clients, {"X-API-Key": second}).kind == "operator"
    assert refused(clients, {"X-API-Key": first}) == "credential_invalid"


def test_a_broken_update_of_the_file_leaves_the_operators_in(settings: Settings, tmp_path: Path, clock: Clock) -> None:
    key, file = generate_key(), tmp_path / "operators"
    file.write_text(hashed(key))
    clients = operators(settings, file, clock)
    authenticate(clients, {"X-API-Key": key})
    file.write_text("not a hash")
    clock.now += 300
    assert authenticate(clients, {"X-API-Key": key}).kind == "operator"


@pytest.mark.parametrize("content", ["sha256:12", key_digest("x"), "sha256:" + "A" * 64, None])
def test_a_file_that_was_never_good_is_a_mistake_of_the_deployment(
    settings: Settings, tmp_path: Path, clock: Clock, content: str | None
) -> None:
    file = tmp_path / "operators"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError):
        authenticate(operators(settings, file, clock), {"X-API-Key": generate_key()})


# ---------------------------------------------------------------------- ID tokens


def claims_of(settings: Settings, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": f"https://securetoken.google.com/{settings.project}",
        "aud": settings.project,
        "sub": "person-1",
        "auth_time": now - 60,
        "iat": now - 60,
        "exp": now + 3600,
        "tenant_id": "acme",
        "role": "manager",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


BAD_CLAIMS = [
    ({"exp": int(time.time()) - 60}, "credential_expired"),
    ({"exp": None}, "credential_invalid"),
    ({"iat": int(time.time()) + 3600}, "credential_invalid"),
    ({"aud": "another-project"}, "credential_invalid"),
    ({"iss": "https://securetoken.google.com/another-project"}, "credential_invalid"),
    ({"sub": ""}, "credential_invalid"),
    ({"sub": None}, "credential_invalid"),
    ({"sub": "x" * 129}, "credential_invalid"),
    ({"tenant_id": None}, "claims_missing"),
    ({"tenant_id": "_platform"}, "claims_missing"),
    ({"tenant_id": ["acme"]}, "claims_missing"),
    ({"role": None}, "claims_missing"),
    ({"role": "operator"}, "claims_missing"),
    ({"role": "service"}, "claims_missing"),
    ({"role": ["admin"]}, "claims_missing"),
    ({"tenant_id": "nowhere"}, "tenant_unknown"),
]


@pytest.mark.parametrize("role", ["admin", "manager", "user", "viewer"])
def test_a_person_has_the_scopes_of_the_role(own: Clients, role: str) -> None:
    store_person(own, role=role)
    token = unsigned_token(claims_of(own.settings))
    principal = authenticate(own, {"Authorization": f"Bearer {token}"})
    assert (principal.kind, principal.id, principal.tenant_id, principal.role) == ("user", "person-1", "acme", role)
    assert principal.scopes == ROLE_SCOPES[role]  # type: ignore[index]


def presented(own: Clients, **claims: Any) -> dict[str, str]:
    """Return the header of a local ID token."""
    return {"Authorization": f"Bearer {unsigned_token(claims_of(own.settings, **claims))}"}


def test_a_person_without_a_document_is_unknown_whatever_the_token_says(own: Clients) -> None:
    store_tenant(own, "globex")
    for claims in ({"sub": "stranger"}, {"sub": "a/b"}, {"sub": "__x__"}, {"sub": ".."}, {"tenant_id": "globex"}):
        assert refused(own, presented(own, **claims)) == "user_unknown", claims


def test_a_changed_role_counts_within_a_minute(own: Clients, clock: Clock) -> None:
    assert authenticate(own, presented(own)).role == "manager"
    store_person(own, role="viewer")
    clock.now += 60
    principal = authenticate(own, presented(own, role="admin"))
    assert (principal.role, principal.scopes) == ("viewer", ROLE_SCOPES["viewer"])


def test_a_deactivated_person_is_refused_within_a_minute(own: Clients, clock: Clock) -> None:
    authenticate(own, presented(own))
    store_person(own, status="deactivated")
    clock.now += 60
    assert refused(own, presented(own)) == "user_deactivated"


def test_sign_ins_before_sessions_were_ended_do_not_count(own: Clients) -> None:
    ended = datetime.now(UTC) - timedelta(minutes=10)
    second = int(ended.timestamp())
    store_person(own, sessions_valid_after=ended)
    for claims in (
        {"auth_time": second - 1},
        {"auth_time": second},
        {"auth_time": None, "iat": second},
        {"auth_time": second - 1, "iat": second + 60},  # refreshed afterwards: the sign-in is the old one
    ):
        assert refused(own, presented(own, **claims)) == "credential_revoked", claims
    assert authenticate(own, presented(own, auth_time=second + 1)).id == "person-1"


def test_a_known_person_outlives_an_outage_of_firestore_for_five_minutes(own: Clients, clock: Clock) -> None:
    authenticate(own, presented(own))
    without_firestore(own)
    clock.now += 299
    assert authenticate(own, presented(own)).id == "person-1"
    clock.now += 10
    with pytest.raises(Unavailable):
        authenticate(own, presented(own))


def test_anybody_with_a_token_of_the_project_is_identified(own: Clients) -> None:
    headers = presented(own, sub="stranger", tenant_id=None, role=None, email="new@example.com", email_verified=True)
    principal = identify(own, headers)
    authorize(principal, scope=None, tenancy="person")
    assert (principal.id, principal.tenant_id, principal.role, principal.scopes) == (
        *("stranger", PLATFORM_TENANT, None),
        frozenset(),
    )
    assert principal.profile is not None
    assert principal.profile.email == "new@example.com"
    assert "new@example.com" not in repr(principal)
    with pytest.raises(Forbidden) as refusal:
        authorize(principal, scope="aso:read")
    assert refusal.value.code == "operator_has_no_tenant"


def test_a_key_is_nobody(own: Clients) -> None:
    principal = identify(own, {"X-API-Key": store_key(own)})
    with pytest.raises(Forbidden) as refusal:
        authorize(principal, scope=None, tenancy="person")
    assert refusal.value.code == "person_only"


@pytest.mark.parametrize("role", ["admin", "manager", "user", "viewer"])
def test_every_role_may_change_what_is_its_own(role: TenantRole) -> None:
    assert allows(ROLE_SCOPES[role], "me:read")
    assert allows(ROLE_SCOPES[role], "me:write")


@pytest.mark.parametrize(("changes", "code"), BAD_CLAIMS)
def test_a_bad_local_token_is_refused(own: Clients, changes: dict[str, Any], code: str) -> None:
    token = unsigned_token(claims_of(own.settings, **changes))
    assert refused(own, {"Authorization": f"Bearer {token}"}) == code


def test_the_local_cloud_refuses_a_token_with_a_signature(own: Clients) -> None:
    token = unsigned_token(claims_of(own.settings)) + "c2lnbmF0dXJl"
    assert refused(own, {"Authorization": f"Bearer {token}"}) == "credential_invalid"


@pytest.fixture(scope="module")
def google() -> Google:
    return Google()


@pytest.fixture
def cloud(settings: Settings, own: Clients, google: Google, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    """Clients of a process in the cloud, where signatures count."""
    google.is_down = False
    clients = Clients(dataclasses.replace(settings, environment="cloud"))
    clients.replace(firestore_client, own.get(firestore_client))
    app = clients.get(firebase_app)
    firebase_auth._get_client(app)._token_verifier.request = google
    yield clients
    firebase_admin.delete_app(app)


def test_a_signed_token_is_taken_in_the_cloud(cloud: Clients, google: Google) -> None:
    token = google.sign(claims_of(cloud.settings, email="Ann@example.com", email_verified=True))
    principal = authenticate(cloud, {"Authorization": f"Bearer {token}"})
    assert principal.role == "manager"
    assert principal.profile is not None
    assert (principal.profile.email, principal.profile.email_verified) == ("Ann@example.com", True)


@pytest.mark.parametrize(("changes", "code"), BAD_CLAIMS)
def test_a_bad_signed_token_is_refused_in_the_cloud(
    cloud: Clients, google: Google, changes: dict[str, Any], code: str
) -> None:
    token = google.sign(claims_of(cloud.settings, **changes))
    assert refused(cloud, {"Authorization": f"Bearer {token}"}) == code


def test_unsigned_and_forged_tokens_are_refused_in_the_cloud(cloud: Clients, google: Google) -> None:
    claims = claims_of(cloud.settings)
    good = google.sign(claims)
    forged = Google().sign(claims)
    tampered = ".".join(
        [good.split(".")[0], google.sign({**claims, "role": "admin"}).split(".")[1], good.split(".")[2]]
    )
    for token in (unsigned_token(claims), forged, tampered, good.rpartition(".")[0] + "."):
        assert refused(cloud, {"Authorization": f"Bearer {token}"}) == "credential_invalid"


def test_the_cloud_refuses_unsigned_tokens_even_if_an_emulator_is_named_behind_its_back(
    cloud: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:1")
    token = unsigned_token(claims_of(cloud.settings))
    assert refused(cloud, {"Authorization": f"Bearer {token}"}) == "credential_invalid"


def test_a_signature_is_verified_once_in_five_minutes(cloud: Clients, google: Google) -> None:
    token = google.sign(claims_of(cloud.settings))
    assert authenticate(cloud, {"Authorization": f"Bearer {token}"}).role == "manager"
    google.is_down = True
    assert authenticate(cloud, {"Authorization": f"Bearer {token}"}).role == "manager", "no certificate is asked for"
    head, _, signature = token.split(".")
    other = google.sign(claims_of(cloud.settings, sub="another")).split(".")[1]
    with pytest.raises(Unavailable):
        authenticate(cloud, {"Authorization": f"Bearer {head}.{other}.{signature}"})


def test_a_token_ends_although_its_signature_is_remembered(cloud: Clients, google: Google) -> None:
    claims = claims_of(cloud.settings, exp=int(time.time()) - 60)
    token = google.sign(claims)
    cloud.get(verified_tokens).get(key_digest(token), lambda: claims)
    assert refused(cloud, {"Authorization": f"Bearer {token}"}) == "credential_expired"


def test_a_token_that_failed_is_not_remembered(cloud: Clients, google: Google) -> None:
    token = Google().sign(claims_of(cloud.settings))
    for _ in range(2):
        assert refused(cloud, {"Authorization": f"Bearer {token}"}) == "credential_invalid"


def test_without_certificates_the_cloud_says_try_again(cloud: Clients, google: Google) -> None:
    google.is_down = True
    with pytest.raises(Unavailable) as down:
        authenticate(cloud, {"Authorization": f"Bearer {google.sign(claims_of(cloud.settings))}"})
    assert down.value.dependency == "firebase"


# ---------------------------------------------------------------------- permission


@pytest.mark.parametrize(
    ("scopes", "scope", "allowed"),
    [
        ({"aso:write"}, "aso:read", True),
        ({"aso:write"}, "aso:write", True),
        ({"aso:read"}, "aso:write", False),
        ({"aso:write"}, "crm:read", False),
        ({"*"}, "aso:write", True),
        ({"*:read"}, "crm:read", True),
        ({"*:read"}, "crm:write", False),
        ({"*:write"}, "crm:read", True),
        ({"*:write"}, "*", False),
        ({"*:write"}, "*:read", True),
        ({"aso:write"}, "*:read", False),
        (set(), "aso:read", False),
    ],
)
def test_what_scopes_cover(scopes: set[str], scope: str, *, allowed: bool) -> None:
    assert allows(frozenset(scopes), scope) is allowed


SCOPES = st.sampled_from(["*", "*:read", "*:write", "aso:read", "aso:write", "crm:read", "crm:write"])


@given(st.frozensets(SCOPES), SCOPES, SCOPES, SCOPES)
def test_covering_scopes_is_reflexive_transitive_and_monotone(
    scopes: frozenset[str], one: str, two: str, three: str
) -> None:
    assert allows(frozenset({one}), one)
    if allows(frozenset({one}), two) and allows(frozenset({two}), three):
        assert allows(frozenset({one}), three)
    if allows(scopes, one):
        assert allows(scopes | {two}, one)


OPERATOR = Principal(kind="operator", id="o", role="operator", scopes=frozenset({"*"}))
SERVICE = Principal(kind="service", id="s", role="service")


@pytest.mark.parametrize(
    ("principal", "asked", "code"),
    [
        (key_principal("acme"), {"scope": "aso:write"}, None),
        (key_principal("acme"), {"scope": "crm:read"}, "scope_missing"),
        (key_principal("acme"), {"scope": None}, None),
        (key_principal("acme", role="admin"), {"scope": "aso:read", "roles": ("admin", "manager")}, None),
        (key_principal("acme", role="viewer"), {"scope": "aso:read", "roles": ("admin",)}, "role_missing"),
        (key_principal("acme"), {"scope": "aso:read", "tenancy": "platform"}, "operator_only"),
        (OPERATOR, {"scope": "tenants:write", "tenancy": "platform"}, None),
        (OPERATOR, {"scope": "aso:read"}, "operator_has_no_tenant"),
        (SERVICE, {"scope": "aso:read"}, "operator_has_no_tenant"),
        (SERVICE, {"scope": "aso:read", "tenancy": "platform"}, "operator_only"),
        (Principal(kind="anonymous", id="anonymous"), {"scope": "aso:read"}, "credential_missing"),
    ],
)
def test_who_may_call_what(principal: Principal, asked: dict[str, Any], code: str | None) -> None:
    if code is None:
        authorize(principal, **asked)
        return
    with pytest.raises((Forbidden, Unauthenticated)) as refusal:
        authorize(principal, **asked)
    assert refusal.value.code == code
    if code == "scope_missing":
        assert refusal.value.details == {"scope": asked["scope"]}


def test_the_tenant_is_the_credentials() -> None:
    principal = key_principal("acme")
    assert resolve_tenant(principal, None) == "acme"
    assert resolve_tenant(principal, "acme") == "acme"
    for requested in ("other", "", "ACME", PLATFORM_TENANT):
        with pytest.raises(Forbidden) as refusal:
            resolve_tenant(principal, requested)
        assert refusal.value.code == "tenant_mismatch"


def test_keys_do_not_pay_for_the_library_of_id_tokens() -> None:
    script = "import sys, common.auth; sys.exit('firebase_admin' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

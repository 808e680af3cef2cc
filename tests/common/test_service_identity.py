"""The identity of our own deliveries, in the cloud and locally."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import time
from typing import Any

import pytest

from common.errors import ConfigurationError, Forbidden, Unauthenticated
from common.service_identity import mint_local_token, verify_invoker
from common.settings import Settings, account_of
from common.tokens import VERIFIED_BY_PLATFORM, unsigned_token

URL = "https://{function}-abc.a.run.app"
INVOKER = "{function}-invoker@demo.iam.gserviceaccount.com"
EMAIL = "aso-warehouse-sync-invoker@demo.iam.gserviceaccount.com"
AUDIENCE = "https://aso-warehouse-sync-abc.a.run.app"
FUNCTION = "aso-warehouse-sync"

LOCAL = Settings(environment="local", project="demo", function_url=URL, invoker=INVOKER)
CLOUD = dataclasses.replace(LOCAL, environment="cloud")


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    complete = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "sub": "1234",
        "email": EMAIL,
        "email_verified": True,
        "iat": now - 10,
        "exp": now + 3000,
        **changes,
    }
    return {name: value for name, value in complete.items() if value is not None}


def forwarded(payload: dict[str, Any], alg: str = "RS256", signature: str = VERIFIED_BY_PLATFORM) -> str:
    """Return a token as Cloud Run hands it on, its signature verified and taken away."""
    parts = ({"alg": alg, "kid": "k1", "typ": "JWT"}, payload)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, signature])


def token_for(settings: Settings, payload: dict[str, Any]) -> str:
    return unsigned_token(payload) if settings.is_local else forwarded(payload)


@pytest.mark.parametrize("settings", [LOCAL, CLOUD], ids=["local", "cloud"])
@pytest.mark.parametrize("audience", [AUDIENCE, f"{AUDIENCE}/", f"{AUDIENCE}/push?token=1"])
def test_the_invoker_of_the_function_is_taken(settings: Settings, audience: str) -> None:
    headers = {"Authorization": f"Bearer {token_for(settings, claims(aud=audience))}"}
    principal = verify_invoker(settings, headers, FUNCTION)
    assert (principal.kind, principal.id, principal.role) == ("service", EMAIL, "service")


@pytest.mark.parametrize("settings", [LOCAL, CLOUD], ids=["local", "cloud"])
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": 1_000_000}, "credential_expired"),
        ({"exp": None}, "credential_invalid"),
        ({"iat": int(time.time()) + 3600}, "credential_invalid"),
        ({"aud": "https://aso-warehouse-sync-abc.a.run.app.evil.example"}, "credential_invalid"),
        ({"aud": "https://another-function-abc.a.run.app"}, "credential_invalid"),
        ({"aud": [AUDIENCE]}, "credential_invalid"),
        ({"aud": None}, "credential_invalid"),
        ({"iss": "https://evil.example"}, "credential_invalid"),
        ({"email": "another-function-invoker@demo.iam.gserviceaccount.com"}, "invoker_not_allowed"),
        ({"email": None}, "invoker_not_allowed"),
        ({"email_verified": False}, "invoker_not_allowed"),
        ({"email_verified": None}, "invoker_not_allowed"),
    ],
)
def test_any_other_token_is_refused(settings: Settings, changes: dict[str, Any], code: str) -> None:
    with pytest.raises((Unauthenticated, Forbidden)) as refusal:
        verify_invoker(settings, {"authorization": f"Bearer {token_for(settings, claims(**changes))}"}, FUNCTION)
    assert refusal.value.code == code


@pytest.mark.parametrize("settings", [LOCAL, CLOUD], ids=["local", "cloud"])
@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "credential_missing"),
        ("", "credential_missing"),
        ("Bearer", "credential_missing"),
        ("Basic YTpi", "credential_missing"),
        ("Bearer garbage", "credential_invalid"),
        ("Bearer a.b.c", "credential_invalid"),
        ("Bearer ..", "credential_invalid"),
        ("Bearer xyn_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "credential_invalid"),
    ],
)
def test_without_a_token_nothing_is_delivered(settings: Settings, authorization: str | None, code: str) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    with pytest.raises(Unauthenticated) as refusal:
        verify_invoker(settings, headers, FUNCTION)
    assert refusal.value.code == code
    assert "WWW-Authenticate" in refusal.value.headers


@pytest.mark.parametrize(
    "token",
    [
        unsigned_token(claims()),
        unsigned_token(claims()) + VERIFIED_BY_PLATFORM,
        forwarded(claims(), alg="none"),
        forwarded(claims(), alg="HS256"),
        forwarded(claims(), alg=""),
        mint_local_token(EMAIL, AUDIENCE),
    ],
)
def test_the_cloud_refuses_tokens_nobody_signed(token: str) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        verify_invoker(CLOUD, {"Authorization": f"Bearer {token}"}, FUNCTION)
    assert refusal.value.code == "credential_invalid"


def test_the_local_cloud_takes_its_own_tokens_only() -> None:
    own = mint_local_token(EMAIL, AUDIENCE)
    assert verify_invoker(LOCAL, {"Authorization": f"Bearer {own}"}, FUNCTION).id == EMAIL
    with pytest.raises(Unauthenticated):
        verify_invoker(LOCAL, {"Authorization": f"Bearer {forwarded(claims())}"}, FUNCTION)


def test_a_deployment_that_names_no_invoker_takes_nothing() -> None:
    for settings in (dataclasses.replace(CLOUD, invoker=""), dataclasses.replace(CLOUD, function_url="")):
        with pytest.raises(ConfigurationError):
            verify_invoker(settings, {"Authorization": f"Bearer {forwarded(claims())}"}, FUNCTION)


@pytest.mark.parametrize(
    ("audience", "taken"),
    [
        ("https://aso-warehouse-sync-x7k2-uc.a.run.app", True),
        ("https://aso-warehouse-sync-123456.us-central1.run.app/", True),
        ("http://aso-warehouse-sync-x7k2-uc.a.run.app", False),
        ("https://another-function-x7k2-uc.a.run.app", False),
        ("https://aso-warehouse-sync-x7k2-uc.a.run.app.evil.example", False),
        ("https://evil.example/aso-warehouse-sync-x7k2-uc.a.run.app", False),
    ],
)
def test_eventarc_may_use_the_other_address_of_the_service(audience: str, *, taken: bool) -> None:
    """Eventarc signs for the address with a hash, which no setting can know before the first deployment."""
    settings = dataclasses.replace(CLOUD, function_url="https://{function}-123456.us-central1.run.app")
    headers = {"Authorization": f"Bearer {forwarded(claims(aud=audience))}"}
    if taken:
        assert verify_invoker(settings, headers, FUNCTION).id == EMAIL
    else:
        with pytest.raises(Unauthenticated):
            verify_invoker(settings, headers, FUNCTION)


def test_only_the_platform_vouches_for_the_other_address() -> None:
    settings = dataclasses.replace(LOCAL, function_url="http://127.0.0.1:8080/{function}")
    headers = {"Authorization": f"Bearer {unsigned_token(claims(aud=AUDIENCE))}"}
    with pytest.raises(Unauthenticated):
        verify_invoker(settings, headers, FUNCTION)


def test_accounts_of_long_names_fit_and_differ() -> None:
    long = ["platform-dead-letter-replay-many", "platform-dead-letter-replay-most"]
    settings = dataclasses.replace(CLOUD, invoker="{account}-inv@demo.iam.gserviceaccount.com")
    assert settings.invoker_of("aso-stats") == "aso-stats-inv@demo.iam.gserviceaccount.com"
    assert len({account_of(name) for name in long}) == 2
    assert all(len(account_of(name)) <= 26 for name in long)
    # As terraform/main.tf has it: nineteen characters, a hyphen, six of the hash.
    assert account_of(long[0]) == "platform-dead-lette-" + hashlib.sha256(long[0].encode()).hexdigest()[:6]

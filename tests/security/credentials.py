"""Everybody who may knock, with what each of them must be told: derived from the manifest for every operation."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from common.api_keys import TenantRole, generate_key
from common.auth import ROLE_SCOPES
from common.clients.firestore import firestore_client
from common.service_identity import ISSUERS
from common.tokens import VERIFIED_BY_PLATFORM, unsigned_token
from tests.common.google import Google, Holder
from tests.common.security import store_key, store_person
from tests.operations import Operation
from tests.stack import Stack, TenantHandle, all_scopes

Refusal = tuple[int, str]
Headers = Mapping[str, str]
Claims = Mapping[str, Any]
Sign = Callable[[Claims, Holder], str]
"""Makes the token that a deployment believes: signed by Google in the cloud, unsigned locally."""

MISSING, INVALID = (401, "credential_missing"), (401, "credential_invalid")
EXPIRED, REVOKED = (401, "credential_expired"), (401, "credential_revoked")
MISMATCH, CLAIMS = (403, "tenant_mismatch"), (403, "claims_missing")
ROLES: tuple[TenantRole, ...] = ("admin", "manager", "user", "viewer")


def bearer(credential: str) -> dict[str, str]:
    """Return the header that presents a credential."""
    return {"Authorization": f"Bearer {credential}"}


def locally(claims: Claims, _holder: Holder) -> str:
    """Return a token as the local cloud believes it."""
    return unsigned_token(claims)


# ---------------------------------------------------------------------- who calls


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Somebody who calls operations.

    Attributes:
        headers: What is sent.
        refused: What every operation answers, whatever it is; None where the credential is good.
        outside: What operations answer that ask for a member of a tenant; those for any person of the project do not.
        kind: Whose credential it is.
        role: The role that counts.
        scopes: What the credential covers.
    """

    headers: Headers
    refused: Refusal | None = None
    outside: Refusal | None = None
    kind: Literal["nobody", "key", "user", "operator"] = "nobody"
    role: str = ""
    scopes: frozenset[str] = frozenset()

    def expected(self, operation: Operation) -> Refusal | None:
        """Return what an operation must answer by its entry in the manifest; None where it lets this caller in."""
        tenancy = operation.entry["tenancy"]
        refused = self.refused or (self.outside if tenancy != "person" else None)
        if refused is not None:
            return refused
        if tenancy == "person":
            return None if self.kind == "user" else (403, "person_only")
        if tenancy == "platform" and self.kind != "operator":
            return 403, "operator_only"
        if tenancy == "tenant" and self.kind == "operator":
            return 403, "operator_has_no_tenant"
        return self._forbidden(operation.entry["roles"], str(operation.entry["scope"]))

    def _forbidden(self, roles: Iterable[str], scope: str) -> Refusal | None:
        if roles and self.role not in roles:
            return 403, "role_missing"
        return None if covers(self.scopes, scope) else (403, "scope_missing")


def covers(scopes: Iterable[str], scope: str) -> bool:
    """Tell whether scopes cover one, by the documented rule: a star is any domain, or all; writing implies reading."""
    domain, action = scope.split(":")
    domains, actions = {"*", domain}, {"read", "write"} if action == "read" else {"write"}
    held = [tuple(one.split(":")) for one in scopes if one != "*"]
    return "*" in set(scopes) or any(one[0] in domains and one[1] in actions for one in held)


def refused(headers: Headers, refusal: Refusal = INVALID) -> Caller:
    """Return a caller whom every operation refuses alike."""
    return Caller(headers=headers, refused=refusal)


# ---------------------------------------------------------------------- tokens


def person_claims(project: str, tenant_id: str | None, **changes: Any) -> dict[str, Any]:
    """Return the claims of a person's ID token; those that are None are left out."""
    now = int(time.time())
    claims = {
        "iss": f"https://securetoken.google.com/{project}",
        "aud": project,
        "sub": "somebody",
        "auth_time": now,
        "iat": now,
        "exp": now + 600,
        "tenant_id": tenant_id,
        "role": "admin",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def id_token(stack: Stack, tenant_id: str | None, **changes: Any) -> str:
    """Return an ID token of a person as the local cloud accepts them."""
    return unsigned_token(person_claims(stack.settings.project, tenant_id, **changes))


def invoker_claims(stack: Stack, function: str, **changes: Any) -> dict[str, Any]:
    """Return the claims of the token that a function's deliveries carry; those that are None are left out."""
    now, email = int(time.time()), stack.settings.invoker_of(function)
    claims = {
        "iss": ISSUERS[0],
        "aud": stack.settings.function_url.replace("{function}", function),
        "sub": email,
        "email": email,
        "email_verified": True,
        "iat": now,
        "exp": now + 600,
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def invoker_token(stack: Stack, function: str, **changes: Any) -> str:
    """Return the token of a function's invoker as the local cloud accepts it."""
    return unsigned_token(invoker_claims(stack, function, **changes))


def part(content: Mapping[str, Any]) -> str:
    """Return one of a token's first two parts."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def signed(token: str, signature: str = VERIFIED_BY_PLATFORM) -> str:
    """Return a token that claims to be signed."""
    return f"{part({'alg': 'RS256', 'kid': 'k1', 'typ': 'JWT'})}.{token.split('.')[1]}.{signature}"


@functools.cache
def stranger() -> Google:
    """Return an issuer whose certificates nobody publishes."""
    return Google()


def forgeries(google: Google, claims: Claims, holder: Holder) -> dict[str, str]:
    """Return tokens with good claims that nobody has signed who may, by name."""
    good = google.sign(claims, holder)
    head, payload, signature = good.split(".")
    wrong: Holder = "services" if holder == "people" else "people"
    return {
        "unsigned": unsigned_token(claims),
        "unsigned that claims to be signed": f"{head}.{payload}.",
        "signature and no algorithm": f"{part({'alg': 'none', 'typ': 'JWT'})}.{payload}.{signature}",
        "certificate as a shared secret": confused(claims, google.certificate(holder)),
        "signed by a stranger": stranger().sign(claims, holder),
        "signed with the other key of Google": google.sign(claims, wrong),
        "claims changed after signing": f"{head}.{part({**claims, 'role': 'admin', 'x': 1})}.{signature}",
        "an unknown key": f"{part({'alg': 'RS256', 'kid': 'k9', 'typ': 'JWT'})}.{payload}.{signature}",
        "a key of its own": f"{part({'alg': 'RS256', 'kid': 'k1', 'jku': 'https://example.com'})}.{payload}.{signature}",
        "cut short": good[:-40],
    }


def confused(claims: Claims, published: str) -> str:
    """Return a token signed with HMAC under the text of a published certificate (the confusion of HS256 with RS256)."""
    begin = f"{part({'alg': 'HS256', 'kid': 'k1', 'typ': 'JWT'})}.{part(claims)}"
    mac = hmac.new(published.encode(), begin.encode(), hashlib.sha256).digest()
    return f"{begin}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


# ---------------------------------------------------------------------- callers


def strangers(stack: Stack, victim: TenantHandle, attacker: TenantHandle, sign: Sign) -> dict[str, Caller]:
    """Return everybody whose credential is not good, by name."""
    return {**_keys(stack, victim, attacker), **_tokens(stack, victim, attacker, sign)}


def _keys(stack: Stack, victim: TenantHandle, attacker: TenantHandle) -> dict[str, Caller]:
    past = datetime.now(UTC) - timedelta(seconds=1)
    as_victim, unknown = {"X-Tenant-ID": victim.tenant_id}, generate_key()
    return {
        "no credential": refused({}, MISSING),
        "no credential, only a tenant": refused(as_victim, MISSING),
        "garbage": refused(bearer("garbage")),
        "empty bearer": refused({"Authorization": "Bearer "}),
        "another scheme": refused({"Authorization": f"Basic {victim.key}"}),
        "very long": refused(bearer("x" * 8000)),
        "letters beyond ASCII": refused(bearer("xyn_\xe9")),
        "unknown key": refused(bearer(unknown)),
        "unknown key in its own header": refused({"X-API-Key": unknown}),
        "the hash of a key": refused(bearer("sha256:" + "0" * 64)),
        "two credentials": refused({**bearer(attacker.key), "X-API-Key": victim.key}, (401, "credential_ambiguous")),
        "revoked key": refused(bearer(_key(stack, victim, revoked_at=past)), REVOKED),
        "expired key": refused(bearer(_key(stack, victim, expires_at=past)), EXPIRED),
        "key of a suspended tenant": refused(
            bearer(_key(stack, replace(victim, tenant_id=suspended_tenant(stack)))), (403, "tenant_suspended")
        ),
        "a key of another tenant": refused({**bearer(attacker.key), **as_victim}, MISMATCH),
        "an operator as a tenant": refused({**bearer(stack.local.operator_key), **as_victim}, MISMATCH),
        "two tenants": refused(
            {**bearer(attacker.key), "X-Tenant-ID": f"{attacker.tenant_id},{victim.tenant_id}"}, MISMATCH
        ),
    }


def _key(stack: Stack, tenant: TenantHandle, **changes: Any) -> str:
    return store_key(
        stack.clients,
        tenant.tenant_id,
        **{"key_id": f"key-{uuid.uuid4().hex[:12]}", "role": "admin", "scopes": tuple(all_scopes()), **changes},
    )


def suspended_tenant(stack: Stack) -> str:
    """Return the id of a tenant that was suspended before anybody called for it."""
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    assert stack.post("/v1/tenants", {"tenant_id": tenant_id, "name": "Suspended"}).status_code == 201
    stack.wait_for(lambda: stack.get(f"/v1/tenants/{tenant_id}").json()["status"] == "active")
    stack.clients.get(firestore_client).document(f"tenants/{tenant_id}").update({"status": "suspended"})
    return tenant_id


def person(stack: Stack, tenant_id: str, role: TenantRole, **changes: Any) -> str:
    """Let somebody belong to a tenant; return the id."""
    user_id = f"person-{uuid.uuid4().hex[:16]}"
    store_person(stack.clients, tenant_id, user_id, **{"role": role, "email": f"{user_id}@example.com", **changes})
    return user_id


@dataclass(frozen=True)
class Tokens:
    """Makes the ID tokens of a tenant's people.

    Attributes:
        stack: The local cloud.
        tenant_id: The tenant.
        sign: Makes what the deployment believes.
        admin: Somebody who may do everything there.
    """

    stack: Stack
    tenant_id: str
    sign: Sign
    admin: str

    def token(self, **changes: Any) -> str:
        """Return a token of the administrator, changed."""
        tenant_id = changes.pop("tenant", self.tenant_id)
        claims = person_claims(self.stack.settings.project, tenant_id, **{"sub": self.admin, **changes})
        return self.sign(claims, "people")

    def bad(self, refusal: Refusal = INVALID, **changes: Any) -> Caller:
        """Return a caller whom everybody refuses."""
        return refused(bearer(self.token(**changes)), refusal)

    def outside(self, code: str, status: int = 403, **changes: Any) -> Caller:
        """Return a person of the project who is no member."""
        return Caller(headers=bearer(self.token(**changes)), outside=(status, code), kind="user")


def _tokens(stack: Stack, victim: TenantHandle, attacker: TenantHandle, sign: Sign) -> dict[str, Caller]:
    tokens = Tokens(stack, victim.tenant_id, sign, person(stack, victim.tenant_id, "admin"))
    return {**_wrong(tokens), **_no_members(tokens, attacker), **_gateways(tokens)}


def _wrong(tokens: Tokens) -> dict[str, Caller]:
    now, bad, project = int(time.time()), tokens.bad, tokens.stack.settings.project
    elsewhere = "another-project"
    return {
        "expired token": bad(EXPIRED, iat=now - 7200, exp=now - 3600),
        "token without an end": bad(exp=None),
        "token that never ends": bad(exp=float("nan")),
        "token of tomorrow": bad(iat=now + 86400, exp=now + 90000),
        "token not valid yet": bad(nbf=now + 3600),
        "token of a sign-in to come": bad(auth_time=now + 3600),
        "token for another project": bad(aud=elsewhere),
        "token for several audiences": bad(aud=[project, elsewhere]),
        "token of another project": bad(aud=elsewhere, iss=f"https://securetoken.google.com/{elsewhere}"),
        "token of another issuer": bad(iss=f"https://securetoken.google.com/{elsewhere}"),
        "token of Google accounts": bad(iss="https://accounts.google.com"),
        "token of nobody": bad(sub=None),
        "token of an empty name": bad(sub=""),
        "token of a service": refused(
            bearer(tokens.sign(invoker_claims(tokens.stack, "platform-health"), "services")), INVALID
        ),
    }


def _no_members(tokens: Tokens, attacker: TenantHandle) -> dict[str, Caller]:
    stack, tenant_id, outside = tokens.stack, tokens.tenant_id, tokens.outside
    now = datetime.now(UTC)
    gone = person(stack, tenant_id, "admin", status="deactivated")
    ended = person(stack, tenant_id, "admin", sessions_valid_after=now)
    return {
        "token without a tenant": outside("claims_missing", tenant=None),
        "token with a tenant that is none": outside("claims_missing", tenant="../" + tenant_id),
        "token of the platform": outside("claims_missing", tenant="_platform"),
        "token without a role": outside("claims_missing", role=None),
        "token of an operator's role": outside("claims_missing", role="operator"),
        "token of an unknown tenant": outside("tenant_unknown", tenant="nobody_has_this"),
        "token of a suspended tenant": outside("tenant_suspended", tenant=suspended_tenant(stack)),
        "token of somebody unknown": outside("user_unknown", sub=f"nobody-{uuid.uuid4().hex}"),
        "token of somebody elsewhere": outside("user_unknown", sub=person(stack, attacker.tenant_id, "admin")),
        "token of somebody deactivated": outside("user_deactivated", sub=gone),
        "token of a session that was ended": outside(
            "credential_revoked", 401, sub=ended, auth_time=int(now.timestamp()) - 60
        ),
    }


def _gateways(tokens: Tokens) -> dict[str, Caller]:
    """Return those who claim to be API Gateway, or to come by it."""
    whole = tokens.token()
    marked, unknown = bearer(signed(whole)), generate_key()

    def forwarded(token: str) -> dict[str, str]:
        return {"X-Forwarded-Authorization": f"Bearer {token}"}

    return {
        "token that claims to be a gateway's": refused(marked, MISSING),
        "gateway's token with an unknown key": refused({**marked, **forwarded(unknown)}),
        "gateway's token with a gateway's token": refused({**marked, **forwarded(signed(whole))}),
        "forwarded token without a gateway": refused(forwarded(whole), MISSING),
        "forwarded token beside an unknown key": refused({**bearer(unknown), **forwarded(whole)}),
        "token with another signature": refused(bearer(signed(whole, "c2lnbmF0dXJl"))),
        "token with a signature nobody announced": refused(bearer(f"{unsigned_token({'sub': 'x'})}c2lnbmF0dXJl")),
    }


def forgers(stack: Stack, victim: TenantHandle, google: Google) -> dict[str, Caller]:
    """Return people with tokens that nobody has signed who may."""
    claims = person_claims(stack.settings.project, victim.tenant_id, sub=person(stack, victim.tenant_id, "admin"))
    return {f"token: {name}": refused(bearer(token)) for name, token in forgeries(google, claims, "people").items()}


def members(stack: Stack, victim: TenantHandle, sign: Sign) -> dict[str, Caller]:
    """Return everybody whose credential is good, by name: every role as a person and as a key, and the operator."""
    tenant_id, scopes = victim.tenant_id, frozenset(all_scopes())
    reading = frozenset(scope for scope in scopes if scope.endswith(":read"))
    found = {
        "an operator": Caller(
            headers=bearer(stack.local.operator_key), kind="operator", role="operator", scopes=frozenset({"*"})
        )
    }
    for role in ROLES:
        claims = person_claims(stack.settings.project, tenant_id, sub=person(stack, tenant_id, role), role=role)
        found[f"{role}, a person"] = Caller(
            headers=bearer(sign(claims, "people")), kind="user", role=role, scopes=ROLE_SCOPES[role]
        )
        for name, held in (("everything", scopes), ("reading", reading), ("nothing of ours", frozenset({"x:write"}))):
            key = _key(stack, victim, role=role, scopes=tuple(sorted(held)))
            found[f"{role}, a key for {name}"] = Caller(headers=bearer(key), kind="key", role=role, scopes=held)
    raised = person_claims(stack.settings.project, tenant_id, sub=person(stack, tenant_id, "viewer"), role="admin")
    found["a viewer whose token says admin"] = Caller(
        headers=bearer(sign(raised, "people")), kind="user", role="viewer", scopes=ROLE_SCOPES["viewer"]
    )
    return found | _one_scope_less(stack, victim, scopes)


def _one_scope_less(stack: Stack, victim: TenantHandle, scopes: frozenset[str]) -> dict[str, Caller]:
    """Return administrators' keys that cover everything but one scope."""
    found = {}
    for missing in sorted(scopes):
        held = frozenset(scope for scope in scopes if not covers({scope}, missing))
        key = _key(stack, victim, scopes=tuple(sorted(held)))
        found[f"a key without {missing}"] = Caller(headers=bearer(key), kind="key", role="admin", scopes=held)
    return found


# ---------------------------------------------------------------------- deliveries


@dataclass(frozen=True)
class Deliveries:
    """Forged deliveries to one function.

    Attributes:
        stack: The local cloud.
        function: Name of the function.
        tokens: Makes each set of claims into the tokens that a deployment would look at.
        found: Headers and what they must be told, by name.
    """

    stack: Stack
    function: str
    tokens: Mapping[str, Callable[[Claims], str]]
    found: dict[str, tuple[Headers, Refusal]] = field(default_factory=dict)

    def add(self, name: str, refusal: Refusal = INVALID, **changes: Any) -> None:
        """Add the function's own claims, changed."""
        claims = invoker_claims(self.stack, self.function, **changes)
        for form, made in self.tokens.items():
            self.found[f"{name}, {form}"] = bearer(made(claims)), refusal


def deliveries(
    stack: Stack, function: str, victim: TenantHandle, person_token: str, tokens: Mapping[str, Callable[[Claims], str]]
) -> dict[str, tuple[Headers, Refusal]]:
    """Return every forged delivery to a function by name, with what it must be told."""
    settings, now, not_allowed = stack.settings, int(time.time()), (403, "invoker_not_allowed")
    forged = Deliveries(stack, function, tokens)
    url = settings.function_url.replace("{function}", function)
    forged.found.update(
        {
            "no token": ({}, MISSING),
            "only a tenant": ({"X-Tenant-ID": victim.tenant_id}, MISSING),
            "an API key in its own header": ({"X-API-Key": victim.key}, MISSING),
            "an API key": (bearer(victim.key), INVALID),
            "an operator's key": (bearer(stack.local.operator_key), INVALID),
            "a person": (bearer(person_token), INVALID),
        }
    )
    forged.add("another audience", aud=settings.function_url.replace("{function}", "platform-health"))
    forged.add("an audience that begins alike", aud=f"{url}-other")
    forged.add("an audience in a list", aud=[url])
    forged.add("no audience", aud=None)
    forged.add("the identity of another function", not_allowed, email=settings.invoker_of("aso-other"))
    forged.add("no identity", not_allowed, email=None)
    forged.add("an identity nobody verified", not_allowed, email_verified=False)
    forged.add("an identity verified in words", not_allowed, email_verified="true")
    forged.add("an expired token", EXPIRED, iat=now - 7200, exp=now - 3600)
    forged.add("a token of tomorrow", iat=now + 86400, exp=now + 90000)
    forged.add("another issuer", iss="https://example.com")
    forged.add("an issuer of people", iss=f"https://securetoken.google.com/{settings.project}")
    return forged.found

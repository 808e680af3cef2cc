"""Credentials that must be refused, and what each of them must be told."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from common.api_keys import generate_key
from common.clients.firestore import firestore_client
from common.context import TENANT_ID
from common.service_identity import mint_local_token
from common.tokens import unsigned_token
from tests.common.security import store_key, store_person
from tests.operations import Operation
from tests.stack import Stack, TenantHandle, all_scopes

Refusal = tuple[int, str]
Headers = Mapping[str, str]

MISSING, INVALID = (401, "credential_missing"), (401, "credential_invalid")
EXPIRED, REVOKED = (401, "credential_expired"), (401, "credential_revoked")
REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"


def bearer(credential: str) -> dict[str, str]:
    """Return the header that presents a credential."""
    return {"Authorization": f"Bearer {credential}"}


PEOPLE = {"admin": "anna", "manager": "mani", "user": "uma", "viewer": "vera"}
"""Names of the people of ``id_token`` by role."""


def id_token(stack: Stack, tenant_id: str | None, *, person: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """Return an ID token of a person as the local cloud accepts them; claims that are None are left out.

    Args:
        stack: The local cloud.
        tenant_id: Tenant in the claims. The person is stored as one of that tenant, where there can be such a tenant.
        person: Fields of the stored person; None for an active one of the role in the claims.
        **changes: Claims.
    """
    now = int(time.time())
    role = changes.get("role", "admin")
    user_id = changes.get("sub", f"{PEOPLE.get(str(role), 'nobody')}-{tenant_id}")
    if tenant_id is not None and TENANT_ID.fullmatch(tenant_id) and role in PEOPLE and user_id:
        store_person(stack.clients, tenant_id, user_id, **{"role": role, **(person or {})})
    claims = {
        "iss": f"https://securetoken.google.com/{stack.settings.project}",
        "aud": stack.settings.project,
        "sub": user_id,
        "iat": now,
        "exp": now + 600,
        "tenant_id": tenant_id,
        "role": "admin",
        **changes,
    }
    return unsigned_token({name: value for name, value in claims.items() if value is not None})


def invoker_token(stack: Stack, function: str, audience: str | None = None, **changes: Any) -> str:
    """Return the token of a function's invoker, changed."""
    email = stack.settings.invoker_of(function)
    url = stack.settings.function_url.replace("{function}", function)
    token = mint_local_token(email, url if audience is None else audience)
    if not changes:
        return token
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return unsigned_token({**claims, **changes})


def signed(token: str, signature: str = REMOVED) -> str:
    """Return a token that claims to be signed."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": "1", "typ": "JWT"}).encode()).rstrip(b"=")
    return f"{header.decode()}.{token.split('.')[1]}.{signature}"


@dataclass(frozen=True, kw_only=True)
class Attack:
    """A caller who must be refused.

    Attributes:
        headers: What it sends.
        tenant: What operations for tenants must answer; None where it may call them.
        platform: What operations for operators must answer; None where it may call them.
        writes_only: Only writing is refused to it.
    """

    headers: Headers
    tenant: Refusal | None
    platform: Refusal | None
    writes_only: bool = False

    def expected(self, operation: Operation) -> Refusal | None:
        """Return what an operation must answer; None where this caller is no attack on it."""
        if operation.is_platform:
            return self.platform
        return None if self.writes_only and not operation.writes else self.tenant


def everyone(refusal: Refusal, headers: Headers) -> Attack:
    """Return an attack that every operation refuses alike."""
    return Attack(headers=headers, tenant=refusal, platform=refusal)


def attacks(stack: Stack, victim: TenantHandle, attacker: TenantHandle) -> dict[str, Attack]:
    """Return every attack by name."""
    return {**_keys(stack, victim, attacker), **_tokens(stack, victim), **_permissions(stack, victim)}


def _keys(stack: Stack, victim: TenantHandle, attacker: TenantHandle) -> dict[str, Attack]:
    past = datetime.now(UTC) - timedelta(seconds=1)
    expired = store_key(
        stack.clients, victim.tenant_id, key_id=f"expired-{victim.tenant_id}", expires_at=past, role="admin"
    )
    revoked = stack.key(victim.tenant_id)
    [key_id] = [
        key["key_id"]
        for key in stack.get(f"/v1/tenants/{victim.tenant_id}/api-keys").json()["items"]
        if key["prefix"] == revoked.key[:8]
    ][:1]
    assert stack.operator.delete(f"/v1/tenants/{victim.tenant_id}/api-keys/{key_id}").status_code == 204
    as_victim = {"X-Tenant-ID": victim.tenant_id}
    unknown = generate_key()
    mismatch = (403, "tenant_mismatch")
    return {
        "no credential": everyone(MISSING, {}),
        "no credential, only a tenant": everyone(MISSING, as_victim),
        "garbage": everyone(INVALID, bearer("garbage")),
        "empty bearer": everyone(INVALID, {"Authorization": "Bearer "}),
        "another scheme": everyone(INVALID, {"Authorization": f"Basic {victim.key}"}),
        "very long": everyone(INVALID, bearer("x" * 8000)),
        "letters beyond ASCII": everyone(INVALID, bearer("xyn_\xe9")),
        "unknown key": everyone(INVALID, bearer(unknown)),
        "unknown key in its own header": everyone(INVALID, {"X-API-Key": unknown}),
        "the hash of a key": everyone(INVALID, bearer("sha256:" + "0" * 64)),
        "two credentials": everyone((401, "credential_ambiguous"), {**bearer(attacker.key), "X-API-Key": victim.key}),
        "revoked key": everyone(REVOKED, bearer(revoked.key)),
        "expired key": everyone(EXPIRED, bearer(expired)),
        "a key of another tenant": everyone(mismatch, {**bearer(attacker.key), **as_victim}),
        "an operator as a tenant": everyone(mismatch, {**bearer(stack.local.operator_key), **as_victim}),
        "two tenants": everyone(
            mismatch, {**bearer(attacker.key), "X-Tenant-ID": f"{attacker.tenant_id},{victim.tenant_id}"}
        ),
    }


def suspended_tenant(stack: Stack) -> str:
    """Return the id of a tenant that was suspended before anybody called for it."""
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    assert stack.post("/v1/tenants", {"tenant_id": tenant_id, "name": "Suspended"}).status_code == 201
    stack.wait_for(lambda: stack.get(f"/v1/tenants/{tenant_id}").json()["status"] == "active")
    stack.clients.get(firestore_client).document(f"tenants/{tenant_id}").update({"status": "suspended"})
    return tenant_id


def _tokens(stack: Stack, victim: TenantHandle) -> dict[str, Attack]:
    tenant_id, now = victim.tenant_id, int(time.time())
    suspended = suspended_tenant(stack)

    def token(refusal: Refusal = INVALID, **changes: Any) -> Attack:
        return everyone(refusal, bearer(id_token(stack, changes.pop("tenant", tenant_id), **changes)))

    whole = id_token(stack, tenant_id)
    return {
        "expired token": token(EXPIRED, iat=now - 7200, exp=now - 3600),
        "token without an end": token(exp=None),
        "token that never ends": token(exp=float("nan")),
        "token of tomorrow": token(iat=now + 86400, exp=now + 90000),
        "token for another project": token(aud="another-project"),
        "token for several audiences": token(aud=[stack.settings.project, "another-project"]),
        "token of another issuer": token(iss="https://securetoken.google.com/another-project"),
        "token of Google accounts": token(iss="https://accounts.google.com"),
        "token of nobody": token(sub=None),
        "token without a tenant": token((403, "claims_missing"), tenant=None),
        "token with a tenant that is none": token((403, "claims_missing"), tenant="../" + tenant_id),
        "token of the platform": token((403, "claims_missing"), tenant="_platform"),
        "token without a role": token((403, "claims_missing"), role=None),
        "token of an operator's role": token((403, "claims_missing"), role="operator"),
        "token of an unknown tenant": token((403, "tenant_unknown"), tenant="nobody_has_this"),
        "token of a suspended tenant": token((403, "tenant_suspended"), tenant=suspended),
        "token that claims to be a gateway's": everyone(MISSING, bearer(signed(whole))),
        "gateway's token with an unknown key": everyone(
            INVALID, {**bearer(signed(whole)), "X-Forwarded-Authorization": f"Bearer {generate_key()}"}
        ),
        "gateway's token with a gateway's token": everyone(
            INVALID, {**bearer(signed(whole)), "X-Forwarded-Authorization": f"Bearer {signed(whole)}"}
        ),
        "forwarded token without a gateway": everyone(MISSING, {"X-Forwarded-Authorization": f"Bearer {whole}"}),
        "forwarded token beside an unknown key": everyone(
            INVALID, {**bearer(generate_key()), "X-Forwarded-Authorization": f"Bearer {whole}"}
        ),
        "token with another signature": everyone(INVALID, bearer(signed(whole, "c2lnbmF0dXJl"))),
        "token with a signature nobody announced": everyone(INVALID, bearer(f"{whole}c2lnbmF0dXJl")),
        "token of a service": everyone(INVALID, bearer(invoker_token(stack, "platform-health"))),
    }


def _permissions(stack: Stack, victim: TenantHandle) -> dict[str, Attack]:
    tenant_id = victim.tenant_id
    operator_only, scope_missing = (403, "operator_only"), (403, "scope_missing")
    viewer = stack.key(tenant_id, role="viewer", scopes=["*:read"])
    readable = [scope for scope in all_scopes() if scope.endswith(":read")]
    reader = stack.key(tenant_id, scopes=readable, role="admin")
    nothing = stack.key(tenant_id, scopes=["elsewhere:write"], role="admin")
    viewing = id_token(stack, tenant_id, role="viewer")
    whole = bearer(victim.key)
    return {
        "a tenant's administrator": Attack(headers=whole, tenant=None, platform=operator_only),
        "a key with other scopes": Attack(headers=bearer(nothing.key), tenant=scope_missing, platform=operator_only),
        "a key that reads": Attack(
            headers=bearer(reader.key), tenant=scope_missing, platform=operator_only, writes_only=True
        ),
        "a viewer's key": Attack(
            headers=bearer(viewer.key), tenant=scope_missing, platform=operator_only, writes_only=True
        ),
        "a viewer": Attack(headers=bearer(viewing), tenant=scope_missing, platform=operator_only, writes_only=True),
        "an operator": Attack(
            headers=bearer(stack.local.operator_key),
            tenant=(403, "operator_has_no_tenant"),
            platform=None,
        ),
    }


def deliveries(stack: Stack, function: str, victim: TenantHandle) -> dict[str, tuple[Headers, Refusal]]:
    """Return every forged delivery to a function by name, with what it must be told."""
    url = stack.settings.function_url.replace("{function}", function)
    now = int(time.time())
    not_allowed = (403, "invoker_not_allowed")

    def own(refusal: Refusal = INVALID, audience: str | None = None, **changes: Any) -> tuple[Headers, Refusal]:
        return bearer(invoker_token(stack, function, audience, **changes)), refusal

    return {
        "no token": ({}, MISSING),
        "only a tenant": ({"X-Tenant-ID": victim.tenant_id}, MISSING),
        "an API key in its own header": ({"X-API-Key": victim.key}, MISSING),
        "an API key": (bearer(victim.key), INVALID),
        "an operator's key": (bearer(stack.local.operator_key), INVALID),
        "a person": (bearer(id_token(stack, victim.tenant_id)), INVALID),
        "another audience": own(audience=stack.settings.function_url.replace("{function}", "platform-health")),
        "an audience that begins alike": own(audience=f"{url}-other"),
        "an audience in a list": own(audience=None, aud=[url]),
        "the identity of another function": own(not_allowed, email=stack.settings.invoker_of("aso-other")),
        "no identity": own(not_allowed, email=None),
        "an identity nobody verified": own(not_allowed, email_verified=False),
        "an identity verified in words": own(not_allowed, email_verified="true"),
        "an expired token": own(EXPIRED, iat=now - 7200, exp=now - 3600),
        "another issuer": own(iss="https://example.com"),
        "a claimed signature": (bearer(signed(invoker_token(stack, function))), INVALID),
    }

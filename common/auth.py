"""Who calls, and may they: API keys, operators' keys and Firebase ID tokens; scopes, roles and tenants."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from common import gate, key_use
from common.api_keys import KEY, TenantRole, credentials_cache, find_key, key_digest, tenant_status
from common.clients.registry import Clients
from common.context import PLATFORM_TENANT, TENANT_ID, Principal, Profile
from common.errors import Forbidden, Unauthenticated, Unavailable
from common.people import find_person
from common.recent import Recent
from common.settings import Settings
from common.tenant_state import LEAVING
from common.tokens import LEEWAY, VERIFIED_BY_PLATFORM, check_times, read_token, unauthenticated

TOKEN_SIZE = 8192
"""Characters of a credential at most; an ID token has one to two thousand."""

ROLE_SCOPES: Mapping[TenantRole, frozenset[str]] = {
    "admin": frozenset({"*"}),
    "manager": frozenset({"*:write"}),
    # Imports run as jobs, which one follows and cancels.
    "user": frozenset({"aso:read", "aso:write", "jobs:write", "me:write", "accounts:write"}),
    "viewer": frozenset({"*:read", "me:write"}),
}
"""What people may do by their role. Writing implies reading.

``tenants`` is the administration of the tenant, ``me`` one's own profile and settings (every role), ``accounts`` one's
own linked accounts, ``audit`` and ``privacy`` what their names say: their operations ask for the role as well, because
a viewer's ``*:read`` covers every scope of reading.
"""

Tenancy = Literal["tenant", "platform", "person"]
Known = Callable[[Clients, Mapping[str, str], str], Principal]


def admitted(clients: Clients, headers: Mapping[str, str], remote: str, known: Known) -> Principal:
    """Return who sent a request that came from outside: behind the gate against guessing.

    Args:
        clients: Clients of outside services.
        headers: Request headers.
        remote: Address of the connection.
        known: ``authenticate`` or ``identify``.

    Raises:
        TooManyRequests: ``too_many_failures``; the credential failed, as many others did.
        Unauthenticated, Forbidden, Unavailable: As ``known`` says.
    """
    try:
        return known(clients, headers, remote)
    except Unauthenticated as refusal:
        gate.failed(clients, headers, remote, _tried(headers), refusal)
        raise


def authenticate(clients: Clients, headers: Mapping[str, str], remote: str | None = None) -> Principal:
    """Return who sent the request.

    Args:
        clients: Clients of outside services.
        headers: Request headers; names as written or in lower case.
        remote: Address of the connection; None where nobody can have come to guess.

    Raises:
        Unauthenticated: ``credential_missing``, ``credential_ambiguous``, ``credential_invalid``,
            ``credential_expired`` or ``credential_revoked``, all with ``WWW-Authenticate``.
        Forbidden: ``tenant_suspended``, ``tenant_deletion_scheduled``, ``tenant_deleted``, ``tenant_unknown``; for a
            person ``claims_missing`` without tenant or role, ``user_unknown`` without a document in that tenant, or
            ``user_deactivated``.
        Unavailable: The credential cannot be looked up now.
    """
    credential = _presented(headers)
    if credential.count(".") == 2:
        return _person(clients, _verified(clients, credential))
    return _key_holder(clients, credential, headers, remote)


def identify(clients: Clients, headers: Mapping[str, str], remote: str | None = None) -> Principal:
    """Return who sent the request where a tenant is not asked for: any person of the project, member or not.

    Raises:
        Unauthenticated: As ``authenticate``.
        Forbidden: The credential is a key, and its tenant may not work now.
        Unavailable: The credential cannot be looked up now.
    """
    credential = _presented(headers)
    if credential.count(".") == 2:
        claims = _verified(clients, credential)
        return Principal(kind="user", id=claims["sub"], profile=_profile(claims))
    return _key_holder(clients, credential, headers, remote)


def authorize(
    principal: Principal,
    *,
    scope: str | None,
    roles: Iterable[str] = (),
    tenancy: Tenancy = "tenant",
) -> None:
    """Refuse a principal who may not call an operation.

    Args:
        principal: Who calls.
        scope: Scope the operation asks for, such as ``aso:write``.
        roles: Roles that may call it; empty means every role.
        tenancy: ``tenant`` for work within a tenant, ``platform`` for operators only, ``person`` for people with an ID
            token of the project, whether they belong to a tenant or not.

    Raises:
        Unauthenticated: ``credential_missing``; an anonymous caller.
        Forbidden: ``operator_only``, ``operator_has_no_tenant``, ``person_only``, ``role_missing`` or
            ``scope_missing``.
    """
    if principal.kind == "anonymous":
        raise unauthenticated("credential_missing", "This operation needs a credential")
    if tenancy == "platform" and principal.kind != "operator":
        raise Forbidden("operator_only", "Only platform operators may call this operation")
    if tenancy == "tenant" and principal.tenant_id == PLATFORM_TENANT:
        raise Forbidden("operator_has_no_tenant", "This operation works for a tenant; use a key of the tenant")
    if tenancy == "person" and principal.kind != "user":
        raise Forbidden("person_only", "Only a person with an ID token may call this operation")
    allowed = tuple(roles)
    if allowed and principal.role not in allowed:
        raise Forbidden("role_missing", f"This operation needs one of the roles: {', '.join(allowed)}")
    if scope is not None and not allows(principal.scopes, scope):
        raise Forbidden("scope_missing", f"The credential lacks the scope {scope}", details={"scope": scope})


def allows(scopes: frozenset[str], scope: str) -> bool:
    """Tell whether scopes cover one: ``*`` covers all, ``*:read`` reading anywhere, ``x:write`` also ``x:read``."""
    domain, _, action = scope.partition(":")
    covering = {"*", scope, f"{domain}:*", f"*:{action}"}
    if action == "read":
        covering |= {f"{domain}:write", "*:write"}
    return not covering.isdisjoint(scopes)


def resolve_tenant(principal: Principal, requested: str | None) -> str:
    """Return the tenant to work for: always the credential's.

    Args:
        principal: Who calls.
        requested: Value of ``X-Tenant-ID``, if the caller sent it.

    Raises:
        Forbidden: ``tenant_mismatch``; the header names another tenant.
    """
    if requested is not None and requested != principal.tenant_id:
        raise Forbidden("tenant_mismatch", "X-Tenant-ID is not the tenant of the credential")
    return principal.tenant_id


def _presented(headers: Mapping[str, str]) -> str:
    authorization, key = _authorization(headers), _header(headers, "X-API-Key")
    if authorization is None and key is None:
        raise unauthenticated("credential_missing", "Send an API key or an ID token as a bearer token")
    credential = key
    if authorization is not None:
        scheme, _, bearer = authorization.strip().partition(" ")
        if scheme.lower() != "bearer":
            raise unauthenticated("credential_invalid", "The Authorization header is not of the scheme Bearer")
        credential = bearer.strip()
        if key is not None and key != credential:
            raise unauthenticated("credential_ambiguous", "Authorization and X-API-Key carry different credentials")
    if not credential or len(credential) > TOKEN_SIZE:
        raise unauthenticated("credential_invalid", "The credential is empty or too long")
    return credential


def _authorization(headers: Mapping[str, str]) -> str | None:
    """Return the caller's own ``Authorization``.

    API Gateway calls functions as itself and moves what the caller sent to ``X-Forwarded-Authorization``. Cloud Run
    has verified and used up the gateway's token, and marked it so; a caller who marks his own token alike only gives
    it away, and one who sends the other header himself presents a credential that is checked like any other.
    """
    authorization = _header(headers, "Authorization")
    if authorization is not None and authorization.endswith(f".{VERIFIED_BY_PLATFORM}"):
        return _header(headers, "X-Forwarded-Authorization")
    return authorization


def _header(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name)
    value = headers.get(name.lower()) if value is None else value
    return None if value is None else value.strip()


def _tried(headers: Mapping[str, str]) -> str:
    try:
        return _presented(headers)
    except Unauthenticated:
        return ""


def _key_holder(clients: Clients, credential: str, headers: Mapping[str, str], remote: str | None) -> Principal:
    principal = _key(clients, credential, headers, remote)
    if principal.tenant_id != PLATFORM_TENANT:
        require_working_tenant(clients, principal.tenant_id)
    return principal


def _key(clients: Clients, credential: str, headers: Mapping[str, str], remote: str | None) -> Principal:
    digest = key_digest(credential)
    if clients.get(credentials_cache).operators.match(digest):
        return Principal(kind="operator", id=f"operator-{digest[:12]}", role="operator", scopes=frozenset({"*"}))
    # Whatever does not look like a key cannot be one, and is not worth a read.
    stored = None
    if KEY.fullmatch(credential) and (remote is None or gate.may_ask(clients, headers, remote, credential, digest)):
        stored = find_key(clients, digest)
    if stored is None:
        raise unauthenticated("credential_invalid", "The credential is not known")
    if stored.revoked_at is not None:
        raise unauthenticated("credential_revoked", "The API key has been revoked")
    if stored.expires_at is not None and stored.expires_at <= datetime.now(UTC):
        raise unauthenticated("credential_expired", "The API key has expired")
    key_use.note(clients, stored.tenant_id, stored.key_id, digest)
    return Principal(
        kind="key", id=stored.key_id, tenant_id=stored.tenant_id, role=stored.role, scopes=frozenset(stored.scopes)
    )


def verified_tokens(settings: Settings) -> Recent[str, Mapping[str, Any]]:
    """Build the memory of tokens whose signatures were verified, by hash, of one process (for ``Clients.get``).

    A person calls with one token for an hour, and the library reads the certificates anew for every signature. Google's
    keys are believed for hours once they are fetched; a signature that held is believed for five minutes.
    """
    del settings  # nothing about it can be set
    return Recent(fresh=300, missing=0, stale=300, size=1024)


def _verified(clients: Clients, credential: str) -> Mapping[str, Any]:
    settings = clients.settings
    if settings.is_local:
        claims = _local_claims(credential)
    else:
        memory = clients.get(verified_tokens)
        known = memory.get(key_digest(credential), lambda: _firebase_claims(clients, credential))
        claims = {} if known is None else known
    # Checked each time: a token ends while it is remembered, and the library in its emulator mode takes expired ones.
    check_times(claims, now=time.time())
    _check_issue(claims, settings)
    return claims


def _person(clients: Clients, claims: Mapping[str, Any]) -> Principal:
    """Return the person of a token: the claims say which tenant was signed in to, the document what counts now."""
    tenant_id, role = claims.get("tenant_id"), claims.get("role")
    if not isinstance(tenant_id, str) or not TENANT_ID.fullmatch(tenant_id) or role not in get_args(TenantRole):
        raise Forbidden("claims_missing", "The ID token carries no tenant_id and role; the account is not set up")
    require_working_tenant(clients, tenant_id)
    user_id, profile = claims["sub"], _profile(claims)
    person = find_person(clients, user_id)
    if person is None or person.tenant_id != tenant_id:
        raise Forbidden("user_unknown", "The person of the ID token does not belong to its tenant")
    if person.status != "active":
        raise Forbidden("user_deactivated", "The account is deactivated; an administrator can activate it")
    if not person.accepts(profile.signed_in_at):
        raise unauthenticated("credential_revoked", "The session was ended; sign in again")
    scopes = ROLE_SCOPES[person.role]
    return Principal(kind="user", id=user_id, tenant_id=tenant_id, role=person.role, scopes=scopes, profile=profile)


def _profile(claims: Mapping[str, Any]) -> Profile:
    """Return what the provider vouches for; when the person signed in is ``auth_time``, which a refresh keeps."""
    texts = {name: claims.get(name) for name in ("email", "name", "picture")}
    signed_in_at = claims.get("auth_time")
    if isinstance(signed_in_at, bool) or not isinstance(signed_in_at, int):
        signed_in_at = int(claims["iat"])
    return Profile(
        **{name: text if isinstance(text, str) and text else None for name, text in texts.items()},
        email_verified=claims.get("email_verified") is True,
        signed_in_at=signed_in_at,
    )


def _check_issue(claims: Mapping[str, Any], settings: Settings) -> None:
    issuer = f"https://securetoken.google.com/{settings.project}"
    if claims.get("aud") != settings.project or claims.get("iss") != issuer:
        raise unauthenticated("credential_invalid", "The ID token was issued for another project")
    if not isinstance(claims.get("sub"), str) or not 0 < len(claims["sub"]) <= 128:
        raise unauthenticated("credential_invalid", "The ID token names nobody")


def _local_claims(credential: str) -> Mapping[str, Any]:
    token = read_token(credential)
    if not token.is_unsigned:
        raise unauthenticated("credential_invalid", "The local cloud takes unsigned ID tokens only")
    return token.claims


def _firebase_claims(clients: Clients, credential: str) -> Mapping[str, Any]:
    from firebase_admin import auth

    from common.clients.firebase import firebase_app

    if read_token(credential).header.get("alg") != "RS256":
        raise unauthenticated("credential_invalid", "The ID token is not signed as Google signs")
    try:
        claims: Mapping[str, Any] = auth.verify_id_token(
            credential, app=clients.get(firebase_app), clock_skew_seconds=LEEWAY
        )
    except auth.ExpiredIdTokenError:
        raise unauthenticated("credential_expired", "The token has expired") from None
    except auth.CertificateFetchError as error:
        raise Unavailable("firebase", "Google's certificates cannot be fetched") from error
    except (auth.InvalidIdTokenError, ValueError):
        raise unauthenticated("credential_invalid", "The ID token is not valid") from None
    return claims


def require_working_tenant(clients: Clients, tenant_id: str) -> None:
    """Refuse to work for a tenant that may not work now.

    Raises:
        Forbidden: ``tenant_unknown``, ``tenant_suspended``, ``tenant_deletion_scheduled`` or ``tenant_deleted``.
        Unavailable: The tenant cannot be looked up now.
    """
    status = tenant_status(clients, tenant_id)
    if status is None:
        raise Forbidden("tenant_unknown", "The tenant of the credential does not exist")
    if status == "suspended":
        raise Forbidden("tenant_suspended", "The tenant is suspended")
    if status == "deletion_scheduled":
        raise Forbidden("tenant_deletion_scheduled", "The tenant is to be deleted; until then this can be undone")
    if status in LEAVING:
        raise Forbidden("tenant_deleted", "The tenant is deleted")

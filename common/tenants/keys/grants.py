"""What a key may be given: scopes as an order, and the rule that nobody gives more than they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from common.api_keys import TenantRole
from common.auth import ROLE_SCOPES, allows
from common.context import Principal
from common.errors import FieldError, Forbidden, Unprocessable
from common.tenants.keys.models import ApiKeyCreate, ScopeList, ScopeShown

RANKS: Mapping[str, int] = {"viewer": 1, "user": 2, "manager": 3, "admin": 4, "operator": 5}
"""Roles in order: each may do what the one before it may."""

ACTIONS: Mapping[str, int] = {"read": 1, "write": 2, "*": 3}

DOMAINS: Mapping[str, tuple[str, str]] = {
    "accounts": ("See linked accounts of other services.", "Link accounts of other services and let them go."),
    "aso": (
        "Read content, keywords, ranks, opportunities, audits and reports of search optimisation.",
        "Change content, keywords and all else of search optimisation, start its scans and imports.",
    ),
    "audit": ("Search the record of changes.", "Export the record of changes, and set changes back."),
    "jobs": ("Follow jobs.", "Cancel jobs."),
    "me": ("Read one's own profile and settings.", "Change one's own profile and settings."),
    "platform": ("See the state of the platform.", "Repair the platform's stores."),
    "privacy": (
        "See personal-data maps, requests of people, consents and holds.",
        "Answer requests of people, record consents, and set holds.",
    ),
    "tenants": (
        "See the tenant, its people, companies, invitations and API keys.",
        "Manage the tenant, its people, companies, invitations and API keys.",
    ),
}
"""What reading and writing mean, by the part of a scope before its colon."""

OF_PEOPLE = frozenset({"me", "accounts"})
"""Domains that a key gets when asked only: it is nobody, and has no profile of its own."""

EVERYWHERE: Mapping[str, str] = {
    "*": "Everything that the role may do.",
    "*:read": "Read everything that the role may read.",
    "*:write": "Read and change everything that the role may change.",
}


def granted(principal: Principal, body: ApiKeyCreate) -> list[str]:
    """Return the scopes of a new key: those asked for, or all that its role and its maker may both do.

    Raises:
        Unprocessable: ``scope_exceeds_role``; a scope that the key's own role does not cover.
        Forbidden: ``grant_exceeds_creator``; a role or scope that the caller has not.
    """
    of_role = ROLE_SCOPES[body.role]
    check(principal, body.role, body.scopes or ())
    if body.scopes is None:
        usual = [scope for scope in of_role if scope.partition(":")[0] not in OF_PEOPLE]
        covered = all(allows(principal.scopes, scope) for scope in usual)
        return sorted(usual if covered else common_to(usual, principal.scopes))
    for position, scope in enumerate(body.scopes):
        if not allows(of_role, scope):
            message = f"The role {body.role} does not cover {scope}"
            error = FieldError(pointer=f"/scopes/{position}", code="scope_exceeds_role", message=message)
            raise Unprocessable("scope_exceeds_role", message, errors=[error])
    return body.scopes


def check(principal: Principal, role: TenantRole, scopes: Iterable[str]) -> None:
    """Refuse to give away what the caller has not.

    Raises:
        Forbidden: ``grant_exceeds_creator``.
    """
    errors = [
        FieldError(
            pointer=f"/scopes/{position}", code="grant_exceeds_creator", message=f"The caller does not have {scope}"
        )
        for position, scope in enumerate(scopes)
        if not allows(principal.scopes, scope)
    ]
    if RANKS[role] > RANKS.get(principal.role or "", 0):
        message = f"The caller's own role is {principal.role}"
        errors.append(FieldError(pointer="/role", code="grant_exceeds_creator", message=message))
    if errors:
        raise Forbidden("grant_exceeds_creator", "A key may do no more than its maker", errors=errors, audited=True)


def common_to(one: Iterable[str], other: Iterable[str]) -> frozenset[str]:
    """Return the scopes that cover exactly what both sides cover."""
    others = tuple(other)
    return frozenset(meet for left in one for right in others if (meet := _meet(left, right)) is not None)


def described(principal: Principal) -> ScopeList:
    """Return every scope with what it opens, who has it, and whether the caller may give it to a key."""
    scopes = {f"{domain}:{action}": text for domain, texts in DOMAINS.items() for action, text in _actions(texts)}
    return ScopeList(
        items=[
            ScopeShown(
                scope=scope,
                description=text,
                roles=[role for role in get_args(TenantRole) if allows(ROLE_SCOPES[role], scope)],
                grantable=allows(principal.scopes, scope),
            )
            for scope, text in {**EVERYWHERE, **scopes}.items()
        ]
    )


def _actions(texts: tuple[str, str]) -> Iterable[tuple[str, str]]:
    return zip(("read", "write"), texts, strict=True)


def _meet(one: str, other: str) -> str | None:
    (left, left_action), (right, right_action) = _parts(one), _parts(other)
    if left != right and "*" not in {left, right}:
        return None
    domain = right if left == "*" else left
    action = min(left_action, right_action, key=ACTIONS.__getitem__)
    return "*" if (domain, action) == ("*", "*") else f"{domain}:{action}"


def _parts(scope: str) -> tuple[str, str]:
    domain, _, action = scope.partition(":")
    return domain, action or "*"

"""What a key may be given: scopes are ordered, and nobody gives more than they have."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.api_keys import TenantRole
from common.auth import ROLE_SCOPES, allows
from common.context import Principal
from common.errors import Forbidden, Unprocessable
from common.tenants.keys import grants
from common.tenants.keys.models import ApiKeyCreate
from triggers.manifest import MANIFEST_FILE

ROLES = get_args(TenantRole)
ASKED = [f"{domain}:{action}" for domain in ("aso", "jobs", "tenants", "audit") for action in ("read", "write")]
"""What operations ask for."""
SCOPES = st.frozensets(st.sampled_from(["*", "*:read", "*:write", *ASKED]), max_size=4)


def covered(scopes: frozenset[str]) -> set[str]:
    return {asked for asked in ASKED if allows(scopes, asked)}


@given(SCOPES, SCOPES)
def test_more_scopes_never_allow_less(scopes: frozenset[str], more: frozenset[str]) -> None:
    assert covered(scopes) | covered(more) == covered(scopes | more)


@given(SCOPES, SCOPES)
def test_what_two_sides_have_in_common_is_what_both_allow(one: frozenset[str], other: frozenset[str]) -> None:
    common = grants.common_to(one, other)
    assert covered(common) == covered(one) & covered(other)
    assert common == grants.common_to(other, one)


@given(SCOPES, st.sampled_from(["*", "*:read", "*:write", *ASKED]))
def test_a_covered_scope_covers_nothing_more(scopes: frozenset[str], scope: str) -> None:
    if allows(scopes, scope):
        assert covered(frozenset({scope})) <= covered(scopes)


@given(st.sampled_from(ROLES), SCOPES, st.sampled_from(ROLES), st.none() | SCOPES.filter(bool))
def test_no_key_may_more_than_its_maker_or_its_role(
    own_role: TenantRole, own: frozenset[str], role: TenantRole, asked: frozenset[str] | None
) -> None:
    principal = Principal(kind="key", id="maker", tenant_id="acme", role=own_role, scopes=own)
    body = ApiKeyCreate(name="x", role=role, scopes=None if asked is None else sorted(asked))
    try:
        given_to_it = frozenset(grants.granted(principal, body))
    except (Forbidden, Unprocessable):
        return
    assert covered(given_to_it) <= covered(own) & covered(ROLE_SCOPES[role])
    assert grants.RANKS[role] <= grants.RANKS[own_role]
    if asked is not None:
        assert given_to_it == asked


@pytest.mark.parametrize("role", ROLES)
def test_an_admin_may_give_every_role_all_that_it_may(role: TenantRole) -> None:
    admin = Principal(kind="user", id="maker", tenant_id="acme", role="admin", scopes=ROLE_SCOPES["admin"])
    assert covered(frozenset(grants.granted(admin, ApiKeyCreate(name="x", role=role)))) == covered(ROLE_SCOPES[role])


def test_refusals_name_every_field_that_is_too_much() -> None:
    maker = Principal(kind="key", id="maker", tenant_id="acme", role="user", scopes=frozenset({"tenants:write"}))
    with pytest.raises(Forbidden) as refusal:
        grants.granted(maker, ApiKeyCreate(name="x", role="admin", scopes=["tenants:read", "aso:read", "*"]))
    assert refusal.value.code == "grant_exceeds_creator"
    assert refusal.value.audited
    assert [error.pointer for error in refusal.value.errors] == ["/scopes/1", "/scopes/2", "/role"]


def test_every_scope_that_an_operation_asks_for_is_described() -> None:
    manifest = json.loads(MANIFEST_FILE.read_text(encoding="utf-8"))
    entries = manifest if isinstance(manifest, list) else manifest["functions"]
    asked = {entry["scope"] for entry in entries if entry.get("scope")}
    operator = Principal(kind="operator", id="operator-1", role="operator", scopes=frozenset({"*"}))
    shown = {item.scope: item for item in grants.described(operator).items}
    assert asked <= shown.keys()
    assert all(item.grantable and item.description for item in shown.values())
    assert shown["aso:read"].roles == ["admin", "manager", "user", "viewer"]
    assert shown["privacy:write"].roles == ["admin", "manager"]

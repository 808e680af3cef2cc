"""People of a tenant over HTTP, on the local cloud: invited, joined, changed, demoted, deactivated, removed."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from common.clients.firestore import firestore_client
from common.people import COLLECTION
from common.technical import INVITE_TOKENS
from tests.people import Account, PersonHandle, member, signed_in, stranger
from tests.stack import Stack, TenantHandle


@pytest.fixture(scope="module")
def home(cloud: Stack) -> TenantHandle:
    """A tenant shared by the tests of this module."""
    return cloud.tenant()


@pytest.fixture(scope="module")
def admin(cloud: Stack, home: TenantHandle) -> PersonHandle:
    """An administrator of ``home``."""
    return member(cloud, home.tenant_id)


def told(answer: requests.Response) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.json()["code"]


def invited(inviting: PersonHandle | TenantHandle, email: str, **fields: Any) -> dict[str, Any]:
    """Invite somebody."""
    made = inviting.client.post("/v1/invites", {"email": email, **fields})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def accepted(somebody: PersonHandle, token: str) -> requests.Response:
    """Accept an invite."""
    return somebody.client.post("/v1/invites/accept", {"token": token})


# ---------------------------------------------------------------------- invites


def test_somebody_is_invited_joins_and_works(cloud: Stack, home: TenantHandle, admin: PersonHandle) -> None:
    newcomer = stranger(cloud, picture="https://example.com/p.png", name="李小龙")
    invite = invited(admin, newcomer.email.upper(), role="manager")
    assert (invite["email"], invite["status"], invite["invited_by"]) == (newcomer.email, "pending", admin.user_id)
    shown = admin.client.get(f"/v1/invites/{invite['invite_id']}")
    assert invite["token"] not in shown.text + admin.client.get("/v1/invites").text
    joined = accepted(newcomer, invite["token"])
    assert joined.status_code == 201, joined.text
    person = joined.json()
    assert (person["user_id"], person["role"], person["name"]) == (newcomer.user_id, "manager", "李小龙")
    working = signed_in(cloud, newcomer.user_id, tenant_id=home.tenant_id, role="manager")
    me = working.get("/v1/me").json()
    assert (me["tenant_id"], me["email"], me["role"], me["timezone"]) == (
        *(home.tenant_id, newcomer.email),
        *("manager", "UTC"),
    )
    assert working.get("/v1/aso/content").status_code == 200
    found = admin.client.get(f"/v1/invites/{invite['invite_id']}").json()
    assert (found["status"], found["accepted_by"]) == ("accepted", newcomer.user_id)
    assert admin.client.get(f"/v1/users/{newcomer.user_id}").json()["invite_id"] == invite["invite_id"]


def test_a_token_is_stored_as_its_hash_only(cloud: Stack, admin: PersonHandle) -> None:
    token = invited(admin, "hash@people.example")["token"]
    client = cloud.clients.get(firestore_client)
    for path in ("invites", INVITE_TOKENS.path, "system/idempotency/records"):
        assert not any(token in repr((each.id, each.to_dict())) for each in client.collection(path).stream()), path


def test_each_way_an_invite_cannot_be_accepted_has_its_code(
    cloud: Stack, home: TenantHandle, admin: PersonHandle
) -> None:
    newcomer = stranger(cloud)
    invite = invited(admin, newcomer.email)
    token = invite["token"]
    invite_path = f"/v1/invites/{invite['invite_id']}"
    assert told(accepted(newcomer, "xyi_" + "x" * 43)) == (404, "invite_not_found")
    assert told(accepted(newcomer, "../../x")) == (404, "invite_not_found")
    assert told(accepted(stranger(cloud), token)) == (403, "invite_other_email")
    unverified = stranger(cloud, newcomer.email, email_verified=False)
    assert told(accepted(unverified, token)) == (403, "email_not_verified")
    assert told(accepted(stranger(cloud, email=None, email_verified=None), token)) == (403, "email_not_verified")
    assert told(home.client.post("/v1/invites/accept", {"token": token})) == (403, "person_only")
    again = admin.client.post("/v1/invites", {"email": f" {newcomer.email.title()} "})
    assert told(again) == (409, "invite_pending")
    newer = admin.client.post(f"{invite_path}/resend").json()["token"]
    assert told(accepted(newcomer, token)) == (409, "invite_replaced")
    stored = cloud.clients.get(firestore_client).document(f"invites/{invite['invite_id']}")
    stored.update({"expires_at": datetime.now(UTC) - timedelta(seconds=1)})
    assert told(accepted(newcomer, newer)) == (409, "invite_expired")
    assert admin.client.get(invite_path).json()["status"] == "expired"
    newest = admin.client.post(f"{invite_path}/resend").json()["token"]
    assert accepted(newcomer, newest).status_code == 201
    assert told(accepted(newcomer, newest)) == (409, "invite_used")
    assert told(admin.client.delete(invite_path)) == (409, "invite_used")
    assert told(admin.client.post(f"{invite_path}/resend")) == (409, "invite_used")
    assert told(admin.client.post("/v1/invites", {"email": newcomer.email})) == (409, "already_member")


def test_a_revoked_invite_is_over_and_the_address_free(cloud: Stack, admin: PersonHandle) -> None:
    newcomer = stranger(cloud)
    invite = invited(admin, newcomer.email)
    invite_path = f"/v1/invites/{invite['invite_id']}"
    for _ in range(2):
        assert admin.client.delete(invite_path).status_code == 204
    assert told(accepted(newcomer, invite["token"])) == (409, "invite_revoked")
    assert told(admin.client.post(f"{invite_path}/resend")) == (409, "invite_revoked")
    assert accepted(newcomer, invited(admin, newcomer.email)["token"]).status_code == 201


def test_an_expired_invite_gives_its_address_free(cloud: Stack, admin: PersonHandle) -> None:
    first = invited(admin, "late@people.example")
    stored = cloud.clients.get(firestore_client).document(f"invites/{first['invite_id']}")
    stored.update({"expires_at": datetime.now(UTC) - timedelta(seconds=1)})
    assert invited(admin, "late@people.example")["invite_id"] != first["invite_id"]
    assert admin.client.get(f"/v1/invites/{first['invite_id']}").json()["status"] == "expired"


def test_an_account_belongs_to_one_tenant(cloud: Stack, admin: PersonHandle) -> None:
    elsewhere = member(cloud, cloud.tenant().tenant_id)
    invite = invited(admin, elsewhere.email)
    assert told(accepted(elsewhere, invite["token"])) == (409, "member_elsewhere")
    assert admin.client.get(f"/v1/invites/{invite['invite_id']}").json()["status"] == "pending"
    assert elsewhere.client.post("/v1/me/leave").status_code == 409


def test_of_two_who_use_one_token_at_once_one_joins(cloud: Stack, admin: PersonHandle) -> None:
    token = invited(admin, "both@people.example")["token"]
    both = [stranger(cloud, "both@people.example") for _ in range(2)]
    calls = [functools.partial(accepted, one, token) for one in both]
    assert sorted(answer.status_code for answer in at_once(calls)) == [201, 409]


def test_who_may_invite_whom(cloud: Stack, home: TenantHandle) -> None:
    manager = member(cloud, home.tenant_id, "manager")
    assert told(manager.client.post("/v1/invites", {"email": "a@people.example", "role": "admin"})) == (
        *(403, "role_exceeds_own"),
    )
    invited(manager, "by-manager@people.example", role="viewer")
    for role in ("user", "viewer"):
        somebody = member(cloud, home.tenant_id, role)
        assert told(somebody.client.post("/v1/invites", {"email": "b@people.example"})) == (403, "role_missing")
        assert told(somebody.client.get("/v1/invites")) == (403, "role_missing")


def test_an_invite_is_shown_once_even_to_a_repetition(admin: PersonHandle) -> None:
    body, key = {"email": "once@people.example"}, {"Idempotency-Key": "once-and-only"}
    made = admin.client.post("/v1/invites", body, headers=key)
    again = admin.client.post("/v1/invites", body, headers=key)
    assert (made.status_code, *told(again)) == (201, 409, "idempotency_answer_not_stored")
    assert again.headers["Location"] == f"/v1/invites/{made.json()['invite_id']}"


def test_a_tenant_that_is_full_takes_nobody(cloud: Stack) -> None:
    small = cloud.tenant()
    changed = cloud.operator.patch(f"/v1/tenants/{small.tenant_id}", {"tier": "free"}, headers={"If-Match": "*"})
    assert changed.status_code == 200, changed.text
    people = [member(cloud, small.tenant_id) for _ in range(2)]
    newcomer = stranger(cloud)
    token = invited(people[0], newcomer.email)["token"]
    member(cloud, small.tenant_id, "viewer")
    refused = accepted(newcomer, token)
    assert told(refused) == (403, "quota_exceeded")
    assert (refused.json()["resource"], refused.json()["limit"]) == ("users", 3)


# ---------------------------------------------------------------------- roles and the last administrator


def at_once(calls: Sequence[Callable[[], requests.Response]]) -> list[requests.Response]:
    """Make calls at the same time and return their answers in order."""
    answers: list[requests.Response | None] = [None] * len(calls)
    gate = threading.Barrier(len(calls))

    def run(position: int) -> None:
        gate.wait()
        answers[position] = calls[position]()

    threads = [threading.Thread(target=run, args=(position,)) for position in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for answer in answers if answer is not None]


def test_the_last_administrator_cannot_go_in_any_way(cloud: Stack) -> None:
    tenant = cloud.tenant()
    last = member(cloud, tenant.tenant_id)
    member(cloud, tenant.tenant_id, "admin", status="deactivated")
    member(cloud, tenant.tenant_id, "manager")
    path = f"/v1/users/{last.user_id}"
    ways: list[Callable[[], requests.Response]] = [
        lambda: last.client.put(f"{path}/role", {"role": "viewer"}),
        lambda: last.client.post(f"{path}/deactivate"),
        lambda: last.client.delete(path),
        lambda: last.client.post("/v1/me/leave"),
        lambda: tenant.client.put(f"{path}/role", {"role": "user"}),
        lambda: tenant.client.delete(path),
    ]
    for way in ways:
        assert told(way()) == (409, "last_admin")
    assert last.client.get("/v1/me").json()["role"] == "admin"
    second = member(cloud, tenant.tenant_id)
    assert last.client.post("/v1/me/leave").status_code == 204
    assert told(last.client.get("/v1/me")) == (403, "user_unknown")
    assert told(second.client.post("/v1/me/leave")) == (409, "last_admin")


@pytest.mark.parametrize("way", ["demote", "remove"])
def test_of_two_administrators_who_turn_on_each_other_one_stays(cloud: Stack, way: str) -> None:
    tenant = cloud.tenant()
    one, other = (member(cloud, tenant.tenant_id) for _ in range(2))

    def against(caller: PersonHandle, target: PersonHandle) -> requests.Response:
        path = f"/v1/users/{target.user_id}"
        return caller.client.delete(path) if way == "remove" else caller.client.put(f"{path}/role", {"role": "user"})

    answers = at_once([lambda: against(one, other), lambda: against(other, one)])
    assert sum(answer.ok for answer in answers) == 1
    [refused] = [answer for answer in answers if not answer.ok]
    assert told(refused) in {(409, "last_admin"), (403, "user_unknown"), (401, "credential_revoked")}
    people = tenant.client.get("/v1/users", params={"role": "admin"}).json()["items"]
    assert [each["user_id"] in {one.user_id, other.user_id} for each in people] == [True]


def test_a_demoted_administrator_decides_nothing_more(cloud: Stack, home: TenantHandle, admin: PersonHandle) -> None:
    """Another instance believes for a minute what it has read; what it decides about people is looked up."""
    demoted, target = member(cloud, home.tenant_id), member(cloud, home.tenant_id, "user")
    assert demoted.client.get("/v1/me").status_code == 200
    stored = cloud.clients.get(firestore_client).document(f"{COLLECTION}/{demoted.user_id}")
    stored.update({"role": "viewer"})
    refused = demoted.client.put(f"/v1/users/{target.user_id}/role", {"role": "admin"})
    assert told(refused) == (403, "role_missing")
    assert admin.client.get(f"/v1/users/{target.user_id}").json()["role"] == "user"


def test_a_role_is_changed_and_asks_for_a_new_sign_in(cloud: Stack, home: TenantHandle, admin: PersonHandle) -> None:
    person = member(cloud, home.tenant_id, "user")
    path = f"/v1/users/{person.user_id}"
    same = admin.client.put(f"{path}/role", {"role": "user"})
    assert same.status_code == 200
    assert person.client.get("/v1/me").status_code == 200
    changed = admin.client.put(f"{path}/role", {"role": "viewer"})
    assert changed.json()["role"] == "viewer"
    assert told(person.client.get("/v1/me")) == (401, "credential_revoked")
    later = int(datetime.now(UTC).timestamp()) + 1
    again = signed_in(cloud, person.user_id, tenant_id=home.tenant_id, role="user", auth_time=later)
    assert told(again.post("/v1/aso/content", {})) == (403, "scope_missing"), "the claim may be old"


def test_a_person_is_deactivated_reactivated_signed_out_and_removed(
    cloud: Stack, home: TenantHandle, admin: PersonHandle
) -> None:
    person = member(cloud, home.tenant_id, "user")
    path = f"/v1/users/{person.user_id}"
    for _ in range(2):
        answer = admin.client.post(f"{path}/deactivate")
        assert (answer.status_code, answer.json()["status"]) == (200, "deactivated")
    assert told(person.client.get("/v1/me")) == (403, "user_deactivated")
    assert admin.client.post(f"{path}/reactivate").json()["deactivated_at"] is None
    assert told(person.client.get("/v1/me")) == (401, "credential_revoked")
    later = int(datetime.now(UTC).timestamp()) + 1
    back = signed_in(cloud, person.user_id, tenant_id=home.tenant_id, role="user", auth_time=later)
    assert back.get("/v1/me").status_code == 200
    cloud.wait_for(lambda: datetime.now(UTC).timestamp() > later + 1)
    assert admin.client.post(f"{path}/sign-out").status_code == 200
    assert told(back.get("/v1/me")) == (401, "credential_revoked")
    assert admin.client.delete(path).status_code == 204
    assert told(back.get("/v1/me")) == (403, "user_unknown")
    assert told(admin.client.get(path)) == (404, "user_not_found")
    newcomer = stranger(cloud, person.email)
    assert accepted(newcomer, invited(admin, person.email)["token"]).status_code == 201, "the address is free again"


def test_people_are_listed_by_role_and_status(cloud: Stack) -> None:
    tenant = cloud.tenant()
    people = {role: member(cloud, tenant.tenant_id, role).user_id for role in ("admin", "manager", "viewer")}
    client = tenant.client
    ids = [each["user_id"] for each in client.get("/v1/users").json()["items"]]
    assert set(ids) == set(people.values())
    page = client.get("/v1/users", params={"limit": 2}).json()
    rest = client.get("/v1/users", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [each["user_id"] for each in page["items"] + rest["items"]] == ids
    for query, found in (
        ({"role": "manager"}, [people["manager"]]),
        ({"role": "admin", "status": "active"}, [people["admin"]]),
        ({"status": "deactivated"}, []),
    ):
        assert [each["user_id"] for each in client.get("/v1/users", params=query).json()["items"]] == found


# ---------------------------------------------------------------------- oneself


def test_a_person_changes_the_own_profile(cloud: Stack, home: TenantHandle) -> None:
    person = member(cloud, home.tenant_id, "viewer")
    changed = person.client.patch(
        "/v1/me",
        {"name": "Ñandú ñ", "username": "Ann.Lee", "timezone": "asia/calcutta", "onboarding_completed": True},
    )
    assert changed.status_code == 200, changed.text
    told_me = person.client.get("/v1/me").json()
    assert (told_me["name"], told_me["username"], told_me["timezone"], told_me["onboarding_completed"]) == (
        *("Ñandú ñ", "ann.lee"),
        *("Asia/Kolkata", True),
    )
    other = member(cloud, home.tenant_id, "viewer")
    assert told(other.client.patch("/v1/me", {"username": "ANN.LEE"})) == (409, "username_taken")
    for body, pointer in (
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"timezone": None}, "/timezone"),
        ({"avatar_url": "javascript:alert(1)"}, "/avatar_url"),
        ({"role": "admin"}, "/role"),
        ({"email": "other@people.example"}, "/email"),
    ):
        refused = person.client.patch("/v1/me", body)
        assert refused.status_code == 422, body
        assert pointer in {error["pointer"] for error in refused.json()["errors"]} or pointer == "/timezone"
    stale = person.client.patch("/v1/me", {"name": "x"}, headers={"If-Match": '"1"'})
    assert told(stale) == (412, "stale_etag")


def test_settings_are_merged_and_flags_switched_within_ones_rights(cloud: Stack, home: TenantHandle) -> None:
    person = member(cloud, home.tenant_id, "user")
    flags = {}
    for name, own in (("beta", True), ("billing", False)):
        made = home.client.post("/v1/features", {"name": name, "self_service": own})
        assert made.status_code == 201, made.text
        flags[name] = made.json()["feature_id"]
    assert told(home.client.post("/v1/features", {"name": "beta"})) == (409, "feature_taken")
    settings_path = "/v1/me/settings"
    person.client.patch(settings_path, {"settings": {"theme": "dark", "digest": True}, "features": {"beta": True}})
    person.client.patch(settings_path, {"settings": {"digest": None, "rows": 50}})
    mine = person.client.get(settings_path).json()
    assert mine["settings"] == {"theme": "dark", "rows": 50}
    assert mine["features"] == {"beta": True, "billing": False}
    assert told(person.client.patch(settings_path, {"features": {"billing": True}})) == (403, "feature_not_yours")
    assert told(person.client.patch(settings_path, {"features": {"gamma": True}})) == (422, "feature_unknown")
    many = {f"s{number}": number for number in range(99)}
    assert told(person.client.patch(settings_path, {"settings": many})) == (422, "too_many_settings")
    user = f"/v1/users/{person.user_id}"
    changed = home.client.patch(user, {"features": {"billing": True}}, headers={"If-Match": "*"})
    assert changed.status_code == 200, changed.text
    assert person.client.get("/v1/me").json()["features"] == {"beta": False, "billing": True}
    assert home.client.patch(f"/v1/features/{flags['beta']}", {"enabled": True}).json()["enabled"] is True
    assert person.client.get(settings_path).json()["features"] == {"beta": True, "billing": True}
    assert home.client.delete(f"/v1/features/{flags['billing']}").status_code == 204
    assert [each["name"] for each in home.client.get("/v1/features").json()["items"]] == ["beta"]
    assert person.client.get(settings_path).json()["features"] == {"beta": True}


def test_signing_out_ends_this_session_too_and_keys_are_nobody(cloud: Stack, home: TenantHandle) -> None:
    person = member(cloud, home.tenant_id, "viewer")
    assert person.client.post("/v1/me/sign-out").status_code == 200
    assert told(person.client.get("/v1/me")) == (401, "credential_revoked")
    for path in ("/v1/me", "/v1/me/settings"):
        assert told(home.client.get(path)) == (403, "person_only")


# ---------------------------------------------------------------------- the identity provider


def test_whoever_joins_leaves_or_changes_does_so_at_the_identity_provider(
    cloud: Stack, home: TenantHandle, admin: PersonHandle
) -> None:
    """From signing up to working with nothing but what the provider issues, and back; `tenants-user-claims`."""
    account = Account(cloud)
    refused = account.caller().get("/v1/me")
    assert told(refused) == (403, "claims_missing")
    token = invited(admin, account.email, role="user")["token"]
    assert told(account.caller().post("/v1/invites/accept", {"token": token})) == (403, "email_not_verified")
    account.verify()
    assert account.caller().post("/v1/invites/accept", {"token": token}).status_code == 201
    assert cloud.wait_for(lambda: account.caller().get("/v1/me").ok, what="the claims arrive")
    path = f"/v1/users/{account.user_id}"
    assert admin.client.put(f"{path}/role", {"role": "manager"}).status_code == 200
    assert told(account.caller(refresh=False).get("/v1/me")) == (401, "credential_revoked")
    cloud.wait_for(lambda: account.refreshed() == "TOKEN_EXPIRED", what="the sessions end at the provider")
    cloud.wait_for(account.signs_in_and_works, what="a new sign-in counts")
    assert account.caller().get("/v1/me").json()["role"] == "manager"
    assert admin.client.delete(path).status_code == 204
    assert told(account.caller(refresh=False).get("/v1/me")) == (403, "user_unknown")
    cloud.wait_for(lambda: account.refreshed() == "TOKEN_EXPIRED", what="the sessions end at the provider")
    cloud.wait_for(account.signs_in_again, what="a new sign-in counts")
    assert told(account.caller().get("/v1/me")) == (403, "claims_missing")

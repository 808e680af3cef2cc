"""Companies over HTTP, on the local cloud."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.people import PersonHandle, member
from tests.stack import Stack, TenantHandle

GUIDELINES = {
    "voice": "Expert, warm, never loud.",
    "tone": ["clear", "Clear", "friendly"],
    "words_to_use": ["Sauerteig"],
    "words_to_avoid": ["billig"],
    "languages": ["de-AT", "en"],
    "colours": [{"name": "Nachtblau", "hex": "#10243E"}],
}


@pytest.fixture(scope="module")
def home(cloud: Stack) -> TenantHandle:
    """A tenant shared by the tests of this module; its tier is ``pro``."""
    made = cloud.tenant()
    changed = cloud.operator.patch(f"/v1/tenants/{made.tenant_id}", {"tier": "pro"}, headers={"If-Match": "*"})
    assert changed.status_code == 200, changed.text
    return made


@pytest.fixture(scope="module")
def manager(cloud: Stack, home: TenantHandle) -> PersonHandle:
    """Who looks after companies."""
    return member(cloud, home.tenant_id, "manager")


def made(manager: PersonHandle, **fields: Any) -> dict[str, Any]:
    """Create a company."""
    answer = manager.client.post("/v1/companies", {"name": "Bäckerei Müller", **fields})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def told(answer: requests.Response) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.json()["code"]


def test_a_company_is_made_with_its_brand_and_read_by_its_people(cloud: Stack, manager: PersonHandle) -> None:
    company = made(manager, domain="https://WWW.Bücher.example/shop", size="small", brand_guidelines=GUIDELINES)
    assert company["domain"] == "xn--bcher-kva.example"
    assert company["brand_guidelines"]["tone"] == ["clear", "friendly"]
    assert company["brand_guidelines"]["colours"] == [{"name": "Nachtblau", "hex": "#10243e"}]
    read = manager.client.get(f"/v1/companies/{company['company_id']}")
    assert read.json() == company
    tenant_id = manager.client.get("/v1/me").json()["tenant_id"]
    writer = member(cloud, tenant_id, "user", company_id=company["company_id"])
    mine = writer.client.get("/v1/me").json()["company"]
    assert mine["brand_guidelines"]["words_to_avoid"] == ["billig"]
    assert told(writer.client.get("/v1/companies")) == (403, "scope_missing")


def test_a_domain_is_one_companys_of_the_tenant(cloud: Stack, manager: PersonHandle) -> None:
    first = made(manager, domain="acme-bakery.example")
    second = made(manager)
    for body in ({"name": "x", "domain": "blog.Acme-Bakery.example."},):
        assert told(manager.client.post("/v1/companies", body)) == (409, "domain_taken")
    address = f"/v1/companies/{second['company_id']}"
    taken = manager.client.patch(address, {"domain": "acme-bakery.example"}, headers={"If-Match": "*"})
    assert told(taken) == (409, "domain_taken")
    freed = manager.client.patch(
        f"/v1/companies/{first['company_id']}", {"domain": None, "industry": "Bakeries"}, headers={"If-Match": "*"}
    )
    assert (freed.status_code, freed.json()["domain"], freed.json()["industry"]) == (200, None, "Bakeries")
    taken = manager.client.patch(address, {"domain": "acme-bakery.example"}, headers={"If-Match": "*"})
    assert taken.json()["domain"] == "acme-bakery.example"
    elsewhere = member(cloud, cloud.tenant().tenant_id, "manager")
    assert made(elsewhere, domain="acme-bakery.example")["domain"] == "acme-bakery.example"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"domain": "localhost"}, "/domain"),
        ({"domain": "co.uk"}, "/domain"),
        ({"domain": "192.0.2.7"}, "/domain"),
        ({"size": "huge"}, "/size"),
        ({"name": "\u0007"}, "/name"),
        ({"brand_guidelines": {"colours": [{"name": "x", "hex": "red"}]}}, "/brand_guidelines/colours/0/hex"),
        ({"brand_guidelines": {"logo_url": "http://example.com/x.svg"}}, "/brand_guidelines/logo_url"),
        ({"brand_guidelines": {"words_to_use": ["Best"], "words_to_avoid": ["best"]}}, "/brand_guidelines"),
        ({"brand_guidelines": {"slogan": "x"}}, "/brand_guidelines/slogan"),
        ({"api_limits": {"users": -1}}, "/api_limits/users"),
        ({"api_limits": {"users": 51}}, "/api_limits/users"),
    ],
)
def test_what_no_company_has_is_pointed_at(manager: PersonHandle, fields: dict[str, Any], pointer: str) -> None:
    refused = manager.client.post("/v1/companies", {"name": "Any", **fields})
    assert refused.status_code == 422, refused.text
    assert pointer in {error["pointer"] for error in refused.json()["errors"]}


def test_limits_stay_within_the_tenants(manager: PersonHandle) -> None:
    company = made(manager, api_limits={"users": 50, "keywords": 100_000})
    address = f"/v1/companies/{company['company_id']}"
    beyond = {"api_limits": {"keywords": 100_001, "content_pieces": 20_001}}
    refused = manager.client.patch(address, beyond, headers={"If-Match": "*"})
    assert told(refused) == (422, "limit_exceeds_quota")
    assert {error["pointer"] for error in refused.json()["errors"]} == {
        "/api_limits/keywords",
        "/api_limits/content_pieces",
    }
    assert told(manager.client.patch(address, {"name": "x"})) == (428, "if_match_required")
    assert manager.client.get(address).json()["api_limits"]["keywords"] == 100_000


def test_a_company_takes_no_more_people_than_its_limit(cloud: Stack, home: TenantHandle, manager: PersonHandle) -> None:
    company = made(manager, api_limits={"users": 1})["company_id"]
    first, second = (member(cloud, home.tenant_id, "user") for _ in range(2))
    body = {"company_id": company}
    taken = home.client.patch(f"/v1/users/{first.user_id}", body, headers={"If-Match": "*"})
    assert taken.json()["company_id"] == company
    refused = home.client.patch(f"/v1/users/{second.user_id}", body, headers={"If-Match": "*"})
    assert told(refused) == (422, "company_full")


def test_a_company_with_people_cannot_be_archived(cloud: Stack, home: TenantHandle, manager: PersonHandle) -> None:
    company = made(manager)["company_id"]
    person = member(cloud, home.tenant_id, "user", company_id=company)
    invite = manager.client.post("/v1/invites", {"email": "c@people.example", "company_id": company}).json()
    refused = manager.client.post(f"/v1/companies/{company}/archive")
    assert told(refused) == (409, "company_has_users")
    assert refused.json()["user_ids"] == [person.user_id]
    assert refused.json()["invite_ids"] == [invite["invite_id"]]
    moved = home.client.patch(f"/v1/users/{person.user_id}", {"company_id": None}, headers={"If-Match": "*"})
    assert moved.status_code == 200
    assert manager.client.delete(f"/v1/invites/{invite['invite_id']}").status_code == 204
    for _ in range(2):
        archived = manager.client.post(f"/v1/companies/{company}/archive")
        assert (archived.status_code, archived.json()["status"]) == (200, "archived"), archived.text
    for answer in (
        home.client.patch(f"/v1/users/{person.user_id}", {"company_id": company}, headers={"If-Match": "*"}),
        manager.client.post("/v1/invites", {"email": "d@people.example", "company_id": company}),
    ):
        assert told(answer) == (422, "company_archived")
    unknown = manager.client.post("/v1/invites", {"email": "d@people.example", "company_id": "nothing"})
    assert told(unknown) == (422, "company_not_found")
    listed = manager.client.get("/v1/companies", params={"status": "archived"}).json()["items"]
    assert company in {each["company_id"] for each in listed}
    restored = manager.client.post(f"/v1/companies/{company}/restore")
    assert (restored.json()["status"], restored.json()["archived_at"]) == ("active", None)
    invited = manager.client.post("/v1/invites", {"email": "d@people.example", "company_id": company})
    assert invited.status_code == 201

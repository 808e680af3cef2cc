"""People, companies, keys and flags of a tenant that another one attacks: two of each, marked where a text may be."""

from __future__ import annotations

from typing import Any

from tests.security.credentials import person
from tests.stack import Stack, TenantHandle


def settle_people(stack: Stack, tenant: TenantHandle, mark: str) -> dict[str, str]:
    """Let a tenant have two of everything that belongs to its administration; return one id of each."""

    def made(path: str, body: dict[str, Any], name: str) -> str:
        answer = tenant.client.post(path, body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()[name])

    companies = [made("/v1/companies", {"name": f"{mark} {number}"}, "company_id") for number in range(2)]
    people = [person(stack, tenant.tenant_id, "viewer", name=mark, company_id=companies[0]) for _ in range(2)]
    invites = [
        made("/v1/invites", {"email": f"{mark}-{number}@example.com", "name": mark}, "invite_id") for number in range(2)
    ]
    features = [made("/v1/features", {"name": f"{mark}_{number}"}, "feature_id") for number in range(2)]
    made("/v1/api-keys", {"name": mark}, "key_id")
    return {
        "company_id": companies[0],
        "user_id": people[0],
        "invite_id": invites[0],
        "feature_id": features[0],
    }

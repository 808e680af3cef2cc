"""The entity of API keys."""

from __future__ import annotations

from common.entity import Entity, Index, Personal
from common.tenants.keys.models import KeyDocument

API_KEYS = Entity(
    name="api_key",
    domain="tenants",
    model=KeyDocument,
    collection="api_keys",
    key="key_id",
    events={
        "created": "api-key-created",
        "updated": "api-key-updated",
        "updated:status=expired": "api-key-expired",
        "updated:status=revoked": "api-key-revoked",
        "deleted": "api-key-deleted",
    },
    indexes=(
        Index(fields=("tenant_id", "-created_at")),
        Index(fields=("tenant_id", "status", "-created_at")),
        Index(fields=("status", "expires_at")),
    ),
    unindexed=("name", "scopes"),
    personal=(Personal(field="created_by", kind="user_id", erasure="pseudonymise"),),
    impersonal={"name": "Name of a program that calls.", "replaced_by": "Id of the key that came after it."},
    readers=(),
    purpose="Lets the tenant's programs call the platform, and tells who let which of them do what.",
    kept={"*": "A key that was revoked or replaced stays so; another one is made."},
)

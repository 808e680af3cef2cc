"""The entities of linked accounts: what people see of one, and its tokens apart from it.

The tokens change every hour and are nobody's business; the account changes when people or providers do something. Apart
from one another the account's history, version and events speak of that alone, and reading accounts reads no tokens.
"""

from __future__ import annotations

from common.entity import Entity, Index, Personal, Unique
from common.tenants.accounts.models import Account, AccountToken

ACCOUNTS = Entity(
    name="account",
    domain="tenants",
    model=Account,
    collection="accounts",
    key="account_id",
    events={
        "created": "account-linked",
        "updated": "account-updated",
        "updated:status=active": "account-relinked",
        "updated:status=needs_reauth": "account-reauth-required",
        "deleted": "account-unlinked",
    },
    unique=(Unique(name="identity", fields=("provider", "provider_account_id"), code="linked_elsewhere"),),
    indexes=(
        Index(fields=("tenant_id", "-created_at")),
        Index(fields=("tenant_id", "user_id", "-created_at")),
        Index(fields=("tenant_id", "status", "-created_at")),
        Index(fields=("tenant_id", "user_id", "status", "-created_at")),
    ),
    unindexed=("scopes", "status_reason", "name"),
    personal=(
        Personal(field="user_id", kind="user_id", erasure="delete"),
        Personal(field="email", kind="email", erasure="delete"),
        Personal(field="name", kind="name", erasure="delete"),
        Personal(field="provider_account_id", kind="text", erasure="delete"),
    ),
    impersonal={"account_id": "Id that we gave to the link."},
    purpose="Which accounts elsewhere people let the tenant's functions use, and what for.",
    kept={"*": "A link is made and ended with the provider; what was linked once cannot be linked by setting it back."},
    readers=(),
)

ACCOUNT_TOKENS = Entity(
    name="account_token",
    domain="tenants",
    model=AccountToken,
    collection="account_tokens",
    key="account_id",
    events={},
    unindexed=("access_token", "refresh_token", "id_token"),
    personal=(
        Personal(field="user_id", kind="user_id", erasure="delete"),
        Personal(field="access_token", kind="text", erasure="delete"),
        Personal(field="refresh_token", kind="text", erasure="delete"),
        Personal(field="id_token", kind="text", erasure="delete"),
    ),
    impersonal={"account_id": "Id that we gave to the link."},
    purpose="The tokens by which the tenant's functions use a linked account, sealed under the tenant's key.",
    secret=("access_token", "refresh_token", "id_token"),
    audited="creations",
    kept={"*": "Tokens come from the provider alone."},
    readers=(),
)

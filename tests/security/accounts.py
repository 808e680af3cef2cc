"""Linked accounts of a tenant that another one attacks: with tokens that nobody may see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from common.context import Context, Principal
from common.identifiers import uuid7
from common.store import Work, transact
from common.tenants.accounts.calls import Tokens
from common.tenants.accounts.entities import ACCOUNT_TOKENS, ACCOUNTS
from common.tenants.accounts.models import Account
from common.tenants.accounts.sealing import sealed_tokens
from tests.stack import Stack


def settle_accounts(stack: Stack, tenant_id: str, user_id: str, mark: str) -> dict[str, str]:
    """Let a person have two accounts; return the id of one."""
    now = datetime.now(UTC)
    context = Context(
        function="tenants-account-callback",
        tenant_id=tenant_id,
        principal=Principal(kind="user", id=user_id, tenant_id=tenant_id),
        clients=stack.clients,
    )
    tokens = Tokens(
        access_token=f"access-{mark}",
        refresh_token=f"refresh-{mark}",
        id_token=f"id-{mark}",
        token_type="Bearer",
        scopes=[],
        expires_at=now + timedelta(hours=1),
    )
    accounts = [
        Account(
            account_id=str(uuid7()),
            user_id=user_id,
            provider="google",
            provider_account_id=f"{mark}-{number}",
            email=f"{mark}-{number}@example.com",
            name=mark,
            scopes=["openid"],
            status="active",
            created_at=now + timedelta(seconds=number),
            updated_at=now,
        )
        for number in range(2)
    ]

    def work(work: Work) -> None:
        for account in accounts:
            work.create(ACCOUNTS, account)
            work.create(ACCOUNT_TOKENS, sealed_tokens(work.context, account, tokens, None, now))

    transact(context, work)
    return {"account_id": accounts[0].account_id}

"""Tokens of an account as they are stored: each sealed for its own field of its own document."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from common.context import Context
from common.crypto import envelope
from common.tenants.accounts.calls import Tokens
from common.tenants.accounts.entities import ACCOUNT_TOKENS
from common.tenants.accounts.models import Account, AccountToken

Field = Literal["access_token", "refresh_token", "id_token"]


def sealed_tokens(
    context: Context, account: Account, tokens: Tokens, known: AccountToken | None, now: datetime
) -> AccountToken:
    """Return what is stored of a provider's tokens; what it did not give anew stays as it is known."""

    def sealed(field: Field, text: str | None) -> str | None:
        if text is None:
            return None if known is None else getattr(known, field)
        return envelope.seal(context, text.encode(), associated=place(account.account_id, field))

    return AccountToken(
        account_id=account.account_id,
        user_id=account.user_id,
        provider=account.provider,
        access_token=sealed("access_token", tokens.access_token),
        refresh_token=sealed("refresh_token", tokens.refresh_token),
        id_token=sealed("id_token", tokens.id_token),
        token_type=tokens.token_type,
        expires_at=tokens.expires_at,
        generation=1 if known is None else known.generation + 1,
        created_at=now if known is None else known.created_at,
        refreshed_at=now,
    )


def opened_token(context: Context, stored: AccountToken, field: Field) -> str | None:
    """Return a token in the clear, or None where there is none.

    Raises:
        SealBroken: It cannot be opened.
        Unavailable: The tenant's key cannot be had at the moment.
    """
    text: str | None = getattr(stored, field)
    if text is None:
        return None
    return envelope.opened(context, text, associated=place(stored.account_id, field)).decode()


def place(account_id: str, field: Field) -> str:
    """Return where a token belongs."""
    return envelope.place(ACCOUNT_TOKENS.name, account_id, field)

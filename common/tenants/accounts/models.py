"""Linked accounts of people, as they are asked for, stored and answered (document 003)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from common.model import Model, Timestamp

ProviderName = Literal["google", "microsoft"]
AccountStatus = Literal["active", "needs_reauth"]

Scope = Annotated[str, StringConstraints(pattern=r"^[!#-\[\]-~]{1,200}$", strip_whitespace=False)]
"""A scope as RFC 6749 writes it: no space, quotation mark or backslash."""


def _distinct(scopes: list[str]) -> list[str]:
    return list(dict.fromkeys(scopes))


class AccountLink(Model):
    """An account to be linked.

    Attributes:
        provider: Whose account.
        scopes: What is asked for besides the address and the name, in the provider's words.
        redirect: Where the browser goes in the end: an address on one of the deployment's allowed origins. It gets
            ``account_id`` or ``error`` as a parameter. Left out, the browser is shown the account as JSON.
    """

    provider: ProviderName = Field(examples=["google"])
    scopes: Annotated[list[Scope], Field(max_length=30), AfterValidator(_distinct)] = Field(
        default_factory=list, examples=[["https://www.googleapis.com/auth/gmail.readonly"]]
    )
    redirect: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = None


class AccountLinkStarted(Model):
    """Where to send the browser.

    Attributes:
        authorization_url: Address at the provider.
        state: The state in it; it serves once.
        expires_at: Until when the provider must have sent the browser back.
    """

    authorization_url: str
    state: str
    expires_at: Timestamp


class AccountCallbackQuery(Model):
    """What the provider sends with the browser; unlike elsewhere unknown parameters are ignored (RFC 6749, 4.1.2).

    Attributes:
        state: The state the link was begun with.
        code: The authorization code.
        error: Why there is none, such as ``access_denied``.
        iss: Who sends it (RFC 9207).
    """

    model_config = ConfigDict(extra="ignore")

    state: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        examples=["s3Fh1c0c0Yy0zq1mVb0m6m5lJ1oKZt7gq5v9yQmXw2A"]
    )
    code: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None
    error: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, examples=["access_denied"]
    )
    iss: Annotated[str, StringConstraints(max_length=500)] | None = None


class AccountListQuery(Model):
    """Which accounts to list; the newest first.

    Attributes:
        user_id: Whose; people see their own, administrators everybody's.
        status: Only accounts of this status.
        limit: Accounts a page.
        cursor: ``next_cursor`` of the page before.
    """

    user_id: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    status: AccountStatus | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=4096)


class Account(Model):
    """An account that a person has at a provider and lets the tenant's functions use.

    Attributes:
        account_id: Id.
        user_id: The person.
        provider: Whose account.
        provider_account_id: What the provider calls it; unique in the tenant.
        email: The address of the account, if the provider tells it.
        name: The name, if the provider tells it.
        scopes: What the person granted.
        status: ``needs_reauth`` where the provider does not take our token any more: link it again.
        status_reason: The provider's own word for why; None where it is active.
        created_at: When it was linked first.
        updated_at: When it was changed last.
    """

    account_id: str
    user_id: str
    provider: ProviderName
    provider_account_id: str
    email: str | None = None
    name: str | None = None
    scopes: list[str]
    status: AccountStatus
    status_reason: str | None = None
    created_at: Timestamp
    updated_at: Timestamp


class AccountToken(Model):
    """The tokens of an account, sealed; no operation answers with them.

    Attributes:
        account_id: The account.
        user_id: The person, so that an erasure finds it.
        provider: Whose tokens.
        access_token: Sealed; None once the provider refused to renew it.
        refresh_token: Sealed; None where there is none any more.
        id_token: Sealed; what the provider said when the account was linked last.
        token_type: How the access token is presented; ``Bearer``.
        expires_at: When the access token ends.
        generation: Counts the tokens that were stored: who stores the next ones knows whether others were faster.
        created_at: When the account was linked first.
        refreshed_at: When these tokens were stored.
    """

    account_id: str
    user_id: str
    provider: ProviderName
    access_token: str | None = Field(repr=False)
    refresh_token: str | None = Field(repr=False)
    id_token: str | None = Field(default=None, repr=False)
    token_type: str
    expires_at: Timestamp
    generation: int
    created_at: Timestamp
    refreshed_at: Timestamp

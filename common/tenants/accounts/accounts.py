"""Linked accounts: shown to their people, and unlinked, with the tokens given back to the provider.

A token is given back twice over. ``unlink`` asks the provider before it deletes anything, so that a link made right
after is not hit by a late revocation; and the deletion of the document with the tokens, whoever deletes it (a person,
an erasure, the end of a tenant), is itself the order to give them back, delivered until it worked (``given_back``).
"""

from __future__ import annotations

import dataclasses

from common.answers import Page, Record
from common.collection import Collection, Filter
from common.context import Context, Deadline
from common.deliveries import DocumentDelivery
from common.documents import TENANT_ID, decode
from common.errors import ConfigurationError, Forbidden, Refusal, SealBroken, Unavailable, XynergyError
from common.events import Envelope
from common.logs import logger
from common.store import Repository, Work, transact
from common.tenants.accounts import calls
from common.tenants.accounts.entities import ACCOUNT_TOKENS, ACCOUNTS
from common.tenants.accounts.models import Account, AccountListQuery, AccountToken
from common.tenants.accounts.providers import client_of
from common.tenants.accounts.sealing import opened_token

REVOKING = 5.0
"""Seconds that a person waits for the provider when an account is unlinked."""
AT_ONCE = 200


def get(context: Context, account_id: str) -> Record[Account]:
    """Return an account: one's own, or for administrators anybody's.

    Raises:
        NotFound: ``account_not_found``: none, another tenant's or another person's.
    """
    record = Repository(ACCOUNTS, context).get(account_id)
    _require_access(context, record.value)
    return record


def listed(context: Context, query: AccountListQuery) -> Page[Account]:
    """Return a page of accounts: one's own, or for administrators everybody's.

    Raises:
        Forbidden: ``not_your_accounts``: only administrators see those of others.
        BadRequest: ``invalid_cursor``.
    """
    user_id = query.user_id
    if context.principal.role != "admin":
        user_id = context.principal.id if user_id is None else user_id
        if context.principal.kind != "user" or user_id != context.principal.id:
            raise Forbidden("not_your_accounts", "Only administrators see the accounts of others.")
    filters: list[Filter] = [] if user_id is None else [("user_id", "==", user_id)]
    if query.status is not None:
        filters.append(("status", "==", query.status))
    return Repository(ACCOUNTS, context).page(filters, limit=query.limit, cursor=query.cursor)


def unlink(context: Context, account_id: str) -> None:
    """Give an account's tokens back and forget it, whatever the provider answers.

    Raises:
        NotFound: ``account_not_found``: as ``get``.
        Unavailable: Firestore does not answer.
    """
    record = Repository(ACCOUNTS, context).get(account_id)
    _require_access(context, record.value)
    _remove(context, account_id)


def remove_of_person(context: Context, envelope: Envelope) -> None:
    """Unlink the accounts of a person who left the tenant; harmless to repeat.

    Raises:
        Unavailable: Firestore does not answer; the event will be delivered again.
    """
    context = context.for_tenant(envelope.tenant_id)
    user_id = envelope.payload.document_id
    while found := Repository(ACCOUNTS, context).select([("user_id", "==", user_id)], limit=AT_ONCE):
        for record in found:
            _remove(context, record.value.account_id)


def given_back(context: Context, change: DocumentDelivery) -> None:
    """Give the tokens of a deleted document back to the provider.

    What cannot be opened any more (its tenant's key is destroyed) is given up: nobody can use it either. The same
    holds where this deployment is not registered with the provider any more.

    Raises:
        Unavailable: The provider does not answer; the change will be delivered again.
    """
    if change.before is None:
        return
    context = context.for_tenant(str(change.before.fields[TENANT_ID]))
    stored = decode(AccountToken, change.before.fields)
    try:
        _give_back(context, stored)
    except (SealBroken, Refusal, ConfigurationError) as error:
        why = getattr(error, "code", type(error).__name__)
        logger(context).warning("tokens cannot be given back", account_id=stored.account_id, why=why)


def _remove(context: Context, account_id: str) -> None:
    record = Repository(ACCOUNT_TOKENS, context).find(account_id)
    if record is not None:
        try:
            _give_back(context, record.value, patience=REVOKING)
        except XynergyError as error:
            logger(context).warning("tokens were not given back yet", account_id=account_id, why=type(error).__name__)

    def work(work: Work) -> None:
        account, tokens = work.find(ACCOUNTS, account_id), work.find(ACCOUNT_TOKENS, account_id)
        if account is not None:
            work.delete(ACCOUNTS, account)
        if tokens is not None:
            work.delete(ACCOUNT_TOKENS, tokens)

    transact(context, work, answers=False)


def _give_back(context: Context, stored: AccountToken, *, patience: float | None = None) -> None:
    """Revoke a refresh token, and with it the access tokens made of it; an access token where there is no other."""
    token = opened_token(context, stored, "refresh_token") or opened_token(context, stored, "access_token")
    if token is None:
        return
    if patience is not None:
        bounded = Deadline.after(min(patience, context.deadline.remaining))
        context = dataclasses.replace(context, deadline=bounded)
    client = client_of(context, stored.provider)
    if not calls.revoke(context, client, token):
        raise Unavailable(stored.provider, f"{stored.provider} does not take the token back")


def _require_access(context: Context, account: Account) -> None:
    own = context.principal.kind == "user" and context.principal.id == account.user_id
    if not own and context.principal.role != "admin":
        raise Collection(ACCOUNTS, context).missing(account.account_id)

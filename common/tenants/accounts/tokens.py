"""Access tokens of linked accounts, for whoever works in a person's name: renewed on demand, one at a time.

::

    token = tokens.access_token(context, account_id)
    headers = token.headers()

What can be lost where the provider rotates refresh tokens: it answers with a new one, and this process dies before it
is stored. Everything that could fail in between is done before the call (the tenant's key is at hand), and storing is
tried for half a minute whatever the request's own deadline says, so what remains is the death of the process within
some milliseconds. Neither declared provider loses anything then: Google does not rotate refresh tokens, and
Microsoft's old ones stay valid when new ones are given out. With a provider that takes each refresh token once, the
next refresh would be answered ``invalid_grant`` and the person asked to consent again; no client can prevent that.
"""

from __future__ import annotations

import dataclasses
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from common.context import Context, Deadline
from common.crypto import envelope
from common.errors import Conflict, NotFound, Refusal, Unavailable
from common.logs import logger
from common.people import find_person
from common.settings import Settings
from common.single_flight import SingleFlight
from common.store import Repository, Work, transact
from common.tenants.accounts import calls, leases
from common.tenants.accounts.calls import ProviderRefused, Tokens
from common.tenants.accounts.entities import ACCOUNT_TOKENS, ACCOUNTS
from common.tenants.accounts.models import Account, AccountToken
from common.tenants.accounts.providers import client_of
from common.tenants.accounts.sealing import opened_token, sealed_tokens

EARLY = timedelta(minutes=5)
"""A token that ends this soon is renewed before it is given out."""
USABLE = timedelta(seconds=30)
"""A token that lasts this long still does where it cannot be renewed at the moment."""
STORING = 30.0
"""Seconds for which storing new tokens is tried."""
LOOK_EVERY = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessToken:
    """A token to call the provider with.

    Attributes:
        text: The token.
        token_type: How it is presented.
        expires_at: When it ends.
        scopes: What it is good for.
    """

    text: str = field(repr=False)
    token_type: str
    expires_at: datetime
    scopes: tuple[str, ...]

    def headers(self) -> dict[str, str]:
        """Return the header field that a call carries."""
        return {"authorization": f"{self.token_type} {self.text}"}


def refreshes(_settings: Settings) -> SingleFlight[tuple[str, str], AccessToken]:
    """Build what keeps the threads of one process from refreshing twice (a factory for ``Clients.get``)."""
    return SingleFlight()


def access_token(context: Context, account_id: str, *, rejected: str | None = None) -> AccessToken:
    """Return an access token of an account of the context's tenant, renewed if it is about to end.

    Args:
        context: Its deadline bounds the waiting as well.
        account_id: The account.
        rejected: A token that the provider has just refused (401): another one is fetched although it has not ended.

    Raises:
        NotFound: ``account_not_found``.
        Conflict: ``needs_reauth``: the person has to link the account again; ``account_owner_inactive``.
        Unprocessable: ``provider_not_configured``: this deployment is not registered any more.
        Unavailable: The provider or Firestore does not answer in time; the tokens are as they were.
        SealBroken: The stored tokens cannot be opened.
    """
    account, stored = _read(context, account_id)
    usable = _usable(context, account, stored, EARLY, rejected)
    if usable is not None:
        return usable
    flights = context.clients.get(refreshes)
    try:
        return flights.run(
            (context.tenant_id, account_id),
            lambda: _renewed(context, account_id, rejected),
            patience=context.deadline.timeout(60, account.provider),
        )
    except (Unavailable, TimeoutError) as error:
        still = _usable(context, account, stored, USABLE, rejected)
        if still is not None:
            return still
        if isinstance(error, TimeoutError):
            raise Unavailable(account.provider, "another request renews the token and has not finished") from None
        raise


def _read(context: Context, account_id: str) -> tuple[Account, AccountToken]:
    """Return an account that may be used, with its tokens."""
    account = Repository(ACCOUNTS, context).get(account_id).value
    if account.status != "active":
        raise needs_reauth(account.provider)
    person = find_person(context.clients, account.user_id)
    if person is None or person.tenant_id != context.tenant_id or person.status != "active":
        raise Conflict("account_owner_inactive", "The person whose account it is may not work in the tenant now.")
    stored = Repository(ACCOUNT_TOKENS, context).find(account_id)
    if stored is None:
        raise NotFound("account_not_found", f"There is no account {account_id[:64]!r}.")
    return account, stored.value


def needs_reauth(provider: str) -> Conflict:
    """Return the refusal to use an account that the provider does not let us use any more."""
    return Conflict("needs_reauth", f"The person has to link the account at {provider} again.")


def _usable(
    context: Context, account: Account, stored: AccountToken, margin: timedelta, rejected: str | None
) -> AccessToken | None:
    """Return the stored token if it lasts for a while and was not rejected."""
    if stored.expires_at - datetime.now(UTC) < margin:
        return None
    text = opened_token(context, stored, "access_token")
    if text is None or text == rejected:
        return None
    return AccessToken(
        text=text, token_type=stored.token_type, expires_at=stored.expires_at, scopes=tuple(account.scopes)
    )


def _renewed(context: Context, account_id: str, rejected: str | None) -> AccessToken:
    """Renew under the lease, or wait for who holds it."""
    since = datetime.now(UTC)
    while True:
        lease = leases.take(context, account_id, since)
        if isinstance(lease, leases.Lease):
            return _under(context, lease, account_id, rejected)
        account, stored = _read(context, account_id)
        usable = _usable(context, account, stored, EARLY, rejected)
        if usable is not None:
            return usable
        if lease.failure is not None:
            raise Unavailable(account.provider, lease.failure)
        pause = LOOK_EVERY * random.uniform(0.5, 1.5)  # noqa: S311  # jitter, not a secret
        if context.deadline.timeout(pause + 0.1, account.provider) < pause:
            raise Unavailable(account.provider, "another instance renews the token and has not finished")
        time.sleep(pause)


def _under(context: Context, lease: leases.Lease, account_id: str, rejected: str | None) -> AccessToken:
    """Renew as the lease's holder, and tell those who wait if it failed."""
    failure: str | None = "the refresh did not end well"
    try:
        # Somebody else may have renewed between our first look and the lease.
        account, stored = _read(context, account_id)
        usable = _usable(context, account, stored, EARLY, rejected)
        token = usable if usable is not None else _asked(context, account, stored)
    except Unavailable as error:
        failure = error.detail
        raise
    except Refusal:
        failure = None  # the account itself tells those who wait
        raise
    else:
        failure = None
        return token
    finally:
        try:
            leases.give_back(_patient(context), lease, failure)
        except Unavailable:
            logger(context).warning("a lease was not given back; it ends by itself", account_id=account_id)


def _asked(context: Context, account: Account, stored: AccountToken) -> AccessToken:
    """Ask the provider and store what it gives."""
    client = client_of(context, account.provider)
    refresh_token = opened_token(context, stored, "refresh_token")
    if refresh_token is None:
        raise _ended(context, stored, "no_refresh_token")
    envelope.make_ready(context)
    try:
        tokens = calls.refresh(context, client, refresh_token)
    except ProviderRefused as error:
        raise _ended(context, stored, error.code) from None
    kept = _stored(_patient(context), account, stored, tokens)
    if kept is None:
        raise NotFound("account_not_found", "The account was unlinked meanwhile.")
    usable = _usable(context, account, kept, timedelta(0), None)
    if usable is None:
        raise Unavailable(account.provider, "the provider gave a token that has ended already")
    return usable


def _ended(context: Context, stored: AccountToken, code: str) -> Conflict:
    """Note that the person has to consent again, and return the refusal."""
    transact(_patient(context), lambda work: _refused(work, stored, code), answers=False)
    return needs_reauth(stored.provider)


def _patient(context: Context) -> Context:
    """Return the circumstances with time of their own: what the provider gave must be stored."""
    return dataclasses.replace(context, deadline=Deadline.after(STORING))


def _stored(context: Context, account: Account, seen: AccountToken, tokens: Tokens) -> AccountToken | None:
    """Store new tokens unless others came meanwhile, which then count; None where the account is gone."""

    def work(work: Work) -> AccountToken | None:
        record = work.find(ACCOUNT_TOKENS, account.account_id)
        if record is None or record.value.generation != seen.generation:
            return None if record is None else record.value
        value = sealed_tokens(work.context, account, tokens, record.value, datetime.now(UTC))
        return work.update(ACCOUNT_TOKENS, record, value)

    while True:
        try:
            return transact(context, work, answers=False)
        except Unavailable:
            if context.deadline.remaining < 1:
                raise
            time.sleep(LOOK_EVERY)


def _refused(work: Work, seen: AccountToken, code: str) -> None:
    """Note that the person has to consent again: once, and not where new tokens came meanwhile."""
    record = work.find(ACCOUNT_TOKENS, seen.account_id)
    account = work.find(ACCOUNTS, seen.account_id)
    if record is None or account is None or record.value.generation != seen.generation:
        return
    if account.value.status != "active":
        return
    now = datetime.now(UTC)
    changes = {"status": "needs_reauth", "status_reason": code, "updated_at": now}
    work.update(ACCOUNTS, account, account.value.model_copy(update=changes))
    # What the provider does not take any more is of use to nobody.
    gone = {"access_token": None, "refresh_token": None, "generation": seen.generation + 1, "refreshed_at": now}
    work.update(ACCOUNT_TOKENS, record, record.value.model_copy(update=gone))

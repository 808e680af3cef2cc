"""Linking an account: the person is sent to the provider, comes back with a code, and the code becomes tokens.

Authorization code flow with PKCE (RFC 7636, S256), state and nonce. The state alone says who comes back, because a
browser that a provider redirects carries no credential of ours; so nobody can finish a link for somebody else (the
state is secret, single and short-lived), or with a code that was stolen elsewhere (the verifier stays here). What it
cannot prevent is a person who is talked into consenting on the provider's page by a link that somebody else began: the
page names this product, and that is why it asks.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from common import quotas, security_events
from common.answers import Answer
from common.api_keys import tenant_state
from common.context import Context, Principal
from common.crypto import envelope
from common.errors import Conflict, FieldError, Forbidden, Refusal, Unavailable, Unprocessable
from common.identifiers import uuid7
from common.people import find_person
from common.store import Work, transact
from common.tenants.accounts import calls, states
from common.tenants.accounts.calls import ProviderRefused, Tokens
from common.tenants.accounts.entities import ACCOUNT_TOKENS, ACCOUNTS
from common.tenants.accounts.identity import Identity, identified
from common.tenants.accounts.models import (
    Account,
    AccountCallbackQuery,
    AccountLink,
    AccountLinkStarted,
    AccountToken,
)
from common.tenants.accounts.providers import Client, client_of
from common.tenants.accounts.sealing import sealed_tokens
from common.tenants.accounts.states import State
from common.tenants.people.users import require_person


def start(context: Context, body: AccountLink) -> Answer[AccountLinkStarted]:
    """Begin to link an account of the person who calls; also one that is linked and needs its consent again.

    Raises:
        Forbidden: ``person_only``.
        Unprocessable: ``provider_not_configured``, ``redirect_not_allowed``.
        Unavailable: Firestore or the tenant's key cannot be had at the moment.
    """
    require_person(context)
    client = client_of(context, body.provider)
    if body.redirect is not None:
        _check_redirect(context, body.redirect)
    scopes = list(dict.fromkeys([*client.provider.scopes, *body.scopes]))
    text, state, expires_at = states.begin(context, body.provider, scopes, body.redirect)
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.callback,
        "scope": " ".join(scopes),
        "state": text,
        "nonce": state.nonce,
        "code_challenge": states.challenge(state.verifier),
        "code_challenge_method": "S256",
        **client.provider.parameters,
    }
    address = f"{client.provider.authorization}?{urlencode(query)}"
    # The state opens the way back: it is not kept for repetitions of the request.
    return Answer(
        content=AccountLinkStarted(authorization_url=address, state=text, expires_at=expires_at),
        status=201,
        secret=True,
    )


def finish(context: Context, query: AccountCallbackQuery) -> Answer[Account]:
    """Take a person back from the provider; where the link named an address, the browser goes there (303).

    Raises:
        BadRequest: ``state_unknown``, ``state_expired``; ``code_missing`` where no address was named, and so on:
        Conflict: ``state_used``; ``linked_elsewhere``.
        Forbidden: ``access_denied``, ``link_not_allowed``, ``quota_exceeded``.
        Unprocessable: ``provider_error``, ``code_missing``, ``code_refused``, ``missing_scope``,
            ``offline_access_missing``, ``issuer_mismatch`` and what ``identified`` raises.
        Unavailable: The provider, Firestore or the tenant's key does not answer; begin again.
    """
    state = states.use(context, query.state)
    try:
        account = _finished(_as_the_person(context, state), state, query)
    except (Refusal, Unavailable) as error:
        if isinstance(error, Refusal) and error.audited:
            error.audited = state.tenant_id
        if state.redirect is None:
            raise
        if isinstance(error, Refusal) and error.audited:
            # The address takes the refusal on, so nobody else will record it.
            security_events.record_refusal(_as_the_person(context, state, checked=False), error, {}, stored=True)
        code = error.code if isinstance(error, Refusal) else "dependency_unavailable"
        return _sent_on(state.redirect, {"error": code})
    if state.redirect is not None:
        return _sent_on(state.redirect, {"account_id": account.account_id})
    return Answer(content=account)


def _finished(context: Context, state: State, query: AccountCallbackQuery) -> Account:
    client = client_of(context, state.provider)
    if query.iss is not None and query.iss not in client.provider.issuers and "{tid}" not in client.provider.issuers[0]:
        raise Unprocessable("issuer_mismatch", "Somebody else than the provider sends this.", audited=True)
    if query.error == "access_denied":
        raise Forbidden("access_denied", "The person did not consent.")
    if query.error is not None:
        word = query.error if calls.CODE.fullmatch(query.error) else "unknown"
        raise Unprocessable("provider_error", f"The provider refuses: {word}.", details={"provider_code": word})
    if query.code is None:
        raise Unprocessable("code_missing", "The provider sent neither a code nor an error.")
    # Before the code is used up: what it becomes must not be lost for want of a key.
    envelope.make_ready(context)
    try:
        tokens = calls.exchange(context, client, code=query.code, verifier=state.verifier)
    except ProviderRefused:
        raise Unprocessable("code_refused", "The provider does not take the code; begin again.", audited=True) from None
    identity = identified(context, client, tokens, state.nonce)
    granted = _granted(client, state, tokens)
    return transact(context, lambda work: _linked(work, state, identity, tokens, granted), answers=False)


def _granted(client: Client, state: State, tokens: Tokens) -> list[str]:
    granted = state.scopes if tokens.scopes is None else tokens.scopes
    missing = client.provider.missing(state.scopes, granted)
    if missing:
        detail = f"The person did not grant: {', '.join(missing)}."
        raise Unprocessable("missing_scope", detail, details={"missing": missing})
    return sorted(set(granted))


def _linked(work: Work, state: State, identity: Identity, tokens: Tokens, granted: list[str]) -> Account:
    """Store the account with its tokens: a new one, or the same person's anew."""
    now = datetime.now(UTC)
    filters = [("provider", "==", state.provider), ("provider_account_id", "==", identity.provider_account_id)]
    found = work.select(ACCOUNTS, filters, limit=1)
    shown = {"email": identity.email, "name": identity.name, "scopes": granted, "updated_at": now}
    if not found:
        if tokens.refresh_token is None:
            raise Unprocessable("offline_access_missing", "The provider gives access for an hour only.")
        quotas.check(work.context, "accounts", adding=1)
        account = Account(
            account_id=str(uuid7()),
            user_id=state.user_id,
            provider=state.provider,
            provider_account_id=identity.provider_account_id,
            status="active",
            created_at=now,
            **shown,
        )
        work.create(ACCOUNT_TOKENS, sealed_tokens(work.context, account, tokens, None, now))
        return work.create(ACCOUNTS, account)
    record = found[0]
    if record.value.user_id != state.user_id:
        raise Conflict("linked_elsewhere", "Another person of the tenant has linked this account.", audited=True)
    known = work.find(ACCOUNT_TOKENS, record.value.account_id)
    _store(work, record.value, tokens, None if known is None else known.value, now)
    relinked = record.value.model_copy(update={**shown, "status": "active", "status_reason": None})
    return work.update(ACCOUNTS, record, relinked)


def _store(work: Work, account: Account, tokens: Tokens, known: AccountToken | None, now: datetime) -> None:
    if tokens.refresh_token is None and (known is None or known.refresh_token is None):
        raise Unprocessable("offline_access_missing", "The provider gives access for an hour only.")
    value = sealed_tokens(work.context, account, tokens, known, now)
    record = work.find(ACCOUNT_TOKENS, account.account_id)
    if record is None:
        work.create(ACCOUNT_TOKENS, value)
    else:
        work.update(ACCOUNT_TOKENS, record, value)


def _as_the_person(context: Context, state: State, *, checked: bool = True) -> Context:
    """Return the circumstances of the person who began, if the person may still link.

    Raises:
        Forbidden: ``link_not_allowed``: the tenant or the person is not active any more.
        Unavailable: Firestore does not answer.
    """
    role = None
    if checked:
        person = find_person(context.clients, state.user_id)
        tenant = tenant_state(context.clients, state.tenant_id)
        working = tenant is not None and not tenant.rests and not tenant.is_leaving
        if person is None or person.tenant_id != state.tenant_id or person.status != "active" or not working:
            raise Forbidden("link_not_allowed", "The person or the tenant is not active any more.")
        role = person.role
    principal = Principal(kind="user", id=state.user_id, tenant_id=state.tenant_id, role=role)
    return dataclasses.replace(context.for_tenant(state.tenant_id), principal=principal)


def _check_redirect(context: Context, redirect: str) -> None:
    """Refuse an address beyond the allowed origins: whoever follows our redirect trusts us."""
    try:
        parts = urlsplit(redirect)
        origin = f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        origin = ""
    plain = redirect.isascii() and redirect.isprintable() and not set(' \\"<>') & set(redirect)
    if not plain or origin not in context.clients.settings.allowed_origins:
        message = "The address is on none of the deployment's allowed origins"
        error = FieldError(pointer="/redirect", code="redirect_not_allowed", message=message)
        raise Unprocessable("redirect_not_allowed", message, errors=[error])


def _sent_on(redirect: str, parameters: dict[str, str]) -> Answer[Account]:
    parts = urlsplit(redirect)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *parameters.items()])
    location = urlunsplit((parts.scheme, parts.netloc, parts.path or "/", query, parts.fragment))
    headers = {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Answer(content=None, status=303, headers=headers)  # type: ignore[arg-type]  # a redirect has no content

"""The API keys of a tenant: made, listed, renamed, rotated and revoked, by its admins and by platform operators.

A key belongs to the tenant, not to the person who made it: programs go on when people leave. So it does not end with
its maker, whose id it keeps; whoever lets somebody go looks through the keys they made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from common import key_use, quotas
from common.answers import Answer, Page
from common.api_keys import PREFIX_LENGTH, credentials_cache, generate_key, key_digest
from common.context import Context
from common.errors import Conflict, FieldError, Unprocessable
from common.identifiers import uuid7
from common.store import Repository, Work, transact
from common.tenants.entities import TENANTS
from common.tenants.keys import grants, last_use, records
from common.tenants.keys.entities import API_KEYS
from common.tenants.keys.models import (
    ApiKey,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyListQuery,
    ApiKeyRotate,
    ApiKeyUpdate,
    KeyDocument,
    KeyStatus,
)

LOOKS = 10
"""Reads that fill one page of a list; a page that they do not fill goes on at its cursor."""

STORED_AS: Mapping[KeyStatus, list[KeyStatus]] = {
    "active": ["active"],
    "expired": ["expired", "active"],  # a key that has just expired is still stored as active
    "revoked": ["revoked"],
}


def of_tenant(context: Context, tenant_id: str) -> Context:
    """Return an operator's context for the keys of a tenant.

    Raises:
        NotFound: ``tenant_not_found``.
    """
    Repository(TENANTS, context).get(tenant_id)
    return context.for_tenant(tenant_id)


def create(context: Context, body: ApiKeyCreate) -> Answer[ApiKeyCreated]:
    """Create a key of the context's tenant and return it, this one time.

    The answer is marked as secret: only the fact is stored under the request's ``Idempotency-Key``, because a stored
    answer would be the key in plain text, readable for a day by everybody who may read the database. Whoever repeats
    the request gets 409 ``idempotency_answer_not_stored`` with the key's ``Location``, and if the first answer was
    lost on its way, revokes that key and asks for another one.

    Raises:
        NotFound: ``tenant_not_found``.
        Unprocessable: ``scope_exceeds_role`` or ``expiry_past``.
        Forbidden: ``grant_exceeds_creator``, or ``quota_exceeded``.
    """
    scopes = grants.granted(context.principal, body)
    now = datetime.now(UTC)
    _check_expiry(body.expires_at, now)
    quotas.check(context, "api_keys", adding=1)
    key = generate_key()
    made = KeyDocument(
        key_id=str(uuid7()),
        tenant_id=context.tenant_id,
        name=body.name,
        role=body.role,
        scopes=scopes,
        prefix=key[:PREFIX_LENGTH],
        created_by=context.principal.id,
        created_at=now,
        updated_at=now,
        expires_at=body.expires_at,
    )

    def work(work: Work) -> Answer[ApiKeyCreated]:
        work.get(TENANTS, context.tenant_id)
        records.create(work, key_digest(key), made)
        return _shown_once(context, key, made)

    answer = transact(context, work)
    key_use.expect(context.clients, key_digest(key))
    return answer


def rotate(context: Context, key_id: str, body: ApiKeyRotate) -> Answer[ApiKeyCreated]:
    """Make a key that may do what an old one may, and let the old one expire after the overlap.

    Both are accepted meanwhile, so callers change over without a gap. An old key that would have expired earlier
    anyway keeps its own expiry. The answer is treated as that of ``create``. No quota is asked: the number of keys is
    the same when the overlap is over.

    Raises:
        NotFound: ``api_key_not_found``.
        Conflict: ``api_key_not_active``: the key is revoked or expired; ``api_key_rotated``: it was rotated already.
        Unprocessable: ``expiry_past``.
        Forbidden: ``grant_exceeds_creator``: the old key may do more than the caller.
    """
    now = datetime.now(UTC)
    _check_expiry(body.expires_at, now)
    key, new_id = generate_key(), str(uuid7())
    digests: list[str] = []

    def work(work: Work) -> Answer[ApiKeyCreated]:
        held = records.held(work, key_id)
        old = held.document
        _check_active(old, now)
        grants.check(context.principal, old.role, old.scopes)
        changes = {"key_id": new_id, "prefix": key[:PREFIX_LENGTH], "created_by": context.principal.id}
        times = {"created_at": now, "updated_at": now, "expires_at": body.expires_at or old.expires_at}
        new = old.model_copy(update={**changes, **times, "replaces": key_id, "replaced_by": None})
        last = now + timedelta(hours=body.overlap_hours)
        ending = {"expires_at": min(last, old.expires_at or last), "replaced_by": new_id, "updated_at": now}
        ended = old.model_copy(update=ending)
        records.save(work, held, ended.model_copy(update={"status": ended.status_at(now)}))
        records.create(work, key_digest(key), new)
        digests.append(held.digest)
        return _shown_once(context, key, new)

    answer = transact(context, work)
    context.clients.get(credentials_cache).keys.forget(digests[-1])
    key_use.expect(context.clients, key_digest(key))
    return answer


def listed(context: Context, query: ApiKeyListQuery) -> Page[ApiKey]:
    """Return a page of the keys of the context's tenant, newest first.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    now, cursor = datetime.now(UTC), query.cursor
    repository, found = Repository(API_KEYS, context), list[KeyDocument]()
    filters = [] if query.status is None else [("status", "in", STORED_AS[query.status])]
    for _ in range(LOOKS):
        page = repository.page(filters, ("-created_at",), limit=query.limit - len(found), cursor=cursor)
        found += [key for key in page.items if query.status in {None, key.status_at(now)}]
        cursor = page.next_cursor
        if cursor is None or len(found) == query.limit:
            break
    return Page(items=_with_use(context, found), next_cursor=cursor)


def get(context: Context, key_id: str) -> ApiKey:
    """Return a key.

    Raises:
        NotFound: ``api_key_not_found``.
    """
    [shown] = _with_use(context, [Repository(API_KEYS, context).get(key_id).value])
    return shown


def rename(context: Context, key_id: str, body: ApiKeyUpdate) -> ApiKey:
    """Change what people call a key.

    Raises:
        NotFound: ``api_key_not_found``.
    """

    def work(work: Work) -> ApiKey:
        held = records.held(work, key_id)
        used = last_use.of(context, [key_id])
        renamed = held.document
        if body.name not in {None, renamed.name}:
            renamed = renamed.model_copy(update={"name": body.name, "updated_at": datetime.now(UTC)})
        records.save(work, held, renamed)
        return ApiKey.shown(renamed, used.get(key_id))

    return transact(context, work)


def revoke(context: Context, key_id: str) -> None:
    """Revoke a key; a key that is revoked already stays as it is.

    It is refused at once by this process and within a minute by all others, and where Firestore cannot be asked, when
    five minutes have passed.

    Raises:
        NotFound: ``api_key_not_found``.
    """

    def work(work: Work) -> str:
        held = records.held(work, key_id)
        revoked = held.document
        if revoked.revoked_at is None:
            now = datetime.now(UTC)
            revoked = revoked.model_copy(update={"status": "revoked", "revoked_at": now, "updated_at": now})
        records.save(work, held, revoked)
        return held.digest

    digest = transact(context, work)
    context.clients.get(credentials_cache).keys.forget(digest)


def _with_use(context: Context, keys: list[KeyDocument]) -> list[ApiKey]:
    used = last_use.of(context, [key.key_id for key in keys])
    return [ApiKey.shown(key, used.get(key.key_id)) for key in keys]


def _check_expiry(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        message = "The key would have expired already"
        error = FieldError(pointer="/expires_at", code="expiry_past", message=message)
        raise Unprocessable("expiry_past", message, errors=[error])


def _check_active(key: KeyDocument, now: datetime) -> None:
    if key.replaced_by is not None:
        raise Conflict("api_key_rotated", f"The key was replaced already, by the key {key.replaced_by}")
    if key.status_at(now) != "active":
        raise Conflict("api_key_not_active", "The key is revoked or expired; create another one")


def _shown_once(context: Context, key: str, made: KeyDocument) -> Answer[ApiKeyCreated]:
    place = f"/v1/tenants/{made.tenant_id}" if context.principal.kind == "operator" else "/v1"
    return Answer(
        content=ApiKeyCreated(**ApiKey.shown(made).model_dump(), key=key),
        status=201,
        headers={"Location": f"{place}/api-keys/{made.key_id}"},
        secret=True,
    )

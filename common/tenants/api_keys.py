"""The API keys of a tenant: made, listed, rotated and revoked by platform operators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud.firestore_v1.base_query import FieldFilter

from common.answers import Answer, Page
from common.api_keys import (
    COLLECTION,
    PREFIX_LENGTH,
    StoredKey,
    credentials_cache,
    generate_key,
    key_digest,
    key_path,
)
from common.auth import ROLE_SCOPES, allows
from common.clients.firestore import firestore_client
from common.context import Context
from common.errors import Conflict, FieldError, NotFound, Unprocessable
from common.firestore_calls import bounded, translated
from common.identifiers import uuid7
from common.store import Repository, Work, transact
from common.tenants.entities import TENANTS
from common.tenants.models import ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyRotate


def create(context: Context, tenant_id: str, body: ApiKeyCreate) -> Answer[ApiKeyCreated]:
    """Create a key and return it, this one time.

    The answer is marked as secret: only the fact is stored under the request's ``Idempotency-Key``, because a stored
    answer would be the key in plain text, readable for a day by everybody who may read the database. Whoever repeats
    the request gets 409 ``idempotency_answer_not_stored`` with the key's ``Location``, and if the first answer was
    lost on its way, revokes that key and asks for another one.

    Raises:
        NotFound: ``tenant_not_found``.
        Unprocessable: ``scope_exceeds_role`` or ``expiry_past``.
    """
    scopes = _granted(body)
    now = datetime.now(UTC)
    _check_expiry(body.expires_at, now)
    key = generate_key()
    stored = StoredKey(
        key_id=str(uuid7()),
        tenant_id=tenant_id,
        name=body.name,
        scopes=tuple(scopes),
        role=body.role,
        prefix=key[:PREFIX_LENGTH],
        created_by=context.principal.id,
        created_at=now,
        expires_at=body.expires_at,
    )

    def work(work: Work) -> Answer[ApiKeyCreated]:
        work.get(TENANTS, tenant_id)
        _store(work, key, stored)
        return _shown_once(key, stored)

    return transact(context.for_tenant(tenant_id), work)


def rotate(context: Context, tenant_id: str, key_id: str, body: ApiKeyRotate) -> Answer[ApiKeyCreated]:
    """Make a key that may do what an old one may, and let the old one expire after the overlap.

    Both are accepted meanwhile, so callers change over without a gap. An old key that would have expired earlier
    anyway keeps its own expiry. The answer is treated as that of ``create``.

    Raises:
        NotFound: ``tenant_not_found`` or ``api_key_not_found``.
        Conflict: ``api_key_not_active``: the key is revoked or expired; ``api_key_rotated``: it was rotated already.
        Unprocessable: ``expiry_past``.
    """
    now = datetime.now(UTC)
    _check_expiry(body.expires_at, now)
    key, new_id = generate_key(), str(uuid7())

    digests: list[str] = []

    def work(work: Work) -> Answer[ApiKeyCreated]:
        work.get(TENANTS, tenant_id)
        snapshot = _found(work, context, tenant_id, key_id)
        old = StoredKey.model_validate(snapshot.to_dict())
        _check_active(old, now)
        stored = old.model_copy(
            update={
                "key_id": new_id,
                "prefix": key[:PREFIX_LENGTH],
                "created_by": context.principal.id,
                "created_at": now,
                "expires_at": body.expires_at or old.expires_at,
            }
        )
        last = now + timedelta(hours=body.overlap_hours)
        ending = {"expires_at": min(last, old.expires_at or last), "replaced_by": new_id}
        work.write(snapshot.reference.path, lambda batch: batch.update(snapshot.reference, ending))
        _store(work, key, stored)
        digests.append(str(snapshot.id))
        return _shown_once(key, stored)

    answer = transact(context.for_tenant(tenant_id), work)
    context.clients.get(credentials_cache).keys.forget(digests[-1])
    return answer


def listed(context: Context, tenant_id: str) -> Page[ApiKey]:
    """Return all keys of a tenant, newest first, the revoked ones included.

    Raises:
        NotFound: ``tenant_not_found``.
    """
    Repository(TENANTS, context).get(tenant_id)
    query = _keys_of(context, tenant_id)
    with translated():
        stored = [
            StoredKey.model_validate(snapshot.to_dict()) for snapshot in query.stream(**bounded(context.deadline))
        ]
    return Page(items=[ApiKey.shown(key) for key in sorted(stored, key=lambda key: key.key_id, reverse=True)])


def revoke(context: Context, tenant_id: str, key_id: str) -> None:
    """Revoke a key; a key that is revoked already stays as it is.

    It is refused at once by this process and within a minute by all others.

    Raises:
        NotFound: ``tenant_not_found`` or ``api_key_not_found``.
    """

    def work(work: Work) -> str:
        work.get(TENANTS, tenant_id)
        snapshot = _found(work, context, tenant_id, key_id)
        if snapshot.get("revoked_at") is None:
            revoked = {"revoked_at": datetime.now(UTC)}
            work.write(snapshot.reference.path, lambda batch: batch.update(snapshot.reference, revoked))
        return str(snapshot.id)

    digest = transact(context.for_tenant(tenant_id), work)
    context.clients.get(credentials_cache).keys.forget(digest)


def _granted(body: ApiKeyCreate) -> list[str]:
    """Return the scopes of the new key; a key can do no more than its role."""
    of_role = ROLE_SCOPES[body.role]
    if body.scopes is None:
        return sorted(of_role)
    for position, scope in enumerate(body.scopes):
        if not allows(of_role, scope):
            raise _invalid(f"/scopes/{position}", "scope_exceeds_role", f"The role {body.role} does not cover {scope}")
    return body.scopes


def _check_expiry(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise _invalid("/expires_at", "expiry_past", "The key would have expired already")


def _check_active(key: StoredKey, now: datetime) -> None:
    if key.replaced_by is not None:
        raise Conflict("api_key_rotated", f"The key was replaced already, by the key {key.replaced_by}")
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        raise Conflict("api_key_not_active", "The key is revoked or expired; create another one")


def _store(work: Work, key: str, stored: StoredKey) -> None:
    path = key_path(key_digest(key))
    reference = work.context.clients.get(firestore_client).document(path)
    document = {**stored.model_dump(), "scopes": list(stored.scopes)}
    work.write(path, lambda batch: batch.create(reference, document))


def _shown_once(key: str, stored: StoredKey) -> Answer[ApiKeyCreated]:
    return Answer(
        content=ApiKeyCreated(**ApiKey.shown(stored).model_dump(), key=key),
        status=201,
        headers={"Location": f"/v1/tenants/{stored.tenant_id}/api-keys/{stored.key_id}"},
        secret=True,
    )


def _found(work: Work, context: Context, tenant_id: str, key_id: str) -> Any:
    query = _keys_of(context, tenant_id).where(filter=FieldFilter("key_id", "==", key_id)).limit(1)
    with translated():
        found = list(query.stream(transaction=work.transaction.handle, **bounded(context.deadline)))
    if not found:
        raise NotFound("api_key_not_found", "The tenant has no such API key")
    return found[0]


def _keys_of(context: Context, tenant_id: str) -> Any:
    keys = context.clients.get(firestore_client).collection(COLLECTION)
    return keys.where(filter=FieldFilter("tenant_id", "==", tenant_id))


def _invalid(pointer: str, code: str, message: str) -> Unprocessable:
    return Unprocessable(code, message, errors=[FieldError(pointer=pointer, code=code, message=message)])

"""Rotation of tenants' keys without downtime: wrapped anew, a new version now and then, what is stored sealed anew.

Once in ``WRAPPED_EVERY`` each tenant's keys are wrapped under the newest version of the key-encryption key; once in
``NEW_EVERY`` a new version of the data key becomes current. The old versions stay and open what they sealed, so nothing
waits and readers need not know: a process that meets a version it does not know reads the keys again. What is stored
in fields that entities declare as secret is sealed anew in the same run; whatever is sealed elsewhere is so when its
owner next writes it (``envelope.renewed``). No step shows or logs anything in the clear.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from common import raw_documents, technical
from common.clients.firestore import firestore_client
from common.context import Context
from common.crypto import envelope
from common.crypto.keys import PEPPER, associated, key_memory, path_of, stored, wrap_new, wrapped_in
from common.crypto.wrapping import Wrapped, key_encryption
from common.firestore_calls import bounded, translated
from common.logs import logger
from common.model import Model
from common.registry import EntityRecord, entities
from common.store import Work, transact
from common.tasks import enqueue

WRAPPED_EVERY = timedelta(days=30)
NEW_EVERY = timedelta(days=90)
ROTATE = "platform-data-key-rotate"
AT_ONCE = 1000
"""Tenants one run of the schedule starts; the others follow the next day."""
PAGE = 100
PREFIX = f"{envelope.FORMAT}."


class RotationTask(Model):
    """Rotate the keys of the task's tenant.

    Attributes:
        day: The day it was asked for; names the task.
    """

    day: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotation:
    """What one rotation did.

    Attributes:
        current: Version that seals now.
        is_new: Whether it was made by this rotation.
        rewrapped: Keys that another version of the key-encryption key wraps now.
    """

    current: str
    is_new: bool
    rewrapped: int


def start_due(context: Context, now: datetime | None = None) -> int:
    """Make one task for every tenant whose keys were not wrapped anew for ``WRAPPED_EVERY``; return how many.

    A second run on the same day makes none again.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer; the next run goes on.
    """
    now = now or datetime.now(UTC)
    query = context.clients.get(firestore_client).collection(technical.DATA_KEYS.path)
    query = query.where(filter=FieldFilter("checked_at", "<", now - WRAPPED_EVERY)).order_by("checked_at")
    day, started = now.date().isoformat(), 0
    for snapshot in technical.selected(context, query.limit(AT_ONCE)):
        name = f"data-key-{snapshot.id}-{day}"
        enqueue(context.for_tenant(snapshot.id), ROTATE, RotationTask(day=day), name=name, dispatch_deadline=1800)
        started += 1
    return started


def rotate_tenant(context: Context, body: RotationTask) -> None:
    """Rotate the keys of the context's tenant and seal its stored secrets anew; harmless to repeat.

    Raises:
        SealBroken: A stored secret or wrapped key cannot be opened; the rest was done.
        Unavailable: KMS or Firestore does not answer; a repetition goes on.
    """
    rotation = rotate(context, context.tenant_id)
    if rotation is None:
        return
    renewed = sum(_renew(context, entity) for entity in entities().values() if entity.secret)
    logger(context).info(
        "data keys rotated",
        day=body.day,
        current=rotation.current,
        is_new=rotation.is_new,
        rewrapped=rotation.rewrapped,
        renewed=renewed,
    )


def rotate(context: Context, tenant_id: str, *, new_after: timedelta = NEW_EVERY) -> Rotation | None:
    """Wrap a tenant's keys anew, and make a new version of the data key where the current one is old enough.

    Of two rotations at once one makes the new version; the other finds it made.

    Args:
        context: Circumstances.
        tenant_id: Whose keys.
        new_after: Age of the current version from which on a new one is made.

    Returns:
        What was done; None where the tenant has no keys, or no more.
    """
    found = technical.read(context, path_of(tenant_id))
    if found is None or found[0].get("destroyed_at") is not None:
        return None
    seen, now = found[0], datetime.now(UTC)
    fresh = {name: _rewrapped(context, tenant_id, name, old) for name, old in wrapped_in(seen).items()}
    following = str(int(seen["current"]) + 1)
    new = wrap_new(context, tenant_id, following) if now - seen["rotated_at"] >= new_after else None

    def change(document: dict[str, Any] | None) -> tuple[dict[str, Any] | None, Rotation | None]:
        if document is None or document.get("destroyed_at") is not None:
            return None, None
        return _rotated(document, seen, fresh, new, now)

    rotation = technical.changed(context, path_of(tenant_id), change)
    context.clients.get(key_memory).forget(tenant_id)
    return rotation


def _rotated(
    document: Mapping[str, Any],
    seen: Mapping[str, Any],
    fresh: Mapping[str, Wrapped],
    new: Wrapped | None,
    now: datetime,
) -> tuple[dict[str, Any], Rotation]:
    """Return the document with its keys wrapped anew, as far as nobody else has done so meanwhile."""
    before = wrapped_in(seen)
    entries: dict[str, Any] = {**document["keys"], PEPPER: document[PEPPER]}
    rewrapped = 0
    for name, entry in entries.items():
        known = before.get(name)
        if known is not None and entry["wrapped"] == known.text:
            entries[name] = stored(fresh[name], entry["created_at"])
            rewrapped += fresh[name].by != known.by
    current, is_new = document["current"], new is not None and document["current"] == seen["current"]
    if new is not None and is_new:
        current = str(int(current) + 1)
        entries[current] = stored(new, now)
    pepper = entries.pop(PEPPER)
    rotated_at = now if is_new else document["rotated_at"]
    fields = {"current": current, "keys": entries, PEPPER: pepper, "rotated_at": rotated_at, "checked_at": now}
    return {**document, **fields}, Rotation(current=current, is_new=is_new, rewrapped=rewrapped)


def _rewrapped(context: Context, tenant_id: str, version: str, old: Wrapped) -> Wrapped:
    port, place = context.clients.get(key_encryption), associated(tenant_id, version)
    return port.wrap(context, port.unwrap(context, old, place), place)


def _renew(context: Context, entity: EntityRecord) -> int:
    """Seal the secrets of an entity anew that an older key sealed; return how many documents changed."""
    return sum(_renew_document(context, entity, document_id) for document_id in _sealed(context, entity))


def _sealed(context: Context, entity: EntityRecord) -> Iterator[str]:
    """Yield the ids of documents with a secret that another key than the current one sealed."""
    query = raw_documents.query(context, entity).order_by("__name__").limit(PAGE)
    after: firestore.DocumentSnapshot | None = None
    while True:
        asked = query if after is None else query.start_after(after)
        with translated():
            found = list(asked.stream(**bounded(context.deadline)))
        for snapshot in found:
            if any(not envelope.is_current(context, text) for text in _secrets(entity, snapshot.to_dict()).values()):
                yield snapshot.id
        if len(found) < PAGE:
            return
        after = found[-1]


def _renew_document(context: Context, entity: EntityRecord, document_id: str) -> bool:
    def work(work: Work) -> bool:
        for snapshot in raw_documents.read(work, entity, [document_id]):
            changes = {}
            for name, text in _secrets(entity, snapshot.to_dict()).items():
                place = envelope.place(entity.name, document_id, name)
                renewed = envelope.renewed(context, text, associated=place)
                if renewed != text:
                    changes[name] = renewed
            if changes:
                raw_documents.update(work, entity, snapshot, changes)
                return True
        return False

    return transact(context, work, answers=False)


def _secrets(entity: EntityRecord, fields: Mapping[str, Any]) -> dict[str, str]:
    values = {name: fields.get(name) for name in entity.secret}
    return {name: value for name, value in values.items() if isinstance(value, str) and value.startswith(PREFIX)}

"""Writing entries: whoever appends to a trail, from an event or by itself, does it here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import get_args

from common.clients.firestore import firestore_client
from common.context import Context
from common.errors import Conflict
from common.platform.audit.entities import AUDIT_ENTRIES
from common.platform.audit.models import ActorKind, AuditEntry, FieldChange
from common.store import Work, transact
from common.technical import AUDIT_UNSEALED


def text_of(changes: Iterable[FieldChange]) -> str:
    """Return changes as an entry stores them."""
    shapes = [each.model_dump(mode="json", exclude_defaults=True) for each in changes]
    return json.dumps(shapes, ensure_ascii=False, separators=(",", ":"))


def actor_of(actor: str | None) -> tuple[ActorKind, str | None]:
    """Return kind and id of who acted, from ``kind:id`` as writers leave it."""
    kind, _, name = (actor or "").partition(":")
    if kind not in get_args(ActorKind) or not name:
        return "unknown", actor
    return kind, name  # type: ignore[return-value]  # one of the literals


def append(context: Context, entry: AuditEntry) -> bool:
    """Write an entry and its pointer; tell whether it was new.

    Raises:
        Unavailable: Firestore does not answer.
    """
    try:
        transact(context, lambda work: add(work, entry), answers=False)
    except Conflict:
        return False
    return True


def add(work: Work, entry: AuditEntry) -> None:
    """Write an entry and its pointer within a transaction."""
    work.create(AUDIT_ENTRIES, entry)
    path = f"{AUDIT_UNSEALED.path}/{entry.entry_id}"
    reference = work.context.clients.get(firestore_client).document(path)
    pointer = {"tenant_id": entry.tenant_id, "entry_id": str(entry.entry_id), "at": entry.at}
    work.write(path, lambda batch: batch.set(reference, pointer))

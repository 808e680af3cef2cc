"""Recording security events: what the audit trail tells of besides changes of documents.

A refused request changes nothing and therefore leaves no trace in the change feed; nor does reading. Where either
matters (the last administrator leaving, an export of the audit trail) a ``security_event`` is written, which the feed
carries into the audit trail like any other document. What operators do that concerns no tenant goes to the platform's
own trail. Where none can be written, because a caller from outside belongs to no tenant, the function has no permission
or Firestore is away, a log line with ``audit=true`` says the same.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from google.api_core import exceptions

from common import logs
from common.clients.firestore import firestore_client
from common.context import PLATFORM_TENANT, TENANT_ID, Context
from common.documents import META, SCHEMA_VERSION, encode, meta_of
from common.errors import Refusal, XynergyError
from common.firestore_calls import bounded, translated
from common.identifiers import derived_uuid, uuid7
from common.security.entities import SECURITY_EVENTS
from common.security.models import Outcome, SecurityEvent
from common.settings import Settings

LIFETIME = timedelta(days=90)
"""The audit trail has the event within seconds and keeps it longer."""
ONCE_IN = timedelta(minutes=10)
LONGEST = 500
"""Characters of a subject's id or of a text among the details that are kept."""
MOST = 20
"""Subjects and details that are kept."""


def record(
    context: Context,
    code: str,
    *,
    outcome: Outcome = "done",
    subjects: Mapping[str, object] | None = None,
    details: Mapping[str, Any] | None = None,
    status: int | None = None,
    stored: bool = True,
) -> None:
    """Record that something happened; never raises, since what is recorded has happened already.

    Args:
        context: Circumstances, with the tenant whose audit trail it belongs to.
        code: Stable snake_case name of what happened.
        outcome: ``refused``, ``done`` or ``found``.
        subjects: Which things it was about: name of the id (``key_id``) to the id.
        details: Further facts (numbers, flags, short texts); never a body, a secret or content.
        status: HTTP status of a refusal.
        stored: False where the function may not write Firestore.
    """
    event = _event(context, code, outcome, dict(subjects or {}), dict(details or {}), status)
    nobody = context.tenant_id == PLATFORM_TENANT and context.principal.kind in {"anonymous", "user", "key"}
    if stored and not nobody and _stored(context, event):
        return
    fields = event.model_dump(mode="json", exclude={"expires_at", "tenant_id", "function", "request_id"})
    logs.logger(context).warning(f"security event: {code}", audit=True, **fields)


def record_once(
    context: Context,
    code: str,
    *,
    subjects: Mapping[str, object] | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Record that something was done, the same thing by the same principal at most once in ten minutes.

    For reading what is sensitive: a page that asks every few seconds would otherwise fill the trail with itself.

    Args:
        context: Circumstances, with the tenant.
        code: As for ``record``.
        subjects: As for ``record``.
        details: As for ``record``.
    """
    event = _event(context, code, "done", dict(subjects or {}), dict(details or {}), None)
    period = int(event.at.timestamp() // ONCE_IN.total_seconds())
    same = [code, context.tenant_id, event.actor_kind, event.actor_id, event.subjects, event.subject_ids, event.details]
    key = f"{json.dumps(same, sort_keys=True)}@{period}"
    if not context.clients.get(recently_recorded).first(key):
        return
    _stored(context, event.model_copy(update={"event_id": derived_uuid("security_event", key)}))


class Recorded:
    """What one process recorded lately; saves writes, and is not relied on."""

    def __init__(self, size: int = 1000) -> None:
        self._known: dict[str, None] = {}
        self._size = size
        self._lock = threading.Lock()

    def first(self, key: str) -> bool:
        """Tell whether a key comes for the first time."""
        with self._lock:
            if key in self._known:
                return False
            if len(self._known) >= self._size:
                self._known.clear()
            self._known[key] = None
            return True


def recently_recorded(_settings: Settings) -> Recorded:
    """Build the memory of one process (a factory for ``Clients.get``)."""
    return Recorded()


def record_refusal(context: Context, refusal: Refusal, subjects: Mapping[str, object], *, stored: bool) -> None:
    """Record a refusal that asked for it (``audited``).

    It belongs to the tenant of the request; to the tenant that the refusal names where the caller had none yet; to the
    tenant in the path where an operator called.

    Args:
        context: Circumstances of the request.
        refusal: What was raised.
        subjects: Values of the path's parameters.
        stored: Whether the function may write Firestore.
    """
    tenant_id = refusal.audited if isinstance(refusal.audited, str) else subjects.get("tenant_id")
    if context.tenant_id == PLATFORM_TENANT and isinstance(tenant_id, str) and TENANT_ID.fullmatch(tenant_id):
        context = context.for_tenant(tenant_id)
    details = {"detail": refusal.detail}
    record(
        context,
        refusal.code,
        outcome="refused",
        subjects=subjects,
        details=details,
        status=refusal.status,
        stored=stored,
    )


def _event(
    context: Context,
    code: str,
    outcome: Outcome,
    subjects: dict[str, object],
    details: dict[str, Any],
    status: int | None,
) -> SecurityEvent:
    now = datetime.now(UTC)
    named = list(subjects.items())[:MOST]
    return SecurityEvent(
        event_id=uuid7(),
        tenant_id=context.tenant_id,
        code=code,
        outcome=outcome,
        function=context.function,
        status=status,
        actor_kind=context.principal.kind,
        actor_id=context.principal.id,
        subjects=[name for name, _ in named],
        subject_ids=[str(value)[:LONGEST] for _, value in named],
        request_id=context.request_id,
        details={name: _short(value) for name, value in list(details.items())[:MOST]},
        at=now,
        expires_at=now + LIFETIME,
    )


def _short(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | None) else str(value)[:LONGEST]


def _stored(context: Context, event: SecurityEvent) -> bool:
    """Write the event; tell whether it is there."""
    # One document that nothing else depends on needs no transaction, and every function no repository for it.
    place = f"{SECURITY_EVENTS.collection}/{event.event_id}"
    stamp = {SCHEMA_VERSION: SECURITY_EVENTS.schema_version, META: meta_of(context)}
    try:
        with translated():
            reference = context.clients.get(firestore_client).document(place)
            reference.create({**encode(event), **stamp}, **bounded(context.deadline))
    except exceptions.AlreadyExists:
        return True  # another process recorded the same, or the answer to an earlier try was lost
    except XynergyError as error:
        # The caller's own answer must not change.
        logs.logger(context).error(f"a security event was not stored: {error}", code=event.code)
        return False
    return True

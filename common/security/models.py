"""What happened to the security of a tenant without changing a document: refusals and looks at what is sensitive."""

from __future__ import annotations

import uuid
from typing import Any, Literal

from pydantic import Field

from common.model import Model, Timestamp

Outcome = Literal["refused", "done", "found"]


class SecurityEvent(Model):
    """A security event as it is stored; the audit trail keeps it after the document has expired.

    Attributes:
        event_id: Id, ordered by time.
        tenant_id: Whose trail it belongs to.
        code: Stable snake_case name: the code of the refusal, or what was done (``audit_exported``).
        outcome: ``refused``, ``done``, or ``found`` where the platform noticed something by itself.
        function: The function in which it happened.
        status: HTTP status of a refusal; None otherwise.
        actor_kind: Kind of the principal, such as ``key``, ``user`` or ``operator``.
        actor_id: Id of the principal.
        subjects: What the ids in ``subject_ids`` are of, in the same order: ``key_id``, ``user_id``.
        subject_ids: Which things it was about.
        request_id: The request.
        details: Further facts; never a body, a secret or content.
        at: When.
        expires_at: When Firestore may delete the document.
    """

    event_id: uuid.UUID
    tenant_id: str
    code: str
    outcome: Outcome
    function: str
    status: int | None = None
    actor_kind: str
    actor_id: str
    subjects: list[str] = Field(default_factory=list)
    subject_ids: list[str] = Field(default_factory=list)
    request_id: str
    details: dict[str, Any] = Field(default_factory=dict)
    at: Timestamp
    expires_at: Timestamp

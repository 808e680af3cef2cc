"""What a trigger delivers, parsed: messages, document changes, scheduled runs and tasks, as typed values.

``triggers`` makes these from the raw requests; services take them as arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageDelivery:
    """One delivery of a Pub/Sub message.

    Attributes:
        data: The bytes published; may be empty.
        attributes: Attributes as published, without the metadata Pub/Sub adds to headers.
        message_id: Pub/Sub's id; equal for every delivery of one publication.
        publish_time: When Pub/Sub took the message.
        ordering_key: Empty if none.
        subscription: Full name of the subscription.
        delivery_attempt: 1 for the first; None where the subscription has no dead-letter policy.
    """

    data: bytes
    attributes: Mapping[str, str]
    message_id: str
    publish_time: datetime | None = None
    ordering_key: str = ""
    subscription: str = ""
    delivery_attempt: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentVersion:
    """A Firestore document as it stood before or after a change.

    Attributes:
        fields: Python values: None, bool, int, float, datetime (aware), str, bytes, list, dict; references and
            geographic points as ``{"reference": path}`` and ``{"latitude": ..., "longitude": ...}``.
        create_time: When the document was created.
        update_time: When this version was written.
    """

    fields: Mapping[str, Any]
    create_time: datetime
    update_time: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentDelivery:
    """One delivery of a document change (Eventarc, ``google.cloud.firestore.document.v1.*``).

    Attributes:
        path: Document path relative to the database, such as ``keywords/0190...``.
        parameters: Values of the pattern's wildcards.
        before: The old version; None for a creation.
        after: The new version; None for a deletion.
        event_id: Id of the CloudEvent; equal for every delivery of one change.
        time: Time of the CloudEvent.
        database: Database id.
    """

    path: str
    parameters: Mapping[str, str]
    before: DocumentVersion | None
    after: DocumentVersion | None
    event_id: str
    time: datetime
    database: str = "(default)"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduledRun:
    """One run of a schedule.

    Attributes:
        job: Name of the job.
        scheduled_time: The time the run stands for; the moment of arrival where it was started by hand.
        forced: Whether it was started by hand.
    """

    job: str
    scheduled_time: datetime
    forced: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskDelivery:
    """One attempt at a task of Cloud Tasks.

    Attributes:
        queue: Short name of the queue.
        task: Short name of the task.
        retry_count: Attempts before this one that got an answer or timed out.
        execution_count: Attempts before this one that got an answer.
        scheduled_time: When the attempt was due.
        previous_response: Status of the attempt before, if there was one.
        headers: Remaining ``X-CloudTasks-*`` headers.
    """

    queue: str
    task: str
    retry_count: int
    execution_count: int = 0
    scheduled_time: datetime | None = None
    previous_response: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

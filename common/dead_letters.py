"""Dead letters: deliveries that could not be processed, kept with their bytes and the reason, and replayed on demand.

Two ways lead here. A message that failed as often as its subscription allows goes to the subscription's dead-letter
topic, whose only consumer stores it (``store``). A delivery that can never be processed is set aside at once
(``set_aside``), so that it does not block the others.

A replay sends a domain event to its topic again with the attribute ``replay_for``: every subscription filters
``NOT attributes:replay_for OR attributes.replay_for = "<function>"``, so only the function that failed gets it again.
Any other delivery (a message that is no event, a document change, a task, a run of a schedule) is posted to the
function again by Cloud Tasks: an unwrapped push passes attributes as headers, and HTTP servers drop names with an
underscore, so the attributes that filters look at cannot be restored. Consumers tolerate duplicates, so a replay of
something that was processed after all is harmless.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from google.cloud import firestore
from pydantic import Field

from common import objects
from common.answers import Page
from common.clients.firestore import firestore_client
from common.context import PLATFORM_TENANT, Context
from common.deliveries import MessageDelivery
from common.errors import Conflict, NotFound
from common.identifiers import digest
from common.model import Model, Timestamp
from common.pagination import open_cursor, query_fingerprint, sign_cursor
from common.propagation import DEAD_LETTER
from common.publish import SOURCE_TOPIC, publish
from common.tasks import MAX_BODY, enqueue, post_later
from common.technical import DEAD_LETTERS, changed, read, selected

Kind = Literal["message", "document", "task", "schedule"]
Status = Literal["pending", "replayed"]

MAX_INLINE = 900_000
"""Bytes kept in the document; larger ones go to Cloud Storage."""

KEPT_FOR = timedelta(days=90)
REPLAY_FOR = "replay_for"
REPLAY_OF = "replay-of"
"""Attribute with the dead letter's id; spelt so that it survives as an HTTP header."""

QUEUE = "platform-dead-letter-redeliver"
"""Queue from which deliveries are posted again; it belongs to the function that replays one dead letter."""

SOURCE = "cloudpubsubdeadlettersource"
"""Prefix, in lower case, of the attributes that Pub/Sub adds to a message it gives up."""

METADATA = "x-goog-pubsub-"

LETTER_ID = re.compile(r"[0-9a-f]{64}")
NOT_REPEATED = frozenset(
    {
        "authorization",
        "host",
        "content-length",
        "user-agent",
        "connection",
        "accept-encoding",
        "transfer-encoding",
        "te",
    }
)
"""Headers of the way, not of the delivery."""

NOT_REPEATED_PREFIXES = ("x-cloudtasks-", "x-forwarded", "x-appengine", "x-google-", "x-serverless", "x-envoy")


class DeadLetter(Model):
    """A delivery that could not be processed.

    Attributes:
        id: Id; equal for every failure of the same delivery.
        kind: What was delivered.
        function: The function that failed.
        status: ``pending``, or ``replayed`` since it was last sent again.
        code: Stable reason: ``attempts_exhausted`` or the code of the poison.
        reason: A sentence for a person.
        message_id: Id of the delivery.
        tenant_id: Whose it is, if it tells.
        topic: Topic that a message came from.
        subscription: Subscription that gave it up.
        attributes: Attributes of a message, headers of any other delivery.
        size: Bytes of content.
        attempts: Deliveries that failed.
        failures: How often it ended here.
        first_at: When it first ended here.
        last_at: When it last did.
        replayed_at: When it was last sent again.
        replays: How often it was sent again.
    """

    id: str
    kind: Kind
    function: str
    status: Status
    code: str
    reason: str
    message_id: str
    tenant_id: str | None = None
    topic: str | None = None
    subscription: str | None = None
    ordering_key: str = ""
    attributes: dict[str, str]
    size: int
    attempts: int
    failures: int = 1
    first_at: Timestamp
    last_at: Timestamp
    replayed_at: Timestamp | None = None
    replays: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """What is known of a delivery that failed now.

    Attributes:
        event: Whether it is a domain event, which says itself where it came from.
        raw: Whether ``data`` and ``attributes`` are the body and the headers of the request, not of the message in it.
    """

    kind: Kind
    message_id: str
    data: bytes
    attributes: Mapping[str, str]
    topic: str | None = None
    subscription: str = ""
    ordering_key: str = ""
    attempts: int = 1
    event: bool = False
    raw: bool = True


def store(context: Context, message: MessageDelivery) -> str:
    """Keep a message that arrived from a dead-letter topic; return the dead letter's id."""
    attributes = _named(message.attributes)
    source = attributes.get(f"{SOURCE}subscription", "")
    # The subscription to a dead-letter topic is named "<this function>.<the function that failed>".
    function = source or message.subscription.rpartition("/")[2].rpartition(".")[2]
    attempts = attributes.get(f"{SOURCE}deliverycount", "")
    own = {name: value for name, value in attributes.items() if not name.startswith(SOURCE)}
    found = _message(message.data, own, message.message_id)
    found = replace(
        found,
        subscription=function,
        ordering_key=message.ordering_key,
        attempts=int(attempts) if attempts.isdecimal() else 1,
    )
    reason = f"{function} did not process it in {found.attempts} attempts."
    return _keep(context, function, found, "attempts_exhausted", reason)


def set_aside(context: Context, delivery: MessageDelivery, code: str, reason: str) -> str:
    """Keep a delivery that can never be processed; return the dead letter's id.

    Args:
        context: Circumstances of the delivery.
        delivery: The request as it arrived: body and headers, without secrets.
        code: Stable reason.
        reason: A sentence for a person.
    """
    headers = {name.lower(): value for name, value in delivery.attributes.items()}
    return _keep(context, context.function, _recognised(headers, delivery.data), code, reason)


def _recognised(headers: Mapping[str, str], data: bytes) -> _Found:
    """Return what kind of delivery a request was, with an id that is equal for every delivery of it."""
    if "ce-id" in headers and "firestore" in headers.get("ce-type", ""):
        return _Found(kind="document", message_id=headers["ce-id"], data=data, attributes=headers)
    if METADATA + "message-id" in headers:
        sent = {name: value for name, value in headers.items() if _repeated(name) and not name.startswith(METADATA)}
        found = _message(data, _named(sent), headers[METADATA + "message-id"])
        return replace(
            found,
            attributes=found.attributes if found.event else headers,
            raw=not found.event,
            subscription=headers.get(METADATA + "subscription-name", "").rpartition("/")[2],
            ordering_key=headers.get(METADATA + "ordering-key", ""),
        )
    if "x-cloudtasks-taskname" in headers:
        retries = headers.get("x-cloudtasks-taskretrycount", "")
        attempts = 1 + (int(retries) if retries.isdecimal() else 0)
        name = headers["x-cloudtasks-taskname"]
        return _Found(kind="task", message_id=name, data=data, attributes=headers, attempts=attempts)
    if "x-cloudscheduler-jobname" in headers or "x-cloudscheduler" in headers:
        run = headers.get("x-cloudscheduler-jobname", ""), headers.get("x-cloudscheduler-scheduletime", "")
        return _Found(kind="schedule", message_id="@".join(run), data=data, attributes=headers)
    return _pushed(headers, data)


def _pushed(headers: Mapping[str, str], data: bytes) -> _Found:
    """Return the message in a wrapped push; a request that cannot be read is kept as it came."""
    try:
        body = json.loads(data)
        message = body["message"]
        attributes = {str(name): str(value) for name, value in (message.get("attributes") or {}).items()}
        content = base64.b64decode(message.get("data") or "", validate=True)
        found = _message(content, attributes, str(message.get("messageId") or message["message_id"]))
        return replace(
            found,
            subscription=str(body.get("subscription", "")).rpartition("/")[2],
            ordering_key=str(message.get("orderingKey", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return _Found(kind="message", message_id=digest(data.hex()), data=data, attributes=headers)


def _message(data: bytes, attributes: Mapping[str, str], message_id: str) -> _Found:
    """Return a message with what can be told of it: a domain event says the most in its data."""
    event = _event(data)
    attributes = {**attributes, **event}
    service = event.get("source_service")
    return _Found(
        kind="message",
        message_id=event.get("event_id", message_id),
        data=data,
        attributes=attributes,
        topic=f"{service}-events" if service else attributes.get(SOURCE_TOPIC),
        event="event_type" in event and service is not None,
        raw=False,
    )


def _event(data: bytes) -> dict[str, str]:
    """Return what the envelope of a domain event says of itself; nothing for other messages."""
    try:
        envelope = json.loads(data)
        said = {**envelope, "entity": (envelope.get("payload") or {}).get("entity")}
        names = ("event_type", "event_id", "tenant_id", "source_service", "schema_version", "entity")
        return {name: str(said[name]) for name in names if isinstance(said.get(name), str | int)}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _named(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return attributes under our snake_case names: a push that passes them as headers spells them otherwise."""
    kept = ("ce-", "content-", REPLAY_OF, SOURCE_TOPIC)
    return {
        name.lower() if name.lower().startswith(kept) else name.lower().replace("-", "_"): value
        for name, value in attributes.items()
    }


def _repeated(header: str) -> bool:
    return header not in NOT_REPEATED and not header.startswith(NOT_REPEATED_PREFIXES)


def _keep(context: Context, function: str, found: _Found, code: str, reason: str) -> str:
    replayed = found.attributes.get(REPLAY_OF) or found.attributes.get(DEAD_LETTER.lower()) or ""
    letter_id = replayed if LETTER_ID.fullmatch(replayed) else digest(function, found.message_id)
    inline = len(found.data) <= MAX_INLINE
    if not inline:
        _keep_apart(_platform(context), letter_id, found.data)
    now = datetime.now(UTC)
    delivery: dict[str, Any] = {
        "kind": found.kind,
        "function": function,
        "message_id": found.message_id,
        "tenant_id": found.attributes.get("tenant_id"),
        "topic": found.topic,
        "subscription": found.subscription or None,
        "event": found.event,
        "raw": found.raw,
        "ordering_key": found.ordering_key,
        "attributes": _bounded_attributes(found.attributes),
        "data": found.data if inline else None,
        "size": len(found.data),
        "attempts": found.attempts,
        "failures": 0,
        "replays": 0,
        "first_at": now,
    }
    failure = {
        "status": "pending",
        "code": code,
        "reason": reason[:2000],
        "last_at": now,
        "expires_at": now + KEPT_FOR,
    }

    def change(before: dict[str, Any] | None) -> tuple[dict[str, Any], None]:
        # A failed replay arrives by another way; what is known of the delivery itself is what came first.
        known = delivery if before is None else before
        attempts = max(known["attempts"], found.attempts)
        return {**known, **failure, "attempts": attempts, "failures": known["failures"] + 1}, None

    changed(context, _path(letter_id), change)
    return letter_id


def _keep_apart(context: Context, letter_id: str, data: bytes) -> None:
    """Keep bytes in Cloud Storage, unless those of an earlier failure are there."""
    bucket = context.clients.settings.report_bucket
    if not objects.exists(context, bucket, _object(letter_id)):
        objects.write(context, bucket, _object(letter_id), data, "application/octet-stream")


def _bounded_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return attributes that fit a document beside the data."""
    return {name: value[:1024] for name, value in list(attributes.items())[:100] if name}


def kept_apart(context: Context, letter_id: str) -> bytes | None:
    """Return the bytes of a dead letter that were too large for its document, or None."""
    return objects.read(_platform(context), context.clients.settings.report_bucket, _object(letter_id))


def forget_apart(context: Context, letter_id: str) -> None:
    """Delete the bytes that were kept apart from a dead letter's document, if there are any."""
    objects.delete(_platform(context), context.clients.settings.report_bucket, _object(letter_id))


def _platform(context: Context) -> Context:
    """Return the context of the platform's own files; their prefix is the platform's."""
    return replace(context, tenant_id=PLATFORM_TENANT)


def _object(letter_id: str) -> str:
    return f"dead-letters/{letter_id}"


def _path(letter_id: str) -> str:
    return f"{DEAD_LETTERS.path}/{letter_id}"


# ---------------------------------------------------------------------- for operators


class DeadLetterQuery(Model):
    """Query of the list of dead letters.

    Attributes:
        function: Only those of this function.
        status: Only ``pending`` or ``replayed`` ones.
        limit: Dead letters a page.
        cursor: ``next_cursor`` of the page before.
    """

    function: str | None = Field(default=None, max_length=128)
    status: Status | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=4096)


class ReplayRequest(Model):
    """Which dead letters to send again.

    Attributes:
        function: Those of this function.
        limit: At most so many.
    """

    function: str = Field(max_length=128)
    limit: int = Field(default=100, ge=1, le=500)


class ReplayAnswer(Model):
    """What is sent again.

    Attributes:
        scheduled: Ids; each is replayed by a task of its own within seconds.
        more: Whether more of them are pending.
    """

    scheduled: list[str]
    more: bool


class ReplayTask(Model):
    """Body of the task that replays one dead letter."""

    dead_letter_id: str


def _letter(letter_id: str, fields: Mapping[str, Any]) -> DeadLetter:
    known = {name: value for name, value in fields.items() if name in DeadLetter.model_fields}
    return DeadLetter.model_validate({**known, "id": letter_id})


def _query(context: Context, function: str | None, status: Status | None) -> firestore.Query:
    query = context.clients.get(firestore_client).collection(DEAD_LETTERS.path)
    for name, value in (("function", function), ("status", status)):
        if value is not None:
            query = query.where(filter=firestore.FieldFilter(name, "==", value))
    return query


def list_dead_letters(context: Context, asked: DeadLetterQuery) -> Page[DeadLetter]:
    """Return dead letters, the latest failure first.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    settings = context.clients.settings
    filters = [("function", "==", asked.function), ("status", "==", asked.status)]
    fingerprint = query_fingerprint(PLATFORM_TENANT, "dead_letter", filters, ("-last_at",))
    query = _query(context, asked.function, asked.status)
    for name in ("last_at", "__name__"):
        query = query.order_by(name, direction=firestore.Query.DESCENDING)
    if asked.cursor is not None:
        last_at, letter_id = open_cursor(settings, asked.cursor, fingerprint)
        query = query.start_after({"last_at": last_at, "__name__": letter_id})
    snapshots = selected(context, query.limit(asked.limit + 1))
    following = None
    if len(snapshots) > asked.limit:
        last = snapshots[asked.limit - 1]
        following = sign_cursor(settings, [last.get("last_at"), last.id], fingerprint)
    items = [_letter(snapshot.id, snapshot.to_dict()) for snapshot in snapshots[: asked.limit]]
    return Page(items=items, next_cursor=following)


def replay(context: Context, letter_id: str) -> DeadLetter:
    """Send a dead letter to the function that failed, again; once more is harmless.

    Raises:
        NotFound: ``dead_letter_not_found``.
        Conflict: ``not_replayable``: it is too large for a task, or its bytes are gone.
    """
    found = read(context, _path(letter_id)) if LETTER_ID.fullmatch(letter_id) else None
    if found is None:
        raise NotFound("dead_letter_not_found", f"There is no dead letter {letter_id[:64]!r}.")
    fields = found[0]
    data = fields["data"]
    if data is None:
        data = objects.read(_platform(context), context.clients.settings.report_bucket, _object(letter_id))
    if data is None:
        raise Conflict("not_replayable", "The bytes of this dead letter are gone.")
    if fields["event"]:
        attributes = {**fields["attributes"], REPLAY_FOR: fields["function"], REPLAY_OF: letter_id}
        timeout = context.deadline.timeout(10, "pubsub")
        publish(context.clients, fields["topic"], data, attributes, fields["ordering_key"], timeout=timeout)
    elif fields["raw"]:
        _post(context, letter_id, fields, data, fields["attributes"])
    else:
        body = _push_body(letter_id, fields, data)
        _post(context, letter_id, fields, body, {"content-type": "application/json"})

    def mark(before: dict[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
        after = {**(before or fields), "replayed_at": datetime.now(UTC)}
        after["replays"] = after["replays"] + 1
        if after["failures"] == fields["failures"]:  # or else the replay has failed already
            after["status"] = "replayed"
        return after, after

    return _letter(letter_id, changed(context, _path(letter_id), mark))


def _push_body(letter_id: str, fields: Mapping[str, Any], data: bytes) -> bytes:
    """Return a message as a push subscription delivers it."""
    message = {
        "data": base64.b64encode(data).decode(),
        "attributes": {**fields["attributes"], REPLAY_OF: letter_id},
        "messageId": fields["message_id"],
        "orderingKey": fields["ordering_key"],
    }
    return json.dumps({"message": message, "subscription": fields["subscription"] or ""}).encode()


def _post(context: Context, letter_id: str, fields: Mapping[str, Any], data: bytes, headers: Mapping[str, str]) -> None:
    """Post a delivery to its function by a task, as its invoker."""
    if len(data) > MAX_BODY:
        raise Conflict("not_replayable", f"{len(data)} bytes are more than a task takes ({MAX_BODY}).")
    repeated = {name: value for name, value in headers.items() if _repeated(name)}
    queue = fields["function"] if fields["kind"] == "task" else QUEUE
    name = f"{letter_id}-{fields['replays']}"
    repeated[DEAD_LETTER.lower()] = letter_id
    post_later(context, fields["function"], data, headers=repeated, queue=queue, name=name)


def replay_many(context: Context, asked: ReplayRequest) -> ReplayAnswer:
    """Schedule the replay of the pending dead letters of a function, at most ``limit`` of them.

    Asking again before they are sent schedules nothing twice.
    """
    snapshots = selected(context, _query(context, asked.function, "pending").limit(asked.limit + 1))
    scheduled = [snapshot.id for snapshot in snapshots[: asked.limit]]
    for snapshot in snapshots[: asked.limit]:
        name = f"{snapshot.id}-{snapshot.get('replays')}-scheduled"
        enqueue(context, QUEUE, ReplayTask(dead_letter_id=snapshot.id), name=name)
    return ReplayAnswer(scheduled=scheduled, more=len(snapshots) > asked.limit)


def replay_one(context: Context, task: ReplayTask) -> None:
    """Replay a dead letter on behalf of ``replay_many``; one that cannot be replayed stays pending."""
    try:
        replay(context, task.dead_letter_id)
    except (Conflict, NotFound):
        return

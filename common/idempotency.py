"""Idempotency keys: a request that is sent again gets the answer of the first time, and its work is done once.

The record of a key is written in the same Firestore transaction as the work (``common.store.transact``), so a crash
between the two cannot happen. It is *created*, never read first: of two requests with one key, the second commit fails
as a whole and is answered with what the first one stored. A lease in Redis only saves the loser the effort; without
Redis the transaction decides.

What a record holds of the answer:

* status, headers and body, up to ``MAX_BODY`` bytes. The entity tag of an answer made by ``write_record`` is not known
  before the commit; it is derived from the update time of the record itself, which the same commit sets.
* nothing but the fact for an answer that holds a secret (``Answer(secret=True)``), is larger than that, was lost in a
  crash before it was known, or named a person who was erased since: a repetition is refused with 409
  ``idempotency_answer_not_stored`` and the ``Location`` of what was made, if one is known. The work is not done again.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from google.api_core import exceptions

from common.answers import Answer, Page, Record
from common.clients.firestore import firestore_client
from common.context import Context
from common.errors import Conflict, Unprocessable
from common.firestore_calls import bounded, translated
from common.identifiers import digest
from common.model import Model
from common.redis_access import RedisDown, with_redis

COLLECTION = "system/idempotency/records"
LIFETIME = timedelta(hours=24)
MAX_BODY = 900_000
"""Bytes; a Firestore document holds 1 MiB."""

UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Update time of a record whose commit is yet to come."""

RELEASE_LEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"

Withheld = Literal["", "secret", "too_large", "lost", "erased"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredAnswer:
    """An HTTP answer as it is sent and stored.

    Attributes:
        status: HTTP status.
        body: Bytes of the body.
        headers: Headers that belong to the answer: ``Content-Type``, ``ETag``, ``Location``, ``Link``.
        secret: The answer must not be stored.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: bool = False


Render = Callable[[object], StoredAnswer]
"""Turns what a handler returns into the answer, with the operation's declared status."""


class Answered(Conflict):
    """Another request with the same key was faster: its answer is this request's answer.

    The HTTP trigger answers ``answer``; whoever does not know this class refuses with 409, which is also true.

    Attributes:
        answer: What the other request answered.
    """

    def __init__(self, answer: StoredAnswer) -> None:
        super().__init__(
            "idempotency_in_progress",
            "A request with this Idempotency-Key was just carried out; send it again for its answer.",
            headers={"Retry-After": "1"},
        )
        self.answer = answer


class Claim:
    """The claim of one request to one idempotency key; made by ``open_claim``.

    Attributes:
        path: Path of the record.
        recorded: Whether this request has stored an answer.
    """

    def __init__(self, context: Context, key: str, fingerprint: str, render: Render) -> None:
        principal = f"{context.principal.kind}:{context.principal.id}"
        self.path = f"{COLLECTION}/{digest(context.tenant_id, principal, context.function, key)}"
        self.recorded: StoredAnswer | None = None
        self._context = context
        self._fingerprint = fingerprint
        self._render = render
        self._nonce = secrets.token_hex(16)
        self._client = context.clients.get(firestore_client)
        self._expired: datetime | None = None
        self._staged: StoredAnswer | None = None
        self._etag_of_commit = False

    def replay(self) -> StoredAnswer | None:
        """Return the answer stored under the key, or None when the work is to be done now.

        Raises:
            Conflict: ``idempotency_in_progress`` while another request works under the key;
                ``idempotency_answer_not_stored`` where the work was done and its answer could not be kept.
            Unprocessable: ``idempotency_key_reused`` with another request.
        """
        answer = self.found()
        if answer is None:
            self._take_lease()
        return answer

    def found(self) -> StoredAnswer | None:
        """Read the record; see ``replay``."""
        with translated():
            snapshot = self._client.document(self.path).get(**bounded(self._context.deadline))
        if not snapshot.exists:
            self._expired = None
            return None
        record = snapshot.to_dict()
        if record["expires_at"] <= datetime.now(UTC):
            self._expired = snapshot.update_time
            return None
        if record["nonce"] == self._nonce:
            return None
        return self._answer_of(record, snapshot.update_time)

    def _answer_of(self, record: Mapping[str, Any], update_time: datetime) -> StoredAnswer:
        if record["fingerprint"] != self._fingerprint:
            raise Unprocessable(
                "idempotency_key_reused", "This Idempotency-Key was used with another request; use a new key."
            )
        headers = dict(record["headers"])
        if record["withheld"]:
            location = {"Location": headers["Location"]} if "Location" in headers else {}
            raise Conflict(
                "idempotency_answer_not_stored",
                "The request was carried out; its answer was not kept and cannot be repeated.",
                headers=location,
                details={"reason": record["withheld"], "answered_status": record["status"]},
            )
        if record["etag_of_commit"]:
            headers["ETag"] = Record(value=Model(), update_time=update_time).etag
        return StoredAnswer(status=record["status"], body=record["body"], headers=headers)

    # ------------------------------------------------------------------ in the transaction of the work

    def stage(self, result: object) -> Callable[[Any], None]:
        """Return the write that stores the answer ``result`` together with the work.

        A record of ``UNKNOWN_TIME`` takes its entity tag from the commit. A result that is no answer (a number, a
        tuple) stores the fact alone, until ``settle`` knows the answer.
        """
        content = result.content if isinstance(result, Answer) else result
        etag_of_commit = isinstance(content, Record) and content.update_time == UNKNOWN_TIME
        self._etag_of_commit = etag_of_commit
        if content is None or isinstance(content, Model | Record | Page):
            answer = self._render(result)
            if etag_of_commit:
                answer = replace(answer, headers=_without_etag(answer.headers))
            self._staged = answer
            fields = self._fields(answer, etag_of_commit=etag_of_commit)
        else:
            self._staged = None
            fields = self._fields(StoredAnswer(status=200), withheld="lost")
        return self._write(fields)

    def landed(self) -> datetime | None:
        """Return the commit time if the record of this very request is stored: its work was committed."""
        with translated():
            snapshot = self._client.document(self.path).get(**bounded(self._context.deadline))
        if snapshot.exists and snapshot.get("nonce") == self._nonce:
            return snapshot.update_time  # type: ignore[no-any-return]
        return None

    def committed(self, commit_time: datetime) -> None:
        """Take note that the staged answer is stored."""
        answer = self._staged or StoredAnswer(status=0)
        if self._etag_of_commit:
            etag = Record(value=Model(), update_time=commit_time).etag
            answer = replace(answer, headers={**answer.headers, "ETag": etag})
        self.recorded = answer

    # ------------------------------------------------------------------ after the work

    def settle(self, answer: StoredAnswer) -> None:
        """Store the answer that is sent, unless the transaction stored the same one already.

        Where another request of the same key was faster, its record stays.
        """
        if self.recorded is None or not _equal(self.recorded, answer):
            write = self._write(self._fields(answer), replacing=self.recorded is not None)
            batch = self._client.batch()
            write(batch)
            try:
                with translated():
                    batch.commit(**bounded(self._context.deadline))
            except (exceptions.AlreadyExists, exceptions.FailedPrecondition):
                pass
            self.recorded = answer
        self.release()

    def release(self) -> None:
        """Give up the lease, so that the request can be sent again at once."""
        try:
            with_redis(self._context.clients, lambda client: client.eval(RELEASE_LEASE, 1, self._lease, self._nonce))
        except RedisDown:
            return  # it expires by itself

    @property
    def _lease(self) -> str:
        return f"idempotency:{self._context.tenant_id}:{self.path.rpartition('/')[2]}"

    def _take_lease(self) -> None:
        seconds = max(1, round(self._context.deadline.remaining) + 1)
        try:
            taken = with_redis(
                self._context.clients, lambda client: client.set(self._lease, self._nonce, nx=True, ex=seconds)
            )
        except RedisDown:
            return  # the transaction decides
        if not taken:
            raise Conflict(
                "idempotency_in_progress",
                "A request with this Idempotency-Key is being carried out.",
                headers={"Retry-After": "1"},
            )

    def _fields(self, answer: StoredAnswer, *, etag_of_commit: bool = False, withheld: Withheld = "") -> dict[str, Any]:
        now = datetime.now(UTC)
        if answer.secret:
            withheld = "secret"
        elif len(answer.body) + len(json.dumps(dict(answer.headers))) > MAX_BODY:
            withheld = "too_large"
        headers = {name: value for name, value in answer.headers.items() if not withheld or name == "Location"}
        return {
            "tenant_id": self._context.tenant_id,
            "function": self._context.function,
            "fingerprint": self._fingerprint,
            "nonce": self._nonce,
            "status": answer.status,
            "body": b"" if withheld else answer.body,
            "headers": headers,
            "etag_of_commit": etag_of_commit,
            "withheld": withheld,
            "created_at": now,
            "expires_at": now + LIFETIME,
        }

    def _write(self, fields: dict[str, Any], *, replacing: bool = False) -> Callable[[Any], None]:
        reference = self._client.document(self.path)
        if replacing:
            return lambda batch: batch.set(reference, fields)
        if self._expired is not None:
            option = self._client.write_option(last_update_time=self._expired)
            return lambda batch: batch.update(reference, fields, option=option)
        return lambda batch: batch.create(reference, fields)


def _without_etag(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "etag"}


def _equal(one: StoredAnswer, other: StoredAnswer) -> bool:
    return (one.status, one.body, dict(one.headers), one.secret) == (
        other.status,
        other.body,
        dict(other.headers),
        other.secret,
    )


def open_claim(context: Context, key: str, fingerprint: str, render: Render) -> Claim:
    """Open the claim of a request to its ``Idempotency-Key``.

    Keys are scoped by tenant, principal and function.

    Args:
        context: Circumstances of the request.
        key: The header's value.
        fingerprint: Digest of what the request asks for; the same key with another one is refused.
        render: Turns what the handler returns into the answer.
    """
    return Claim(context, key, fingerprint, render)

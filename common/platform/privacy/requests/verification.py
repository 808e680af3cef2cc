"""Finding out whether a request comes from the person it is about: a code that only they can have received.

The platform sends no e-mail. The tenant asks for a code, sends it to the address it has known before the request, and
gives back what the person answers. Twelve characters of an alphabet without look-alikes are 60 bits; the request keeps
only a keyed digest of them, five wrong ones end a code, and a request gets ten codes at most.
"""

from __future__ import annotations

import hmac
import secrets
import uuid
from datetime import UTC, datetime, timedelta

from common.answers import Answer, Record
from common.context import Context
from common.crypto import digests
from common.errors import Conflict, FieldError, Gone, Refusal, Unprocessable
from common.platform.privacy.requests.entities import PRIVACY_REQUESTS
from common.platform.privacy.requests.models import (
    CodeGiven,
    PrivacyRequest,
    StoredRequest,
    Verification,
    VerificationCode,
)
from common.platform.privacy.requests.service import require_open
from common.store import Work, transact, write_record

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Crockford's idea: nothing that looks like something else; 32 characters, five bits each."""
LENGTH = 12
LIFETIME = timedelta(hours=72)
MOST_ATTEMPTS = 5
MOST_CODES = 10
PURPOSE = "privacy-verification"


def issue(context: Context, request_id: uuid.UUID, now: datetime | None = None) -> Answer[VerificationCode]:
    """Make a code, shown once; a code that stands out from before is void.

    Raises:
        NotFound: ``privacy_request_not_found``.
        Conflict: ``privacy_request_closed``, ``already_verified``, ``too_many_codes``.
        Unavailable: The tenant's key cannot be had now.
    """
    now = now or datetime.now(UTC)
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    digest = _digest(context, request_id, code)

    def work(work: Work) -> Answer[VerificationCode]:
        record = work.get_for_update(PRIVACY_REQUESTS, str(request_id))
        issued = _issued(record.value)
        made = Verification(digest=digest, expires_at=now + LIFETIME, issued=issued + 1)
        work.update(PRIVACY_REQUESTS, record, record.value.model_copy(update={"verification": made, "updated_at": now}))
        shown = "-".join(code[start : start + 4] for start in range(0, LENGTH, 4))
        return Answer(content=VerificationCode(code=shown, expires_at=made.expires_at), status=201, secret=True)

    return transact(context, work)


def verify(
    context: Context, request_id: uuid.UUID, body: CodeGiven, now: datetime | None = None
) -> Record[PrivacyRequest]:
    """Check what the person gave back; wrong attempts are counted even though they are refused.

    Raises:
        NotFound: ``privacy_request_not_found``.
        Conflict: ``privacy_request_closed``, ``already_verified``, ``no_code``, ``too_many_attempts`` (audited).
        Gone: ``expired``.
        Unprocessable: ``code_wrong``, with the attempts that are left.
        Unavailable: The tenant's key cannot be had now.
    """
    now = now or datetime.now(UTC)
    given = _digest(context, request_id, "".join(body.code.upper().replace("-", " ").split()))
    _count_wrong(context, request_id, given, now)

    def work(work: Work) -> PrivacyRequest:
        record = work.get(PRIVACY_REQUESTS, str(request_id))
        request = record.value
        refused = _refusal(request, given, now)
        if refused is not None:
            raise refused
        verified = {"status": "verified", "verified_at": now, "updated_at": now, "verification": None}
        return work.update(PRIVACY_REQUESTS, record, request.model_copy(update=verified)).view()

    return write_record(context, work)


def _count_wrong(context: Context, request_id: uuid.UUID, given: str, now: datetime) -> None:
    """Count a wrong code, then refuse it: what was counted must be stored before the refusal is sent."""

    def count(work: Work) -> Refusal | None:
        record = work.get_for_update(PRIVACY_REQUESTS, str(request_id))
        request = record.value
        refused = _refusal(request, given, now)
        if refused is not None and refused.code == "code_wrong" and request.verification is not None:
            counted = request.verification.model_copy(update={"attempts": request.verification.attempts + 1})
            work.update(PRIVACY_REQUESTS, record, request.model_copy(update={"verification": counted}))
        return refused

    refused = transact(context, count, answers=False)
    if refused is not None:
        raise refused


def _refusal(request: StoredRequest, given: str, now: datetime) -> Refusal | None:
    """Return why a code is not taken; None for the right one."""
    _require_unverified(request)
    standing = request.verification
    if standing is None:
        return Conflict("no_code", "No code stands out for this request; make one and send it to the person.")
    if standing.expires_at <= now:
        return Gone("expired", "The code has expired; make another one.")
    if standing.attempts >= MOST_ATTEMPTS:
        message = "Too many wrong codes: this one is void. Make another one."
        return Conflict("too_many_attempts", message, audited=True)
    if hmac.compare_digest(standing.digest, given):
        return None
    left = MOST_ATTEMPTS - standing.attempts - 1
    message = f"This is not the code; {left} attempts are left."
    error = FieldError(pointer="/code", code="code_wrong", message=message)
    return Unprocessable("code_wrong", message, errors=[error], details={"attempts_left": left})


def _issued(request: StoredRequest) -> int:
    """Return how many codes the request has had."""
    _require_unverified(request)
    issued = 0 if request.verification is None else request.verification.issued
    if issued >= MOST_CODES:
        raise Conflict("too_many_codes", "The request has had ten codes; refuse it, or record it anew.")
    return issued


def _require_unverified(request: StoredRequest) -> None:
    require_open(request)
    if request.status != "received":
        raise Conflict("already_verified", "The person was verified already.")


def _digest(context: Context, request_id: uuid.UUID, code: str) -> str:
    return digests.keyed(context, PURPOSE, f"{request_id}:{code}")

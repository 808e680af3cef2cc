"""Requests with an ``Idempotency-Key``: done once, answered the same each time (draft-ietf-httpapi-idempotency-key)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from common.context import Context
from common.errors import Refusal, TooManyRequests, Unauthenticated
from common.idempotency import Answered, StoredAnswer, open_claim
from triggers import problems
from triggers.exchange import Exchange, HttpAnswer

Render = Callable[[object], HttpAnswer]


def once(
    exchange: Exchange, context: Context, key: str, fingerprint: str, render: Render, work: Callable[[Context], object]
) -> HttpAnswer:
    """Do the work of a request, or repeat the answer it got.

    What the operation answers is kept, refusals included. What says only that it was not done is not: a limit, and
    everything that is no refusal (5xx).

    Args:
        exchange: The request.
        context: Its circumstances, without a claim.
        key: Value of ``Idempotency-Key``.
        fingerprint: Digest of everything the request asks for.
        render: Turns what the handler returns into the answer.
        work: Calls the handler.
    """
    claim = open_claim(context, key, fingerprint, lambda result: _stored(render(result)))
    known = claim.replay()
    if known is not None:
        return _replayed(known)
    context = exchange.context = dataclasses.replace(context, claim=claim)
    try:
        answer = render(work(context))
    except Answered as other:
        return _replayed(other.answer)
    except (TooManyRequests, Unauthenticated):
        claim.release()
        raise
    except Refusal as refusal:
        answer = problems.refused(refusal, exchange)
    except BaseException:
        claim.release()
        raise
    claim.settle(_stored(answer))
    return answer


def _stored(answer: HttpAnswer) -> StoredAnswer:
    headers = {**answer.headers, "Content-Type": answer.content_type} if answer.content_type else dict(answer.headers)
    streamed = not isinstance(answer.body, bytes)
    body = answer.body if isinstance(answer.body, bytes) else b""
    return StoredAnswer(status=answer.status, body=body, headers=headers, secret=answer.secret or streamed)


def _replayed(stored: StoredAnswer) -> HttpAnswer:
    headers = dict(stored.headers)
    content_type = headers.pop("Content-Type", "")
    headers["Idempotency-Replayed"] = "true"
    return HttpAnswer(stored.status, stored.body, content_type, headers)

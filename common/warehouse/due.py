"""The schedule side of scans: one task for every tenant whose work of a purpose is due, and never the work itself.

A scan is three thin things over one service: a schedule that calls ``enqueue_due``, a task that does the work of one
tenant and calls ``finish`` of ``common.warehouse.marks``, and an operation that does it while somebody waits. What
makes a tenant due are the marks that arriving rows leave, and the ``wake_at`` that the work before left.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from common.context import Context
from common.model import Model
from common.tasks import enqueue
from common.warehouse import marks

DISPATCH_SECONDS = 600
"""Seconds one attempt of a task may take."""


def enqueue_due(
    context: Context,
    purpose: str,
    function: str,
    body_of: Callable[[marks.Claim], Model],
    *,
    now: datetime | None = None,
) -> int:
    """Claim every tenant whose work is due and make a task for each; return how many.

    The tasks begin once BigQuery shows what was streamed to it before the claim. A tenant whose task could not be made
    is due again when the claim's lease ends.

    Args:
        context: Circumstances of the schedule.
        purpose: Of the marks, such as ``aso-opportunity-scan``.
        function: Does the work of one tenant.
        body_of: The task's body; it names the claim by ``working_since``.
        now: The time to go by; None for the present.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer.
    """
    tasks = 0
    for mark in marks.due(context, purpose, now=now):
        claim = marks.claim(context, purpose, mark.tenant_id, mark.subject, now=now)
        if claim is None:
            continue
        tenant = context.for_tenant(mark.tenant_id)
        delay = marks.settling(context)
        enqueue(tenant, function, body_of(claim), delay=delay, dispatch_deadline=DISPATCH_SECONDS)
        tasks += 1
    return tasks

"""The work of tenants that rest: put aside when it arrives, and let go when the tenant works again.

A suspended tenant, and one that is to be deleted, does no work. What is already queued for it arrives as tasks, and is
put aside here, whole; schedules ask ``resting`` and make no tasks for it (what is due stays due by its marks and
times). When the tenant is resumed, or its deletion called off, ``common.released_work`` makes the tasks anew.

Nothing is lost between the two: a task is put aside in a transaction that reads the tenant's status, so it either sees
that the tenant works again, and runs, or is there before the tenant's change of status is committed, whose event lets
it go.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.cloud.firestore_v1.base_query import FieldFilter

from common.api_keys import credentials_cache
from common.clients.firestore import firestore_client
from common.context import Context
from common.identifiers import digest
from common.propagation import CAUSATION, CORRELATION, DEAD_LETTER, TENANT, TRACEPARENT
from common.store import Work, transact
from common.technical import HELD_TASKS, read_many, selected
from common.tenant_state import LEAVING, RESTING, TenantState, tenant_path

KEPT = ("Content-Type", TENANT, CORRELATION, CAUSATION, TRACEPARENT, DEAD_LETTER)
"""Headers of a task that belong to its work."""


def resting(context: Context) -> frozenset[str]:
    """Return the tenants whose work waits, and those that are being erased or gone: few, whatever the others are.

    Raises:
        Unavailable: Firestore does not answer.
    """
    query = context.clients.get(firestore_client).collection("tenants")
    statuses = sorted(RESTING | LEAVING)
    found = selected(context, query.where(filter=FieldFilter("status", "in", statuses)).select([]))
    return frozenset(snapshot.id for snapshot in found)


def of_working(context: Context, query: Any, at_most: int) -> list[Any]:
    """Return the first documents of a query that belong to tenants that do not rest.

    Those of resting tenants are passed over page by page, so that they never take the place of the others.

    Args:
        context: Circumstances of a schedule.
        query: Of documents with a ``tenant_id``.
        at_most: How many.

    Raises:
        Unavailable: Firestore does not answer.
    """
    found: list[Any] = []
    page = selected(context, query.limit(at_most))
    rests = resting(context) if page else frozenset()
    while page:
        found += [snapshot for snapshot in page if snapshot.to_dict().get("tenant_id") not in rests]
        if len(page) < at_most or len(found) >= at_most:
            return found[:at_most]
        page = selected(context, query.start_after(page[-1]).limit(at_most))
    return found


def hold(context: Context, function: str, task: str, headers: Mapping[str, str], content: bytes) -> bool:
    """Put a task aside if its tenant rests; tell whether it was.

    Args:
        context: With the task's tenant.
        function: Name of the function that the task is for.
        task: Short name of the task; putting it aside again changes nothing.
        headers: Its headers, names in lower case.
        content: Its body.

    Raises:
        Unavailable: Firestore does not answer; the task is to be tried again.
    """
    tenant_id = context.tenant_id
    reference = context.clients.get(firestore_client).document(f"{HELD_TASKS.path}/{digest(function, task)}")
    fields = {
        "tenant_id": tenant_id,
        "function": function,
        "headers": {name: headers[name.lower()] for name in KEPT if name.lower() in headers},
        "content": content,
        "held_at": datetime.now(UTC),
    }

    def work(work: Work) -> bool:
        document = read_many(context, [tenant_path(tenant_id)], work.transaction).get(tenant_path(tenant_id))
        if document is None or not TenantState.read(document).rests:
            return False
        work.write(reference.path, lambda batch: batch.set(reference, fields))
        return True

    held = transact(context, work, answers=False)
    if not held:
        context.clients.get(credentials_cache).tenants.forget(tenant_id)
    return held

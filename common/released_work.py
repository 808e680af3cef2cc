"""Letting the work of a tenant go that was put aside while it rested (``common.held_work``)."""

from __future__ import annotations

from typing import Any

from google.api_core import exceptions
from google.cloud.firestore_v1.base_query import FieldFilter

from common.clients.firestore import firestore_client
from common.context import Context
from common.errors import ConfigurationError
from common.firestore_calls import bounded, translated
from common.logs import logger
from common.tasks import post_later
from common.technical import HELD_TASKS, selected

PAGE = 100
LONGEST_RUN = 1800
"""Seconds Cloud Tasks waits for an attempt at most; what the task had asked for is not told to its handler."""


def release(context: Context, tenant_id: str) -> int:
    """Make the tasks of a tenant anew that were put aside; return how many. Harmless to repeat.

    A tenant that rests again by now has them put aside again as they arrive.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer; release again.
    """
    own, released, after = context.for_tenant(tenant_id), 0, None
    query = context.clients.get(firestore_client).collection(HELD_TASKS.path)
    query = query.where(filter=FieldFilter("tenant_id", "==", tenant_id)).order_by("held_at").limit(PAGE)
    while True:
        page = selected(own, query if after is None else query.start_after(after))
        for snapshot in page:
            released += _release(own, snapshot)
        if len(page) < PAGE:
            return released
        after = page[-1]


def _release(context: Context, snapshot: Any) -> bool:
    """Make one task, then forget that it was put aside; a crash between the two makes the task of the same name."""
    held = snapshot.to_dict()
    name = f"held-{snapshot.id[:40]}-{round(held['held_at'].timestamp() * 1_000_000)}"
    try:
        post_later(
            context, held["function"], held["content"], headers=held["headers"], name=name,
            dispatch_deadline=LONGEST_RUN,
        )  # fmt: skip
    except ConfigurationError as error:
        # A function that is gone must not keep the tasks of the others waiting; its task stays, for people to see.
        logger(context).error("held_task_has_no_function", function=held["function"], reason=str(error))
        return False
    unchanged = context.clients.get(firestore_client).write_option(last_update_time=snapshot.update_time)
    try:
        with translated():
            snapshot.reference.delete(option=unchanged, **bounded(context.deadline))
    except (exceptions.FailedPrecondition, exceptions.NotFound):
        return True  # put aside again meanwhile, or released by another delivery of the event
    return True

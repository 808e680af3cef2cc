"""The last administrator: a tenant always keeps one, whoever takes people away."""

from __future__ import annotations

from google.cloud.firestore_v1.base_query import FieldFilter

from common.clients.firestore import firestore_client
from common.context import Context
from common.errors import Conflict
from common.firestore_calls import bounded, translated
from common.people import COLLECTION


def require_another_admin(context: Context, user_id: str) -> None:
    """Refuse to let a tenant's last active administrator go; harmless to ask about anybody else.

    Raises:
        Conflict: ``last_admin``; audited.
        Unavailable: Firestore does not answer.
    """
    query = context.clients.get(firestore_client).collection(COLLECTION)
    for field, value in (("tenant_id", context.tenant_id), ("role", "admin"), ("status", "active")):
        query = query.where(filter=FieldFilter(field, "==", value))
    with translated():
        admins = {found.id for found in query.select([]).limit(2).stream(**bounded(context.deadline))}
    if admins == {user_id}:
        message = "This is the tenant's only active administrator: name another one first."
        raise Conflict("last_admin", message, audited=True)

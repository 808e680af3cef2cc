"""The last administrator: a tenant always keeps one, whoever takes people away.

Asked within the transaction that takes somebody away, the answer holds until its commit: the query's documents are part
of what the transaction has read. Two administrators who take away each other at once read each other's documents, so
one of the two is run again and finds itself alone. Nothing is written for it: there is no counter that all changes of a
large tenant would meet at, and taking two people away of whom neither was read does not conflict.
"""

from __future__ import annotations

from google.cloud.firestore_v1.base_query import FieldFilter

from common.clients.firestore import firestore_client
from common.context import Context
from common.errors import Conflict
from common.firestore_calls import bounded, translated
from common.people import COLLECTION
from common.transaction import Transaction


def require_another_admin(context: Context, user_id: str, transaction: Transaction | None = None) -> None:
    """Refuse to let a tenant's last active administrator go; harmless to ask about anybody else.

    Args:
        context: Whose tenant.
        user_id: Who is to go.
        transaction: The transaction in which the person goes; None asks outside, where the answer may be old at once.

    Raises:
        Conflict: ``last_admin``; audited.
        Unavailable: Firestore does not answer.
    """
    query = context.clients.get(firestore_client).collection(COLLECTION)
    for field, value in (("tenant_id", context.tenant_id), ("role", "admin"), ("status", "active")):
        query = query.where(filter=FieldFilter(field, "==", value))
    reading = {} if transaction is None else {"transaction": transaction.handle}
    with translated():
        admins = {found.id for found in query.limit(2).stream(**reading, **bounded(context.deadline))}
    if admins == {user_id}:
        message = "This is the tenant's only active administrator: name another one first."
        raise Conflict("last_admin", message, audited=True)

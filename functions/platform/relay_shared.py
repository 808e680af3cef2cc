"""Publish the domain event of every change to a top-level document."""

from common import relay
from common.context import Context
from common.deliveries import DocumentDelivery
from triggers import document


@document.written(
    "{collection}/{document_id}",
    needs={
        "firestore:read": "reads who deleted a document from its tombstone",
        "pubsub:publish:*": "publishes the event to the topic of the domain that owns the entity",
    },
    concurrency=32,
    max_instances=50,
)
def relay_shared(change: DocumentDelivery, context: Context) -> None:
    """Turn a committed change into its domain event; collections nobody declared are ignored."""
    relay.relay(context, change)

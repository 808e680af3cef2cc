"""Factory of the Pub/Sub publisher."""

from google.cloud import pubsub_v1

from common.settings import Settings


def publisher_client(settings: Settings) -> pubsub_v1.PublisherClient:
    """Build a publisher that keeps the order of an ordering key (the library honours PUBSUB_EMULATOR_HOST itself)."""
    del settings  # topics are named in full by the callers
    return pubsub_v1.PublisherClient(
        publisher_options=pubsub_v1.types.PublisherOptions(enable_message_ordering=True),
    )

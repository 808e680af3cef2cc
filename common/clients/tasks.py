"""Factory of the Cloud Tasks client."""

import grpc
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from common.settings import Settings


def tasks_client(settings: Settings) -> tasks_v2.CloudTasksClient:
    """Build the client; on the local cloud it talks to our Cloud Tasks server over an insecure channel."""
    host = settings.emulator("CLOUD_TASKS_EMULATOR_HOST")
    if host is None:
        return tasks_v2.CloudTasksClient()
    return tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=grpc.insecure_channel(host)))

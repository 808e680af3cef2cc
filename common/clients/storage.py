"""Factory of the Cloud Storage client."""

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from common.settings import Settings


def storage_client(settings: Settings) -> storage.Client:
    """Build the client (the library honours STORAGE_EMULATOR_HOST itself)."""
    if settings.emulator("STORAGE_EMULATOR_HOST") is None:
        return storage.Client(project=settings.project)
    return storage.Client(project=settings.project, credentials=AnonymousCredentials())

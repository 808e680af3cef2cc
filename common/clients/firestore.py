"""Factory of the Firestore client."""

from google.cloud import firestore

from common.settings import Settings


def firestore_client(settings: Settings) -> firestore.Client:
    """Build the client of the deployment's database (the library honours FIRESTORE_EMULATOR_HOST itself)."""
    return firestore.Client(project=settings.project, database=settings.database)

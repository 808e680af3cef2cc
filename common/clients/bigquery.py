"""Factory of the BigQuery client."""

from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from common.settings import Settings


def bigquery_client(settings: Settings) -> bigquery.Client:
    """Build the client; on the local cloud it talks to the emulator without credentials."""
    host = settings.emulator("BIGQUERY_EMULATOR_HOST")
    if host is None:
        return bigquery.Client(project=settings.project, location=settings.region)
    return bigquery.Client(
        project=settings.project,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": host if "://" in host else f"http://{host}"},
    )

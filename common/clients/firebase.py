"""Factory of the Firebase app: only its check of ID tokens is used.

``firebase_admin`` costs about a quarter of a second to import; ``common.auth`` therefore imports this module when the
first ID token arrives, and processes that see API keys only never pay for it.
"""

import uuid

import firebase_admin
from firebase_admin.credentials import Base
from google.auth.credentials import AnonymousCredentials

from common.settings import Settings


class _NoCredential(Base):  # type: ignore[misc]
    """Checking a token needs Google's public certificates only; a credential would be fetched for nothing."""

    def get_credential(self) -> AnonymousCredentials:
        return AnonymousCredentials()


def firebase_app(settings: Settings) -> firebase_admin.App:
    """Build the app of the project, with three seconds to fetch certificates.

    The library registers apps by name for the whole process; the name is unique so that it collides with nobody's.
    """
    options = {"projectId": settings.project, "httpTimeout": 3}
    return firebase_admin.initialize_app(_NoCredential(), options, name=f"xynergy-{uuid.uuid4().hex}")

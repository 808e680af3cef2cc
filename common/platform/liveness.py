"""Liveness: the answer that asks nobody, apart from the checks so that it imports none of their clients."""

from common.platform.models import Health
from common.version import VERSION


def liveness() -> Health:
    """Return ``ok`` and the version."""
    return Health(version=VERSION)

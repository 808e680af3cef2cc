"""Tell that the service is up."""

from common.platform.liveness import liveness
from common.platform.models import Health
from triggers import http


@http.get("/v1/health", public=True, rate="none", memory=256, timeout=10)
def health() -> Health:
    """Answer ``ok`` and the version, without asking any dependency, so that it is cheap to call often."""
    return liveness()

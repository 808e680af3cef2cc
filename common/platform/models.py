"""Models of the platform's own operations."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from common.model import Model, Timestamp

State = Literal["healthy", "degraded", "unhealthy"]


class Health(Model):
    """Sign of life.

    Attributes:
        status: ``ok`` whenever this is answered at all.
        version: Version of the platform.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok", "version": "0.1.0"}]})

    status: Literal["ok"] = "ok"
    version: str


class DependencyCheck(Model):
    """What one dependency answered.

    Attributes:
        status: ``healthy`` answered; ``unhealthy`` did not; ``degraded``: this deployment has none.
        latency_ms: Milliseconds until the answer; None where there was none.
        detail: Why it is not healthy.
    """

    status: State
    latency_ms: float | None = Field(default=None, ge=0)
    detail: str | None = None


class DependencyChecks(Model):
    """The dependencies of document 000."""

    firestore: DependencyCheck
    bigquery: DependencyCheck
    redis: DependencyCheck


class ServiceStatus(Model):
    """State of the platform in the shape of ``service_status`` of document 000.

    Attributes:
        service_name: What was checked.
        status: The worst state that what is left still allows.
        last_check: When.
        checks: Each dependency.
    """

    service_name: str
    status: State
    last_check: Timestamp
    checks: DependencyChecks

"""Headers by which a call of ours hands on whose work it is and which chain it belongs to."""

from __future__ import annotations

from collections.abc import Mapping

from common.context import Context

TENANT = "X-Tenant-ID"
CORRELATION = "X-Correlation-ID"
CAUSATION = "X-Causation-ID"
TRACEPARENT = "traceparent"
DEAD_LETTER = "X-Xynergy-Dead-Letter"
"""Id of the dead letter that a delivery replays."""


def handed_on(context: Context) -> Mapping[str, str]:
    """Return the headers of a call made for ``context``; this request is what causes it."""
    return {
        TENANT: context.tenant_id,
        CORRELATION: context.correlation_id or context.request_id,
        CAUSATION: context.causation_id or context.request_id,
        TRACEPARENT: context.trace.traceparent,
    }

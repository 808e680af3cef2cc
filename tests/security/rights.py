"""What a tenant has of privacy before another one attacks it: requests, consents, suppressions, holds, runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from common.context import Context, Deadline, Principal
from common.identifiers import uuid7
from common.platform.privacy.retention.entities import RETENTION_RUNS
from common.platform.privacy.retention.models import RetentionRun
from common.store import transact
from tests.stack import Stack, TenantHandle


def settle_rights(stack: Stack, tenant: TenantHandle, mark: str) -> dict[str, str]:
    """Give a tenant two of everything that its lists of privacy show; return the ids of one of each."""
    subject, reason = {"email": f"{mark}@example.com"}, f"A matter that concerns {mark}."
    made: dict[str, tuple[str, dict[str, object]]] = {
        "request_id": ("requests", {"type": "access", "subject": subject, "details": mark}),
        "record_id": ("consents", {"subject": subject, "purpose": "surveys", "action": "given", "source": mark}),
        "suppression_id": ("suppressions", {"email": f"{mark}@example.com", "note": mark}),
        "hold_id": ("holds", {"scope": "subject", "subject": subject, "reason": reason}),
    }
    ids = {}
    for turn in range(2):
        for name, (path, body) in made.items():
            sent = {**body, "purpose": f"purpose_{turn}"} if name == "suppression_id" else body
            answer = tenant.client.post(f"/v1/privacy/{path}", sent)
            assert answer.status_code == 201, answer.text
            ids[name] = str(answer.json()[name])
    _runs(stack, tenant)
    ids.pop("record_id")
    return ids


def _runs(stack: Stack, tenant: TenantHandle) -> None:
    """Record two enforcements of retention, as ``enforce`` records them."""
    context = Context(
        function="platform-retention-tenant",
        tenant_id=tenant.tenant_id,
        principal=Principal(kind="service", id="tests", tenant_id=tenant.tenant_id, role="service"),
        clients=stack.clients,
        deadline=Deadline.after(60),
    )
    now = datetime.now(UTC)
    for turn in range(2):
        started_at = now - timedelta(days=turn + 1)
        run = RetentionRun(
            run_id=uuid7(),
            tenant_id=tenant.tenant_id,
            started_at=started_at,
            finished_at=started_at,
            complete=True,
            removed={"job": 1},
            periods={"operational": 90},
        )
        transact(context, lambda work, run=run: work.create(RETENTION_RUNS, run))  # type: ignore[misc]

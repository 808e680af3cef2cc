"""Read the last verification of the audit trail."""

from common.context import Context
from common.platform.audit import verification
from common.platform.audit.verification_models import Verification
from triggers import http


@http.get(
    "/v1/audit/verification",
    scope="audit:read",
    roles=("admin", "manager"),
    needs={"firestore:read": "Reads the result."},
)
def audit_verification(context: Context) -> Verification:
    """Return what the last verification of the tenant's audit trail found; it runs every night.

    `head` stands for every entry up to it: kept elsewhere, it proves later that nothing before it was changed. The
    status is `not_verified` before the first verification.
    """
    return verification.last_result(context)

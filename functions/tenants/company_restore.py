"""Restore an archived company."""

from common.answers import Record
from common.context import Context
from common.tenants.companies import service
from common.tenants.companies.models import Company
from triggers import http


@http.post(
    "/v1/companies/{company_id}/restore",
    scope="tenants:write",
    roles=("admin", "manager"),
    if_match="optional",
    needs={"firestore:write": "marks the company as active"},
)
def company_restore(company_id: str, context: Context) -> Record[Company]:
    """Take an archived company back into use. Restoring twice changes nothing."""
    return service.restore(context, company_id)

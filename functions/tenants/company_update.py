"""Change a company."""

from common.answers import Record
from common.context import Context
from common.tenants.companies import service
from common.tenants.companies.models import Company, CompanyUpdate
from triggers import http


@http.patch(
    "/v1/companies/{company_id}",
    scope="tenants:write",
    roles=("admin", "manager"),
    if_match="required",
    needs={"firestore:write": "changes the company"},
)
def company_update(company_id: str, body: CompanyUpdate, context: Context) -> Record[Company]:
    """Change a company; brand guidelines and limits are replaced whole."""
    return service.update(context, company_id, body)

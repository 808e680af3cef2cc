"""Create a company."""

from common.answers import Answer, Record
from common.context import Context
from common.tenants.companies import service
from common.tenants.companies.models import Company, CompanyCreate
from triggers import http


@http.post(
    "/v1/companies",
    scope="tenants:write",
    roles=("admin", "manager"),
    status=201,
    needs={"firestore:write": "stores the company"},
)
def company_create(body: CompanyCreate, context: Context) -> Answer[Record[Company]]:
    """Create a company that the tenant works for, with its brand guidelines and limits."""
    return service.create(context, body)

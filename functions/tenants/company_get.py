"""Read a company."""

from common.answers import Record
from common.context import Context
from common.tenants.companies import service
from common.tenants.companies.models import Company
from triggers import http


@http.get(
    "/v1/companies/{company_id}",
    scope="tenants:read",
    needs={"firestore:read": "reads the company"},
)
def company_get(company_id: str, context: Context) -> Record[Company]:
    """Return a company with its brand guidelines and limits."""
    return service.get(context, company_id)

"""List companies."""

from common.answers import Page
from common.context import Context
from common.tenants.companies import service
from common.tenants.companies.models import Company, CompanyListQuery
from triggers import http


@http.get(
    "/v1/companies",
    scope="tenants:read",
    needs={"firestore:read": "reads a page of the tenant's companies"},
)
def company_list(query: CompanyListQuery, context: Context) -> Page[Company]:
    """Return companies, newest first, all of them or those of one status."""
    return service.listed(context, query)

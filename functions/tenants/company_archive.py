"""Archive a company."""

from common.answers import Record
from common.context import Context
from common.tenants.companies import service
from common.tenants.companies.models import Company
from triggers import http


@http.post(
    "/v1/companies/{company_id}/archive",
    scope="tenants:write",
    roles=("admin", "manager"),
    if_match="optional",
    needs={"firestore:write": "marks the company as archived"},
)
def company_archive(company_id: str, context: Context) -> Record[Company]:
    """Archive a company, which takes no people then; what was made for it stays. Archiving twice changes nothing.

    While people or pending invites belong to it, it is refused with some of their ids: 409 `company_has_users`.
    """
    return service.archive(context, company_id)

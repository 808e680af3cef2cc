"""Who may be made one of a company's people: the rule that users, invites and companies share.

It is asked within the transaction that takes somebody in, so that the company cannot be archived meanwhile. How many
people a company may have is counted like every limit (``common.quotas``): two who come at the same moment do not see
each other.
"""

from __future__ import annotations

from common.errors import FieldError, Unprocessable
from common.store import Repository, Work
from common.tenants.companies.entities import COMPANIES
from common.tenants.companies.models import Company
from common.tenants.people.entities import USERS


def require_company(work: Work, company_id: str) -> Company:
    """Return the company that somebody is to work for.

    Raises:
        Unprocessable: ``company_not_found``: the tenant has no such company; ``company_archived``; ``company_full``: it
            has as many people as its limits say.
    """
    record = work.find(COMPANIES, company_id)
    if record is None:
        raise _refused("company_not_found", "The tenant has no such company.")
    if record.value.status == "archived":
        raise _refused("company_archived", "The company is archived and takes no new people.")
    most = record.value.api_limits.users
    if most is not None and Repository(USERS, work.context).count([("company_id", "==", company_id)]) >= most:
        raise _refused("company_full", f"The company's limit is {most} people.")
    return record.value


def _refused(code: str, message: str) -> Unprocessable:
    return Unprocessable(code, message, errors=[FieldError(pointer="/company_id", code=code, message=message)])

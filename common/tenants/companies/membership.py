"""Who may be made one of a company's people: the rule that users, invites and companies share."""

from __future__ import annotations

from common.errors import FieldError, Unprocessable
from common.store import Work
from common.tenants.companies.entities import COMPANIES
from common.tenants.companies.models import Company


def require_company(work: Work, company_id: str) -> Company:
    """Return the company that somebody is to work for, read in the transaction, so that archiving it meanwhile fails.

    Raises:
        Unprocessable: ``company_not_found``: the tenant has no such company; ``company_archived``.
    """
    record = work.find(COMPANIES, company_id)
    if record is None:
        raise _refused("company_not_found", "The tenant has no such company.")
    if record.value.status == "archived":
        raise _refused("company_archived", "The company is archived and takes no new people.")
    return record.value


def _refused(code: str, message: str) -> Unprocessable:
    return Unprocessable(code, message, errors=[FieldError(pointer="/company_id", code=code, message=message)])

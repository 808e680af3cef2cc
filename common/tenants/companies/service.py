"""Companies: creating, reading, changing, archiving and restoring them.

A company is archived, never deleted: what was made for it keeps naming it. It can be archived once nobody works for it
any more, neither a person (active or not) nor a pending invite; whoever archives it says first where they go.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

from common.answers import Answer, Page, Record
from common.api_keys import tenant_state
from common.context import Context
from common.errors import Conflict, FieldError, Unprocessable
from common.identifiers import uuid7
from common.quotas import Resource, check, limit_of
from common.store import Repository, Work, write_record
from common.tenants.companies.entities import COMPANIES
from common.tenants.companies.models import ApiLimits, Company, CompanyCreate, CompanyListQuery, CompanyUpdate
from common.tenants.people.entities import INVITES, USERS

LIMITED: tuple[Resource, ...] = tuple(name for name in get_args(Resource) if name in ApiLimits.model_fields)


def create(context: Context, body: CompanyCreate) -> Answer[Record[Company]]:
    """Create a company.

    Raises:
        Conflict: ``domain_taken``.
        Unprocessable: ``limit_exceeds_quota``.
        Forbidden: ``quota_exceeded``.
    """
    _check_limits(context, body.api_limits)
    check(context, "companies")
    now = datetime.now(UTC)
    fields = {name: getattr(body, name) for name in type(body).model_fields}
    company = Company(company_id=str(uuid7()), **fields, created_at=now, updated_at=now)
    record = write_record(context, lambda work: work.create(COMPANIES, company))
    return Answer(content=record, status=201, headers={"Location": f"/v1/companies/{company.company_id}"})


def get(context: Context, company_id: str) -> Record[Company]:
    """Return a company.

    Raises:
        NotFound: ``company_not_found``.
    """
    return Repository(COMPANIES, context).get(company_id)


def listed(context: Context, query: CompanyListQuery) -> Page[Company]:
    """Return a page of the tenant's companies, newest first.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    filters = [] if query.status is None else [("status", "==", query.status)]
    return Repository(COMPANIES, context).page(filters, limit=query.limit, cursor=query.cursor)


def update(context: Context, company_id: str, body: CompanyUpdate) -> Record[Company]:
    """Change a company; an archived one as well.

    Raises:
        NotFound: ``company_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``domain_taken``.
        Unprocessable: ``limit_exceeds_quota``.
    """
    if body.api_limits is not None:
        _check_limits(context, body.api_limits)
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    return _changed(context, company_id, lambda _work, _company: changes)


def archive(context: Context, company_id: str) -> Record[Company]:
    """Archive a company that nobody works for any more. Archiving twice changes nothing.

    Raises:
        NotFound: ``company_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``company_has_users`` with the first of their ids.
    """

    def changes(work: Work, company: Company) -> dict[str, Any]:
        if company.status == "archived":
            return {}
        people = work.select(USERS, [("company_id", "==", company_id)], limit=10)
        asked = [("company_id", "==", company_id), ("status", "==", "pending")]
        now = datetime.now(UTC)
        invites = [each for each in work.select(INVITES, asked, limit=10) if each.value.expires_at > now]
        if people or invites:
            details = {
                "user_ids": [each.value.user_id for each in people],
                "invite_ids": [each.value.invite_id for each in invites],
            }
            message = "People or pending invites belong to the company: give them another one first."
            raise Conflict("company_has_users", message, details=details)
        return {"status": "archived", "archived_at": now}

    return _changed(context, company_id, changes)


def restore(context: Context, company_id: str) -> Record[Company]:
    """Take an archived company back into use. Restoring twice changes nothing.

    Raises:
        NotFound: ``company_not_found``.
        PreconditionFailed: ``stale_etag``.
    """
    return _changed(context, company_id, lambda _work, _company: {"status": "active", "archived_at": None})


def _changed(context: Context, company_id: str, changes: Any) -> Record[Company]:
    def work(work: Work) -> Company:
        record = work.get_for_update(COMPANIES, company_id)
        changed = record.value.model_copy(update=changes(work, record.value))
        if changed != record.value:
            changed = changed.model_copy(update={"updated_at": datetime.now(UTC)})
        return work.update(COMPANIES, record, changed)

    return write_record(context, work)


def _check_limits(context: Context, limits: ApiLimits) -> None:
    """Refuse a company more than its tenant may have.

    Raises:
        Unprocessable: ``limit_exceeds_quota``.
    """
    state = tenant_state(context.clients, context.tenant_id)
    errors = []
    for resource in LIMITED:
        wanted, booked = getattr(limits, resource), None if state is None else limit_of(state, resource)
        if wanted is not None and booked is not None and wanted > booked:
            message = f"The tenant itself may have {booked} {resource.replace('_', ' ')}."
            pointer = f"/api_limits/{resource}"
            errors.append(FieldError(pointer=pointer, code="limit_exceeds_quota", message=message))
    if errors:
        raise Unprocessable("limit_exceeds_quota", "A company cannot have more than its tenant.", errors=errors)

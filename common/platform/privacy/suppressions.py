"""The suppression list as administrators work with it; ``common.suppression`` is the list itself."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from common import suppression
from common.answers import Answer, Page, Record
from common.context import Context
from common.email_address import normalised_email
from common.platform.privacy.suppression_models import (
    RefusedAddress,
    SuppressionAdd,
    SuppressionAnswer,
    SuppressionCheck,
    SuppressionEntry,
    SuppressionImport,
    SuppressionImported,
    SuppressionListQuery,
)
from common.protection.entities import SUPPRESSIONS
from common.protection.models import Suppression
from common.store import Repository, Work, in_chunks, transact, write_record


def add(context: Context, body: SuppressionAdd) -> Answer[Record[SuppressionEntry]]:
    """Put an address on the list; one that is on it stays as it is.

    Raises:
        Unavailable: The tenant's key cannot be had now.
    """
    digest = suppression.digest_of(context, body.email)

    def work(work: Work) -> SuppressionEntry:
        stored = suppression.add_digest(context, digest, body.purpose, reason=body.reason, note=body.note, work=work)
        return SuppressionEntry.shown(stored)

    return Answer(content=write_record(context, work), status=201)


def check(context: Context, body: SuppressionCheck) -> SuppressionAnswer:
    """Tell whether an address must not be used for a purpose.

    Raises:
        Unavailable: The list or the tenant's key cannot be read now.
    """
    return SuppressionAnswer(suppressed=suppression.is_suppressed(context, body.email, body.purpose))


def listed(context: Context, query: SuppressionListQuery) -> Page[SuppressionEntry]:
    """Return a page of the list, the latest entry first.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    filters = [] if query.purpose is None else [("purpose", "==", query.purpose)]
    found = Repository(SUPPRESSIONS, context).page(filters, ("-added_at",), limit=query.limit, cursor=query.cursor)
    return Page(items=[SuppressionEntry.shown(each) for each in found.items], next_cursor=found.next_cursor)


def remove(context: Context, suppression_id: uuid.UUID) -> None:
    """Take an entry off the list.

    Raises:
        NotFound: ``suppression_not_found``.
        PreconditionFailed: ``stale_etag``.
    """

    def work(work: Work) -> None:
        work.delete(SUPPRESSIONS, work.get_for_update(SUPPRESSIONS, str(suppression_id)))

    transact(context, work)


def imported(context: Context, body: SuppressionImport) -> SuppressionImported:
    """Put many addresses on the list; what is no address is refused by itself, and all others are taken.

    Raises:
        Unavailable: A dependency does not answer; importing again changes nothing that is there.
    """
    digests: dict[str, None] = {}
    refused, twice = [], 0
    for position, text in enumerate(body.emails):
        try:
            digest = suppression.digest_of(context, normalised_email(text))
        except ValueError as error:
            pointer = f"/emails/{position}"
            refused.append(RefusedAddress(pointer=pointer, code="email_invalid", message=str(error)))
            continue
        twice += digest in digests
        digests[digest] = None
    added = sum(_add_many(context, body, chunk) for chunk in in_chunks(list(digests)))
    return SuppressionImported(added=added, known=len(digests) - added + twice, refused=refused)


def _add_many(context: Context, body: SuppressionImport, digests: Sequence[str]) -> int:
    now = datetime.now(UTC)

    def work(work: Work) -> int:
        names = {str(suppression.id_of(context, body.purpose, digest)): digest for digest in digests}
        known = work.get_many(SUPPRESSIONS, names)
        for name, digest in names.items():
            if name not in known:
                made = Suppression(
                    suppression_id=uuid.UUID(name),
                    tenant_id=context.tenant_id,
                    purpose=body.purpose,
                    digest=digest,
                    reason="import",
                    note=body.note,
                    added_at=now,
                    added_by=context.principal.id,
                )
                work.create(SUPPRESSIONS, made)
        return len(names) - len(known)

    return transact(context, work, answers=False)

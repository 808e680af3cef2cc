"""The consent ledger: entries are only added, and what holds follows from them whatever order they come in.

Of two statements about the same purpose the later one counts, by the time at which it was made; of two of the same
moment the withdrawal, so that nobody's data is used on a doubt. That is the maximum of a total order, so entering the
same statements in another order, or twice, amounts to the same (``outranks``).

A withdrawal ends the use: the purpose is noted with the person's restrictions, which every use of personal data asks,
and the address is put on the suppression list of the purpose. Giving consent again takes back just that.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from common import suppression
from common.answers import Answer, Page, Record
from common.context import Context
from common.errors import FieldError, Unprocessable
from common.identifiers import derived_uuid, uuid7
from common.platform.privacy.consents.entities import CONSENT_RECORDS, CONSENT_STATES
from common.platform.privacy.consents.models import (
    ConsentInput,
    ConsentListQuery,
    ConsentLookup,
    ConsentRecord,
    ConsentState,
    PurposeState,
    Standing,
)
from common.protection.entities import RESTRICTIONS, SUPPRESSIONS
from common.protection.models import Restriction
from common.protection.restrictions import restriction_id, restrictions_of_digests
from common.protection.subjects import Subject, digest_of
from common.store import Repository, Work, write_record

CLOCKS = timedelta(minutes=5)
"""How far clocks may be apart."""
MOST_PURPOSES = 200
"""Purposes of one person that a lookup shows."""


def record(context: Context, body: ConsentInput, now: datetime | None = None) -> Answer[Record[ConsentRecord]]:
    """Add an entry to the ledger and let what holds follow from it, in one transaction.

    Raises:
        Unprocessable: ``consent_in_future``.
        Unavailable: The tenant's key cannot be had now.
    """
    now = now or datetime.now(UTC)
    at = (body.at or now).astimezone(UTC)
    if at > now + CLOCKS:
        message = "nobody can have said this in the future"
        error = FieldError(pointer="/at", code="consent_in_future", message=message)
        raise Unprocessable("consent_in_future", "The statement lies in the future.", errors=[error])
    entry = ConsentRecord(
        record_id=uuid7(),
        tenant_id=context.tenant_id,
        email=body.subject.email,
        user_id=body.subject.user_id,
        **digests_by_field(context, body.subject),
        at=at,
        recorded_at=now,
        recorded_by=context.principal.id,
        **body.model_dump(exclude={"subject", "at"}),
    )

    def work(work: Work) -> ConsentRecord:
        _follow(work, entry, now)
        return work.create(CONSENT_RECORDS, entry)

    stored = write_record(context, work)
    return Answer(content=stored, status=201)


def listed(context: Context, query: ConsentListQuery) -> Page[ConsentRecord]:
    """Return a page of the ledger, the latest statement first.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    wanted = {"email_digest": query.email_digest, "user_digest": query.user_digest, "purpose": query.purpose}
    filters = [(name, "==", value) for name, value in wanted.items() if value is not None]
    return Repository(CONSENT_RECORDS, context).page(filters, ("-at",), limit=query.limit, cursor=query.cursor)


def standing(context: Context, body: ConsentLookup) -> Standing:
    """Return what may be done with a person's data, by purpose.

    Raises:
        Unavailable: Firestore does not answer, or the tenant's key cannot be had now.
    """
    by_field = digests_by_field(context, body.subject)
    digests = list(by_field.values())
    limits = restrictions_of_digests(context, digests)
    states = _latest(context, digests)
    named = {*states, *limits.objected, *limits.withdrawn} - {suppression.EVERYTHING}
    lists = _suppressed(context, body.subject.email, named)
    purposes = []
    for purpose in sorted(named):
        state, suppressed = states.get(purpose), not lists.isdisjoint({purpose, suppression.EVERYTHING})
        told = {} if state is None else state.model_dump(include={"action", "legal_basis", "at", "record_id"})
        given = state is not None and state.action == "given"
        allowed = given and not suppressed and not limits.forbids(purpose)
        purposes.append(PurposeState(purpose=purpose, suppressed=suppressed, allowed=allowed, **told))
    return Standing(restricted=limits.restricted, objected=sorted(limits.objected), purposes=purposes, **by_field)


def digests_by_field(context: Context, subject: Subject) -> dict[str, str]:
    """Return the keyed digests of a person's identifiers by the fields that hold them."""
    fields = {"email": "email_digest", "user_id": "user_digest"}
    return {fields[kind]: digest_of(context, kind, value) for kind, value in subject.identifiers()}


def outranks(one: ConsentRecord | ConsentState, other: ConsentRecord | ConsentState) -> bool:
    """Tell whether a statement counts before another one: later, or a withdrawal of the same moment."""
    return rank(one) > rank(other)


def rank(statement: ConsentRecord | ConsentState) -> tuple[datetime, bool, str]:
    """Return what statements are ordered by; the id only makes the order total."""
    return statement.at, statement.action == "withdrawn", str(statement.record_id)


def state_id(context: Context, digest: str, purpose: str) -> uuid.UUID:
    """Return the id of what holds for an identifier and a purpose."""
    return derived_uuid("consent_state", context.tenant_id, digest, purpose)


def _follow(work: Work, entry: ConsentRecord, now: datetime) -> None:
    """Let what holds follow from a new entry, for each identifier."""
    counts = False
    for digest in (each for each in (entry.email_digest, entry.user_digest) if each is not None):
        name = state_id(work.context, digest, entry.purpose)
        before = work.find(CONSENT_STATES, str(name))
        if before is not None and not outranks(entry, before.value):
            continue
        counts = True
        state = ConsentState(
            state_id=name,
            digest=digest,
            updated_at=now,
            **entry.model_dump(include={"tenant_id", "purpose", "action", "legal_basis", "at", "record_id"}),
        )
        if before is None:
            work.create(CONSENT_STATES, state)
        else:
            work.update(CONSENT_STATES, before, state)
        _restrict(work, digest, entry, now)
    if counts and entry.email is not None:
        _suppress(work, entry)


def _restrict(work: Work, digest: str, entry: ConsentRecord, now: datetime) -> None:
    """Note a withdrawn purpose with the person's restrictions, or take the note back."""
    name = restriction_id(work.context, digest)
    found = work.find(RESTRICTIONS, str(name))
    before = set() if found is None else set(found.value.withdrawn)
    after = before | {entry.purpose} if entry.action == "withdrawn" else before - {entry.purpose}
    if after == before:
        return
    if found is None:
        made = Restriction(
            restriction_id=name,
            tenant_id=work.context.tenant_id,
            digest=digest,
            withdrawn=sorted(after),
            updated_at=now,
        )
        work.create(RESTRICTIONS, made)
        return
    changed = found.value.model_copy(update={"withdrawn": sorted(after), "updated_at": now})
    work.update(RESTRICTIONS, found, changed)


def _suppress(work: Work, entry: ConsentRecord) -> None:
    """Put the address on the list of a withdrawn purpose; take off what an earlier withdrawal put there."""
    context, email = work.context, str(entry.email)
    if entry.action == "withdrawn":
        suppression.add(context, email, entry.purpose, reason="consent_withdrawn", work=work)
        return
    digest = suppression.digest_of(context, email)
    found = work.find(SUPPRESSIONS, str(suppression.id_of(context, entry.purpose, digest)))
    if found is not None and found.value.reason == "consent_withdrawn":
        work.delete(SUPPRESSIONS, found)


def _latest(context: Context, digests: Sequence[str]) -> dict[str, ConsentState]:
    """Return what holds for each purpose of a person, by all identifiers together."""
    found: dict[str, ConsentState] = {}
    for digest in digests:
        for each in Repository(CONSENT_STATES, context).select([("digest", "==", digest)], (), MOST_PURPOSES):
            known = found.get(each.value.purpose)
            if known is None or outranks(each.value, known):
                found[each.value.purpose] = each.value
    return found


def _suppressed(context: Context, email: str | None, purposes: set[str]) -> set[str]:
    """Return the purposes on whose lists an address is, ``all`` included."""
    if email is None:
        return set()
    digest = suppression.digest_of(context, email)
    names = {str(suppression.id_of(context, each, digest)): each for each in {*purposes, suppression.EVERYTHING}}
    return {names[name] for name in Repository(SUPPRESSIONS, context).get_many(names)}

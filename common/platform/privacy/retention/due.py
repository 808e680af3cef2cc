"""What is over: the documents and facts that go by age, found by an index, and what legal holds keep of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from common import raw_documents
from common.context import Context
from common.email_address import normalised_email
from common.firestore_calls import bounded, translated
from common.platform.privacy.retention.models import PlannedKind, RetentionPlan, RetentionPreview
from common.platform.privacy.retention.policy import chosen, enforced_by, require_allowed
from common.protection.holds import active
from common.protection.models import LegalHold
from common.protection.subjects import digest_of
from common.raw_documents import Snapshot
from common.registry import EntityRecord, FactsRecord, entities, facts
from common.retention import cutoff, period
from common.technical import selected

COUNTED = 10_000
"""Documents of a kind that a plan counts; a thousand cost one read."""
WHOLE = "security"
"""Class whose records tell of people without naming them where a query could find them: while a hold keeps anybody's
data, it keeps all of these."""


def aging_entities() -> list[EntityRecord]:
    """Return the entities whose documents the platform removes by age."""
    return [each for each in entities().values() if enforced_by(each) == "platform" and each.aged_by is not None]


def aging_facts() -> list[FactsRecord]:
    """Return the facts whose rows the platform removes by age."""
    return [each for each in facts().values() if enforced_by(each) == "platform"]


def plan(context: Context, body: RetentionPreview, now: datetime | None = None) -> RetentionPlan:
    """Count what enforcing would remove, under the periods in force or under others; removes nothing.

    Raises:
        Unprocessable: What ``policy.require_allowed`` says.
        Unavailable: Firestore does not answer.
    """
    now = now or datetime.now(UTC)
    periods = chosen(context) if body.periods is None else body.periods
    require_allowed(periods)
    holds = active(context)
    kinds = [_planned(context, each, periods, holds, now) for each in aging_entities()]
    for each in aging_facts():
        before, kept = _limit(each, periods, now), keeping_all(each, holds)
        days = (now - before).days
        kinds.append(
            PlannedKind(kind=each.name, retention=each.retention, days=days, before=before, due=None, kept_by=kept)
        )
    return RetentionPlan(planned_at=now, kinds=kinds, subject_holds=sum(hold.scope == "subject" for hold in holds))


def over(context: Context, entity: EntityRecord, before: datetime) -> firestore.Query:
    """Return the query of the documents of an entity that are older than a moment, the oldest first."""
    aged_by = str(entity.aged_by)
    found = raw_documents.query(context, entity).where(filter=FieldFilter(aged_by, "<", bound(entity, before)))
    return found.order_by(aged_by)


def count(context: Context, query: firestore.Query) -> int:
    """Return how many documents a query finds, one more than ``COUNTED`` at most."""
    with translated():
        return int(query.limit(COUNTED + 1).count().get(**bounded(context.deadline))[0][0].value)


def next_due(context: Context, entity: EntityRecord, periods: Mapping[str, int], now: datetime) -> datetime | None:
    """Return when the oldest document that is not over yet will be; None where there is none."""
    aged_by, kept = str(entity.aged_by), period(entity.retention, periods)
    before = cutoff(entity.retention, periods, now)
    if kept is None or before is None:
        return None
    query = raw_documents.query(context, entity).where(filter=FieldFilter(aged_by, ">=", bound(entity, before)))
    found = selected(context, query.order_by(aged_by).limit(1))
    if not found:
        return None
    day = timedelta(days=1) if entity.aged_by_day else timedelta(0)
    return moment(found[0].get(aged_by)) + kept + day


def bound(entity: EntityRecord, before: datetime) -> object:
    """Return a moment as the field by which an entity ages holds it: a day is over when all of it is."""
    return before.date().isoformat() if entity.aged_by_day else before


def is_older(entity: EntityRecord, fields: Mapping[str, Any], before: datetime) -> bool:
    """Tell whether a document is older than a moment; one without the field that it ages by never is."""
    value = fields.get(str(entity.aged_by))
    if entity.aged_by_day:
        return isinstance(value, str) and value < before.date().isoformat()
    return isinstance(value, datetime) and value < before


def moment(value: object) -> datetime:
    """Return the stored value of a time or a day as a time."""
    if isinstance(value, datetime):
        return datetime.fromtimestamp(value.timestamp(), UTC)
    return datetime.combine(date.fromisoformat(str(value)[:10]), time.min, UTC)


def keeping_all(kind: EntityRecord | FactsRecord, holds: Sequence[LegalHold]) -> list[Any]:
    """Return the ids of the holds that keep every record of a kind."""

    def keeps(hold: LegalHold) -> bool:
        if hold.scope == "subject":
            return kind.retention == WHOLE or (isinstance(kind, FactsRecord) and bool(kind.personal))
        return hold.scope == "tenant" or hold.entity == kind.name

    return [hold.hold_id for hold in holds if keeps(hold)]


def is_held(context: Context, entity: EntityRecord, snapshot: Snapshot, holds: Sequence[LegalHold]) -> bool:
    """Tell whether a document belongs to somebody whose data a hold keeps."""
    held = {digest for hold in holds if hold.scope == "subject" for digest in hold.subject_digests}
    if not held:
        return False
    fields = snapshot.to_dict()
    return any(
        digest_of(context, each.kind, _normalised(each.kind, value)) in held
        for each in entity.personal
        if each.identifies
        for value in _values(fields, each.field)
    )


def _planned(
    context: Context,
    entity: EntityRecord,
    periods: Mapping[str, int],
    holds: Sequence[LegalHold],
    now: datetime,
) -> PlannedKind:
    before = _limit(entity, periods, now)
    query = over(context, entity, before)
    due = count(context, query)
    oldest = selected(context, query.limit(1)) if due else []
    return PlannedKind(
        kind=entity.name,
        retention=entity.retention,
        days=(now - before).days,
        before=before,
        due=min(due, COUNTED),
        more=due > COUNTED,
        oldest=moment(oldest[0].get(str(entity.aged_by))) if oldest else None,
        kept_by=keeping_all(entity, holds),
    )


def _limit(kind: EntityRecord | FactsRecord, periods: Mapping[str, int], now: datetime) -> datetime:
    before = cutoff(kind.retention, periods, now)
    if before is None:
        raise ValueError(f"{kind.name} does not go by age")
    return before


def _values(fields: Mapping[str, Any], path: str) -> Iterable[str]:
    """Yield the texts at a dotted path, of a list all of them."""
    value: Any = fields
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    values = value if isinstance(value, list) else [value]
    yield from (each for each in values if isinstance(each, str) and each)


def _normalised(kind: str, value: str) -> str:
    if kind != "email":
        return value
    try:
        return normalised_email(value)
    except ValueError:
        return value

"""Rank alerts: raised by observations that leave their keyword's own noise, listed and acknowledged by people.

Every observation of a result page is folded into a small state of its keyword, device, locale and source: the last
looks, one a day (the later look of a day wins). State and alert are written in one transaction and the alert's id is
derived, so observations that arrive twice or late change nothing and raise nothing twice. Averages over a period
(Search Console) are no looks, and a failed check says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from common.answers import Page, Record
from common.aso.addresses import same_page
from common.aso.entities import KEYWORDS
from common.aso.gain_model.service import gain_model_of
from common.aso.models import Keyword, RankObservation
from common.aso.priority import monthly_demand
from common.aso.rank_state import counts_for
from common.aso.tracking.alert_models import AlertQuery, AlertUpdate, RankAlert
from common.aso.tracking.entities import RANK_ALERTS
from common.aso.tracking.noise import WINDOW, LookBack, Move, judge
from common.clients.firestore import firestore_client
from common.context import Context
from common.events import Envelope
from common.firestore_calls import bounded, translated
from common.identifiers import derived_uuid, digest
from common.store import Repository, Work, transact, write_record
from common.technical import RANK_NOISE

RECENT_DAYS = 7
"""Older looks are history: they tell the noise and raise nothing."""
KEPT = timedelta(days=200)


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A look with what orders the looks of one day."""

    look: LookBack
    checked_at: datetime
    observation_id: str

    @property
    def order(self) -> tuple[datetime, str]:
        """Later looks of a day win."""
        return (self.checked_at, self.observation_id)


def handle(context: Context, envelope: Envelope) -> None:
    """Fold an observation into its keyword's noise and raise an alert if it leaves it.

    Raises:
        Unavailable: Firestore does not answer; delivering the event again is harmless.
    """
    if envelope.payload.operation == "deleted":
        return
    observation = RankObservation.model_validate(envelope.payload.data, extra="ignore")
    if observation.state == "check_failed" or observation.impressions is not None:
        return
    fold(context.for_tenant(envelope.tenant_id), observation)


def fold(context: Context, observation: RankObservation, now: datetime | None = None) -> RankAlert | None:
    """Take a look as part of its keyword's history; return the alert it raised."""
    now = now or datetime.now(UTC)
    told = Told(
        look=LookBack(
            day=observation.date, position=observation.position, depth=observation.depth, url=observation.url
        ),
        checked_at=observation.checked_at,
        observation_id=observation.observation_id,
    )
    return transact(context, lambda work: _folded(work, observation, told, now), answers=False)


def _folded(work: Work, observation: RankObservation, told: Told, now: datetime) -> RankAlert | None:
    path = _path(work.context, observation)
    looks, alerted = _read(work, path)
    known = looks.get(told.look.day)
    if known is not None and known.order >= told.order:
        return None
    looks = dict(sorted({**looks, told.look.day: told}.items())[-WINDOW:])
    alert = None
    if told.look.day in looks and told.look.day == max(looks) and _is_recent(told.look.day, now):
        before = [day for day in alerted if day != told.look.day]
        move = judge([each.look for each in looks.values()], before)
        alert = None if move is None else _raised(work, observation, move, now)
        alerted = [*before, told.look.day] if alert is not None else alerted
    _write(work, path, observation, looks, [day for day in alerted if day >= min(looks)], now)
    return alert


def _is_recent(day: str, now: datetime) -> bool:
    return date.fromisoformat(day) >= now.date() - timedelta(days=RECENT_DAYS)


def _raised(work: Work, observation: RankObservation, move: Move, now: datetime) -> RankAlert | None:
    """Create the alert of a move, unless the keyword is followed no more or otherwise, or it is there already."""
    record = work.find(KEYWORDS, observation.keyword_id)
    if record is None or not counts_for(record.value, observation):
        return None
    alert_id = str(
        derived_uuid(
            "aso.rank_alert",
            *(observation.tenant_id, observation.keyword_id, observation.date),
            *(observation.device, observation.locale, observation.source),
        )
    )
    if work.find(RANK_ALERTS, alert_id) is not None:
        return None
    return work.create(RANK_ALERTS, _alert(work.context, alert_id, record.value, observation, move, now))


def _alert(
    context: Context, alert_id: str, keyword: Keyword, observation: RankObservation, move: Move, now: datetime
) -> RankAlert:
    url, before = observation.url, move.url
    return RankAlert(
        alert_id=alert_id,
        tenant_id=keyword.tenant_id,
        keyword_id=keyword.keyword_id,
        keyword=keyword.keyword,
        date=observation.date,
        device=observation.device,
        locale=observation.locale,
        source=observation.source,
        direction=move.direction,
        from_position=round(move.band.level, 1),
        to_position=observation.position,
        band_low=round(move.band.low, 1),
        band_high=round(move.band.high, 1),
        depth=observation.depth,
        url=url,
        previous_url=before,
        url_changed=url is not None and before is not None and not same_page(url, before),
        visits_change=_visits(context, keyword, move.band.level, observation.position),
        observation_id=observation.observation_id,
        created_at=now,
        updated_at=now,
    )


def _visits(context: Context, keyword: Keyword, usual: float, position: float | None) -> float | None:
    """Return the expected change of visits a month; None where nobody knows how often it is searched."""
    demand = monthly_demand(keyword.search_volume, keyword.observed_impressions, keyword.observed_days)
    if demand is None:
        return None
    model = gain_model_of(context)
    segment = model.segment_of(keyword.keyword)
    here = 0.0 if position is None else model.click_through(position, segment)
    return round(demand * (here - model.click_through(usual, segment)), 2)


def listed(context: Context, query: AlertQuery) -> Page[RankAlert]:
    """Return a page of alerts, newest first.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    names = ("status", "direction", "keyword_id")
    filters = [(name, "==", value) for name in names if (value := getattr(query, name)) is not None]
    return Repository(RANK_ALERTS, context).page(filters, limit=query.limit, cursor=query.cursor)


def update(context: Context, alert_id: str, body: AlertUpdate) -> Record[RankAlert]:
    """Acknowledge an alert, open it again, or note what it was about.

    Raises:
        NotFound: ``rank_alert_not_found``.
        PreconditionFailed: ``stale_etag``.
    """

    def work(work: Work) -> RankAlert:
        record = work.get_for_update(RANK_ALERTS, alert_id)
        changes: dict[str, Any] = {}
        if "note" in body.model_fields_set:
            changes["note"] = body.note
        if body.status is not None and body.status != record.value.status:
            done = body.status == "acknowledged"
            changes |= {
                "status": body.status,
                "acknowledged_at": datetime.now(UTC) if done else None,
                "acknowledged_by": context.principal.id if done else None,
            }
        changed = record.value.model_copy(update=changes)
        if changed != record.value:
            changed = changed.model_copy(update={"updated_at": datetime.now(UTC)})
        return work.update(RANK_ALERTS, record, changed)

    return write_record(context, work)


# ---------------------------------------------------------------------- the state of a keyword's noise


def _path(context: Context, observation: RankObservation) -> str:
    parts = (observation.keyword_id, observation.device, observation.locale, observation.source)
    return f"{RANK_NOISE.path}/{context.tenant_id}:{digest('rank-noise', *parts)}"


def _read(work: Work, path: str) -> tuple[dict[str, Told], Sequence[str]]:
    client = work.context.clients.get(firestore_client)
    with translated():
        [snapshot] = client.get_all(
            [client.document(path)], transaction=work.transaction.handle, **bounded(work.context.deadline)
        )
    fields: Mapping[str, Any] = snapshot.to_dict() or {} if snapshot.exists else {}
    return {each["day"]: _unpacked(each) for each in fields.get("looks", [])}, fields.get("alerted", [])


def _unpacked(fields: Mapping[str, Any]) -> Told:
    look = LookBack(day=fields["day"], position=fields["position"], depth=fields["depth"], url=fields["url"])
    moment = fields["checked_at"].timestamp()
    checked_at = datetime.fromtimestamp(moment, UTC)  # Firestore's own class remembers nanoseconds
    return Told(look=look, checked_at=checked_at, observation_id=fields["observation_id"])


def _write(
    work: Work,
    path: str,
    observation: RankObservation,
    looks: Mapping[str, Told],
    alerted: Sequence[str],
    now: datetime,
) -> None:
    reference = work.context.clients.get(firestore_client).document(path)
    fields = {
        "tenant_id": work.context.tenant_id,
        "keyword_id": observation.keyword_id,
        "looks": [
            {**asdict(each.look), "checked_at": each.checked_at, "observation_id": each.observation_id}
            for each in looks.values()
        ],
        "alerted": list(alerted),
        "expires_at": now + KEPT,
    }
    work.write(path, lambda batch: batch.set(reference, fields))

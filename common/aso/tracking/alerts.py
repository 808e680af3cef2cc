"""Rank alerts: raised by observations that leave their keyword's own noise, listed and acknowledged by people.

What is usual for a keyword is a small state of its last looks, one a day (the later look of a day wins), by device,
locale and source. It is made from the stored observations when a recent look first asks for it, and then carried on
look by look; each look that is new to it has all recent days judged. An older look that arrives late drops it, so that
the next recent one makes it anew. Nothing is locked: the state is written only if it is still the one that was read,
together with the alerts, whose ids are derived; so observations that arrive twice, late or at once raise nothing twice.
Averages over a period (Search Console) are no looks, and a failed check says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from common import technical
from common.answers import Page, Record
from common.aso.addresses import same_page
from common.aso.entities import KEYWORDS, RANK_OBSERVATIONS
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
SEED = 200
"""Observations from which a state is made: two months of three a day."""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What is known of a keyword's looks.

    Attributes:
        looks: By day, oldest first.
        alerted: Days on which an alert was raised.
        version: Update time of the document that it was read from; None where it was made.
    """

    looks: Mapping[str, Told]
    alerted: Sequence[str]
    version: datetime | None


def handle(context: Context, envelope: Envelope) -> None:
    """Fold an observation into its keyword's noise and raise an alert if it leaves it.

    Raises:
        Unavailable: Firestore does not answer; delivering the event again is harmless.
    """
    if envelope.payload.operation == "deleted":
        return
    observation = RankObservation.model_validate(envelope.payload.data, extra="ignore")
    if _is_look(observation):
        fold(context.for_tenant(envelope.tenant_id), observation)


def fold(context: Context, observation: RankObservation, now: datetime | None = None) -> list[RankAlert]:
    """Take a look as part of its keyword's history; return the alerts it raised."""
    now = now or datetime.now(UTC)
    path = _path(context, observation)
    if not _is_recent(observation.date, now):
        _forget(context, path)
        return []
    return transact(context, lambda work: _folded(work, path, observation, now), answers=False)


def _told(observation: RankObservation) -> Told:
    look = LookBack(day=observation.date, position=observation.position, depth=observation.depth, url=observation.url)
    return Told(look=look, checked_at=observation.checked_at, observation_id=observation.observation_id)


def _folded(work: Work, path: str, observation: RankObservation, now: datetime) -> list[RankAlert]:
    told, state = _told(observation), _read(work.context, path)
    if state is None:
        state = _made(work.context, observation)
    else:
        known = state.looks.get(told.look.day)
        if known is not None and known.order >= told.order:
            return []
    looks = _newest([*state.looks.values(), told])
    alerted = [day for day in state.alerted if day in looks]
    raised = []
    for day in [day for day in looks if day not in alerted and _is_recent(day, now)]:
        upto = [each.look for each in looks.values() if each.look.day <= day]
        move = judge(upto, [each for each in alerted if each < day])
        alert = None if move is None else _raised(work, observation, looks[day], move, now)
        if alert is not None:
            alerted.append(day)
            raised.append(alert)
    _write(work, path, observation, State(looks=looks, alerted=sorted(alerted), version=state.version), now)
    return raised


def _newest(told: Iterable[Told]) -> dict[str, Told]:
    """Return the last look of each of the newest days, oldest day first."""
    days: dict[str, Told] = {}
    for each in told:
        known = days.get(each.look.day)
        if known is None or each.order > known.order:
            days[each.look.day] = each
    return dict(sorted(days.items())[-WINDOW:])


def _is_recent(day: str, now: datetime) -> bool:
    return date.fromisoformat(day) >= now.date() - timedelta(days=RECENT_DAYS)


def _raised(work: Work, observation: RankObservation, last: Told, move: Move, now: datetime) -> RankAlert | None:
    """Create the alert of a move, unless the keyword is followed no more or otherwise, or it is there already.

    Args:
        work: The transaction.
        observation: Any look of the series: keyword, device, locale and source.
        last: The look that completes the move.
        move: The move.
        now: The present.
    """
    record = work.find(KEYWORDS, observation.keyword_id)
    if record is None or not counts_for(record.value, observation):
        return None
    alert_id = str(
        derived_uuid(
            "aso.rank_alert",
            *(observation.tenant_id, observation.keyword_id, last.look.day),
            *(observation.device, observation.locale, observation.source),
        )
    )
    if work.find(RANK_ALERTS, alert_id) is not None:
        return None
    return work.create(RANK_ALERTS, _alert(work.context, alert_id, record.value, observation, last, move, now))


def _alert(
    context: Context,
    alert_id: str,
    keyword: Keyword,
    series: RankObservation,
    last: Told,
    move: Move,
    now: datetime,
) -> RankAlert:
    url, before = last.look.url, move.url
    return RankAlert(
        alert_id=alert_id,
        tenant_id=keyword.tenant_id,
        keyword_id=keyword.keyword_id,
        keyword=keyword.keyword,
        date=last.look.day,
        device=series.device,
        locale=series.locale,
        source=series.source,
        direction=move.direction,
        from_position=round(move.band.level, 1),
        to_position=last.look.position,
        band_low=round(move.band.low, 1),
        band_high=round(move.band.high, 1),
        depth=last.look.depth,
        url=url,
        previous_url=before,
        url_changed=url is not None and before is not None and not same_page(url, before),
        visits_change=_visits(context, keyword, move.band.level, last.look.position),
        observation_id=last.observation_id,
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
    return f"{RANK_NOISE.path}/{context.tenant_id}:{digest('rank-noise', *_series(observation))}"


def _read(context: Context, path: str) -> State | None:
    """Return the state as it is stored; None where there is none."""
    found = technical.read(context, path)
    if found is None:
        return None
    fields, version = found
    looks = {each["day"]: _unpacked(each) for each in fields["looks"]}
    return State(looks=looks, alerted=fields["alerted"], version=version)


def _made(context: Context, observation: RankObservation) -> State:
    """Return the state that the stored observations and alerts make."""
    of_keyword = [("keyword_id", "==", observation.keyword_id)]
    records = Repository(RANK_OBSERVATIONS, context).select(of_keyword, ("-date",), SEED)
    alerts = Repository(RANK_ALERTS, context).select(of_keyword, ("-created_at",), WINDOW)
    series = _series(observation)
    told = [each.value for each in records if _is_look(each.value) and _series(each.value) == series]
    alerted = [each.value.date for each in alerts if _series(each.value) == series]
    return State(looks=_newest(map(_told, told)), alerted=alerted, version=None)


def _series(of: RankObservation | RankAlert) -> tuple[str, str, str, str]:
    return (of.keyword_id, of.device, of.locale, of.source)


def _is_look(observation: RankObservation) -> bool:
    return observation.state != "check_failed" and observation.impressions is None


def _forget(context: Context, path: str) -> None:
    """Drop a state, so that it is made anew with an older look that arrived late."""
    with translated():
        context.clients.get(firestore_client).document(path).delete(**bounded(context.deadline))


def _unpacked(fields: Mapping[str, Any]) -> Told:
    look = LookBack(day=fields["day"], position=fields["position"], depth=fields["depth"], url=fields["url"])
    moment = fields["checked_at"].timestamp()
    checked_at = datetime.fromtimestamp(moment, UTC)  # Firestore's own class remembers nanoseconds
    return Told(look=look, checked_at=checked_at, observation_id=fields["observation_id"])


def _write(work: Work, path: str, observation: RankObservation, state: State, now: datetime) -> None:
    """Write the state if it is still the one that was read; otherwise the work is run again."""
    client = work.context.clients.get(firestore_client)
    reference = client.document(path)
    fields = {
        "tenant_id": work.context.tenant_id,
        "keyword_id": observation.keyword_id,
        "looks": [
            {**asdict(each.look), "checked_at": each.checked_at, "observation_id": each.observation_id}
            for each in state.looks.values()
        ],
        "alerted": list(state.alerted),
        "expires_at": now + KEPT,
    }
    if state.version is None:
        work.write(path, lambda batch: batch.create(reference, fields))
    else:
        unchanged = client.write_option(last_update_time=state.version)
        work.write(path, lambda batch: batch.update(reference, fields, unchanged))

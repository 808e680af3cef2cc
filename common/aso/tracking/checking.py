"""Checking a few keywords: one paid look each, recorded as an observation, and the budget settled.

1. Checks are reserved for the whole batch at what they can cost at most; there are no more looks than were reserved.
2. Each keyword is claimed before its provider is called (``claims``), so a task that runs again pays for nothing twice.
3. The provider's answer is stored before it is recorded: a crash after that loses nothing.
4. The rank is recorded as ``ranked``, ``not_found`` down to a depth, or ``check_failed`` where no provider answered.
5. The reservation is settled at what the batch cost, earlier runs of it included.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from common import logs, objects, technical
from common.aso import ranks
from common.aso.entities import CONTENT_PIECES, KEYWORDS
from common.aso.models import Device, Keyword
from common.aso.site.service import Site, site_of
from common.aso.tracking import budget, claims
from common.aso.tracking.budget import Granted
from common.aso.tracking.chain import Failed, Look, look, most
from common.aso.tracking.claims import Claim, Subject
from common.aso.tracking.deployment import ProviderTerms, deployment_of, key_of
from common.aso.tracking.ledger import Limits, Spent
from common.aso.tracking.models import FetchTask, TrackedRow
from common.aso.tracking.serp import Serp, SerpQuery, findings, is_enough
from common.context import Context
from common.errors import Unavailable
from common.store import Repository
from common.technical import RANK_PLANS

SOURCE = "rank_tracker"
STALE = timedelta(hours=20)
"""Age from which on a batch is dropped: its keywords are about to be planned again."""
FAILED = "rank_check_failed"
"""Message of the log line of a look that no provider answered; a metric in Terraform counts it."""


@dataclass(slots=True)
class Outcome:
    """What a batch did.

    Attributes:
        ranked: Looks that found the site.
        not_found: Looks that did not, down to their depth.
        failed: Looks that no provider answered.
        known: Looks made before, today.
        over_budget: Keywords without budget.
        gone: Keywords that are followed no more, or over all devices together.
    """

    ranked: int = 0
    not_found: int = 0
    failed: int = 0
    known: int = 0
    over_budget: int = 0
    gone: int = 0


@dataclass(slots=True)
class _Batch:
    """A batch under way.

    Attributes:
        again: An earlier run of it was not settled: what that run did belongs to the reservation.
        spent: What it cost, such an earlier run included.
        failures: Last failure by provider.
    """

    context: Context
    task: FetchTask
    site: Site
    terms: Sequence[ProviderTerms]
    again: bool = False
    outcome: Outcome = field(default_factory=Outcome)
    spent: Spent = field(default_factory=Spent)
    failures: dict[str, Failed] = field(default_factory=dict)


def fetch_batch(context: Context, task: FetchTask, now: datetime | None = None) -> Outcome:
    """Check the keywords of a task.

    Args:
        context: Circumstances of the task.
        task: What to check.
        now: The present; None for the clock.

    Raises:
        Unavailable: Firestore does not answer; the task is tried again and pays for nothing twice.
    """
    now = now or datetime.now(UTC)
    deployment, site = deployment_of(context.clients.settings), site_of(context)
    batch = _Batch(context, task, site, deployment.chain(site.tracking.providers))
    if not batch.terms or not site.hosts or now - task.planned_at > STALE:
        return batch.outcome
    keywords = _checkable(batch)
    targets = _targets(context, keywords)
    limits = budget.limits_of(deployment, site.tracking.budget)
    granted = _reserved(batch, len(keywords), limits)
    batch.again = granted.again
    for keyword in keywords:
        if batch.spent.checks >= granted.checks:
            batch.outcome.over_budget += 1
            continue
        _check(batch, keyword, targets.get(keyword.content_id or ""), datetime.now(UTC))
    budget.settle(context, task.batch, batch.spent, task.planned_at)
    _note_failures(batch)
    _tell(batch)
    return batch.outcome


def device_of(keyword: Keyword, site: Site) -> Device | None:
    """Return the device whose result page a keyword is checked on; None for one that is followed over all devices."""
    device = keyword.device or ("desktop" if site.device == "all" else site.device)
    return None if device == "all" else device


def _checkable(batch: _Batch) -> list[Keyword]:
    found = Repository(KEYWORDS, batch.context).get_many(batch.task.keyword_ids)
    keywords = [found[name].value for name in dict.fromkeys(batch.task.keyword_ids) if name in found]
    checkable = [keyword for keyword in keywords if device_of(keyword, batch.site) is not None]
    batch.outcome.gone = len(batch.task.keyword_ids) - len(checkable)
    return checkable


def _targets(context: Context, keywords: Sequence[Keyword]) -> dict[str, str]:
    """Return the addresses of the pieces that target the keywords, by the piece's id."""
    names = {keyword.content_id for keyword in keywords if keyword.content_id is not None}
    found = Repository(CONTENT_PIECES, context).get_many(names)
    return {name: record.value.url for name, record in found.items() if record.value.url is not None}


def _reserved(batch: _Batch, checks: int, limits: Limits) -> Granted:
    price = most(batch.terms, -(-batch.site.tracking.depth // 10))
    return budget.reserve(batch.context, batch.task.batch, checks, price, limits, batch.task.planned_at)


def _check(batch: _Batch, keyword: Keyword, target_url: str | None, now: datetime) -> None:
    """Look a keyword up, unless that was done today, and record what was found."""
    device = device_of(keyword, batch.site)
    assert device is not None
    locale = keyword.locale or batch.site.locale
    day = batch.task.planned_at.astimezone(UTC).date().isoformat()
    subject = Subject(keyword_id=keyword.keyword_id, day=day, device=device, locale=locale)
    claim = claims.claim(batch.context, subject, batch.task.batch, now, again=batch.task.on_demand)
    if claim.state in {"done", "busy"}:
        batch.outcome.known += 1
        if claim.ours and batch.again:
            batch.spent += Spent(checks=1, milli=claim.milli)
        return
    depth = batch.site.tracking.depth
    query = SerpQuery(keyword=keyword.keyword, locale=locale, device=device, depth=depth)
    found, path = _resumed(batch, subject) if claim.state == "interrupted" else _looked(batch, query, subject)
    if claim.ours:
        batch.spent += Spent(checks=1, milli=found.milli)
    _record(batch, keyword, query, claim, found, path, target_url)
    claims.finish(
        batch.context, subject, batch.task.batch, claim.checked_at, failed=found.serp is None, milli=found.milli
    )


def _looked(batch: _Batch, query: SerpQuery, subject: Subject) -> tuple[Look, str | None]:
    """Ask the providers and store the answer."""
    found = look(batch.context, batch.terms, query, lambda serp: is_enough(serp, batch.site))
    for failure in found.failures:
        batch.failures[failure.provider] = failure
    if found.serp is None:
        codes = ", ".join(f"{each.provider}: {each.code}" for each in found.failures)
        log = logs.bound(batch.context.clients.settings, tenant_id=batch.context.tenant_id)
        log.error(FAILED, keyword_id=subject.keyword_id, reasons=codes)
        return found, None
    return found, _stored(batch, query, subject, found)


def _path(subject: Subject) -> str:
    return f"serp/{subject.day}/{subject.name}.json.gz"


def _stored(batch: _Batch, query: SerpQuery, subject: Subject, found: Look) -> str | None:
    """Keep a provider's answer for as long as its bucket does; without storage the rank is recorded all the same."""
    assert found.serp is not None
    settings = batch.context.clients.settings
    content = {
        "provider": found.provider,
        "query": {"keyword": query.keyword, "locale": query.locale, "device": query.device, "depth": query.depth},
        "milli": found.milli,
        "ended": found.serp.ended,
        "urls": found.serp.urls,
        "features": sorted(found.serp.features),
        "answers": found.answers,
    }
    text = json.dumps(content, ensure_ascii=False)
    for each in batch.terms:
        for part in filter(None, key_of(settings, each.name).split(":")):
            text = text.replace(part, "***")  # a provider may repeat what it was sent
    packed = gzip.compress(text.encode(), mtime=0)
    path = _path(subject)
    try:
        objects.write(batch.context, settings.content_bucket, path, packed, "application/gzip")
    except Unavailable:
        return None
    return path


def _resumed(batch: _Batch, subject: Subject) -> tuple[Look, str | None]:
    """Return a look that a crash interrupted, from its stored answer; without one it failed, at its highest price."""
    path = _path(subject)
    packed = objects.read(batch.context, batch.context.clients.settings.content_bucket, path)
    if packed is None:
        failure = Failed(provider=batch.terms[0].name, kind="transient", code="interrupted")
        return Look(serp=None, milli=most(batch.terms, -(-batch.site.tracking.depth // 10)), failures=(failure,)), None
    kept: dict[str, Any] = json.loads(gzip.decompress(packed))
    serp = Serp(urls=tuple(kept["urls"]), features=frozenset(kept["features"]), ended=kept["ended"])
    return Look(serp=serp, provider=kept["provider"], milli=kept["milli"]), path


def _record(
    batch: _Batch,
    keyword: Keyword,
    query: SerpQuery,
    claim: Claim,
    found: Look,
    path: str | None,
    target_url: str | None,
) -> None:
    """Record what a look found as an observation."""
    common = {
        "keyword_id": keyword.keyword_id,
        "checked_at": claim.checked_at,
        "device": query.device,
        "locale": query.locale,
        "source": SOURCE,
    }
    row = TrackedRow.model_validate({**common, **_told(batch, query, found, path, target_url)})
    recorded = ranks.record(batch.context, [row])
    for refused in (each.problem for each in recorded.rows if each.problem is not None):
        log = logs.bound(batch.context.clients.settings, tenant_id=batch.context.tenant_id)
        log.warning("rank not recorded", keyword_id=keyword.keyword_id, code=refused.code)


def _told(
    batch: _Batch, query: SerpQuery, found: Look, path: str | None, target_url: str | None
) -> Mapping[str, object]:
    """Return the fields of an observation that tell what was found."""
    if found.serp is None:
        batch.outcome.failed += 1
        return {"state": "check_failed"}
    told = findings(found.serp, batch.site, query.depth, target_url)
    fields: dict[str, object] = {
        "provider": found.provider,
        "raw_path": path,
        "features": list(told.features),
        "competitors": list(told.competitors),
        "own_pages": list(told.own_pages),
        "target_position": told.target_position,
    }
    if told.position is None:
        batch.outcome.not_found += 1
        return {**fields, "state": "not_found", "depth": told.depth}
    batch.outcome.ranked += 1
    return {**fields, "state": "ranked", "position": told.position, "url": told.url}


def _note_failures(batch: _Batch) -> None:
    """Remember each provider's last failure for the status of the tenant's tracking."""
    if not batch.failures:
        return
    told = {name: {"code": each.code, "at": datetime.now(UTC)} for name, each in batch.failures.items()}

    def change(fields: dict[str, Any] | None) -> tuple[dict[str, Any] | None, None]:
        known = fields or {"tenant_id": batch.context.tenant_id}
        return {**known, "failures": {**known.get("failures", {}), **told}}, None

    technical.changed(batch.context, f"{RANK_PLANS.path}/{batch.context.tenant_id}", change)


def _tell(batch: _Batch) -> None:
    """Leave one line about the batch, which the cloud's metrics are made from."""
    log = logs.bound(batch.context.clients.settings, tenant_id=batch.context.tenant_id, batch=batch.task.batch)
    done = batch.outcome
    log.info(
        "rank checks",
        ranked=done.ranked,
        not_found=done.not_found,
        failed=done.failed,
        known=done.known,
        over_budget=done.over_budget,
        spent_milli=batch.spent.milli,
    )

"""What the detectors' scans have in common: known opportunities, reconciling, claims and the answer.

A detector asks the warehouse for its findings as one set and computes opportunities from them; everything else is here.
Findings beyond the limit are not computed yet, and what a scan did not look at must not be closed, nor what another
scan makes meanwhile. So a scan asks for the greatest findings that are new and, whatever their size, for those known to
hold; a known one that does not come back no longer holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from common.aso.detectors.models import SHOWN, Detection, DetectionTask, Detector, Verdict
from common.aso.detectors.purposes import CANNIBALIZATION_SCAN, CONTENT_GAP_SCAN, DECAY_SCAN, LINK_GAP_SCAN
from common.aso.entities import CONTENT_PIECES, KEYWORDS, OPPORTUNITIES
from common.aso.gain import confidence
from common.aso.models import ContentPiece, Keyword, Opportunity
from common.aso.normalize import keyword_id_of
from common.aso.opportunities import reconcile
from common.context import Context
from common.store import Repository, in_chunks
from common.warehouse import marks
from common.warehouse.due import enqueue_due

TENANT_TASK = "aso-detection-tenant"
SCHEDULED_LIMIT = 1000
"""New findings of one scheduled run, the greatest first."""
REQUEST_LIMIT = 300
"""New findings of one run that somebody waits for."""
WRITES = 2000
"""Creations, and closings, of one run at most."""
ADDRESSES_AT_ONCE = 30
"""Values that one ``in`` filter of Firestore takes."""

PURPOSES: Mapping[Detector, str] = {
    "content_decay": DECAY_SCAN,
    "cannibalization": CANNIBALIZATION_SCAN,
    "content_gap": CONTENT_GAP_SCAN,
    "link_gap": LINK_GAP_SCAN,
}

Answer = TypeVar("Answer", bound=Detection)


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What a detector says.

    Attributes:
        verdict: ``judged``, or why it says nothing: then nothing is touched.
        candidates: Opportunities that hold.
        beyond: Findings that the limit left out.
        reasons: Why a subject is no longer an opportunity, by subject id.
        otherwise: Why one is not that has no reason of its own.
        figures: More fields of the answer.
        wake_at: When something ends by the passing of time; None never.
    """

    verdict: Verdict = "judged"
    candidates: Sequence[Opportunity] = ()
    beyond: int = 0
    reasons: Mapping[str, str] = field(default_factory=dict)
    otherwise: str = "no_longer_found"
    figures: Mapping[str, Any] = field(default_factory=dict)
    wake_at: datetime | None = None


Detect = Callable[[Context, Sequence[str], int, datetime], Findings]
"""Looks for findings: circumstances, subjects known to hold, new findings at most, the moment."""


def enqueue_detection(context: Context, detector: Detector, now: datetime | None = None) -> int:
    """Make a task for every tenant of which a detector's scan is due; return how many.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer.
    """
    return enqueue_due(
        context,
        PURPOSES[detector],
        TENANT_TASK,
        lambda claim: DetectionTask(detector=detector, working_since=claim.working_since),
        now=now,
    )


def detection(
    context: Context, detector: Detector, detect: Detect, answer: type[Answer], now: datetime | None = None
) -> Answer:
    """Scan the context's tenant while somebody waits.

    The tenant's mark is left alone: rows on their way to the warehouse are the scheduled scan's.

    Raises:
        Unavailable: A dependency does not answer; what was written stays and scanning again goes on.
    """
    return _scanned(context, detector, detect, answer, REQUEST_LIMIT, now or datetime.now(UTC))[0]


def claimed_detection(
    context: Context, task: DetectionTask, detect: Detect, answer: type[Answer], now: datetime | None = None
) -> Answer:
    """Scan the tenant of a task and end its claim; it stays marked while something remains and progress is made.

    Raises:
        Unavailable: A dependency does not answer; the task is tried again.
    """
    purpose = PURPOSES[task.detector]
    result, findings = _scanned(context, task.detector, detect, answer, SCHEDULED_LIMIT, now or datetime.now(UTC))
    if result.remaining and (result.created or result.closed or result.released or result.refreshed):
        marks.set_marks(context, context.tenant_id, [(purpose, marks.EVERYTHING)])
    marks.finish(context, purpose, context.tenant_id, marks.EVERYTHING, task.working_since, wake_at=findings.wake_at)
    return result


def _scanned(
    context: Context, detector: Detector, detect: Detect, answer: type[Answer], limit: int, now: datetime
) -> tuple[Answer, Findings]:
    known = {each.subject_id for each in _holding(context, detector)}
    findings = detect(context, sorted(known), limit, now)
    done: dict[str, Any] = {}
    if findings.verdict == "judged":
        found = {each.subject_id for each in findings.candidates}
        gone = dict.fromkeys(known - found, findings.otherwise) | dict(findings.reasons)
        written = reconcile(
            context, {detector}, findings.candidates, now, limit=WRITES, subjects=known | found, reasons=gone
        )
        done = {
            "found": len(findings.candidates),
            "created": written.created,
            "kept": written.kept,
            "refreshed": written.refreshed,
            "closed": written.closed,
            "released": written.released,
            "remaining": written.remaining + findings.beyond,
        }
    made = answer.model_validate(
        {
            "verdict": findings.verdict,
            "scanned_at": now,
            "items": _ranked(context, detector),
            **done,
            **findings.figures,
        }
    )
    return made, findings


def _holding(context: Context, detector: Detector) -> list[Opportunity]:
    filters = [("opportunity_type", "==", detector), ("holds", "==", True)]
    return [record.value for record in Repository(OPPORTUNITIES, context).select(filters)]


def _ranked(context: Context, detector: Detector) -> list[Opportunity]:
    filters = [("opportunity_type", "==", detector), ("status", "in", ["new", "in_progress"])]
    records = Repository(OPPORTUNITIES, context).select(filters, ("-expected_gain", "-detected_at"), SHOWN)
    return [record.value for record in records]


def pieces_at(context: Context, addresses: Sequence[str]) -> dict[str, ContentPiece]:
    """Return the pieces published at some addresses, by address in its compared form (``url_normalized``)."""
    pieces: dict[str, ContentPiece] = {}
    for chunk in in_chunks(sorted(set(addresses)), ADDRESSES_AT_ONCE):
        for record in Repository(CONTENT_PIECES, context).select([("url_normalized", "in", list(chunk))]):
            if record.value.url_normalized is not None:
                pieces[record.value.url_normalized] = record.value
    return pieces


def keywords_named(context: Context, texts: Sequence[str]) -> dict[str, Keyword]:
    """Return the tenant's keywords of some searches, by the text as given; those it does not follow are missing."""
    ids = {text: keyword_id_of(context.tenant_id, text) for text in set(texts)}
    found = Repository(KEYWORDS, context).get_many(sorted(set(ids.values())))
    return {text: found[name].value for text, name in ids.items() if name in found}


def opportunity(tenant_id: str, detector: Detector, now: datetime, **fields: Any) -> Opportunity:
    """Return an opportunity found now; its id is given when it is created."""
    found = {"opportunity_type": detector, "detected_at": now, "created_at": now, "updated_at": now}
    return Opportunity.model_validate({"opportunity_id": "", "tenant_id": tenant_id, **found, **fields})


def followed(keyword: Keyword | None, piece: ContentPiece | None) -> dict[str, Any]:
    """Return the fields of an opportunity that come from the keyword and the piece it is about, where there are."""
    return {
        "search_volume": None if keyword is None else keyword.search_volume,
        "estimated_difficulty": None if keyword is None else keyword.difficulty_score,
        "content_id": None if piece is None else piece.content_id,
    }


def observed_confidence(difficulty: float | None, age_days: int) -> float:
    """Return how far an estimate from search performance can be trusted; see ``gain.confidence``."""
    known = difficulty is not None
    score = confidence(basis="observed_impressions", period_known=True, difficulty_known=known, age_days=age_days)
    return round(score, 4)

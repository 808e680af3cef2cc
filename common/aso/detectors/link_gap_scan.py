"""Link gaps as opportunities: one for each hub whose newest audit found links missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.aso import gain
from common.aso.detectors.link_gap import LinkGap, expected_of, link_gap_of
from common.aso.detectors.models import LinkGapDetection
from common.aso.detectors.scanning import Findings, detection, keywords_named, opportunity
from common.aso.entities import CONTENT_PIECES
from common.aso.gain_model.model import Expected, GainModel
from common.aso.gain_model.scale import Search, landed
from common.aso.gain_model.service import gain_model_of
from common.aso.models import ContentPiece, Keyword, Opportunity
from common.aso.opportunity_rules import demand_of
from common.aso.pages.entities import LINK_AUDITS
from common.aso.pages.link_models import LinkAudit
from common.context import Context
from common.store import Repository

HUBS = 500
"""Hubs of one scan, those audited last."""
NAMED = 3
"""Spokes that the recommendation names."""
TOLD = 100
"""Spokes of each kind in the evidence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is stored about the pages of the hubs with gaps.

    Attributes:
        pieces: By content id.
        keywords: By the text of a keyword that a piece targets.
    """

    pieces: Mapping[str, ContentPiece]
    keywords: Mapping[str, Keyword]

    def searches(self, content_id: str, model: GainModel) -> list[Search]:
        """Return the searches a piece is known to rank for, of those it targets, with a known demand."""
        piece = self.pieces.get(content_id)
        texts = [] if piece is None else [piece.keyword_primary, *piece.keyword_secondary]
        found = {each.keyword_id: each for text in texts if (each := self.keywords.get(text)) is not None}
        searches = []
        for each in found.values():
            demand = demand_of(each)
            if each.current_ranking is not None and demand is not None:
                searches.append(
                    Search(
                        rank=each.average_position or float(each.current_ranking),
                        demand=demand.monthly,
                        difficulty=each.difficulty_score,
                        segment=model.segment_of(each.keyword),
                    )
                )
        return searches


def link_gap_now(context: Context) -> LinkGapDetection:
    """Look for link gaps while the caller waits.

    Raises:
        Unavailable: A dependency does not answer.
    """
    return detection(context, "link_gap", detect, LinkGapDetection)


def detect(context: Context, known: Sequence[str], limit: int, now: datetime) -> Findings:
    """Return the link gaps of the hubs audited last, and of those with a gap that is known.

    Raises:
        Unavailable: A dependency does not answer.
    """
    stored_audits = Repository(LINK_AUDITS, context)
    newest = stored_audits.select(order=("-checked_at",), limit=min(HUBS, limit))
    audits = {record.value.content_id: record.value for record in [*newest, *stored_audits.get_many(known).values()]}
    if not audits and not known:
        return Findings(verdict="no_audits")
    gaps = {name: gap for name, audit in audits.items() if (gap := link_gap_of(audit)) is not None}
    stored = _known(context, gaps)
    model = gain_model_of(context)
    candidates: list[Opportunity] = []
    reasons = {name: "every_link_is_there" for name in audits if name not in gaps}
    for name, gap in gaps.items():
        hub = stored.pieces.get(name)
        if hub is None or hub.status == "archived":
            reasons[name] = "hub_gone"
        else:
            candidates.append(opportunity_of(hub, gap, audits[name], stored, model, now))
    return Findings(
        candidates=candidates,
        reasons=reasons,
        otherwise="audit_gone",
        figures={
            "hubs_audited": len(audits),
            "links_missing": sum(gap.missing for gap in gaps.values()),
            "orphans": sum(len(gap.orphans) for gap in gaps.values()),
        },
    )


def _known(context: Context, gaps: Mapping[str, LinkGap]) -> Known:
    wanted = {name for hub, gap in gaps.items() for name in (hub, *gap.unlinked, *gap.silent[:NAMED])}
    records = Repository(CONTENT_PIECES, context).get_many(sorted(wanted))
    pieces = {name: record.value for name, record in records.items()}
    texts = [text for piece in pieces.values() for text in (piece.keyword_primary, *piece.keyword_secondary)]
    return Known(pieces=pieces, keywords=keywords_named(context, texts))


def opportunity_of(
    hub: ContentPiece, gap: LinkGap, audit: LinkAudit, known: Known, model: GainModel, now: datetime
) -> Opportunity:
    """Return the opportunity that a hub's link gap is; without any known search its gain stays unknown."""
    searches = {name: known.searches(name, model) for name in (hub.content_id, *gap.unlinked)}
    expected = expected_of(gap, hub.content_id, searches, model)
    own = known.keywords.get(hub.keyword_primary)
    demand = sum(each.demand for every in searches.values() for each in every)
    confidence = gain.confidence(
        basis="observed_impressions" if own is None or own.search_volume is None else "search_volume",
        period_known=True,
        difficulty_known=all(each.difficulty is not None for every in searches.values() for each in every),
        age_days=(now - audit.checked_at).days,
    )
    unvalued = sum(not each for each in searches.values())
    return opportunity(
        hub.tenant_id,
        "link_gap",
        now,
        keyword=hub.keyword_primary,
        subject_id=hub.content_id,
        url=hub.url,
        confidence_score=round(confidence, 4),
        recommendation=recommendation(hub, gap, known),
        current_ranking=None if own is None else own.current_ranking,
        search_volume=None if own is None else own.search_volume,
        demand_basis="search_volume" if own is not None and own.search_volume is not None else "observed_impressions",
        monthly_demand=round(demand, 2),
        reasons=reasons_of(gap, audit, expected, unvalued, model),
        evidence=evidence_of(gap, audit, unvalued),
        content_id=hub.content_id,
        **({} if expected is None else landed(model, expected) | {"reachable_ranking": None}),
    )


def recommendation(hub: ContentPiece, gap: LinkGap, known: Known) -> str:
    """Return what to do."""
    actions = []
    if gap.unlinked:
        first = [*gap.orphans, *(name for name in gap.unlinked if name not in gap.orphans)]
        actions.append(f"link from {hub.title!r} to {_named(first, known)}")
    if gap.silent:
        actions.append(f"link back to it from {_named(gap.silent, known)}")
    text = "; and ".join(actions) + "."
    return text[0].upper() + text[1:]


def _named(names: Sequence[str], known: Known) -> str:
    shown = [repr(known.pieces[name].title) if name in known.pieces else name for name in names[:NAMED]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def reasons_of(gap: LinkGap, audit: LinkAudit, expected: Expected | None, unvalued: int, model: GainModel) -> list[str]:
    """Return why, with every figure the estimate rests on."""
    told = [
        f"The hub links to {len(audit.spokes) - len(gap.unlinked)} of its {len(audit.spokes)} published spokes.",
        f"{len(gap.silent)} of the {gap.back_links_known} spokes that were read do not link back.",
    ]
    if gap.coverage is not None:
        told.append(f"Coverage {gap.coverage:.0%} of the links between hub and spokes.")
    if gap.orphans:
        told.append(f"{len(gap.orphans)} spokes have no link from the hub or from another spoke.")
    if unvalued:
        told.append(f"{unvalued} of the pages concerned have no known rank and demand and add nothing to the gain.")
    if expected is None:
        told.append("No page concerned has a known rank and demand: the gain is unknown.")
    else:
        told.append("Prior: a page that gets its links ranks one better for each of its searches.")
        told.append(f"Expected gain {expected.gain:.1f} visits a month (model {model.version}).")
    return told


def evidence_of(gap: LinkGap, audit: LinkAudit, unvalued: int) -> dict[str, object]:
    """Return the figures behind the finding."""
    return {
        "spokes": len(audit.spokes),
        "unlinked": list(gap.unlinked[:TOLD]),
        "orphans": list(gap.orphans[:TOLD]),
        "silent": list(gap.silent[:TOLD]),
        "links_missing": gap.missing,
        "coverage": None if gap.coverage is None else round(gap.coverage, 4),
        "pages_without_known_searches": unvalued,
        "ranks_better": 1,
        "checked_at": audit.checked_at.isoformat(),
    }

"""Decay as opportunities: pages whose visits fall, what made them fall, and what bringing them back is worth.

Which pages fall is the trend's verdict (``decay_query``). What was lost is the change from the first to the last four
weeks, brought to months, in its parts (``decomposition``). Only what rank and the page's own share of clicks lost can
be won back by work on the page; where demand or the whole site's click-through explain the fall, there is no
opportunity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from common.aso.detectors.change_query import Change, changes
from common.aso.detectors.cuts import Window
from common.aso.detectors.decay_query import OLDEST_NEWEST_DAYS, Decaying, DecayingPage, decaying
from common.aso.detectors.decomposition import Cell, Parts, Side, Windows, decomposed
from common.aso.detectors.models import DecayDetection, Verdict
from common.aso.detectors.scanning import (
    Findings,
    detection,
    followed,
    keywords_named,
    observed_confidence,
    opportunity,
    pieces_at,
)
from common.aso.detectors.site_shift import curves
from common.aso.detectors.trend import OBSERVED_WEEKS, Trend, trend_of
from common.aso.gain_model.model import Expected, GainModel
from common.aso.gain_model.scale import landed, recovery
from common.aso.gain_model.service import gain_model_of
from common.aso.models import ContentPiece, Keyword, Opportunity
from common.aso.opportunity_rules import MONTH_DAYS
from common.context import Context

RECOVERABLE_SHARE = 0.1
"""Of the visits lost: where rank and the page's own share explain less, they are noise beside the other causes."""
TOLD_SEARCHES = 5
"""Searches in the evidence: those that lost most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fall:
    """What a page lost, in visits a month.

    Attributes:
        page: The page with its series.
        trend: Of that series.
        cells: Its searches in both windows, brought to a month.
        parts: What made the change.
        windows: What they were computed with.
    """

    page: DecayingPage
    trend: Trend
    cells: Sequence[Cell]
    parts: Parts
    windows: Windows

    @property
    def before(self) -> float:
        """Visits a month in the earlier window."""
        return math.fsum(cell.before.clicks for cell in self.cells)

    @property
    def after(self) -> float:
        """Visits a month in the later window."""
        return math.fsum(cell.after.clicks for cell in self.cells)

    @property
    def recoverable(self) -> float:
        """Visits a month that rank and the page's own share of clicks lost, no more than all that was lost."""
        return max(0.0, min(-self.parts.total, -(self.parts.rank + self.parts.residual)))

    @property
    def main_search(self) -> str | None:
        """The search that brought most visits; None where the searches are not known."""
        named = [cell for cell in self.cells if cell.query is not None]
        return max(named, key=lambda cell: cell.before.clicks).query if named else None

    def position(self, side: str) -> float | None:
        """Return the mean rank in one window; None where the page was not shown."""
        sides: list[Side] = [getattr(cell, side) for cell in self.cells]
        impressions = math.fsum(each.impressions for each in sides)
        weighted = math.fsum(each.impressions * each.position for each in sides)
        return max(1.0, weighted / impressions) if impressions else None


def decay_now(context: Context) -> DecayDetection:
    """Look for decaying pages of the caller's tenant while the caller waits.

    Raises:
        Unavailable: A dependency does not answer.
    """
    return detection(context, "content_decay", detect, DecayDetection)


def detect(context: Context, known: Sequence[str], limit: int, now: datetime) -> Findings:
    """Return the decaying pages.

    Raises:
        Unavailable: A dependency does not answer.
    """
    told = decaying(context, now.date(), limit, known)
    verdict, windows = verdict_of(told, now.date()), told.windows
    figures: dict[str, object] = {
        "data_until": None if told.newest is None else told.newest.isoformat(),
        "observed_weeks": told.observed_weeks,
        "pages_judged": told.judged,
        "pages_decaying": told.decaying,
    }
    if verdict != "judged" or windows is None or not told.pages:
        return Findings(verdict=verdict, figures=figures, otherwise="no_longer_falling")
    model = gain_model_of(context)
    change = changes(context, [page.page_key for page in told.pages], *windows)
    falls = [fall_of(page, change, model) for page in told.pages]
    pieces = pieces_at(context, [fall.page.page_key for fall in falls])
    texts = {fall.page.page_key: _text(fall, pieces.get(fall.page.page_key)) for fall in falls}
    keywords = keywords_named(context, list(texts.values()))
    candidates, reasons = [], {}
    for fall in falls:
        key = fall.page.page_key
        piece, keyword = pieces.get(key), keywords.get(texts[key])
        reason = why_not(fall, piece)
        if reason is None:
            candidates.append(opportunity_of(context, fall, texts[key], piece, keyword, model, windows, now))
        else:
            reasons[key] = reason
    return Findings(
        candidates=candidates,
        beyond=told.decaying - len(told.pages),
        reasons=reasons,
        otherwise="no_longer_falling",
        figures=figures | {"not_recoverable": sum(reason == "nothing_recoverable" for reason in reasons.values())},
    )


def verdict_of(told: Decaying, today: date) -> Verdict:
    """Return whether there was enough to judge by."""
    if told.newest is None:
        return "no_data"
    if (today - told.newest).days > OLDEST_NEWEST_DAYS:
        return "data_too_old"
    return "judged" if told.windows is not None and told.observed_weeks >= OBSERVED_WEEKS else "too_few_weeks"


def why_not(fall: Fall, piece: ContentPiece | None) -> str | None:
    """Return why a falling page is no opportunity, or None."""
    if piece is not None and piece.status == "archived":
        return "content_archived"
    return None if fall.recoverable > RECOVERABLE_SHARE * max(0.0, -fall.parts.total) else "nothing_recoverable"


def fall_of(page: DecayingPage, change: Change, model: GainModel) -> Fall:
    """Return what a page lost a month."""

    def curve(query: str | None, position: float) -> float:
        return model.click_through(position, None if query is None else model.segment_of(query))

    before, after = curves(curve, change.site_bands(curve), change.own_bands(page.page_key, curve))
    windows = Windows(days_before=MONTH_DAYS, days_after=MONTH_DAYS, curve_before=before, curve_after=after)
    cells = [monthly(cell, change.days_before, change.days_after) for cell in change.cells.get(page.page_key, ())]
    return Fall(page=page, trend=trend_of(page.visits), cells=cells, parts=decomposed(cells, windows), windows=windows)


def monthly(cell: Cell, days_before: int, days_after: int) -> Cell:
    """Return a cell brought from the days observed to a month on both sides."""
    return Cell(query=cell.query, before=_scaled(cell.before, days_before), after=_scaled(cell.after, days_after))


def _scaled(side: Side, days: int) -> Side:
    factor = MONTH_DAYS / days if days else 0.0
    return Side(clicks=side.clicks * factor, impressions=side.impressions * factor, position=side.position)


def opportunity_of(
    context: Context,
    fall: Fall,
    text: str,
    piece: ContentPiece | None,
    keyword: Keyword | None,
    model: GainModel,
    windows: tuple[Window, Window],
    now: datetime,
) -> Opportunity:
    """Return the opportunity that a fall is; its id is given when it is created."""
    earlier, current = fall.position("before"), fall.position("after")
    target = earlier if earlier is not None else 1.0
    difficulty = None if keyword is None else keyword.difficulty_score
    expected = recovery(model, lost=fall.recoverable, current=current, earlier=target, difficulty=difficulty)
    shown = round(math.fsum(cell.after.impressions for cell in fall.cells))
    return opportunity(
        context.tenant_id,
        "content_decay",
        now,
        keyword=text,
        subject_id=fall.page.page_key,
        url=fall.page.page,
        confidence_score=observed_confidence(difficulty, (now.date() - windows[1][1]).days),
        estimated_traffic=round(fall.after + fall.recoverable),
        recommendation=recommendation(fall, piece),
        current_ranking=None if current is None else round(current),
        observed_impressions=shown,
        demand_basis="observed_impressions",
        monthly_demand=shown,
        reasons=reasons_of(fall, windows, expected, model),
        evidence=evidence_of(fall, windows),
        **followed(keyword, piece),
        **(landed(model, expected) | {"reachable_ranking": round(target)}),
    )


def recommendation(fall: Fall, piece: ContentPiece | None) -> str:
    """Return what to do, by what lost most."""
    name = fall.page.page if piece is None else f"{piece.title!r}"
    earlier, current = fall.position("before"), fall.position("after")
    if fall.parts.rank <= fall.parts.residual and earlier is not None and current is not None:
        return (
            f"Refresh {name}: bring it up to date with what now ranks above it, and link to it again, to get back from "
            f"rank {current:.1f} to {earlier:.1f}."
        )
    return f"Rewrite title and description of {name}: it is chosen less often than before at the rank it has."


def reasons_of(fall: Fall, windows: tuple[Window, Window], expected: Expected, model: GainModel) -> list[str]:
    """Return why, with every figure the estimate rests on."""
    (first, _), (_, last) = windows
    parts = fall.parts
    return [
        f"Visits fall by {-fall.trend.weekly_change:.1%} a week over {fall.trend.weeks} observed weeks.",
        f"Chance of such a fall without a trend: {fall.trend.p_value:.2g} (Mann-Kendall).",
        f"{fall.before:.0f} visits a month in the four weeks from {first}, {fall.after:.0f} in those to {last}.",
        f"Of the change of {parts.total:+.1f} demand made {parts.demand:+.1f} and rank {parts.rank:+.1f}.",
        f"The whole site's click-through made {parts.curve:+.1f}, the page's own share {parts.residual:+.1f}.",
        f"Recoverable are {fall.recoverable:.1f} visits a month: rank and the page's own share.",
        f"Chance to get there {expected.reach:.0%} (model {model.version}).",
        f"Expected gain {expected.gain:.1f} visits a month.",
    ]


def evidence_of(fall: Fall, windows: tuple[Window, Window]) -> dict[str, object]:
    """Return the figures behind the finding."""
    lost = sorted(fall.cells, key=lambda cell: cell.after.clicks - cell.before.clicks)
    return {
        "weekly_visits": [None if value is None else round(value, 2) for value in fall.page.visits],
        "weekly_change": round(fall.trend.weekly_change, 4),
        "p_value": float(f"{fall.trend.p_value:.4g}"),
        "before": _window(windows[0], fall.before, fall.position("before")),
        "after": _window(windows[1], fall.after, fall.position("after")),
        "change": {
            "total": round(fall.parts.total, 2),
            "demand": round(fall.parts.demand, 2),
            "rank": round(fall.parts.rank, 2),
            "curve": round(fall.parts.curve, 2),
            "residual": round(fall.parts.residual, 2),
        },
        "searches": [
            {
                "query": cell.query,
                "visits_before": round(cell.before.clicks, 2),
                "visits_after": round(cell.after.clicks, 2),
                "rank_before": round(cell.before.position, 2) if cell.before.impressions else None,
                "rank_after": round(cell.after.position, 2) if cell.after.impressions else None,
            }
            for cell in lost[:TOLD_SEARCHES]
        ],
    }


def _window(window: Window, visits: float, position: float | None) -> Mapping[str, object]:
    return {
        "from": window[0].isoformat(),
        "to": window[1].isoformat(),
        "visits_a_month": round(visits, 2),
        "rank": None if position is None else round(position, 2),
    }


def _text(fall: Fall, piece: ContentPiece | None) -> str:
    if piece is not None:
        return piece.keyword_primary
    return (fall.main_search or fall.page.page)[:400]

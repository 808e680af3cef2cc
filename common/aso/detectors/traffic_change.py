"""Why the visits of a page changed between two windows, for any piece and any windows: the decomposition as a view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from pydantic import Field

from common import cache
from common.answers import Cached
from common.aso.detectors.change_query import Change, changes
from common.aso.detectors.cuts import Window
from common.aso.detectors.decomposition import Cell, Parts, Windows, cell_parts, factors, rounded, summed
from common.aso.detectors.site_shift import curves
from common.aso.entities import CONTENT_PIECES
from common.aso.gain_model.model import GainModel
from common.aso.gain_model.service import gain_model_of
from common.aso.models import ContentPiece, Day
from common.aso.performance.caches import ASO_PERFORMANCE
from common.context import Context
from common.errors import Conflict, FieldError, Unprocessable
from common.model import Model, Timestamp
from common.store import Repository

SHORTEST = 7
LONGEST = 366
USUAL = 28
DELIVERED_AFTER = 3
"""Days after which sources have delivered a day."""
SEARCHES = 50
"""Searches in the answer: those whose visits changed most."""


class TrafficChangeQuery(Model):
    """Which windows to compare."""

    after_to: Day | None = Field(
        default=None, description="Last day of the later window; absent: three days ago.", examples=["2026-01-28"]
    )
    after_from: Day | None = Field(
        default=None, description="First day of it; absent: 28 days in all.", examples=["2026-01-01"]
    )
    before_to: Day | None = Field(
        default=None,
        description="Last day of the earlier window; absent: the day before the later one.",
        examples=["2025-12-31"],
    )
    before_from: Day | None = Field(
        default=None, description="First day of it; absent: as long as the later one.", examples=["2025-12-04"]
    )


class WindowFigures(Model):
    """A page in one window."""

    first: Day = Field(description="First day.")
    last: Day = Field(description="Last day.")
    observed_days: int = Field(description="Days with data of the site.", examples=[28])
    visits: int = Field(examples=[1340])
    impressions: int = Field(examples=[40210])
    rank: float | None = Field(description="Mean rank weighted by impressions.", examples=[6.42])


class ChangeParts(Model):
    """What made a change, in visits to the hundredth; the parts sum to the change exactly.

    ``visits = days x impressions a day x click-through at the rank x the page's own share of it``
    """

    missing_data: float = Field(description="More or fewer days observed: says nothing about the page.", examples=[0])
    demand: float = Field(description="More or fewer impressions an observed day.", examples=[-210.4])
    rank: float = Field(description="Another rank on the same curve.", examples=[-95.12])
    curve: float = Field(
        description="What a rank brings changed on the whole site, this page left out.", examples=[-30]
    )
    residual: float = Field(description="The page's own share of clicks, and the unexplained.", examples=[12.52])


class ChangeFactors(Model):
    """By what each cause multiplied the visits: their product is visits after / visits before."""

    missing_data: float = Field(examples=[1.0])
    demand: float = Field(examples=[0.86])
    rank: float = Field(examples=[0.93])
    curve: float = Field(examples=[0.98])
    residual: float = Field(examples=[1.01])


class SearchChange(Model):
    """One search of the page; ``query`` is null for all others together."""

    query: str | None = Field(examples=["scan qr code"])
    visits_before: int = Field(examples=[320])
    visits_after: int = Field(examples=[190])
    rank_before: float | None = Field(examples=[4.1])
    rank_after: float | None = Field(examples=[7.8])
    parts: ChangeParts


class TrafficChange(Model):
    """Why the visits of a page changed."""

    content_id: str = Field(examples=["0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"])
    url: str = Field(examples=["https://example.com/scan-qr-code"])
    verdict: Literal["judged", "no_data", "one_window_without_data"] = Field(
        description="Whether both windows have data of the site at all.", examples=["judged"]
    )
    before: WindowFigures
    after: WindowFigures
    change: int = Field(description="Visits after less visits before.", examples=[-323])
    parts: ChangeParts
    factors: ChangeFactors | None = Field(description="Null where a window has no visit.")
    searches: list[SearchChange] = Field(description=f"The {SEARCHES} whose visits changed most.")
    data_until: Day | None = Field(description="Newest day with data in either window.")
    gain_model: str = Field(description="Version of the click-through model.", examples=["prior"])
    computed_at: Timestamp = Field(examples=["2026-01-31T12:00:00.000000Z"])


def traffic_change(context: Context, content_id: str, query: TrafficChangeQuery) -> Cached[TrafficChange]:
    """Return why a piece's visits changed, through the cache ``aso_performance``.

    Raises:
        NotFound: ``content_piece_not_found``.
        Conflict: ``no_url``: the piece has no address yet.
        Unprocessable: ``invalid_range``, ``range_too_short``, ``range_too_long``, ``windows_overlap``.
        Unavailable: BigQuery does not answer and the cache has nothing.
    """
    before, after = windows_of(query, datetime.now(UTC).date())
    piece = Repository(CONTENT_PIECES, context).get(content_id).value
    if piece.url is None or piece.url_normalized is None:
        raise Conflict("no_url", "The piece has no address yet, so nobody can have visited it.")
    model = gain_model_of(context)
    asked = {
        "traffic_change": piece.url_normalized,
        "content_id": content_id,
        "model": model.version,
        "brand_terms": list(model.brand_terms),
        "windows": [day.isoformat() for window in (before, after) for day in window],
    }
    return cache.read_through(context, ASO_PERFORMANCE, asked, lambda: compute(context, piece, before, after, model))


def windows_of(query: TrafficChangeQuery, today: date) -> tuple[Window, Window]:
    """Return the windows that a query asks for.

    Raises:
        Unprocessable: ``invalid_range``, ``range_too_short``, ``range_too_long``, ``windows_overlap``.
    """
    after_to = _day(query.after_to, today - timedelta(days=DELIVERED_AFTER))
    after_from = _day(query.after_from, _earlier(after_to, USUAL - 1))
    _check("after", after_from, after_to)
    before_to = _day(query.before_to, _earlier(after_from, 1))
    before_from = _day(query.before_from, _earlier(before_to, (after_to - after_from).days))
    _check("before", before_from, before_to)
    if before_to >= after_from:
        raise _refused("windows_overlap", "the earlier window must end before the later one begins", "before_to")
    return (before_from, before_to), (after_from, after_to)


def _day(given: str | None, default: date) -> date:
    return default if given is None else date.fromisoformat(given)


def _earlier(day: date, days: int) -> date:
    return date.fromordinal(max(1, day.toordinal() - days))


def _check(name: str, first: date, last: date) -> None:
    days = (last - first).days + 1
    if days < 1:
        raise _refused("invalid_range", "it ends before it begins", f"{name}_to")
    if days < SHORTEST:
        raise _refused("range_too_short", f"a window has at least {SHORTEST} days, all days of a week", f"{name}_from")
    if days > LONGEST:
        raise _refused("range_too_long", f"a window has at most {LONGEST} days", f"{name}_from")


def _refused(code: str, message: str, name: str) -> Unprocessable:
    error = FieldError(pointer=f"query:{name}", code=code, message=message)
    return Unprocessable(code, f"The windows: {message}.", errors=[error])


def compute(context: Context, piece: ContentPiece, before: Window, after: Window, model: GainModel) -> TrafficChange:
    """Ask the warehouse.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    key = piece.url_normalized or ""
    told = changes(context, [key], before, after)
    cells = list(told.cells.get(key, ()))
    windows = _windows(told, key, model)
    parts = [cell_parts(cell, windows) for cell in cells]
    total = summed(parts)
    visits = [round(sum(getattr(cell, side).clicks for cell in cells)) for side in ("before", "after")]
    multiplied = factors(total, visits[0], visits[1])
    return TrafficChange(
        content_id=piece.content_id,
        url=piece.url or "",
        verdict=_verdict(told),
        before=_figures(before, told.days_before, cells, "before"),
        after=_figures(after, told.days_after, cells, "after"),
        change=visits[1] - visits[0],
        parts=_shown(total, visits[1] - visits[0]),
        factors=None if multiplied is None else _factors(multiplied),
        searches=_searches(cells, parts),
        data_until=None if told.newest is None else told.newest.isoformat(),
        gain_model=model.version,
        computed_at=datetime.now(UTC),
    )


def _windows(told: Change, key: str, model: GainModel) -> Windows:
    def curve(query: str | None, position: float) -> float:
        return model.click_through(position, None if query is None else model.segment_of(query))

    before, after = curves(curve, told.site_bands(curve), told.own_bands(key, curve))
    return Windows(days_before=told.days_before, days_after=told.days_after, curve_before=before, curve_after=after)


def _verdict(told: Change) -> Literal["judged", "no_data", "one_window_without_data"]:
    if not told.days_before and not told.days_after:
        return "no_data"
    return "judged" if told.days_before and told.days_after else "one_window_without_data"


def _figures(window: Window, days: int, cells: Sequence[Cell], side: str) -> WindowFigures:
    sides = [getattr(cell, side) for cell in cells]
    impressions = sum(each.impressions for each in sides)
    weighted = sum(each.impressions * each.position for each in sides)
    return WindowFigures(
        first=window[0].isoformat(),
        last=window[1].isoformat(),
        observed_days=days,
        visits=round(sum(each.clicks for each in sides)),
        impressions=round(impressions),
        rank=round(weighted / impressions, 2) if impressions else None,
    )


def _shown(parts: Parts, change: int) -> ChangeParts:
    return ChangeParts(**{name: float(value) for name, value in rounded(parts, change).items()})


def _factors(parts: Parts) -> ChangeFactors:
    return ChangeFactors(
        missing_data=parts.missing_data,
        demand=parts.demand,
        rank=parts.rank,
        curve=parts.curve,
        residual=parts.residual,
    )


def _searches(cells: Sequence[Cell], parts: Sequence[Parts]) -> list[SearchChange]:
    both = sorted(zip(cells, parts, strict=True), key=lambda pair: (-abs(pair[1].total), pair[0].query or ""))
    return [
        SearchChange(
            query=cell.query,
            visits_before=round(cell.before.clicks),
            visits_after=round(cell.after.clicks),
            rank_before=round(cell.before.position, 2) if cell.before.impressions else None,
            rank_after=round(cell.after.position, 2) if cell.after.impressions else None,
            parts=_shown(each, round(cell.after.clicks) - round(cell.before.clicks)),
        )
        for cell, each in both[:SEARCHES]
    ]

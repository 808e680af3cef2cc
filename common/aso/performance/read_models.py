"""What is asked of search performance, and what is answered."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from common.aso.models import Day, KeywordText
from common.aso.performance.models import Country, Device, PageAddress, SearchType
from common.model import Model, Timestamp

GroupBy = Literal["day", "week", "query", "page", "device", "country"]
OrderBy = Literal["clicks", "impressions", "ctr", "position"]
MOST_ITEMS = 1000


class PerformanceQuery(Model):
    """Which figures; at most 16 months, the last 28 days by default."""

    by: GroupBy = Field(default="day", description="One item for each of these.", examples=["query"])
    from_: Day | None = Field(default=None, alias="from", description="First day; 28 days before the end by default.")
    to: Day | None = Field(default=None, description="Last day; today by default.")
    search_type: SearchType = Field(default="web", examples=["web"])
    query: KeywordText | None = Field(default=None, description="Only this search.", examples=["running shoes"])
    page: PageAddress | None = Field(
        default=None, description="Only this page.", examples=["https://www.example.com/shoes"]
    )
    device: Device | None = Field(default=None, description="Only this kind of device.", examples=["mobile"])
    country: Country | None = Field(default=None, description="Only this country.", examples=["usa"])
    order: OrderBy = Field(
        default="clicks", description="Best first: most clicks, or the topmost position. Days and weeks are in order."
    )
    limit: int = Field(
        default=100, ge=1, le=MOST_ITEMS, description="Items at most; days and weeks are always complete."
    )


class Figures(Model):
    """What came of being shown.

    Attributes:
        clicks: Visits.
        impressions: How often it was shown.
        ctr: Clicks by impressions; null without impressions.
        position: Mean position, weighted by impressions; null where no source told one.
    """

    clicks: int = Field(examples=[42])
    impressions: int = Field(examples=[1200])
    ctr: float | None = Field(examples=[0.035])
    position: float | None = Field(examples=[7.4])


class PerformanceItem(Figures):
    """The figures of one day, week (its Monday), search, page, kind of device or country."""

    key: str = Field(examples=["running shoes"])
    keyword_id: str | None = Field(default=None, description="Where the items are searches.")
    days: int | None = Field(default=None, description="Days with data, where the items are weeks.", examples=[7])


class CoveredRange(Model):
    """Days that were answered from one cut of one source."""

    source: str = Field(examples=["search_console_api"])
    dimensions: str = Field(examples=["query+page+device+country"])
    from_: date = Field(alias="from", examples=["2026-01-01"])
    to: date = Field(examples=["2026-01-28"])


class Performance(Model):
    """Clicks, impressions, click-through rate and position of a range.

    Attributes:
        by: What the items are.
        from_: First day of the range.
        to: Last day of the range.
        search_type: Which results.
        items: The figures.
        total: Of everything that was asked for, items beyond the limit included.
        number: Items there are, those beyond the limit included.
        newest_day: Last day with data; sources are two to three days behind.
        days_with_data: Days of the range that a source told of.
        coverage: Which source and cut each part of the range was answered from.
        computed_at: When the figures were computed.
    """

    by: GroupBy
    from_: Day = Field(alias="from")
    to: Day
    search_type: SearchType
    items: list[PerformanceItem]
    total: Figures
    number: int = Field(examples=[1])
    newest_day: date | None = Field(examples=["2026-01-28"])
    days_with_data: int = Field(examples=[28])
    coverage: list[CoveredRange]
    computed_at: Timestamp = Field(examples=["2026-01-31T12:00:00.000000Z"])

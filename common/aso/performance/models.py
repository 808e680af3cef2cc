"""What a source of search performance says in one row.

Sources cut the same clicks in several ways: by query, by page, by query and page, by day alone. Each cut is complete in
itself, so figures of two cuts must never be added. ``dimensions`` names the cut of a row, and
``common.aso.performance.coverage`` picks one cut for every day.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from common.aso.models import Day, KeywordText
from common.model import Model

SplitBy = Literal["query", "page", "device", "country"]
SPLITS: tuple[SplitBy, ...] = ("query", "page", "device", "country")
"""By what a row may be narrower than a day, in the order in which ``dimensions`` names them."""
TOTAL = "total"
"""Dimensions of a row that is about a whole day or period."""

SearchType = Literal["web", "image", "video", "news", "discover", "googleNews"]
Device = Literal["desktop", "mobile", "tablet"]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$", to_lower=True)]
"""ISO 3166-1 alpha-3 in lower case; ``zzz`` where the source does not know."""
PageAddress = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Site = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
"""A Search Console property: ``sc-domain:example.com`` or an address prefix such as ``https://www.example.com/``."""
Source = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


def dimensions_of(names: set[str]) -> str:
    """Return how a cut by these names is written: ``query+page``, or ``total`` for none."""
    return "+".join(name for name in SPLITS if name in names) or TOTAL


class PerformanceRow(Model):
    """Clicks and impressions of one day or period, as narrow as the fields that are set.

    Attributes:
        date: Last day; the only one unless ``from_date`` is earlier. Days are the source's (Search Console: Pacific).
        from_date: First day; None for a single day.
        site: The source's property, where it is known.
        query: What was searched for.
        page: Address that was shown, as the source writes it.
        device: Kind of device.
        country: Where the search came from.
        search_type: Which results.
        clicks: Visits.
        impressions: How often it was shown.
        position: Mean of the topmost position over impressions, from 1; None where nothing was shown.
        features: How it was shown, such as ``video``; empty where the source does not say.
        source: Where the row comes from: ``search_console_api``, ``search_console`` (an export), ...
    """

    date: Day
    from_date: Day | None = None
    site: Site | None = None
    query: KeywordText | None = None
    page: PageAddress | None = None
    device: Device | None = None
    country: Country | None = None
    search_type: SearchType = "web"
    clicks: int = Field(ge=0, lt=2**53)
    impressions: int = Field(ge=0, lt=2**53)
    position: float | None = Field(default=None, ge=1, le=10_000, allow_inf_nan=False)
    features: list[str] = Field(default_factory=list, max_length=20)
    source: Source

    @model_validator(mode="after")
    def _in_order(self) -> PerformanceRow:
        if self.from_date is not None and self.from_date > self.date:
            raise ValueError("a period begins before it ends")
        return self

    @property
    def first_day(self) -> Day:
        """First day the row is about."""
        return self.date if self.from_date is None else self.from_date

    @property
    def dimensions(self) -> str:
        """The cut the row belongs to."""
        return dimensions_of({name for name in SPLITS if getattr(self, name) is not None})

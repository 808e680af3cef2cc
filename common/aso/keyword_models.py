"""What the operations on keywords take."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from common.aso.models import (
    CompetitorRanking,
    Day,
    Device,
    Identifier,
    Intent,
    KeywordText,
    Locale,
    Priority,
)
from common.aso.normalize import normalized_keyword
from common.aso.unjudged import Unjudged
from common.model import Model, Timestamp

ROWS = 500

_ID = "0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"
Volume = Annotated[int, Field(ge=0, le=10**12)]
SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]


class KeywordRow(Model):
    """A keyword to follow, or what changes about it: fields that are absent stay as they are, ``null`` clears.

    ``intent`` and ``priority`` given by the caller win over the rules; ``null`` hands them back to the rules.
    """

    keyword: KeywordText = Field(examples=["QR code scanner"])
    search_volume: Volume | None = Field(default=None, description="Searches a month.", examples=[2400])
    difficulty_score: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = Field(
        default=None, examples=[38.0]
    )
    allintitle_results: Volume | None = Field(default=None, examples=[540])
    intent: Intent | None = Field(default=None, examples=["transactional"])
    priority: Priority | None = Field(default=None, examples=[None])
    target_ranking: Annotated[int, Field(ge=1, le=100)] | None = Field(default=None, examples=[3])
    competitor_rankings: Annotated[list[CompetitorRanking], Field(max_length=100)] = Field(
        default_factory=list, examples=[[{"competitor": "example.org", "position": 4}]]
    )
    content_id: Identifier | None = Field(
        default=None, description="The piece that targets the keyword.", examples=[None]
    )
    locale: Locale | None = Field(default=None, examples=["en-US"])
    device: Device | None = Field(default=None, examples=[None])
    observed_impressions: Volume | None = Field(default=None, examples=[55685])
    observed_clicks: Volume | None = Field(default=None, examples=[1171])
    observed_days: Annotated[int, Field(ge=1, le=500)] | None = Field(default=None, examples=[28])
    observed_until: Day | None = None
    source: SourceName = Field(
        default="api", description="Where the numbers of this row come from.", examples=["keyword_planner"]
    )
    as_of: Timestamp | None = Field(
        default=None,
        description="Of when the numbers are; now, where absent and a number changes.",
        examples=["2026-01-31T12:00:00Z"],
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> KeywordRow:
        if not normalized_keyword(self.keyword):
            raise ValueError("the keyword has no letters")
        clicks, impressions = self.observed_clicks, self.observed_impressions
        if clicks is not None and impressions is not None and clicks > impressions:
            raise ValueError("there cannot be more clicks than impressions")
        return self


class KeywordRows(Model):
    """Up to 500 keywords; each row is judged and answered for itself."""

    rows: Annotated[list[Annotated[Any, Unjudged(KeywordRow)]], Field(min_length=1, max_length=ROWS)] = Field(
        examples=[[{"keyword": "QR code scanner", "search_volume": 2400, "difficulty_score": 38.0}]]
    )


class KeywordQuery(Model):
    """Which keywords to list."""

    priority: Priority | None = Field(default=None, examples=["tier1"])
    intent: Intent | None = Field(default=None, examples=["transactional"])
    content_id: Identifier | None = Field(default=None, examples=[_ID])
    days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="Checked within so many days, counted from midnight UTC: newest check first. Without it all "
        "keywords, newest keyword first.",
        examples=[30],
    )
    limit: int = Field(default=50, ge=1, le=200, examples=[50])
    cursor: str | None = Field(default=None, max_length=4096, description="``next_cursor`` of the page before.")

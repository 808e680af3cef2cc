"""What the views of ranks take and answer. Every answer says how old its data is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.aso.models import Day, Device, Identifier, Locale
from common.model import Model, Timestamp

CHARTED = 20
Bucket = Literal["1", "2-3", "4-10", "11-20", "21-50", "51-100", "beyond_100", "not_found", "unknown"]
Gap = Literal["none", "check_failed", "not_found"]
Movement = Literal["up", "down", "found", "lost"]

_KEYWORD_ID = "6d1f7c1e-5a0c-5b7e-9a55-0d3f1b2c4d5e"
_MOMENT = "2026-01-31T12:00:00.000000Z"


class DataAge(Model):
    """How old the data of an answer is."""

    computed_at: Timestamp = Field(description="When the warehouse was asked.", examples=[_MOMENT])
    newest_look: Timestamp | None = Field(
        description="The newest look at a result page among what was counted; null: there is none.", examples=[_MOMENT]
    )


class ShareQuery(Model):
    """Over which keywords to share."""

    days: int = Field(default=30, ge=1, le=90, description="Keywords checked within so many days.", examples=[30])


class Share(Model):
    """One part of all visits from organic results."""

    name: str = Field(description="``own``, a competitor's host, or ``rest``.", examples=["example.org"])
    kind: Literal["own", "competitor", "rest"] = Field(examples=["competitor"])
    visits: float = Field(description="Expected visits a month.", examples=[1204.5])
    share_ppm: int = Field(
        description="Millionths of all visits, rounded so that all shares sum to 1,000,000 exactly.", examples=[182_400]
    )
    keywords: int | None = Field(description="Keywords it ranks for; null for the rest.", examples=[38])


class ShareOfVoice(Model):
    """Who gets how much of the visits that organic results of the followed keywords bring.

    A keyword counts with its searches a month, and a rank with its share of clicks by the tenant's gain model. The
    whole is what all ranks of the curve together would bring. Counted are keywords checked in the time asked for, whose
    demand is known and for which every competitor was looked for; the others are told as left out.
    """

    shares: list[Share] = Field(description="Own, then competitors as in the settings, then the rest; empty: no data.")
    visits: float = Field(description="Expected visits a month to all organic results.", examples=[6600.0])
    keywords: int = Field(description="Keywords counted.", examples=[120])
    without_demand: int = Field(description="Left out: nobody knows how often they are searched.", examples=[4])
    without_competitors: int = Field(description="Left out: not every competitor was looked for.", examples=[9])
    model_version: str = Field(description="The click-through that was used.", examples=["prior"])
    data: DataAge


class DistributionQuery(Model):
    """Which days to show; the last 90 by default."""

    from_: Day | None = Field(default=None, alias="from", description="First day.")
    to: Day | None = Field(default=None, description="Last day; today by default.")
    step: Literal["day", "week", "month"] = Field(default="week", description="7 or 30 days.", examples=["week"])
    device: Device | None = Field(default=None, examples=["desktop"])
    locale: Locale | None = Field(default=None, examples=["en-US"])


class DistributionDay(Model):
    """Where the keywords stood on a day: each counted once."""

    date: Day
    counts: dict[Bucket, int] = Field(examples=[{"1": 3, "2-3": 9, "4-10": 31, "not_found": 12, "unknown": 5}])
    visible: int = Field(description="Keywords in the first ten.", examples=[43])


class Distribution(Model):
    """Where the keywords stood over time.

    A keyword stands where the newest look of the last 14 days found it; ``unknown`` is a keyword that nobody looked at
    in that time, or every look at which failed. Keywords are those looked at in the time shown or the 14 days before.
    """

    from_: Day = Field(alias="from")
    to: Day
    keywords: int = Field(examples=[120])
    days: list[DistributionDay]
    data: DataAge


class MoversQuery(Model):
    """Between which days to compare; the last week by default."""

    from_: Day | None = Field(default=None, alias="from", description="Earlier day; a week before ``to`` by default.")
    to: Day | None = Field(default=None, description="Later day; today by default.")
    direction: Literal["all", "up", "down"] = Field(
        default="all", description="``up``: better or newly found; ``down``: worse or lost.", examples=["down"]
    )
    device: Device | None = Field(default=None, examples=["desktop"])
    locale: Locale | None = Field(default=None, examples=["en-US"])
    limit: int = Field(default=50, ge=1, le=200, examples=[50])


class Mover(Model):
    """A keyword that stands elsewhere."""

    keyword_id: str = Field(examples=[_KEYWORD_ID])
    keyword: str = Field(examples=["qr code scanner"])
    movement: Movement = Field(description="``found`` and ``lost`` are against not found down to a depth.")
    from_position: float | None = Field(description="Null: not found.", examples=[12.0])
    to_position: float | None = Field(description="Null: not found.", examples=[7.0])
    from_depth: int | None = Field(description="How deep was looked, where it was not found.", examples=[None])
    to_depth: int | None = Field(examples=[None])
    from_date: Day = Field(description="Day of the look.")
    to_date: Day
    from_url: str | None = Field(examples=["https://example.com/scan-qr-code"])
    to_url: str | None = Field(examples=["https://example.com/scan-qr-code"])
    visits_change: float | None = Field(
        description="Expected visits a month more or less; null: nobody knows how often it is searched.",
        examples=[96.2],
    )


class Movers(Model):
    """The keywords that moved between two days, the greatest change of visits first.

    Each side is the newest successful look within 14 days up to its day; a keyword without one on either side is
    ``unknown`` and is no mover.
    """

    from_: Day = Field(alias="from")
    to: Day
    items: list[Mover]
    up: int = Field(description="All that are better, found ones included.", examples=[14])
    down: int = Field(description="All that are worse, lost ones included.", examples=[6])
    unchanged: int = Field(examples=[80])
    unknown: int = Field(description="Looked at on one side only.", examples=[3])
    model_version: str = Field(examples=["prior"])
    data: DataAge


class ChartQuery(Model):
    """Which keywords to chart, on which days; the last 90 by default."""

    from_: Day | None = Field(default=None, alias="from", description="First day.")
    to: Day | None = Field(default=None, description="Last day; today by default.")
    device: Device | None = Field(default=None, examples=["desktop"])
    locale: Locale | None = Field(default=None, examples=["en-US"])
    keyword_ids: Annotated[list[Identifier], Field(max_length=CHARTED)] = Field(
        default_factory=list, description="At least one.", examples=[[_KEYWORD_ID]]
    )


class PageChange(Model):
    """From a day on another page ranked."""

    date: Day
    url: str = Field(examples=["https://example.com/scan-qr-code"])


class Series(Model):
    """A keyword's ranks for a chart; positions and gaps go with the days of the chart."""

    keyword_id: str = Field(examples=[_KEYWORD_ID])
    keyword: str = Field(examples=["qr code scanner"])
    positions: list[float | None] = Field(description="Null: a gap; never 0 and never 100.", examples=[[12.0, None]])
    gaps: list[Gap | None] = Field(
        description="Why there is no rank: ``none`` nobody looked, ``check_failed`` looking failed, ``not_found`` not "
        "within the results looked at; null where there is a rank.",
        examples=[[None, "none"]],
    )
    depths: list[int | None] = Field(
        description="How deep was looked, where it was not found.", examples=[[None, None]]
    )
    pages: list[PageChange] = Field(description="The page that ranked, wherever it changed.")


class Chart(Model):
    """The ranks of several keywords over the same days."""

    from_: Day = Field(alias="from")
    to: Day
    days: list[Day]
    series: list[Series] = Field(description="In the order asked for.")
    data: DataAge

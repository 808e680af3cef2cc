"""What the detectors take and answer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.aso.models import Day, Opportunity
from common.model import Model, Timestamp

Detector = Literal["content_decay", "cannibalization", "content_gap", "link_gap"]
Verdict = Literal["judged", "no_data", "data_too_old", "too_few_weeks", "too_few_days", "no_competitors", "no_audits"]

_MOMENT = "2026-01-31T12:00:00.000000Z"
_KEYWORD_ID = "6d1f7c1e-5a0c-5b7e-9a55-0d3f1b2c4d5e"
SHOWN = 50
"""Opportunities in an answer; the list operation has the rest."""


class Detection(Model):
    """What a detector found and did.

    Where there was nothing to judge by, nothing was closed either: no news is no good news.
    """

    verdict: Verdict = Field(
        description="``judged``, or why nothing could be said; then no opportunity was touched.", examples=["judged"]
    )
    found: int = Field(default=0, description="Opportunities that hold now.", examples=[12])
    created: int = Field(default=0, description="Made by this scan.", examples=[3])
    kept: int = Field(default=0, description="Known before and still true.", examples=[9])
    refreshed: int = Field(default=0, description="Of those, computed afresh.", examples=[1])
    closed: int = Field(default=0, description="No longer true, closed with the reason.", examples=[1])
    released: int = Field(
        default=0, description="Completed or dismissed ones that no longer hold; they keep their status.", examples=[0]
    )
    remaining: int = Field(
        default=0, description="Left to the next scan: one scan writes a bounded number.", examples=[0]
    )
    scanned_at: Timestamp = Field(examples=[_MOMENT])
    items: list[Opportunity] = Field(
        default_factory=list,
        description=f"The first {SHOWN} new or in-progress opportunities of the kind by expected gain.",
    )


class DecayDetection(Detection):
    """Pages that lose visits."""

    data_until: Day | None = Field(default=None, description="Newest day with data; null: there is none.")
    observed_weeks: int = Field(default=0, description="Weeks with enough days of data, of the last 16.", examples=[16])
    pages_judged: int = Field(default=0, description="Pages with enough visits to be judged.", examples=[240])
    pages_decaying: int = Field(
        default=0, description="Pages whose visits fall beyond chance and by more than 2 % a week.", examples=[14]
    )
    not_recoverable: int = Field(
        default=0,
        description="Of those looked at, the ones that demand or the whole site's click-through explain: nothing to "
        "win by work on the page.",
        examples=[2],
    )


class CannibalizationDetection(Detection):
    """Searches that pages share as rivals."""

    data_until: Day | None = Field(default=None, description="Newest day with data; null: there is none.")
    observed_days: int = Field(default=0, description="Days with data, of the 28 up to it.", examples=[28])
    searches_shared: int = Field(default=0, description="Searches for which pages stand in each other's way.")
    without_gain: int = Field(
        default=0, description="Of those looked at, the ones that merging would win nothing for.", examples=[1]
    )


class UncheckedKeyword(Model):
    """A keyword that competitors are found for and of which nobody knows where we stand."""

    keyword_id: str = Field(examples=[_KEYWORD_ID])
    keyword: str = Field(examples=["qr code scanner"])


class ContentGapDetection(Detection):
    """Keywords that competitors are found for and we are not."""

    competitors: list[str] = Field(default_factory=list, examples=[["example.org", "example.net"]])
    gaps: int = Field(default=0, description="Content gaps in all.", examples=[12])
    without_demand: int = Field(
        default=0, description="Of those, the ones whose demand nobody knows: no gain can be stated.", examples=[1]
    )
    unchecked: int = Field(
        default=0,
        description="Keywords that competitors are found for while our own rank was never checked, or not in 90 days: "
        "they are no gaps until somebody looked.",
        examples=[4],
    )
    unchecked_keywords: list[UncheckedKeyword] = Field(
        default_factory=list, description="The first 50 of them, the greatest demand first."
    )


class LinkGapDetection(Detection):
    """Hubs whose links to and from their spokes are missing."""

    hubs_audited: int = Field(default=0, description="Hubs of which an audit is stored.", examples=[6])
    links_missing: int = Field(default=0, description="Links that are missing or ask not to be followed.", examples=[9])
    orphans: int = Field(default=0, description="Spokes that neither the hub nor another spoke links to.", examples=[1])


class DetectionTask(Model):
    """One tenant to scan; the tenant itself travels with the task.

    Attributes:
        detector: What to look for.
        working_since: Names the claim that ends with the scan.
    """

    detector: Detector
    working_since: Timestamp

"""What the operations on opportunities take and answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.aso.models import Identifier, Opportunity, OpportunityStatus, OpportunityType
from common.model import Model, Timestamp

Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class OpportunityQuery(Model):
    """Which opportunities to list."""

    status: OpportunityStatus | None = Field(default=None, examples=["new"])
    opportunity_type: OpportunityType | None = Field(default=None, examples=["low_hanging_fruit"])
    days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="Detected within so many days, counted from midnight UTC.",
        examples=[30],
    )
    sort: Literal["-expected_gain", "-detected_at"] = Field(
        default="-expected_gain", description="The greatest gain first, or the newest first.", examples=["-detected_at"]
    )
    limit: int = Field(default=50, ge=1, le=200, examples=[50])
    cursor: str | None = Field(default=None, max_length=4096, description="``next_cursor`` of the page before.")


class OpportunityUpdate(Model):
    """What changes: absent fields stay as they are."""

    status: OpportunityStatus | None = Field(
        default=None,
        description="``new`` to ``in_progress`` or ``dismissed``, ``in_progress`` to ``completed`` or ``dismissed``, "
        "``dismissed`` back to ``new`` while the opportunity holds. Only the scan closes.",
        examples=["in_progress"],
    )
    content_id: Identifier | None = Field(
        default=None,
        description="The piece that takes the opportunity up; ``null`` clears.",
        examples=["0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"],
    )
    acted_at: Timestamp | None = Field(
        default=None,
        description="When it was acted on: with ``completed``, or to correct that until an outcome was measured. "
        "Without it, completing is acting now.",
        examples=["2026-01-31T12:00:00.000000Z"],
    )
    dismissed_reason: Reason | None = Field(
        default=None, description="Kept while the opportunity is dismissed.", examples=["Not our market."]
    )


class ScanResult(Model):
    """What a scan found and did."""

    found: int = Field(description="Opportunities that hold now, as the warehouse knows the keywords.", examples=[12])
    created: int = Field(description="Made by this scan.", examples=[3])
    refreshed: int = Field(
        default=0,
        description="Known before and still true, with figures computed afresh: the gain of a new one moved by more "
        "than a quarter.",
        examples=[0],
    )
    unchanged: int = Field(description="Known before and still true; not written again.", examples=[9])
    closed: int = Field(description="No longer true, closed with the reason.", examples=[1])
    released: int = Field(
        description="Completed or dismissed ones that no longer hold; they keep their status.", examples=[0]
    )
    outdated: int = Field(
        description="Differences the warehouse reported and the stored documents no longer show.", examples=[0]
    )
    remaining: int = Field(
        description="Still to be created or closed: a scan writes a bounded number, the greatest gain first, and the "
        "next one goes on.",
        examples=[0],
    )
    scanned_at: Timestamp = Field(examples=["2026-01-31T12:00:00.000000Z"])
    items: list[Opportunity] = Field(
        description="The first 50 new or in-progress opportunities by expected gain; the list operation has the rest."
    )


class ScanTask(Model):
    """One tenant to scan; the tenant itself travels with the task.

    Attributes:
        working_since: Names the claim that ends with the scan.
    """

    working_since: Timestamp

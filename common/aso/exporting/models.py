"""What the export of search optimisation takes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.aso.models import (
    ContentStatus,
    ContentType,
    Day,
    Intent,
    OpportunityStatus,
    OpportunityType,
    Priority,
)
from common.exports.models import Layout
from common.model import Model

ExportKind = Literal["keywords", "opportunities", "content", "ranks"]

FILTERS: dict[ExportKind, frozenset[str]] = {
    "keywords": frozenset({"priority", "intent"}),
    "opportunities": frozenset({"status", "opportunity_type"}),
    "content": frozenset({"content_status", "content_type"}),
    "ranks": frozenset({"from_", "to"}),
}
"""Filters that each kind knows; any other is refused."""

PERIODIC: frozenset[ExportKind] = frozenset({"ranks"})
"""Kinds that are of a period, the last 90 days unless told otherwise."""


class ExportFilters(Model):
    """Which rows: each filter belongs to some kinds and is refused for the others."""

    priority: Priority | None = Field(default=None, description="Of keywords.", examples=["tier1"])
    intent: Intent | None = Field(default=None, description="Of keywords.", examples=[None])
    status: OpportunityStatus | None = Field(default=None, description="Of opportunities.", examples=[None])
    opportunity_type: OpportunityType | None = Field(default=None, description="Of opportunities.", examples=[None])
    content_status: ContentStatus | None = Field(default=None, description="Of content.", examples=[None])
    content_type: ContentType | None = Field(default=None, description="Of content.", examples=[None])
    from_: Day | None = Field(
        default=None,
        alias="from",
        description="First day of what is of a period; 90 days before ``to`` unless told.",
        examples=[None],
    )
    to: Day | None = Field(default=None, description="Last day, today (UTC) unless told.", examples=[None])


class ExportRequest(Layout):
    """What to export, which of it, and how to write it."""

    kind: ExportKind = Field(examples=["keywords"])
    filters: ExportFilters = Field(default_factory=ExportFilters, examples=[{"priority": "tier1"}])

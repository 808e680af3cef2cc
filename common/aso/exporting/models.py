"""What the export of search optimisation takes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.aso.models import (
    ContentStatus,
    ContentType,
    Day,
    Device,
    Intent,
    Locale,
    OpportunityStatus,
    OpportunityType,
    Priority,
)
from common.aso.performance.read_models import GroupBy
from common.exports.models import Layout
from common.model import Model

ExportKind = Literal[
    "keywords",
    "opportunities",
    "content",
    "ranks",
    "movers",
    "share_of_voice",
    "position_distribution",
    "performance",
    "performance_facts",
]

FILTERS: dict[ExportKind, frozenset[str]] = {
    "keywords": frozenset({"priority", "intent"}),
    "opportunities": frozenset({"status", "opportunity_type"}),
    "content": frozenset({"content_status", "content_type"}),
    "ranks": frozenset({"from_", "to"}),
    "movers": frozenset({"from_", "to", "device", "locale"}),
    "share_of_voice": frozenset({"days"}),
    "position_distribution": frozenset({"from_", "to", "device", "locale"}),
    "performance": frozenset({"from_", "to", "by"}),
    "performance_facts": frozenset({"from_", "to"}),
}
"""Filters that each kind knows; any other is refused."""

PERIODIC: frozenset[ExportKind] = frozenset({"ranks", "performance_facts"})
"""Kinds that are read day by day, the last 90 days unless told otherwise."""


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
        description="First day of what is of a period; 90 days before ``to`` unless told, a week for movers, 28 days "
        "for performance.",
        examples=[None],
    )
    to: Day | None = Field(default=None, description="Last day, today (UTC) unless told.", examples=[None])
    days: int | None = Field(
        default=None, ge=1, le=90, description="Of the share of voice: keywords checked lately.", examples=[None]
    )
    device: Device | None = Field(default=None, description="Of movers and position distribution.", examples=[None])
    locale: Locale | None = Field(default=None, description="Of movers and position distribution.", examples=[None])
    by: GroupBy | None = Field(
        default=None,
        description="Of performance: what its rows are, searches unless told; the first 1000.",
        examples=[None],
    )


class ExportRequest(Layout):
    """What to export, which of it, and how to write it."""

    kind: ExportKind = Field(
        description="``performance`` adds up as its operation does; ``performance_facts`` are the single rows of every "
        "source and cut (column ``dimensions``), of which only one cut may be added up.",
        examples=["keywords"],
    )
    filters: ExportFilters = Field(default_factory=ExportFilters, examples=[{"priority": "tier1"}])

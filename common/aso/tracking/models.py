"""What the tracking of ranks takes and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.aso.models import CompetitorRanking, Day, Identifier, OwnPage, Priority
from common.aso.rank_models import RankRow
from common.aso.site.models import Budget, TierPlan
from common.model import Model, Timestamp

BATCH = 10
"""Keywords of one task: the slowest look takes three quarters of a minute, and a task ten minutes."""

ON_DEMAND = 50

_KEYWORD_ID = "6d1f7c1e-5a0c-5b7e-9a55-0d3f1b2c4d5e"
_MOMENT = "2026-01-31T12:00:00.000000Z"


class TrackedRow(RankRow):
    """A look of ours, with what only we know of it."""

    provider: str | None = None
    raw_path: str | None = None
    competitors: list[CompetitorRanking] | None = None
    own_pages: list[OwnPage] = Field(default_factory=list)
    target_position: int | None = None


class PlanTask(Model):
    """Body of the task that plans one tenant's checks.

    Attributes:
        hour: Hours since the epoch that the plan is carried out up to.
    """

    hour: int = Field(ge=0)


class FetchTask(Model):
    """Body of the task that checks a few keywords.

    Attributes:
        batch: Names the batch; its reservation and its claims carry the name.
        planned_at: When it was planned; the budget and the day of its checks follow from it, however often it runs.
        keyword_ids: What to check.
        on_demand: Somebody asked for it, so what failed today is tried again.
    """

    batch: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,200}$")]
    planned_at: Timestamp
    keyword_ids: Annotated[list[Identifier], Field(min_length=1, max_length=BATCH)]
    on_demand: bool = False


class CheckRequest(Model):
    """Which keywords to check now."""

    keyword_ids: Annotated[list[Identifier], Field(min_length=1, max_length=ON_DEMAND)] = Field(
        examples=[[_KEYWORD_ID]]
    )


class CheckAccepted(Model):
    """Checks that are on their way; each shows in its keyword's history."""

    accepted: int = Field(description="Keywords that will be checked.", examples=[1])
    over_budget: int = Field(description="Keywords for which no budget is left today.", examples=[0])
    not_checkable: int = Field(
        description="Keywords followed over all devices together, which no single result page shows.", examples=[0]
    )


class TierStatus(Model):
    """How far the plan of a tier is."""

    tier: Priority
    days: int = Field(description="Days from one check to the next.", examples=[3])
    keywords: int = Field(examples=[420])
    due: int = Field(description="Keywords whose turn has come and that are not planned yet.", examples=[12])
    planned_until: Timestamp | None = Field(description="Null: never planned.", examples=[_MOMENT])


class Used(Model):
    """What was used of a budget, reservations of checks under way included."""

    checks: int = Field(examples=[120])
    checks_limit: int | None = Field(description="Null: no limit.", examples=[500])
    spend_minor: int = Field(description="Minor units, rounded up.", examples=[24])
    spend_limit_minor: int | None = Field(examples=[500])


class ProviderStatus(Model):
    """A provider that the tenant asked for or the deployment has."""

    name: str = Field(examples=["serpapi"])
    configured: bool = Field(description="Whether the deployment has it.", examples=[True])
    order: int | None = Field(description="Its place in the chain, from 1; null: it is not asked.", examples=[1])
    price_per_thousand_minor: int | None = Field(description="Of a thousand pages of ten.", examples=[1000])
    circuit: Literal["CLOSED", "OPEN", "HALF_OPEN"] | None = Field(
        description="OPEN: it failed repeatedly and is left alone for a while.", examples=["CLOSED"]
    )
    last_failure: str | None = Field(default=None, description="Of this tenant's checks.", examples=["http_503"])
    last_failure_at: Timestamp | None = Field(default=None, examples=[_MOMENT])


class TrackingStatus(Model):
    """Whether and how the ranks of a tenant are checked."""

    state: Literal["on", "off", "no_provider", "no_site"] = Field(
        description="``off``: not asked for; ``no_provider``: the deployment has none of the providers wanted; "
        "``no_site``: the settings name no own host.",
        examples=["off"],
    )
    detail: str = Field(examples=["Tracking is off in the settings."])
    plan: TierPlan
    depth: int = Field(examples=[30])
    tiers: list[TierStatus]
    checks_a_day: float = Field(description="What the plan asks for on average.", examples=[96.4])
    planned_today: int = Field(examples=[40])
    currency: str = Field(examples=["USD"])
    budget: Budget
    day: Used
    month: Used
    providers: list[ProviderStatus]
    today: Day

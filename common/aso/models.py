"""The documents of search optimisation: content pieces, keywords, opportunities, rank observations (document 000).

Field names are those of document 000. What document 000 does not know says so in its description.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator

from common.model import Model, Timestamp


def _calendar_day(value: str) -> str:
    return date.fromisoformat(value).isoformat()


Day = Annotated[
    str,
    StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$"),
    AfterValidator(_calendar_day),
    Field(examples=["2026-01-31"]),
]
"""A calendar day as ``YYYY-MM-DD``: text, because Firestore knows no date type and text of this form sorts by time."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$")]
KeywordText = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
"""Language, or language and country: ``en``, ``en-US``."""

ContentType = Literal["hub", "spoke"]
ContentStatus = Literal["draft", "published", "archived"]
Intent = Literal["informational", "commercial", "transactional"]
Priority = Literal["tier1", "tier2", "tier3"]
KgrClass = Literal["excellent", "good", "competitive"]
Device = Literal["desktop", "mobile", "tablet", "all"]
RankStateName = Literal["ranked", "not_found", "check_failed"]
OpportunityType = Literal[
    "low_hanging_fruit", "content_gap", "rank_improvement", "content_decay", "cannibalization", "link_gap"
]
OpportunityStatus = Literal["new", "in_progress", "completed", "dismissed", "closed"]
DemandBasis = Literal["search_volume", "observed_impressions"]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217 code."""
OutcomeState = Literal["measured", "not_measurable"]

_ID = "0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"
_KEYWORD_ID = "6d1f7c1e-5a0c-5b7e-9a55-0d3f1b2c4d5e"
_MOMENT = "2026-01-31T12:00:00.000000Z"


class ContentPiece(Model):
    """A hub or one of its spokes (document 000, ``content_pieces``)."""

    content_id: str = Field(description="UUID version 7.", examples=[_ID])
    tenant_id: str = Field(examples=["demo"])
    content_type: ContentType = Field(description="Never changes.", examples=["hub"])
    keyword_primary: KeywordText = Field(examples=["qr code scanner"])
    keyword_secondary: list[KeywordText] = Field(default_factory=list, examples=[["scan qr code online"]])
    hub_id: str | None = Field(default=None, description="The hub of a spoke; null for a hub.", examples=[None])
    title: str = Field(examples=["How to scan a QR code"])
    meta_description: str | None = Field(default=None, examples=["Scan a QR code with any camera, step by step."])
    url: str | None = Field(default=None, examples=["https://example.com/scan-qr-code"])
    url_normalized: str | None = Field(
        default=None,
        description="The address as compared for uniqueness (not in document 000).",
        examples=["https://example.com/scan-qr-code"],
    )
    word_count: int | None = Field(default=None, ge=0, examples=[1850])
    status: ContentStatus = Field(default="draft", examples=["draft"])
    performance_score: float | None = Field(default=None, ge=0, le=100, examples=[71.5])
    ranking_position: int | None = Field(default=None, ge=1, examples=[12])
    monthly_traffic: int | None = Field(default=None, ge=0, examples=[4200])
    monthly_conversions: int | None = Field(default=None, ge=0, examples=[63])
    conversion_rate: float | None = Field(
        default=None,
        ge=0,
        description="monthly_conversions / monthly_traffic; null where either is unknown or the traffic is 0.",
        examples=[0.015],
    )
    created_at: Timestamp = Field(examples=[_MOMENT])
    published_at: Timestamp | None = Field(
        default=None, description="Moment of the first publication; never changes after that.", examples=[None]
    )
    archived_at: Timestamp | None = Field(default=None, description="Not in document 000.", examples=[None])
    archived_reason: str | None = Field(default=None, description="Not in document 000.", examples=[None])
    updated_at: Timestamp | None = Field(default=None, examples=[_MOMENT])


class SerpPosition(Model):
    """What the newest successful check of one day found (an entry of ``serp_history``).

    ``date``, ``position`` and ``url`` are document 000's; the rest makes entries comparable, so that the history comes
    out the same in whatever order observations arrive.
    """

    date: Day
    position: float | None = Field(
        default=None, ge=1, description="Null: not found down to ``depth``.", examples=[12.0]
    )
    url: str | None = Field(default=None, examples=["https://example.com/scan-qr-code"])
    depth: int | None = Field(default=None, ge=1, examples=[100])
    checked_at: Timestamp = Field(examples=[_MOMENT])
    observation_id: str = Field(examples=[_KEYWORD_ID])


class CompetitorRanking(Model):
    """Where a competitor stands for a keyword."""

    competitor: Annotated[str, StringConstraints(min_length=1, max_length=253)] = Field(examples=["example.org"])
    position: int | None = Field(default=None, ge=1, le=1000, description="Null: not found.", examples=[4])


class OwnPage(Model):
    """A page of the tenant's own among the results."""

    position: int = Field(ge=1, le=1000, examples=[12])
    url: str = Field(examples=["https://example.com/scan-qr-code"])


class Provenance(Model):
    """Where a number comes from and of when it is."""

    source: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")] = Field(
        examples=["keyword_planner"]
    )
    as_of: Timestamp = Field(examples=[_MOMENT])


class KeywordSummary(Model):
    """A keyword without its lists, short enough for five hundred in one answer.

    The rank fields (``current_ranking``, ``average_position``, ``best_ranking``, ``last_checked``,
    ``last_failed_check``) are folded from rank observations and cannot be set otherwise.
    """

    keyword_id: str = Field(description="UUID version 5 of tenant and normalised keyword.", examples=[_KEYWORD_ID])
    tenant_id: str = Field(examples=["demo"])
    keyword: KeywordText = Field(description="As given first.", examples=["QR code scanner"])
    keyword_normalized: str = Field(
        description="Unicode NFKC, case folded, white space collapsed.", examples=["qr code scanner"]
    )
    search_volume: int | None = Field(default=None, ge=0, description="Searches a month.", examples=[2400])
    difficulty_score: float | None = Field(default=None, ge=0, le=100, examples=[38.0])
    allintitle_results: int | None = Field(
        default=None, ge=0, description="Results of an allintitle search; not in document 000.", examples=[540]
    )
    kgr_score: float | None = Field(
        default=None,
        ge=0,
        description="Keyword Golden Ratio: allintitle_results / search_volume; null at volume 0 or unknown.",
        examples=[0.225],
    )
    kgr_class: KgrClass | None = Field(
        default=None, description="Only where the ratio is valid: volume 250 at most.", examples=[None]
    )
    intent: Intent | None = Field(default=None, description="Null: the rules abstain.", examples=["transactional"])
    intent_confidence: float | None = Field(default=None, ge=0, le=1, examples=[0.8])
    intent_source: Literal["user", "rule", "model"] | None = Field(
        default=None, description="``model``: learnt from the keywords whose intent the tenant gave.", examples=["rule"]
    )
    current_ranking: int | None = Field(
        default=None, ge=1, description="Newest rank, halves rounded up; null: unknown or not found.", examples=[12]
    )
    average_position: float | None = Field(
        default=None, ge=1, description="Newest rank unrounded, as Search Console reports it.", examples=[12.4]
    )
    best_ranking: int | None = Field(default=None, ge=1, examples=[9])
    target_ranking: int | None = Field(default=None, ge=1, le=100, examples=[3])
    last_checked: Timestamp | None = Field(
        default=None, description="Newest successful check (ranked or not found).", examples=[_MOMENT]
    )
    last_failed_check: Timestamp | None = Field(
        default=None, description="Newest check that failed; says nothing about the rank.", examples=[None]
    )
    priority: Priority = Field(examples=["tier1"])
    priority_source: Literal["user", "rule"] = Field(default="rule", examples=["rule"])
    content_id: str | None = Field(default=None, description="The piece that targets the keyword.", examples=[_ID])
    cluster_id: str | None = Field(
        default=None, description="The cluster of keywords that one page can answer; null: none.", examples=[None]
    )
    locale: Locale | None = Field(
        default=None, description="Only observations of this locale count for the rank; null: any.", examples=["en-US"]
    )
    device: Device | None = Field(
        default=None, description="Only observations of this device count for the rank; null: any.", examples=[None]
    )
    observed_impressions: int | None = Field(
        default=None, ge=0, description="Impressions Search Console counted over ``observed_days``.", examples=[55685]
    )
    observed_clicks: int | None = Field(default=None, ge=0, examples=[1171])
    observed_days: int | None = Field(default=None, ge=1, le=500, examples=[28])
    observed_until: Day | None = Field(default=None, description="Last day observed.")
    created_at: Timestamp = Field(examples=[_MOMENT])
    updated_at: Timestamp | None = Field(default=None, examples=[_MOMENT])


class Keyword(KeywordSummary):
    """A search term that a tenant follows (document 000, ``keywords``)."""

    serp_history: list[SerpPosition] = Field(
        default_factory=list, description="One entry a day, oldest first, the newest 30 days with a successful check."
    )
    competitor_rankings: list[CompetitorRanking] = Field(default_factory=list)
    provenance: dict[str, Provenance] = Field(
        default_factory=dict, description="Source and time of each number, by field name."
    )


class Opportunity(Model):
    """A chance to win visits, found by a scan (document 000, ``opportunities``).

    Opportunities of every type compare by ``expected_gain``: see ``common.aso.gain_model.scale``.
    """

    opportunity_id: str = Field(examples=[_ID])
    tenant_id: str = Field(examples=["demo"])
    opportunity_type: OpportunityType = Field(examples=["low_hanging_fruit"])
    keyword: str = Field(
        description="The keyword; for an opportunity of a page the search it is mainly about.",
        examples=["qr code scanner"],
    )
    keyword_id: str | None = Field(
        default=None, description="Null where the opportunity is one of a page.", examples=[_KEYWORD_ID]
    )
    subject_id: str = Field(
        default="",
        description="What the opportunity is about: the keyword's id, or the content id or normalised address of a "
        "page. Tenant, type, subject and episode identify it (not in document 000).",
        examples=[_KEYWORD_ID],
    )
    url: str | None = Field(
        default=None, description="The page concerned, where known.", examples=["https://example.com/scan-qr-code"]
    )
    confidence_score: float | None = Field(default=None, ge=0, le=1, examples=[0.72])
    estimated_traffic: int | None = Field(
        default=None, ge=0, description="Visits a month at the reachable rank.", examples=[310]
    )
    estimated_difficulty: float | None = Field(default=None, ge=0, le=100, examples=[38.0])
    recommendation: str | None = Field(
        default=None, examples=["Extend 'How to scan a QR code' and link to it from its hub."]
    )
    current_ranking: int | None = Field(default=None, ge=1, examples=[12])
    reachable_ranking: int | None = Field(default=None, ge=1, examples=[7])
    search_volume: int | None = Field(default=None, ge=0, examples=[2400])
    observed_impressions: int | None = Field(default=None, ge=0, examples=[None])
    demand_basis: DemandBasis = Field(
        description="Which demand the gain is computed from; observed demand is labelled, never mixed.",
        examples=["search_volume"],
    )
    monthly_demand: float | None = Field(
        default=None,
        ge=0,
        description="Searches, or impressions observed, a month that the gain is computed from.",
        examples=[2400.0],
    )
    opportunity_score: float | None = Field(
        default=None,
        ge=0,
        description="search_volume / difficulty_score of document 000; null at difficulty 0 or unknown.",
        examples=[63.2],
    )
    expected_gain: float | None = Field(default=None, description="Expected extra visits a month.", examples=[84.7])
    gain_low: float | None = Field(
        default=None, description="Lower end of the 90 % interval of the expected gain.", examples=[31.2]
    )
    gain_high: float | None = Field(
        default=None, description="Upper end of the 90 % interval of the expected gain.", examples=[160.4]
    )
    expected_value_minor: int | None = Field(
        default=None,
        description="Expected gain in minor units of ``currency``; null where the tenant gives no value of a visit.",
        examples=[2117],
    )
    currency: Currency | None = Field(default=None, examples=["EUR"])
    gain_model: str | None = Field(
        default=None,
        description="Version of the model the gain was computed with; ``prior`` where nothing was fitted.",
        examples=["curve-3.reach-1"],
    )
    evidence: dict[str, JsonValue] = Field(
        default_factory=dict, description="The figures behind the finding, by name.", examples=[{"pages": 2}]
    )
    gain_reach_probability: float | None = Field(default=None, ge=0, le=1, examples=[0.41])
    reasons: list[str] = Field(default_factory=list, examples=[["Ranks 12: one page away from the first page."]])
    status: OpportunityStatus = Field(default="new", examples=["new"])
    content_id: str | None = Field(default=None, examples=[_ID])
    holds: bool = Field(default=True, description="Whether the last scan found that it still holds.", examples=[True])
    episode: int = Field(
        default=1,
        ge=1,
        description="Counts how often the same opportunity came back after it was closed.",
        examples=[1],
    )
    detected_at: Timestamp = Field(examples=[_MOMENT])
    created_at: Timestamp = Field(examples=[_MOMENT])
    updated_at: Timestamp | None = Field(default=None, examples=[_MOMENT])
    closed_at: Timestamp | None = Field(default=None, examples=[None])
    closed_reason: str | None = Field(default=None, examples=[None])
    dismissed_reason: str | None = Field(default=None, examples=[None])
    started_at: Timestamp | None = Field(default=None, description="When work on it began.", examples=[None])
    acted_at: Timestamp | None = Field(
        default=None, description="When it was acted on; outcomes are measured from here.", examples=[None]
    )
    outcome_due_at: Timestamp | None = Field(
        default=None, description="When its outcome is measured next; null where nothing is due.", examples=[None]
    )
    outcome_state: OutcomeState | None = Field(
        default=None, description="Of the newest measurement; null before the first.", examples=[None]
    )
    realised_gain: float | None = Field(
        default=None, description="Extra visits a month of the newest measurement; can be negative.", examples=[None]
    )

    @model_validator(mode="before")
    @classmethod
    def _about_its_keyword(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and not fields.get("subject_id"):
            return {**fields, "subject_id": fields.get("keyword_id") or ""}
        return fields


class RankObservation(Model):
    """One look at a result page. Never changes, except that a success replaces a failure of the same check."""

    observation_id: str = Field(
        description="UUID version 5 of keyword, time, device, locale and source.", examples=[_KEYWORD_ID]
    )
    tenant_id: str = Field(examples=["demo"])
    keyword_id: str = Field(examples=[_KEYWORD_ID])
    keyword: str = Field(examples=["qr code scanner"])
    date: Day
    checked_at: Timestamp = Field(examples=[_MOMENT])
    device: Device = Field(default="all", examples=["desktop"])
    locale: Locale = Field(default="und", description="``und``: undetermined.", examples=["en-US"])
    state: RankStateName = Field(
        description="ranked at ``position``; not_found down to ``depth``; check_failed: nothing is known.",
        examples=["ranked"],
    )
    position: float | None = Field(default=None, ge=1, le=1000, examples=[12.4])
    depth: int | None = Field(default=None, ge=1, le=1000, examples=[None])
    url: str | None = Field(default=None, examples=["https://example.com/scan-qr-code"])
    source: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")] = Field(
        examples=["search_console"]
    )
    features: list[str] = Field(
        default_factory=list, description="What else the result page showed.", examples=[["people_also_ask"]]
    )
    impressions: int | None = Field(default=None, ge=0, examples=[55685])
    clicks: int | None = Field(default=None, ge=0, examples=[1171])
    provider: str | None = Field(default=None, description="Who showed the result page.", examples=["serpapi"])
    raw_path: str | None = Field(
        default=None, description="Where the provider's answer is kept, for 30 days, below the tenant's prefix."
    )
    competitors: list[CompetitorRanking] | None = Field(
        default=None, description="Where the competitors of the settings stood; null: nobody looked."
    )
    own_pages: list[OwnPage] = Field(default_factory=list, description="The own pages found, the best first.")
    target_position: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Rank of the very page that targets the keyword; null: there is none, or it was not found.",
        examples=[12],
    )
    created_at: Timestamp = Field(examples=[_MOMENT])

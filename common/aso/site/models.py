"""What a tenant says about its own site and its competitors, and what tracking its ranks may cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.aso.models import Currency, Device, KeywordText, Locale
from common.model import Model, Timestamp

MOST_HOSTS = 20
MOST_COMPETITORS = 20

Host = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
"""A host, or an address whose host is meant; stored as ``common.aso.addresses.host_of`` returns it."""

Hosts = Annotated[list[Host], Field(max_length=MOST_HOSTS)]
Competitors = Annotated[list[Host], Field(max_length=MOST_COMPETITORS)]
ProviderName = Literal["serpapi", "dataforseo", "serper", "google_search"]
"""Providers of result pages that there are adapters for."""

Minor = Annotated[int, Field(ge=0, le=10**12)]
Checks = Annotated[int, Field(ge=0, le=10**7)]
Days = Annotated[int, Field(ge=1, le=90)]

_MOMENT = "2026-01-31T12:00:00.000000Z"


class TierPlan(Model):
    """Days from one check of a keyword to the next, by its tier."""

    tier1: Days = Field(default=1, examples=[1])
    tier2: Days = Field(default=3, examples=[3])
    tier3: Days = Field(default=7, examples=[7])


class Budget(Model):
    """What checks may cost; null sets no limit besides the deployment's own."""

    checks_per_day: Checks | None = Field(default=None, description="By UTC day.", examples=[500])
    checks_per_month: Checks | None = Field(default=None, description="By UTC month.", examples=[10000])
    spend_per_day_minor: Minor | None = Field(
        default=None, description="In minor units of the currency that the deployment prices checks in.", examples=[500]
    )
    spend_per_month_minor: Minor | None = Field(default=None, examples=[10000])


class Tracking(Model):
    """How the ranks of the keywords are checked by themselves; off unless the tenant asks for it."""

    enabled: bool = Field(default=False, examples=[True])
    providers: Annotated[list[ProviderName], Field(max_length=8)] = Field(
        default_factory=list,
        description="Which providers to ask, in this order; empty: all that the deployment has, in its own order.",
        examples=[["serpapi", "dataforseo"]],
    )
    plan: TierPlan = Field(default_factory=TierPlan)
    depth: int = Field(
        default=30,
        ge=10,
        le=100,
        description="Organic results looked at; every ten of them are paid for, until site and competitors are found.",
        examples=[30],
    )
    budget: Budget = Field(default_factory=Budget)


class SettingsInput(Model):
    """The settings as a whole: what is absent takes its default."""

    site_hosts: Hosts = Field(
        default_factory=list,
        description="The tenant's own hosts; what lies below a host belongs to it. Addresses are taken for their host.",
        examples=[["example.com"]],
    )
    brand_terms: Annotated[list[KeywordText], Field(max_length=100)] = Field(
        default_factory=list, description="Words that searches for the brand hold.", examples=[["acme"]]
    )
    competitors: Competitors = Field(
        default_factory=list, description="Registrable hosts; at most 20.", examples=[["example.org"]]
    )
    value_per_visit_minor: Minor | None = Field(
        default=None, description="What a visit is worth, in minor units of ``currency``.", examples=[45]
    )
    currency: Currency | None = Field(default=None, description="ISO 4217.", examples=["EUR"])
    search_console_site: Annotated[str, StringConstraints(min_length=1, max_length=2048)] | None = Field(
        default=None,
        description="Property in Search Console: ``sc-domain:example.com`` or the address of a prefix.",
        examples=["sc-domain:example.com"],
    )
    locale: Locale = Field(default="en-US", description="Of checks of keywords that name none.", examples=["en-US"])
    device: Device = Field(default="desktop", description="Of checks of keywords that name none.", examples=["desktop"])
    timezone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        default="UTC", description="IANA name; the tenant's days.", examples=["Europe/Berlin"]
    )
    tracking: Tracking = Field(default_factory=Tracking)


class AsoSettings(SettingsInput):
    """The stored settings of a tenant; one document a tenant."""

    tenant_id: str = Field(examples=["demo"])
    created_at: Timestamp | None = Field(default=None, description="Null: nobody has set them yet.", examples=[_MOMENT])
    updated_at: Timestamp | None = Field(default=None, examples=[_MOMENT])


class CompetitorSet(Model):
    """Whom to compare with, in place of whom it was before."""

    competitors: Competitors = Field(
        description="Hosts or addresses, taken for their registrable host.", examples=[["example.org", "example.net"]]
    )

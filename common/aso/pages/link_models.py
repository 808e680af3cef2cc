"""What is known of the links between a hub and its spokes, and what the operations on it take and answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.aso.content_models import Address
from common.jobs.models import JobView
from common.model import Model, Timestamp

LinkState = Literal["linked", "nofollow", "missing", "unknown"]
"""``nofollow``: only links that ask not to be followed; ``unknown``: the page that would link was not read."""

MAX_SPOKES = 2000
"""Published spokes that one audit covers, the oldest first; more would not fit one document."""

_HUB = "0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"
_SPOKE = "0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e60"
_MOMENT = "2026-01-31T12:00:00.000000Z"
_URL = "https://example.com/scan-qr-code"


class SpokeLinks(Model):
    """The links between a hub and one of its published spokes."""

    content_id: str = Field(examples=[_SPOKE])
    from_hub: LinkState = Field(description="Whether the hub links to the spoke.", examples=["linked"])
    to_hub: LinkState = Field(description="Whether the spoke links to its hub.", examples=["missing"])
    from_siblings: int = Field(default=0, ge=0, description="Other spokes whose pages link to it.", examples=[1])
    problem: str | None = Field(
        default=None,
        description="Why the spoke's page was not read: ``not_given``, ``robots_denied``, ``page_limit``, "
        "``http_<status>``, or the code of the fetch that failed.",
        examples=[None],
    )


class LinkAudit(Model):
    """The newest look at the links of a hub; one a hub, under the hub's id.

    ``coverage`` is ``linked / (linked + nofollow + missing)`` over both directions of every pair whose linking page was
    read; null where none was.
    """

    content_id: str = Field(description="The hub.", examples=[_HUB])
    tenant_id: str = Field(examples=["demo"])
    spoke_ids: list[str] = Field(description="The published spokes, in the order of ``spokes``.", examples=[[_SPOKE]])
    spokes: list[SpokeLinks]
    linked: int = Field(ge=0, examples=[1])
    nofollow: int = Field(ge=0, examples=[0])
    missing: int = Field(ge=0, examples=[1])
    unknown: int = Field(ge=0, examples=[0])
    coverage: float | None = Field(default=None, ge=0, le=1, examples=[0.5])
    orphans: list[str] = Field(
        description="Spokes to which neither the hub nor any other spoke links; empty where the hub was not read.",
        examples=[[]],
    )
    hub_problem: str | None = Field(default=None, description="Why the hub's page was not read.", examples=[None])
    unpublished: int = Field(default=0, ge=0, description="Spokes that are not published or have no address.")
    left_out: int = Field(default=0, ge=0, description=f"Published spokes beyond the first {MAX_SPOKES}.")
    source: Literal["given", "fetched"] = Field(examples=["given"])
    job_id: str | None = Field(default=None, description="The job that fetched the pages.", examples=[None])
    checked_at: Timestamp = Field(examples=[_MOMENT])
    created_at: Timestamp = Field(description="Of the first audit of this hub.", examples=[_MOMENT])
    updated_at: Timestamp | None = Field(default=None, examples=[_MOMENT])


class PageLink(Model):
    """A link as it stands on a page."""

    href: Address = Field(description="As written: absolute, or relative to the page.", examples=["/scan-qr-code"])
    nofollow: bool = Field(default=False, description="Whether it has rel nofollow, ugc or sponsored.")


class PageLinks(Model):
    """The links of one page."""

    url: Address = Field(examples=[_URL])
    links: list[PageLink] = Field(max_length=5000)


class LinkAuditRequest(Model):
    """Where the links are looked for."""

    pages: list[PageLinks] | None = Field(
        default=None,
        max_length=MAX_SPOKES + 1,
        description="Links of the hub's and the spokes' pages as a crawler found them; absent: a job fetches them.",
        examples=[[{"url": _URL, "links": [{"href": "/qr-codes", "nofollow": False}]}]],
    )
    max_pages: int = Field(
        default=200, ge=1, le=MAX_SPOKES + 1, description="Pages that a job fetches at most.", examples=[200]
    )


class MissingLink(Model):
    """A link that should be there."""

    from_id: str = Field(examples=[_HUB])
    from_url: str | None = Field(default=None, examples=["https://example.com/qr-codes"])
    to_id: str = Field(examples=[_SPOKE])
    to_url: str | None = Field(default=None, examples=[_URL])
    state: Literal["nofollow", "missing"] = Field(examples=["missing"])
    anchor: Annotated[str, StringConstraints(max_length=400)] = Field(
        description="A text to link with: the primary keyword of the page it leads to.", examples=["scan a qr code"]
    )


class LinkAuditReport(Model):
    """An audit with what to do about it."""

    audit: LinkAudit
    missing_links: list[MissingLink] = Field(description="The first 500, the hub's own first.")


class LinkAuditAnswer(Model):
    """The audit of the links that were given, or the job that fetches the pages."""

    report: LinkAuditReport | None = None
    job: JobView | None = None

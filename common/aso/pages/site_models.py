"""What the audit of a site's sitemaps and robots.txt takes and answers."""

from __future__ import annotations

from base64 import b64decode
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from common.aso.content_models import Address
from common.jobs.models import JobView
from common.model import Model, Timestamp

Severity = Literal["error", "warning", "notice"]
Agent = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_-]{1,64}$")]

FindingCode = Literal[
    "malformed_xml",
    "dtd_refused",
    "nested_too_deep",
    "too_large",
    "too_many_urls",
    "gzip_damaged",
    "unsupported_encoding",
    "unknown_root",
    "wrong_namespace",
    "empty_sitemap",
    "nested_index",
    "sitemap_repeated",
    "sitemap_not_fetched",
    "sitemaps_left_out",
    "missing_loc",
    "invalid_url",
    "url_too_long",
    "wrong_host",
    "http_on_https_site",
    "not_canonical",
    "parametrised_url",
    "duplicate_url",
    "invalid_lastmod",
    "future_lastmod",
    "stale_lastmod",
    "invalid_news_date",
    "news_too_old",
    "image_without_loc",
    "blocked_by_robots",
    "not_in_content",
    "missing_from_sitemap",
    "content_left_out",
    "robots_not_fetched",
    "robots_too_large",
    "robots_strange_line",
    "robots_blocks_everything",
    "robots_names_no_sitemap",
    "robots_relative_sitemap",
]

_ID = "0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"
_MOMENT = "2026-01-31T12:00:00.000000Z"
_SITEMAP = (
    "<?xml version='1.0' encoding='UTF-8'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>"
    "<url><loc>https://example.com/scan-qr-code</loc><lastmod>2026-01-31</lastmod></url></urlset>"
)
MAX_TEXT = 12_000_000


def _is_base64(text: str) -> str:
    try:
        b64decode(text, validate=True)
    except ValueError:
        raise ValueError("this is no base64") from None
    return text


Packed = Annotated[str, StringConstraints(max_length=MAX_TEXT), AfterValidator(_is_base64)]


class SitemapBody(Model):
    """A sitemap as it is served: XML, a list of addresses, or packed with gzip."""

    url: Address | None = Field(
        default=None, description="Where it is served.", examples=["https://example.com/sitemap.xml"]
    )
    text: Annotated[str, StringConstraints(max_length=MAX_TEXT, strip_whitespace=False)] | None = Field(
        default=None, examples=[_SITEMAP]
    )
    base64: Packed | None = Field(default=None, description="The bytes in base64, where they are packed or not UTF-8.")

    @model_validator(mode="after")
    def _one(self) -> SitemapBody:
        if (self.text is None) == (self.base64 is None):
            raise ValueError("give text or base64")
        return self

    @property
    def content(self) -> bytes:
        """The bytes."""
        return b64decode(self.base64) if self.base64 is not None else (self.text or "").encode()


class SiteAuditRequest(Model):
    """A site to fetch robots.txt and sitemaps from, or their contents."""

    site_url: Address | None = Field(
        default=None,
        description="A page of the site, to tell its host and scheme; robots.txt and sitemaps are fetched from there "
        "by a job unless they are given.",
        examples=["https://example.com/"],
    )
    sitemap_urls: Annotated[list[Address], Field(max_length=100)] = Field(
        default_factory=list,
        description="Sitemaps that the job fetches; absent: those that robots.txt names, or /sitemap.xml.",
        examples=[[]],
    )
    sitemaps: Annotated[list[SitemapBody], Field(max_length=100)] = Field(default_factory=list)
    robots: Annotated[str, StringConstraints(max_length=2_000_000, strip_whitespace=False)] | None = Field(
        default=None, examples=["User-agent: *\nDisallow: /private/\n"]
    )
    agent: Agent = Field(
        default="Googlebot", description="Product token of the robot whose rules count.", examples=["Googlebot"]
    )

    @model_validator(mode="after")
    def _something(self) -> SiteAuditRequest:
        if self.sitemap_urls and self.sitemaps:
            raise ValueError("give sitemaps or sitemap_urls, not both")
        if self.site_url is None and not self.sitemaps and not self.sitemap_urls:
            raise ValueError("give site_url, sitemap_urls or sitemaps")
        return self


class Example(Model):
    """Where something was found."""

    url: str | None = Field(default=None, examples=["https://example.com/private/a"])
    where: str | None = Field(
        default=None,
        description="The sitemap and line, or the line of robots.txt.",
        examples=["https://example.com/sitemap.xml:12"],
    )
    detail: str | None = Field(default=None, examples=["Disallow: /private/ (line 2)"])
    content_id: str | None = Field(default=None, examples=[None])


class Finding(Model):
    """One thing that is wrong, or worth a look."""

    code: FindingCode = Field(examples=["blocked_by_robots"])
    severity: Severity = Field(examples=["error"])
    count: int = Field(ge=1, examples=[1])
    message: str = Field(examples=["Addresses in the sitemap that robots.txt forbids."])
    examples: list[Example] = Field(description="The first 20.")


class SiteAudit(Model):
    """What was found in a site's sitemaps and robots.txt. Never changes."""

    audit_id: str = Field(description="UUID version 7.", examples=[_ID])
    tenant_id: str = Field(examples=["demo"])
    host: str | None = Field(default=None, examples=["example.com"])
    source: Literal["given", "fetched"] = Field(examples=["given"])
    job_id: str | None = Field(default=None, description="The job that fetched.", examples=[None])
    agent: str = Field(examples=["Googlebot"])
    sitemaps: int = Field(ge=0, examples=[1])
    urls: int = Field(ge=0, description="Entries of all sitemaps that are no indexes.", examples=[1])
    pieces: int = Field(ge=0, description="Published pieces of the site that were compared.", examples=[1])
    errors: int = Field(ge=0, description="Findings of that severity, each counted with its number.", examples=[1])
    warnings: int = Field(ge=0, examples=[0])
    notices: int = Field(ge=0, examples=[0])
    findings: list[Finding] = Field(description="Errors first.")
    created_at: Timestamp = Field(examples=[_MOMENT])


class SiteAuditAnswer(Model):
    """The audit of what was given, or the job that fetches the site; its result names the audit."""

    audit: SiteAudit | None = None
    job: JobView | None = None


class SiteAuditQuery(Model):
    """Which audits to list; newest first."""

    limit: int = Field(default=50, ge=1, le=200, examples=[50])
    cursor: str | None = Field(default=None, max_length=4096, description="``next_cursor`` of the page before.")

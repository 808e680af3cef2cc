"""What a page is scored by, what comes out, and what is kept of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints, model_validator

from common.aso.content_models import Address
from common.aso.models import Identifier, KeywordText, Locale
from common.model import Model, Timestamp

CheckStatus = Literal["pass", "warn", "fail", "not_applicable"]
MAX_HTML = 5_000_000
"""Characters of a page that are looked at."""

Source = Annotated[str, StringConstraints(max_length=MAX_HTML, strip_whitespace=False)]

_ID = "0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"
_MOMENT = "2026-01-31T12:00:00.000000Z"
_PAGE = (
    "<html lang='en'><head><title>QR code scanner: scan a code online</title></head>"
    "<body><h1>QR code scanner</h1><p>Scan a code with any camera.</p></body></html>"
)


class OnPageRequest(Model):
    """A page, as HTML, as plain text or as an address to fetch, and what it is meant to be found for."""

    keyword: KeywordText | None = Field(
        default=None, description="Needed without ``content_id``; else the piece's own.", examples=["qr code scanner"]
    )
    secondary_keywords: Annotated[list[KeywordText], Field(max_length=20)] | None = Field(
        default=None, description="Absent: the piece's own, or none.", examples=[["scan qr code online"]]
    )
    html: Source | None = Field(default=None, examples=[_PAGE])
    text: Source | None = Field(default=None, description="Plain text; empty lines part its paragraphs.")
    url: Address | None = Field(
        default=None,
        description="Where the page is; fetched where neither ``html`` nor ``text`` is given. Absent: the piece's own.",
        examples=["https://example.com/scan-qr-code"],
    )
    locale: Locale | None = Field(
        default=None,
        description="Language of the text; absent: the page's own ``lang``, or else recognised by its commonest words.",
        examples=["en"],
    )
    content_id: Identifier | None = Field(
        default=None, description="The piece the page belongs to; the audit is kept in its history.", examples=[None]
    )

    @model_validator(mode="after")
    def _complete(self) -> OnPageRequest:
        if self.html is not None and self.text is not None:
            raise ValueError("give html or text, not both")
        if self.content_id is None and self.keyword is None:
            raise ValueError("give a keyword, or the content_id of a piece that has one")
        if self.content_id is None and self.html is None and self.text is None and self.url is None:
            raise ValueError("give html, text, url or content_id")
        return self


class Check(Model):
    """One thing looked at.

    The score is the sum of ``weight`` times 1 (pass), 0.5 (warn) or 0 (fail) over the checks that apply, in percent of
    the sum of their weights.
    """

    check: str = Field(examples=["keyword_in_title"])
    status: CheckStatus = Field(examples=["pass"])
    weight: float = Field(ge=0, examples=[10.0])
    evidence: dict[str, JsonValue] = Field(description="What was found.", examples=[{"position": 0}])
    advice: str | None = Field(default=None, description="What to do; null where nothing is.", examples=[None])


class Readability(Model):
    """How hard a text is to read, by a formula made for its language."""

    language: str | None = Field(default=None, description="Null: not recognised.", examples=["en"])
    language_source: Literal["given", "page", "words", "unknown"] = Field(examples=["page"])
    measures: dict[str, float] = Field(
        default_factory=dict,
        description="By formula: ``flesch_reading_ease`` and ``flesch_kincaid_grade`` (en), ``amstad`` and "
        "``wiener_sachtextformel`` (de), ``kandel_moles`` (fr), ``fernandez_huerta`` (es), ``gulpease`` (it).",
        examples=[{"flesch_reading_ease": 71.2, "flesch_kincaid_grade": 6.1}],
    )
    ease: float | None = Field(
        default=None, description="The language's ease formula, about 0 (hard) to 100 (easy).", examples=[71.2]
    )
    sentences: int = Field(ge=0, examples=[42])
    words: int = Field(ge=0, examples=[610])
    syllables: int | None = Field(default=None, ge=0, examples=[930])
    reason: str | None = Field(
        default=None,
        description="Why there is no measure: ``language_unknown``, ``language_without_formula``, ``text_too_short``.",
        examples=[None],
    )


class PageAudit(Model):
    """A page's score at one moment, with what it is made of. Never changes."""

    audit_id: str = Field(description="UUID version 7.", examples=[_ID])
    tenant_id: str = Field(examples=["demo"])
    content_id: str | None = Field(default=None, examples=[_ID])
    keyword: KeywordText = Field(examples=["qr code scanner"])
    secondary_keywords: list[KeywordText] = Field(default_factory=list)
    url: str | None = Field(default=None, description="Where the page was, after redirects.", examples=[None])
    source: Literal["html", "text", "fetched"] = Field(examples=["html"])
    definition: str = Field(description="Version of the checks, their weights and bounds.", examples=["1"])
    score: float = Field(ge=0, le=100, examples=[74.5])
    word_count: int = Field(ge=0, description="Words of the page without its boilerplate.", examples=[610])
    title: str | None = Field(default=None, examples=["QR code scanner: scan a code online"])
    readability: Readability
    checks: list[Check]
    created_at: Timestamp = Field(examples=[_MOMENT])


class PageAuditQuery(Model):
    """Which audits of a piece to list; newest first."""

    limit: int = Field(default=50, ge=1, le=200, examples=[50])
    cursor: str | None = Field(default=None, max_length=4096, description="``next_cursor`` of the page before.")

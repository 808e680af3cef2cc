"""Companies of a tenant, as they are asked for, stored and answered (document 001)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from common.hosts import host_of, is_registrable, registrable_host
from common.model import Model, Timestamp
from common.names import Name

CompanySize = Literal["startup", "small", "medium", "large", "enterprise"]
CompanyStatus = Literal["active", "archived"]
MAX_LIMIT = 1_000_000_000

Phrase = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$", to_lower=True)]
WebLink = Annotated[str, StringConstraints(pattern=r"^https://[^\s<>\"\\]{1,2040}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$")]


def _registrable(text: str) -> str:
    host = host_of(text)
    if host is None or not is_registrable(host):
        raise PydanticCustomError("domain_invalid", "this is no domain that somebody can have registered")
    return str(registrable_host(host))


Domain = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2048),
    AfterValidator(_registrable),
    Field(description="A domain or an address on it, taken for its registrable domain.", examples=["example.com"]),
]


def _distinct(phrases: list[str]) -> list[str]:
    return list({phrase.casefold(): phrase for phrase in reversed(phrases)}.values())[::-1]


Phrases = Annotated[list[Phrase], Field(max_length=200), AfterValidator(_distinct)]


class BrandColour(Model):
    """A colour of the brand.

    Attributes:
        name: What people call it.
        hex: ``#rrggbb``.
    """

    name: Phrase = Field(examples=["Night blue"])
    hex: Colour = Field(examples=["#10243e"])


class BrandGuidelines(Model):
    """How the brand speaks and looks; what writes for the company follows it.

    Attributes:
        voice: Who speaks, in a few sentences.
        tone: Adjectives of the tone.
        audience: Whom the brand speaks to.
        words_to_use: Words and phrases that belong to the brand.
        words_to_avoid: Words and phrases that must not appear.
        rules: Further rules, one each.
        languages: Languages the company publishes in, as BCP 47 tags.
        colours: Colours of the brand.
        fonts: Names of fonts.
        logo_url: Address of the logo, https.
    """

    voice: Prose | None = Field(default=None, examples=["Expert, warm, never loud."])
    tone: Phrases = Field(default_factory=list, examples=[["clear", "friendly"]])
    audience: Prose | None = Field(default=None, examples=["Owners of small bakeries."])
    words_to_use: Phrases = Field(default_factory=list, examples=[["sourdough"]])
    words_to_avoid: Phrases = Field(default_factory=list, examples=[["cheap"]])
    rules: Annotated[list[Prose], Field(max_length=50)] = Field(default_factory=list)
    languages: Annotated[list[Language], Field(max_length=20), AfterValidator(_distinct)] = Field(
        default_factory=list, examples=[["en", "de-AT"]]
    )
    colours: Annotated[list[BrandColour], Field(max_length=30)] = Field(default_factory=list)
    fonts: Phrases = Field(default_factory=list, examples=[["Inter"]])
    logo_url: WebLink | None = Field(default=None, examples=["https://example.com/logo.svg"])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        both = {word.casefold() for word in self.words_to_use} & {word.casefold() for word in self.words_to_avoid}
        if both:
            raise PydanticCustomError(
                "word_contradiction", "to be used and avoided: {words}", {"words": ", ".join(sorted(both))}
            )
        return self


class ApiLimits(Model):
    """How much of the tenant's own limits a company may have; None is no limit besides the tenant's.

    The number of people is held by this platform. Keywords and content belong to a tenant and name no company, so their
    limits are for whatever plans them; they are only kept within the tenant's.

    Attributes:
        keywords: Keywords planned for the company.
        content_pieces: Pieces of content planned for it.
        users: People who work for it.
    """

    keywords: int | None = Field(default=None, ge=0, le=MAX_LIMIT, examples=[500])
    content_pieces: int | None = Field(default=None, ge=0, le=MAX_LIMIT)
    users: int | None = Field(default=None, ge=0, le=MAX_LIMIT)


class Company(Model):
    """A company that a tenant works for.

    Attributes:
        company_id: Id.
        name: Name in any script.
        domain: Registrable domain; unique in the tenant.
        industry: Industry.
        size: Size.
        brand_guidelines: How the brand speaks and looks.
        api_limits: How much of the tenant's limits the company may have.
        status: ``archived`` takes no new people.
        created_at: When it was created.
        updated_at: When it was changed last.
        archived_at: Since when it is archived; None where not.
    """

    company_id: str
    name: str
    domain: str | None = None
    industry: str | None = None
    size: CompanySize | None = None
    brand_guidelines: BrandGuidelines = Field(default_factory=BrandGuidelines)
    api_limits: ApiLimits = Field(default_factory=ApiLimits)
    status: CompanyStatus = "active"
    created_at: Timestamp
    updated_at: Timestamp
    archived_at: Timestamp | None = None


class CompanyCreate(Model):
    """A company to be created.

    Attributes:
        name: Name in any script.
        domain: Domain or an address on it; unique in the tenant.
        industry: Industry.
        size: Size.
        brand_guidelines: How the brand speaks and looks.
        api_limits: How much of the tenant's limits the company may have.
    """

    name: Name = Field(examples=["Bäckerei Müller"])
    domain: Domain | None = None
    industry: Name | None = Field(default=None, examples=["Bakeries"])
    size: CompanySize | None = None
    brand_guidelines: BrandGuidelines = Field(default_factory=BrandGuidelines)
    api_limits: ApiLimits = Field(default_factory=ApiLimits)


class CompanyUpdate(Model):
    """What changes about a company; what is left out stays, null clears. Guidelines and limits are replaced whole.

    Attributes:
        name: Name in any script.
        domain: Domain or an address on it; unique in the tenant.
        industry: Industry.
        size: Size.
        brand_guidelines: How the brand speaks and looks.
        api_limits: How much of the tenant's limits the company may have.
    """

    name: Name | None = Field(default=None, examples=["Bäckerei Müller"])
    domain: Domain | None = None
    industry: Name | None = Field(default=None, examples=["Bakeries"])
    size: CompanySize | None = None
    brand_guidelines: BrandGuidelines | None = None
    api_limits: ApiLimits | None = None

    @model_validator(mode="after")
    def _kept(self) -> Self:
        for field in ("name", "brand_guidelines", "api_limits"):
            if field in self.model_fields_set and getattr(self, field) is None:
                raise PydanticCustomError("null_not_allowed", "{field} cannot be cleared", {"field": field})
        return self


class CompanyListQuery(Model):
    """Which companies to list; newest first.

    Attributes:
        status: Only companies of this status.
        limit: Companies a page.
        cursor: ``next_cursor`` of the page before.
    """

    status: CompanyStatus | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=4096)

"""What the operations on content take and answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from common.aso.models import ContentStatus, ContentType, Identifier, KeywordText
from common.model import Model

Title = Annotated[str, StringConstraints(min_length=1, max_length=300)]
MetaDescription = Annotated[str, StringConstraints(max_length=1000)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
SecondaryKeywords = Annotated[list[KeywordText], Field(max_length=100)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Score = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Position = Annotated[int, Field(ge=1, le=1000)]

_HUB_ID = "0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"


class ContentCreate(Model):
    """A new hub or spoke; it begins as a draft."""

    content_type: ContentType = Field(examples=["hub"])
    keyword_primary: KeywordText = Field(examples=["qr code scanner"])
    keyword_secondary: SecondaryKeywords = Field(default_factory=list, examples=[["scan qr code online"]])
    hub_id: Identifier | None = Field(
        default=None, description="Required for a spoke, refused for a hub.", examples=[None]
    )
    title: Title = Field(examples=["How to scan a QR code"])
    meta_description: MetaDescription | None = Field(default=None, examples=["Scan a QR code with any camera."])
    url: Address | None = Field(
        default=None,
        description="Unique per tenant; addresses that differ in case of the host, default port, trailing slash or "
        "fragment count as the same.",
        examples=["https://example.com/scan-qr-code"],
    )
    word_count: Count | None = Field(default=None, examples=[1850])
    performance_score: Score | None = Field(default=None, examples=[71.5])
    ranking_position: Position | None = Field(default=None, examples=[12])
    monthly_traffic: Count | None = Field(default=None, examples=[4200])
    monthly_conversions: Count | None = Field(default=None, examples=[63])


class ContentUpdate(Model):
    """What changes: fields that are absent stay as they are, ``null`` clears."""

    content_type: ContentType | None = Field(
        default=None, description="Accepted only if it is the piece's own type.", examples=["hub"]
    )
    keyword_primary: KeywordText = Field(default_factory=str, examples=["qr code scanner"])
    keyword_secondary: SecondaryKeywords = Field(default_factory=list, examples=[["scan qr code online"]])
    hub_id: Identifier | None = Field(default=None, description="Moves a spoke to another hub.", examples=[_HUB_ID])
    title: Title = Field(default_factory=str, examples=["How to scan a QR code, step by step"])
    meta_description: MetaDescription | None = Field(default=None, examples=["Scan a QR code with any camera."])
    url: Address | None = Field(default=None, examples=["https://example.com/scan-qr-code"])
    status: ContentStatus | None = Field(
        default=None,
        description="Only ``draft``, and only to take a piece back from the archive; the other changes of status have "
        "operations of their own.",
        examples=["draft"],
    )
    word_count: Count | None = Field(default=None, examples=[1850])
    performance_score: Score | None = Field(default=None, examples=[71.5])
    ranking_position: Position | None = Field(default=None, examples=[12])
    monthly_traffic: Count | None = Field(default=None, examples=[4200])
    monthly_conversions: Count | None = Field(default=None, examples=[63])


class ContentText(Model):
    """What people may change of a piece in Firestore directly: words that no rule and no other document depends on."""

    title: Title
    meta_description: MetaDescription | None = None
    word_count: Count | None = None


class ContentQuery(Model):
    """Which pieces to list; newest first."""

    status: ContentStatus | None = Field(default=None, examples=["published"])
    content_type: ContentType | None = Field(default=None, examples=["hub"])
    hub_id: Identifier | None = Field(default=None, examples=[_HUB_ID])
    days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="Created within so many days, counted from midnight UTC.",
        examples=[90],
    )
    limit: int = Field(default=50, ge=1, le=200, examples=[50])
    cursor: str | None = Field(default=None, max_length=4096, description="``next_cursor`` of the page before.")


class PublishRequest(Model):
    """Where a piece is published."""

    url: Address | None = Field(
        default=None,
        description="Needed unless the piece has an address already.",
        examples=["https://example.com/scan-qr-code"],
    )


class ArchiveRequest(Model):
    """Why a piece is archived."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = Field(
        default=None, examples=["Replaced by a newer guide."]
    )


class DeleteQuery(Model):
    """How far a deletion goes."""

    cascade: bool = Field(default=False, description="Delete a hub together with its spokes.", examples=[True])
    dry_run: bool = Field(default=False, description="Tell what would go, and change nothing.", examples=[True])
    reassign_to: Identifier | None = Field(
        default=None,
        description="The piece that keywords, opportunities and the like refer to from now on; without ``cascade`` the "
        "spokes of a hub move there, too.",
        examples=[None],
    )


class DeletedPiece(Model):
    """A piece that goes, or went."""

    content_id: str = Field(examples=[_HUB_ID])
    title: str = Field(examples=["How to scan a QR code"])
    url: str | None = Field(default=None, examples=["https://example.com/scan-qr-code"])
    monthly_traffic: int | None = Field(default=None, examples=[4200])


class DeletionReport(Model):
    """What a deletion takes away."""

    content_id: str = Field(examples=[_HUB_ID])
    dry_run: bool = Field(examples=[True])
    job_id: str | None = Field(
        default=None,
        description="The job that does it (202): more changes than a request can; the figures are in its result.",
        examples=[None],
    )
    pieces: int = Field(default=0, description="Pieces deleted: the piece itself and its spokes.", examples=[3])
    spokes: list[DeletedPiece] = Field(default_factory=list, description="The spokes deleted, the first 200 of them.")
    spokes_moved: int = Field(default=0, description="Spokes that belong to ``reassigned_to`` now.", examples=[0])
    reassigned_to: str | None = Field(default=None, examples=[None])
    keywords_unlinked: int = Field(default=0, description="Keywords that lose their ``content_id``.", examples=[12])
    opportunities_unlinked: int = Field(
        default=0, description="Opportunities that lose their ``content_id``.", examples=[4]
    )
    references: dict[str, dict[str, int]] = Field(
        default_factory=dict,
        description="Documents that referred to the pieces, by entity: ``reassigned``, ``cleared`` or ``deleted``.",
        examples=[{"keyword": {"cleared": 12}, "page_audit": {"deleted": 3}}],
    )
    monthly_traffic_lost: int = Field(
        default=0, description="Sum over the pieces whose traffic is known.", examples=[6300]
    )
    monthly_conversions_lost: int = Field(default=0, examples=[71])
    traffic_unknown: int = Field(default=0, description="Pieces whose traffic is unknown.", examples=[1])


class TreeNode(Model):
    """A piece in the tree of its hub."""

    content_id: str = Field(examples=[_HUB_ID])
    title: str = Field(examples=["How to scan a QR code"])
    status: ContentStatus = Field(examples=["published"])
    url: str | None = Field(default=None, examples=["https://example.com/scan-qr-code"])
    keyword_primary: str = Field(examples=["qr code scanner"])
    keyword_id: str = Field(description="The id that the primary keyword has, or would have once it is followed.")
    keyword_ranking: int | None = Field(
        default=None,
        description="Current rank of the primary keyword; null: not followed, unknown or not found.",
        examples=[12],
    )
    ranking_position: int | None = Field(default=None, description="As told for the piece.", examples=[12])
    monthly_traffic: int | None = Field(default=None, examples=[4200])


class TreeTotals(Model):
    """A hub and all its spokes in figures, whatever page of the spokes is shown."""

    spokes: int = Field(examples=[8])
    spokes_by_status: dict[str, int] = Field(examples=[{"published": 6, "draft": 2}])
    monthly_traffic: int = Field(description="Hub and spokes, over those whose traffic is known.", examples=[18200])
    traffic_unknown: int = Field(examples=[2])
    ranked: int = Field(description="Pieces, the hub included, whose rank is known.", examples=[5])
    average_rank: float | None = Field(
        default=None,
        description="Mean over the ranked pieces of the keyword's current rank or else the piece's position; null if "
        "none is ranked.",
        examples=[9.4],
    )


class HubTree(Model):
    """A hub with its spokes, oldest first."""

    hub: TreeNode
    spokes: list[TreeNode]
    totals: TreeTotals
    next_cursor: str | None = None


class TreeQuery(Model):
    """Which spokes of a hub to show."""

    limit: int = Field(default=200, ge=1, le=200, examples=[50])
    cursor: str | None = Field(default=None, max_length=4096)

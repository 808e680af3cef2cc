"""The merging of two keywords: the record of it, and what its operation takes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.aso.models import Identifier
from common.model import Model, Timestamp

_ID = "0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"
_KEYWORD_ID = "6d1f7c1e-5a0c-5b7e-9a55-0d3f1b2c4d5e"
_MOMENT = "2026-01-31T12:00:00.000000Z"


class MergeRequest(Model):
    """Which keyword stays."""

    into: Identifier = Field(description="Id of the keyword that stays and takes over.", examples=[_KEYWORD_ID])
    dry_run: bool = Field(default=False, description="Tell what would change, and change nothing.", examples=[True])


class MergeCounts(Model):
    """What a merging changed, or would change."""

    observations_moved: int = Field(default=0, description="Rank observations taken over.", examples=[120])
    observations_folded: int = Field(
        default=0,
        description="Rank observations of checks that both keywords have: one is kept, the better known; counted when "
        "the merging is done, not foreseen.",
        examples=[4],
    )
    opportunities_moved: int = Field(default=0, description="Opportunities taken over.", examples=[2])
    opportunities_closed: int = Field(
        default=0,
        description="Of those, the ones that ended because the staying keyword has the same one; not foreseen.",
        examples=[1],
    )
    content_renamed: int = Field(
        default=0, description="Pieces that had the keyword as primary or secondary one.", examples=[1]
    )
    references: dict[str, int] = Field(
        default_factory=dict, description="Other documents that named the keyword, by kind.", examples=[{}]
    )


class KeywordMerge(Model):
    """The merging of one keyword into another. It cannot be undone: what was two keywords is one from then on."""

    merge_id: str = Field(examples=[_ID])
    tenant_id: str = Field(examples=["demo"])
    keyword_id: str = Field(description="The keyword that went.", examples=[_KEYWORD_ID])
    keyword: str = Field(examples=["qr-code scanner"])
    into: str = Field(description="Id of the keyword that stayed.", examples=[_KEYWORD_ID])
    into_keyword: str = Field(examples=["qr code scanner"])
    status: Literal["foreseen", "running", "done"] = Field(
        description="``foreseen``: a dry run; ``running``: interrupted, goes on when it is asked for again.",
        examples=["done"],
    )
    counts: MergeCounts = Field(default_factory=MergeCounts)
    started_at: Timestamp = Field(examples=[_MOMENT])
    finished_at: Timestamp | None = Field(default=None, examples=[_MOMENT])
    started_by: str = Field(examples=["key-1"])

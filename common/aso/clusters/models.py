"""Clusters of keywords: the document, and what their operations take and answer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.aso.models import KeywordSummary
from common.model import Model, Timestamp

_ID = "7f0c2d4e-5a0c-5b7e-9a55-0d3f1b2c4d5e"
_KEYWORD_ID = "6d1f7c1e-5a0c-5b7e-9a55-0d3f1b2c4d5e"
_CONTENT_ID = "0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"
_MOMENT = "2026-01-31T12:00:00.000000Z"


class KeywordCluster(Model):
    """Keywords that one page can answer."""

    cluster_id: str = Field(description="Survives as long as clusterings find the cluster again.", examples=[_ID])
    tenant_id: str = Field(examples=["demo"])
    label: str = Field(description="The member most people search for.", examples=["qr code scanner"])
    label_keyword_id: str | None = Field(
        default=None, description="Null: that keyword was deleted since.", examples=[_KEYWORD_ID]
    )
    members: int = Field(ge=0, description="Keywords in it when it was last found.", examples=[12])
    demand: float = Field(
        ge=0,
        description="Searches a month of all members together; observed impressions where the volume is unknown, 0 "
        "where both are.",
        examples=[18400.0],
    )
    method: Literal["result_pages", "text", "mixed"] = Field(
        description="What its members are alike by: results that their searches share, or their text.",
        examples=["text"],
    )
    content_id: str | None = Field(
        default=None,
        description="The piece that most of the demand is assigned to; null: no piece targets any member.",
        examples=[_CONTENT_ID],
    )
    hub_id: str | None = Field(
        default=None,
        description="Suggested hub: that piece, or the hub it belongs to; null: a new hub named after the label.",
        examples=[_CONTENT_ID],
    )
    created_at: Timestamp = Field(examples=[_MOMENT])
    updated_at: Timestamp = Field(examples=[_MOMENT])


class ClusterRequest(Model):
    """From when on keywords count as alike."""

    similarity: float = Field(
        default=0.6,
        ge=0.3,
        le=0.95,
        allow_inf_nan=False,
        description="Of their texts, 0 to 1; smaller makes larger and looser clusters.",
        examples=[0.6],
    )
    shared_results: int = Field(
        default=4,
        ge=3,
        le=10,
        description="Of the first ten results, where those are known of both keywords.",
        examples=[4],
    )


class ClusterQuery(Model):
    """Which clusters to list; the greatest demand first."""

    limit: int = Field(default=50, ge=1, le=200, examples=[50])
    cursor: str | None = Field(default=None, max_length=4096, description="``next_cursor`` of the page before.")


class ClusterMembers(Model):
    """A cluster with a page of its keywords, newest first."""

    cluster: KeywordCluster
    items: list[KeywordSummary]
    next_cursor: str | None = Field(default=None, description="Cursor of the next page of members; null on the last.")


class ClusteringResult(Model):
    """What a clustering did; the ``result`` of its job.

    Attributes:
        keywords: Keywords looked at.
        clustered: Those that are in a cluster now.
        clusters: Clusters there are now.
        created: Clusters that are new.
        kept: Clusters that were known before, whatever became of their members.
        ended: Clusters that are no more.
        changed: Keywords whose cluster changed.
    """

    keywords: int
    clustered: int
    clusters: int
    created: int
    kept: int
    ended: int
    changed: int

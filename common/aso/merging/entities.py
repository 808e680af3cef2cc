"""The entity of mergings of keywords."""

from __future__ import annotations

from common.aso.merging.models import KeywordMerge
from common.entity import Entity, Personal

KEYWORD_MERGES = Entity(
    name="keyword_merge",
    domain="aso",
    model=KeywordMerge,
    collection="keyword_merges",
    key="merge_id",
    events={
        "created": "keyword-merge-started",
        "updated": "keyword-merge-progressed",
        "updated:status=done": "keywords-merged",
    },
    unindexed=("counts",),
    personal=(Personal(field="started_by", kind="user_id", erasure="pseudonymise"),),
    purpose="Which keywords were merged into which, so that an interrupted one goes on and old ids can be explained.",
)

"""The entity of keyword clusters."""

from __future__ import annotations

from common.aso.clusters.models import KeywordCluster
from common.entity import Entity, Index

KEYWORD_CLUSTERS = Entity(
    name="keyword_cluster",
    domain="aso",
    model=KeywordCluster,
    collection="keyword_clusters",
    key="cluster_id",
    events={
        "created": "keyword-cluster-found",
        "updated": "keyword-cluster-changed",
        "deleted": "keyword-cluster-ended",
    },
    indexes=(Index(fields=("tenant_id", "-demand")),),
)

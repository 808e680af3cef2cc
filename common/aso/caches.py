"""The cache namespaces of search optimisation, with the times to live of document 000."""

from __future__ import annotations

from common.entity import Namespace

ASO_STATS = Namespace(name="aso_stats", ttl=300, source="warehouse")
"""Statistics of a tenant; computed in the warehouse, so stale only once a change has arrived there."""

ASO_CONTENT = Namespace(name="aso_content", ttl=120, source="firestore")
"""Lists of content pieces."""

ASO_KEYWORDS = Namespace(name="aso_keywords", ttl=180, source="firestore")
"""Lists of keywords."""

ASO_OPPORTUNITIES = Namespace(name="aso_opportunities", ttl=240, source="firestore")
"""Lists of opportunities."""

ASO_RANK_VIEWS = Namespace(name="aso_rank_views", ttl=300, source="warehouse")
"""Share of voice, distribution, movers and charts of ranks."""

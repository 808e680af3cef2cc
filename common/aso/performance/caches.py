"""The cache namespace of search performance."""

from __future__ import annotations

from common.entity import Namespace

ASO_PERFORMANCE = Namespace(name="aso_performance", ttl=900, source="warehouse")
"""Figures of search performance; sources deliver days, so a quarter of an hour is no age."""

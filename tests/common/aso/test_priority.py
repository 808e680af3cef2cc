"""The rule of tiers."""

from __future__ import annotations

import pytest

from common.aso.models import KgrClass
from common.aso.priority import monthly_demand, tier


@pytest.mark.parametrize(
    ("demand", "difficulty", "kgr", "expected"),
    [
        (101, 49.9, None, "tier1"),
        (101, 50, None, "tier2"),
        (101, None, None, "tier2"),
        (100, 10, None, "tier3"),
        (None, 10, None, "tier3"),
        (50, 90, "excellent", "tier1"),
        (50, None, "good", "tier2"),
        (50, None, "competitive", "tier3"),
    ],
)
def test_the_rule(demand: float | None, difficulty: float | None, kgr: KgrClass | None, expected: str) -> None:
    assert tier(demand, difficulty, kgr) == expected


@pytest.mark.parametrize(
    ("volume", "impressions", "days", "expected"),
    [(500, 9, 1, 500), (0, 900, 30, 0), (None, 140, 28, 150), (None, 140, None, None), (None, None, 28, None)],
)
def test_demand_is_the_volume_or_what_was_observed(
    volume: int | None, impressions: int | None, days: int | None, expected: float | None
) -> None:
    assert monthly_demand(volume, impressions, days) == expected

"""What is fetched for a day: the cuts, the slices they are stored as, and their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pydantic import ValidationError

from common.aso.performance.models import PerformanceRow, SplitBy, dimensions_of
from common.aso.search_console_api.api import ApiRow

SOURCE = "search_console_api"
CUTS: tuple[tuple[SplitBy, ...], ...] = (
    ("device", "country"),
    ("page", "device", "country"),
    ("query", "page", "device", "country"),
)
"""Search Console leaves rare searches out of what is split by query, and counts by page once pages are asked for: what
is to be exact for a day or a page needs a cut of its own. Three calls a day."""
LONGEST: Mapping[SplitBy, int] = {"query": 400, "page": 2048}
"""Characters of texts that a row keeps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DayCut:
    """One cut of one day: what becomes visible together.

    Attributes:
        site: The property.
        day: The day.
        number: Position in ``CUTS``.
    """

    site: str
    day: date
    number: int

    @property
    def dimensions(self) -> Sequence[SplitBy]:
        """What its rows are split by."""
        return CUTS[self.number]

    @property
    def slice(self) -> str:
        """Name of the slice of facts that it is."""
        return f"{self.site} {self.day.isoformat()} web {dimensions_of(set(self.dimensions))}"


def performance_rows(cut: DayCut, rows: Iterable[ApiRow]) -> tuple[list[PerformanceRow], list[ApiRow]]:
    """Return an answer's rows as facts, and those that are none (a kind of device nobody knows, a blank search).

    Searches and addresses are cut to the longest we keep; rows that differ in nothing else are added up.
    """
    found: dict[tuple[str, ...], PerformanceRow] = {}
    refused: list[ApiRow] = []
    for row in rows:
        try:
            made = _performance_row(cut, row)
        except ValidationError:
            refused.append(row)
            continue
        key = tuple(str(getattr(made, name)) for name in cut.dimensions)
        found[key] = _sum(found[key], made) if key in found else made
    return list(found.values()), refused


def _performance_row(cut: DayCut, row: ApiRow) -> PerformanceRow:
    named = dict(zip(cut.dimensions, row.keys, strict=True))
    return PerformanceRow.model_validate(
        {
            "date": cut.day.isoformat(),
            "site": cut.site,
            "clicks": row.clicks,
            "impressions": row.impressions,
            "position": row.position if row.position >= 1 else None,
            "source": SOURCE,
            **{name: value[: LONGEST.get(name)] for name, value in named.items()},
            **({"device": named["device"].lower()} if "device" in named else {}),
        }
    )


def _sum(one: PerformanceRow, other: PerformanceRow) -> PerformanceRow:
    shown = one.impressions + other.impressions
    weighted = (one.position or 0) * one.impressions + (other.position or 0) * other.impressions
    return one.model_copy(
        update={
            "clicks": one.clicks + other.clicks,
            "impressions": shown,
            "position": weighted / shown if shown and weighted else None,
        }
    )

"""Rank observations made up for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from common.aso.keywords import new_keyword
from common.aso.models import RankObservation
from common.aso.rank_models import RankRow
from common.aso.ranks import observation_of

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
KEYWORD = new_keyword("demo", "qr code scanner", NOW)

POSITIONS = st.integers(min_value=10, max_value=1000).map(lambda tenths: tenths / 10)
"""One decimal, as Search Console reports positions, so that halves come up."""


@st.composite
def observations(draw: st.DrawFn) -> RankObservation:
    """Observations of one keyword over fifty days, a few checks a day, in all three states."""
    state = draw(st.sampled_from(["ranked", "ranked", "not_found", "check_failed"]))
    row = RankRow.model_validate(
        {
            "keyword": KEYWORD.keyword,
            "checked_at": NOW - timedelta(days=draw(st.integers(0, 50)), hours=draw(st.integers(0, 3))),
            "device": draw(st.sampled_from(["desktop", "mobile"])),
            "source": draw(st.sampled_from(["one", "other"])),
            "state": state,
            "position": draw(POSITIONS) if state == "ranked" else None,
            "depth": draw(st.sampled_from([10, 100])) if state == "not_found" else None,
        }
    )
    return observation_of(KEYWORD, row, NOW)


def told_once(told: list[RankObservation]) -> list[RankObservation]:
    """Return what the store would take of these: the first success of a check, or its failure if there is none."""
    kept: dict[str, RankObservation] = {}
    for observation in told:
        known = kept.get(observation.observation_id)
        if known is None or (known.state == "check_failed" and observation.state != "check_failed"):
            kept[observation.observation_id] = observation
    return list(kept.values())

"""What the links of a hub lack, and what setting them is worth: a modest prior, and nothing where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.detectors.link_gap import expected_of, link_gap_of
from common.aso.gain_model.model import PRIOR_MODEL
from common.aso.gain_model.scale import Search
from common.aso.pages.link_models import LinkAudit, SpokeLinks

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
STATES = st.sampled_from(["linked", "nofollow", "missing", "unknown"])
SPOKES = st.lists(
    st.tuples(STATES, STATES, st.integers(0, 2)).map(
        lambda each: {"from_hub": each[0], "to_hub": each[1], "from_siblings": each[2]}
    ),
    max_size=8,
)


def audit(*spokes: Mapping[str, object]) -> LinkAudit:
    rows = [SpokeLinks.model_validate({"content_id": f"s{number}", **each}) for number, each in enumerate(spokes)]
    states = [state for row in rows for state in (row.from_hub, row.to_hub)]
    known = len(states) - states.count("unknown")
    return LinkAudit(
        content_id="hub",
        tenant_id="demo",
        spoke_ids=[row.content_id for row in rows],
        spokes=rows,
        linked=states.count("linked"),
        nofollow=states.count("nofollow"),
        missing=states.count("missing"),
        unknown=states.count("unknown"),
        coverage=states.count("linked") / known if known else None,
        orphans=[row.content_id for row in rows if row.from_hub != "linked" and not row.from_siblings],
        source="given",
        checked_at=NOW,
        created_at=NOW,
    )


THERE = {"from_hub": "linked", "to_hub": "linked"}


def test_links_that_are_there_or_were_not_read_are_no_gap() -> None:
    assert link_gap_of(audit(THERE, {"from_hub": "unknown", "to_hub": "unknown"})) is None
    assert link_gap_of(audit()) is None


def test_what_is_missing_is_told_by_direction() -> None:
    found = link_gap_of(
        audit(
            THERE,
            {"from_hub": "missing", "to_hub": "linked", "from_siblings": 1},
            {"from_hub": "missing", "to_hub": "unknown"},
            {"from_hub": "linked", "to_hub": "nofollow"},
        )
    )
    assert found is not None
    assert (found.unlinked, found.orphans, found.silent, found.back_links_known) == (("s1", "s2"), ("s2",), ("s3",), 3)
    assert found.missing == 3


SEARCH = Search(rank=9.0, demand=1000.0, difficulty=20.0)


def test_a_spoke_without_its_link_is_expected_to_gain_one_rank_and_no_more() -> None:
    gap = link_gap_of(audit({"from_hub": "missing", "to_hub": "linked"}, THERE))
    assert gap is not None
    found = expected_of(gap, "hub", {"s0": [SEARCH], "s1": [SEARCH], "hub": [SEARCH]}, PRIOR_MODEL)
    assert found is not None
    step = 1000 * (PRIOR_MODEL.click_through(8) - PRIOR_MODEL.click_through(9))
    assert found.change == pytest.approx(step)
    assert found.gain == pytest.approx(step * PRIOR_MODEL.reach(9, 8, 20))


def test_the_hub_gains_in_the_share_of_its_missing_back_links() -> None:
    half = link_gap_of(audit(THERE, {"from_hub": "linked", "to_hub": "missing"}))
    whole = link_gap_of(audit({"from_hub": "linked", "to_hub": "missing"}))
    assert half is not None
    assert whole is not None
    some, every = (expected_of(gap, "hub", {"hub": [SEARCH]}, PRIOR_MODEL) for gap in (half, whole))
    assert some is not None
    assert every is not None
    assert some.gain == pytest.approx(every.gain / 2)


def test_nothing_is_invented_for_pages_without_known_searches() -> None:
    gap = link_gap_of(audit({"from_hub": "missing", "to_hub": "missing"}))
    assert gap is not None
    assert expected_of(gap, "hub", {}, PRIOR_MODEL) is None


@given(spokes=SPOKES)
def test_a_gap_names_what_the_audit_counted(spokes: list[dict[str, object]]) -> None:
    value = audit(*spokes)
    found = link_gap_of(value)
    assert (0 if found is None else found.missing) == value.missing + value.nofollow
    if found is not None:
        assert set(found.orphans) <= set(found.unlinked)
        expected = expected_of(found, "hub", {name: [SEARCH] for name in ("hub", *found.unlinked)}, PRIOR_MODEL)
        assert expected is not None
        assert 0 < expected.low <= expected.gain <= expected.high
        assert expected.gain <= expected.change

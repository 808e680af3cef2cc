"""Links between a hub and its spokes: counted once, however they are found and wherever the counting stops."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from common.aso.models import ContentPiece
from common.aso.pages.link_models import MAX_SPOKES, LinkAudit
from common.aso.pages.links import ReadPage, Tally, read_page, without_spokes

NOW = datetime(2026, 11, 21, tzinfo=UTC)
HUB = "https://example.com/hub/"


def piece(name: str, status: str = "published", url: str | None = "") -> ContentPiece:
    return ContentPiece.model_validate(
        {
            "content_id": name,
            "tenant_id": "demo",
            "content_type": "hub" if name == "hub" else "spoke",
            "keyword_primary": f"keyword of {name}",
            "title": name,
            "hub_id": None if name == "hub" else "hub",
            "url": f"https://example.com/{name}" if url == "" else url,
            "status": status,
            "created_at": NOW,
        }
    )


def audit(tally: Tally) -> LinkAudit:
    return tally.audit(NOW, source="given")


def test_what_is_linked_missing_and_unknown() -> None:
    spokes = [piece("a"), piece("b"), piece("c"), piece("draft", status="draft"), piece("nowhere", url=None)]
    tally = Tally(piece("hub"), spokes)
    tally.add_hub(
        read_page(HUB, [("../a?utm_source=x#top", False), ("/b", True), ("http://www.example.com/c/", False)])
    )
    tally.add_spoke(0, read_page("https://example.com/a", [("https://example.com/hub", False), ("b", False)]))
    tally.add_spoke(1, read_page("https://example.com/b", [("http://[x", False), ("b", False)]))
    found = audit(tally)
    rows = {row.content_id: (row.from_hub, row.to_hub, row.from_siblings, row.problem) for row in found.spokes}
    assert rows == {
        "a": ("linked", "linked", 0, None),
        "b": ("nofollow", "missing", 1, None),
        "c": ("linked", "unknown", 0, "not_given"),
    }
    assert (found.linked, found.nofollow, found.missing, found.unknown) == (3, 1, 1, 1)
    assert (found.coverage, found.orphans, found.unpublished, found.hub_problem) == (0.6, [], 2, None)


def test_orphans_are_linked_from_nowhere() -> None:
    tally = Tally(piece("hub"), [piece("a"), piece("b"), piece("c")])
    tally.add_hub(read_page(HUB, [("/a", False)]))
    tally.add_spoke(0, read_page("https://example.com/a", [("/b", False)]))
    assert audit(tally).orphans == ["c"]


def test_a_hub_that_was_not_read_says_nothing_of_orphans() -> None:
    tally = Tally(piece("hub"), [piece("a")])
    tally.add_hub(ReadPage(problem="http_404"))
    found = audit(tally)
    assert (found.orphans, found.coverage, found.hub_problem, found.unknown) == ([], None, "http_404", 2)
    assert audit(Tally(piece("hub", url=None), [piece("a")])).coverage is None


def test_a_followed_link_outweighs_others() -> None:
    page = read_page(HUB, [("/a", True), ("/a", False), ("/b", True)])
    assert (set(page.followed), set(page.nofollow)) == ({"example.com/a"}, {"example.com/b"})


def test_more_spokes_than_one_audit_covers() -> None:
    spokes = [piece(f"s{number}") for number in range(MAX_SPOKES + 3)]
    found = audit(Tally(piece("hub"), spokes))
    assert (len(found.spokes), found.left_out) == (MAX_SPOKES, 3)
    assert len(found.model_dump_json()) < 500_000


NAMES = ["a", "b", "c", "d"]
PAGE = st.one_of(
    st.builds(lambda problem: ReadPage(problem=problem), st.sampled_from(["robots_denied", "http_500"])),
    st.lists(st.tuples(st.sampled_from([*NAMES, "hub", "else"]), st.booleans()), max_size=6).map(
        lambda pairs: read_page(HUB, [(f"/{name}", nofollow) for name, nofollow in pairs])
    ),
)


@given(PAGE, st.lists(PAGE, min_size=4, max_size=4), st.integers(0, 4), st.sets(st.sampled_from(NAMES)))
def test_going_on_later_and_losing_spokes_changes_nothing_else(
    hub: ReadPage, pages: list[ReadPage], stop: int, gone: set[str]
) -> None:
    spokes = [piece(name) for name in NAMES]
    whole = Tally(piece("hub"), spokes)
    whole.add_hub(hub)
    part = Tally(piece("hub"), spokes)
    part.add_hub(hub)
    for at, page in enumerate(pages):
        whole.add_spoke(at, page)
        if at < stop:
            part.add_spoke(at, page)
    resumed = Tally(piece("hub"), [*spokes, piece("new")], json.loads(json.dumps(part.state())))
    assert resumed.waiting() == list(range(stop, 4))
    for at in resumed.waiting():
        resumed.add_spoke(at, pages[at])
    assert audit(resumed) == audit(whole)

    left = without_spokes(audit(whole), dict.fromkeys(gone))
    assert left.spoke_ids == [name for name in NAMES if name not in gone]
    states = [state for row in left.spokes for state in (row.from_hub, row.to_hub)]
    assert (left.linked, left.missing, left.nofollow, left.unknown) == tuple(
        states.count(state) for state in ("linked", "missing", "nofollow", "unknown")
    )
    assert len(states) == 2 * len(left.spokes)
    assert left.coverage is None or 0 <= left.coverage <= 1


@given(st.sets(st.sampled_from(NAMES)))
def test_spokes_that_are_gone_meanwhile_are_left_out(gone: set[str]) -> None:
    spokes = [piece(name) for name in NAMES]
    before = Tally(piece("hub"), spokes)
    before.add_hub(read_page(HUB, [("/a", False), ("/b", True)]))
    before.add_spoke(2, read_page(HUB, [("/hub", False), ("/d", False)]))
    after = Tally(piece("hub"), [spoke for spoke in spokes if spoke.content_id not in gone], before.state())
    rows = {row.content_id: row for row in audit(before).spokes}
    assert audit(after).spokes == [rows[name] for name in NAMES if name not in gone]

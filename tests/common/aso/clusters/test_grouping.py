"""Groups of keywords: the same whatever their order, equal to comparing all with all, and undisturbed by others."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.aso.clusters.grouping import Group, grouped
from common.aso.clusters.similarity import Term, Thresholds, Vectors, vectors_of, words_of

WORDS = (
    "qr",
    "code",
    "scanner",
    "scanners",
    "scaner",
    "reader",
    "best",
    "free",
    "app",
    "online",
    "läufer",
    "shoe",
    "shoes",
)
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
PAGES = st.frozensets(st.integers(0, 14).map(lambda number: f"https://example.com/{number}"), max_size=10)


def terms_of(
    texts: Sequence[str], demand: Sequence[float | None] = (), pages: Sequence[frozenset[str]] = ()
) -> list[Term]:
    return [
        Term(
            keyword_id=f"k{number}",
            text=text,
            demand=demand[number] if demand else None,
            pages=pages[number] if pages else frozenset(),
        )
        for number, text in enumerate(texts)
    ]


@st.composite
def corpora(draw: st.DrawFn) -> list[Term]:
    texts = draw(st.lists(TEXTS, min_size=0, max_size=25))
    demand = draw(st.lists(st.none() | st.sampled_from([0.0, 10.0, 500.0]), min_size=len(texts), max_size=len(texts)))
    pages = draw(st.lists(st.just(frozenset()) | PAGES, min_size=len(texts), max_size=len(texts)))
    return terms_of(texts, demand, pages)


def members(groups: Sequence[Group]) -> set[tuple[str, ...]]:
    return {tuple(term.keyword_id for term in group.members) for group in groups}


def exhaustive(terms: Sequence[Term], thresholds: Thresholds) -> set[tuple[str, ...]]:
    """Group by comparing every term with every leader, as the definition says."""
    ordered = sorted(terms, key=lambda term: term.priority)
    vectors = vectors_of(ordered)

    def strength(one: int, other: int) -> float:
        if ordered[one].pages and ordered[other].pages:
            return len(ordered[one].pages & ordered[other].pages) / thresholds.shared_pages
        return vectors.cosine(frozenset(vectors.features[one]), one, other) / thresholds.text

    joined: dict[int, list[int]] = {}
    for number in range(len(ordered)):
        best = max(((strength(number, leader), -leader) for leader in joined), default=(0.0, 0))
        joined.setdefault(-best[1] if best[0] >= 1 else number, []).append(number)
    return {tuple(ordered[number].keyword_id for number in found) for found in joined.values() if len(found) > 1}


@settings(max_examples=60)
@given(corpora(), st.sampled_from([0.4, 0.6, 0.8]))
def test_no_alike_pair_is_missed(terms: list[Term], similarity: float) -> None:
    thresholds = Thresholds(text=similarity)
    assert members(grouped(terms, thresholds)) == exhaustive(terms, thresholds)


@settings(max_examples=60)
@given(corpora(), st.randoms(use_true_random=False))
def test_the_order_of_keywords_changes_nothing(terms: list[Term], chance: random.Random) -> None:
    shuffled = list(terms)
    chance.shuffle(shuffled)
    assert grouped(shuffled) == grouped(terms)


@settings(max_examples=60)
@given(corpora())
def test_an_unrelated_keyword_changes_no_group(terms: list[Term]) -> None:
    other = Term(keyword_id="other", text="zzz 12345", demand=100.0, pages=frozenset({"https://example.net/other"}))
    assert grouped([*terms, other]) == grouped(terms)


@given(st.lists(TEXTS, min_size=2, max_size=10))
def test_an_unrelated_keyword_leaves_similarities_as_they_were(texts: list[str]) -> None:
    alone, beside = vectors_of(terms_of(texts)), vectors_of(terms_of([*texts, "zzz 12345"]))
    for one in range(len(texts)):
        for other in range(len(texts)):
            before = alone.cosine(frozenset(alone.features[one]), one, other)
            assert beside.cosine(frozenset(beside.features[one]), one, other) == pytest.approx(before, abs=1e-12)


@settings(max_examples=60)
@given(corpora())
def test_everybody_is_in_one_group_at_most_and_alike_to_its_leader(terms: list[Term]) -> None:
    thresholds = Thresholds()
    groups = grouped(terms, thresholds)
    inside = [term.keyword_id for group in groups for term in group.members]
    assert len(inside) == len(set(inside))
    ordered = sorted(terms, key=lambda term: term.priority)
    place = {term.keyword_id: number for number, term in enumerate(ordered)}
    vectors = vectors_of(ordered)
    for group in groups:
        assert len(group.members) > 1
        leader = place[group.leader.keyword_id]
        for term in group.members[1:]:
            assert place[term.keyword_id] > leader, "the leader is what most people search for"
            if not (term.pages and group.leader.pages):
                own = frozenset(vectors.features[leader])
                assert vectors.cosine(own, leader, place[term.keyword_id]) >= thresholds.text


@given(st.lists(TEXTS, min_size=1, max_size=12))
def test_similarity_is_a_cosine(texts: list[str]) -> None:
    vectors = vectors_of(terms_of(texts))
    for one in range(len(texts)):
        own = frozenset(vectors.features[one])
        assert math.isclose(vectors.cosine(own, one, one), 1.0, abs_tol=1e-9)
        for other in range(len(texts)):
            back = vectors.cosine(frozenset(vectors.features[other]), other, one)
            assert math.isclose(vectors.cosine(own, one, other), back, abs_tol=1e-12)
            assert -1e-9 <= back <= 1 + 1e-9


EXAMPLES = {
    "qr code scanner": ["qr code scanner online", "qr scanner"],
    "qr code generator": ["free qr code generator", "qr code generator free"],
    "create an invoice": ["how to create an invoice", "create invoice"],
    "laufschuhe": ["laufschuhe damen", "laufschuhe herren"],
    "email marketing": ["what is email marketing", "email marketing tools"],
}


def test_what_belongs_together_is_together() -> None:
    texts = [text for leader, others in EXAMPLES.items() for text in (leader, *others)]
    demand = [100.0 if text in EXAMPLES else 10.0 for text in texts]
    groups = grouped(terms_of(texts, demand))
    assert {group.leader.text: sorted(term.text for term in group.members[1:]) for group in groups} == {
        leader: sorted(others) for leader, others in EXAMPLES.items()
    }
    assert {group.method for group in groups} == {"text"}


@pytest.mark.parametrize("text", ["!!!", "c++", "東京 ラーメン", "ǅ", "a", "ﬁ", "'", "🙂"])
def test_any_keyword_has_features(text: str) -> None:
    assert words_of(text)
    assert grouped(terms_of([text, text]))[0].leader.text == text


def test_shared_results_win_over_text_where_both_are_known() -> None:
    page = [f"https://example.com/{number}" for number in range(20)]
    same = frozenset(page[:10])
    terms = terms_of(
        ["cheap flights", "airline tickets", "cheap flights paris", "cheap flights today"],
        [100.0, 50.0, 20.0, 10.0],
        [same, frozenset(page[6:16]), frozenset(page[10:]), frozenset()],
    )
    assert members(grouped(terms)) == {("k0", "k1", "k3")}, "k1 shares four results; k2 only words; k3's are unknown"
    [group] = grouped(terms)
    assert group.method == "mixed"
    assert members(grouped(terms, Thresholds(shared_pages=5))) == {("k0", "k3")} | {("k1", "k2")}


def test_a_keyword_joins_the_leader_it_is_most_alike_to() -> None:
    terms = terms_of(["red shoes", "wool hat", "red wool hats"], [100.0, 50.0, 10.0])
    assert members(grouped(terms[::2], Thresholds(text=0.2))) == {("k0", "k2")}
    assert members(grouped(terms, Thresholds(text=0.2))) == {("k1", "k2")}


def test_frequent_features_bound_the_work() -> None:
    """Ten thousand keywords that share a word are compared with a bounded number of leaders each."""
    compared = 0
    original = Vectors.cosine

    def counted(self: Vectors, own: frozenset[int], one: int, other: int) -> float:
        nonlocal compared
        compared += 1
        return original(self, own, one, other)

    chance = random.Random(7)
    texts = [f"shoes {''.join(chance.choices('abcdefghij', k=6))}" for _ in range(3000)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Vectors, "cosine", counted)
        grouped(terms_of(texts), verified=16)
    assert compared <= 2 * 16 * len(texts)


def test_a_sign_of_life_is_given() -> None:
    ticks: list[int] = []
    grouped(terms_of(["a b", "b c"]), tick=lambda: ticks.append(1))
    assert len(ticks) >= 3

"""Group keywords around leaders: every member is alike to the one keyword that names its group.

Terms are gone through from the greatest demand down. A term joins the leader so far that it is most alike to; one that
is alike to none becomes a leader. So nothing is chained together over intermediate keywords that have little in common
at the ends, every group has the name that most of it is searched by, and the outcome depends on the terms alone: not
on their order, nor on chance.

The work is near to linear: a term is compared only with leaders that share one of its rarest features (no pair above
the threshold is missed by that), where very many share one with ``POSTINGS`` of them, the leading ones, and in the end
exactly with the ``VERIFIED`` most promising.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from common.aso.clusters.similarity import TICK, Term, Thresholds, Vectors, vectors_of

POSTINGS = 256
VERIFIED = 64
Method = Literal["result_pages", "text", "mixed"]


@dataclass(frozen=True, slots=True)
class Group:
    """A leader with what is alike to it.

    Attributes:
        members: The leader, then the others in order of priority; two at least.
        method: What the members are alike by.
    """

    members: tuple[Term, ...]
    method: Method

    @property
    def leader(self) -> Term:
        """The keyword that names the group."""
        return self.members[0]


@dataclass(frozen=True, slots=True)
class _Link:
    strength: float
    leader: int
    by_pages: bool


def grouped(
    terms: Iterable[Term],
    thresholds: Thresholds | None = None,
    *,
    tick: Callable[[], None] = lambda: None,
    postings: int = POSTINGS,
    verified: int = VERIFIED,
) -> list[Group]:
    """Return the groups of two terms or more, by priority of their leaders; terms alike to nothing are in none.

    Args:
        terms: Keywords with different ids.
        thresholds: From when on two are alike.
        tick: Called now and then.
        postings: Leaders looked at per feature.
        verified: Leaders compared exactly per term.
    """
    ordered = sorted(terms, key=lambda term: term.priority)
    work = _Grouping(ordered, thresholds or Thresholds(), tick, postings, verified)
    joined: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for number, link in work.links():
        joined[link.leader].append((number, link.by_pages))
    return [
        Group((ordered[leader], *(ordered[number] for number, _ in members)), _method([by for _, by in members]))
        for leader, members in sorted(joined.items())
    ]


def _method(by_pages: Sequence[bool]) -> Method:
    if all(by_pages):
        return "result_pages"
    return "mixed" if any(by_pages) else "text"


class _Grouping:
    """Terms in order of priority, and the index of those that lead."""

    def __init__(
        self, terms: Sequence[Term], thresholds: Thresholds, tick: Callable[[], None], postings: int, verified: int
    ) -> None:
        self._terms = terms
        self._thresholds = thresholds
        self._tick = tick
        self._postings = postings
        self._verified = verified
        self._vectors: Vectors = vectors_of(terms, tick)
        self._by_feature: dict[int, list[int]] = defaultdict(list)
        self._by_page: dict[str, list[int]] = defaultdict(list)

    def links(self) -> Iterator[tuple[int, _Link]]:
        """Yield every term that joins a leader, with the one it is most alike to; of equal ones the first."""
        for number in range(len(self._terms)):
            best = max(self._alike(number), key=lambda link: (link.strength, -link.leader), default=None)
            if best is None:
                self._index(number)
            else:
                yield number, best
            if number % TICK == 0:
                self._tick()

    def _index(self, leader: int) -> None:
        vectors = self._vectors
        for feature in vectors.features[leader][: vectors.prefix(leader, self._thresholds.text)]:
            waiting = self._by_feature[feature]
            if len(waiting) < self._postings:
                waiting.append(leader)
        for page in self._terms[leader].pages:
            waiting = self._by_page[page]
            if len(waiting) < self._postings:
                waiting.append(leader)

    def _alike(self, number: int) -> Iterator[_Link]:
        """Yield the links of a term to leaders it is alike to."""
        own_pages = self._terms[number].pages
        if own_pages:
            yield from self._by_pages(own_pages)
        features = frozenset(self._vectors.features[number])
        for leader in self._promising(number):
            if own_pages and self._terms[leader].pages:
                continue  # both are known by their results: those decide
            cosine = self._vectors.cosine(features, number, leader)
            if cosine >= self._thresholds.text:
                yield _Link(cosine / self._thresholds.text, leader, by_pages=False)

    def _by_pages(self, pages: frozenset[str]) -> Iterator[_Link]:
        shared: dict[int, int] = defaultdict(int)
        for page in pages:
            for leader in self._by_page.get(page, ()):
                shared[leader] += 1
        for leader, count in sorted(shared.items()):
            if count >= self._thresholds.shared_pages:
                yield _Link(count / self._thresholds.shared_pages, leader, by_pages=True)

    def _promising(self, number: int) -> list[int]:
        """Return the leaders that share a rare feature, the most promising ones first."""
        vectors = self._vectors
        sums: dict[int, float] = defaultdict(float)
        for feature in vectors.features[number][: vectors.prefix(number, self._thresholds.text)]:
            leaders = self._by_feature.get(feature)
            if leaders is None:
                continue
            scales = vectors.word_scale if vectors.is_word[feature] else vectors.gram_scale
            share = vectors.weights[feature] * scales[number]
            for leader in leaders:
                sums[leader] += share * scales[leader]
        if len(sums) <= self._verified:
            return sorted(sums, key=lambda leader: (-sums[leader], leader))
        return heapq.nsmallest(self._verified, sums, key=lambda leader: (-sums[leader], leader))
